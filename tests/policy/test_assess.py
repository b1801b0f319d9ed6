"""A whole household under a whole policy."""

from dataclasses import replace

from app.policy.assess import Service, assess
from app.policy.facts import Accommodation, HouseholdFacts, Member, Relationship, Sex
from app.policy.parameters import DEFAULT_POLICY, Policy, Services

FAMILY = HouseholdFacts(
    "H",
    (
        Member("1", 40, Sex.FEMALE, Relationship.HEAD),
        Member("2", 18, Sex.MALE, Relationship.CHILD),
        Member("3", 17, Sex.MALE, Relationship.CHILD),
        Member("4", 6, Sex.FEMALE, Relationship.CHILD, needs_step_free=True),
        Member("5", 5, Sex.MALE, Relationship.CHILD),
    ),
    Accommodation.DORMITORY,
    displaced=True,
    consented=True,
    has_home=False,
    waiting_days=800,
)


def policy(**fields: object) -> Policy:
    return Policy.model_validate(DEFAULT_POLICY.model_dump() | fields)


def test_a_family_under_the_default_policy() -> None:
    assessment = assess(FAMILY, DEFAULT_POLICY)
    assert (assessment.size_min, assessment.size_max) == (4, 5)
    assert assessment.need.amount == 4
    assert assessment.eligibility.eligible
    assert (assessment.priority.tier, assessment.priority.points) == (1, 20 + 10 + 2 * 2)
    assert assessment.uses == {Service.SCHOOL: 2, Service.CLINIC: 5}
    assert assessment.needs_step_free


def test_the_policy_decides() -> None:
    assessment = assess(
        FAMILY,
        policy(
            occupancy={"standard": "floor_area"},
            spare_allowed=20,
            priority_rules=(),
            services=Services(school_age_from=18, school_age_to=18),
        ),
    )
    assert (assessment.size_min, assessment.size_max) == (18, 38)
    assert (assessment.priority.tier, assessment.priority.points) == (4, 0)
    assert assessment.uses == {Service.SCHOOL: 1, Service.CLINIC: 5}


def test_a_household_that_may_not_take_part_is_assessed_in_full() -> None:
    assessment = assess(replace(FAMILY, members=()), DEFAULT_POLICY)
    assert not assessment.eligibility.eligible
    assert (assessment.size_min, assessment.size_max) == (0, 1)
    assert assessment.uses == {Service.SCHOOL: 0, Service.CLINIC: 0}
    assert not assessment.needs_step_free
