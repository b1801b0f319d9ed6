"""Each priority rule where it applies and where it doesn't; tiers and points put together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policy.facts import Accommodation, HouseholdFacts, Member, Relationship, Sex
from app.policy.priority import (
    AccommodationRule,
    AllAgedRule,
    LargeFamilyRule,
    Rule,
    RuleReason,
    SingleParentRule,
    StepFreeNeedRule,
    YearsWaitingRule,
    priority,
)


def member(key: str, age: int, relationship: Relationship, *, step_free: bool = False) -> Member:
    return Member(key, age, Sex.FEMALE, relationship, needs_step_free=step_free)


def household(
    *members: Member, accommodation: Accommodation = Accommodation.RENTED, waiting_days: int = 0
) -> HouseholdFacts:
    return HouseholdFacts("H", members, accommodation, True, True, False, waiting_days)


HEAD = member("head", 40, Relationship.HEAD)
CHILD = member("child", 17, Relationship.CHILD)
GRANDCHILD = member("grandchild", 2, Relationship.GRANDCHILD)
ADULT_CHILD = member("adult child", 18, Relationship.CHILD)
NIECE = member("niece", 10, Relationship.OTHER_RELATIVE)
OLD = member("old", 60, Relationship.HEAD)
YOUNG_SPOUSE = member("spouse", 17, Relationship.SPOUSE)

DORMITORY = AccommodationRule(name="dormitory", accommodation=(Accommodation.DORMITORY,), tier=2, points=10)
STEP_FREE = StepFreeNeedRule(name="step-free", tier=1)
SINGLE_PARENT = SingleParentRule(name="single parent", tier=2, points=15)
AGED = AllAgedRule(name="aged", points=3)
LARGE = LargeFamilyRule(name="large", min_members=3, tier=3)
WAITING = YearsWaitingRule(name="waiting", points_per_year=2, max_years=3)


@pytest.mark.parametrize(
    ("rule", "facts", "expected"),
    [
        (
            DORMITORY,
            household(HEAD, accommodation=Accommodation.DORMITORY),
            RuleReason("dormitory", 2, 10, "Present accommodation: dormitory."),
        ),
        (DORMITORY, household(HEAD, accommodation=Accommodation.RENTED), None),
        (
            STEP_FREE,
            household(HEAD, replace(CHILD, needs_step_free=True)),
            RuleReason("step-free", 1, 0, "A member needs step-free access."),
        ),
        (STEP_FREE, household(HEAD, CHILD), None),
        (
            SINGLE_PARENT,
            household(CHILD, HEAD, GRANDCHILD, NIECE),
            RuleReason("single parent", 2, 15, "One adult alone with 2 under 18."),
        ),
        (SINGLE_PARENT, household(HEAD), None),
        (SINGLE_PARENT, household(HEAD, NIECE), None),
        (SINGLE_PARENT, household(HEAD, CHILD, ADULT_CHILD), None),
        (SINGLE_PARENT, household(HEAD, CHILD, YOUNG_SPOUSE), None),
        (SINGLE_PARENT, household(CHILD, ADULT_CHILD), None),
        (SINGLE_PARENT, household(), None),
        (AGED, household(OLD, replace(OLD, key="2")), RuleReason("aged", None, 3, "All members are 60 or over.")),
        (AGED, household(OLD, member("2", 59, Relationship.SPOUSE)), None),
        (AGED, household(), None),
        (LARGE, household(HEAD, CHILD, NIECE), RuleReason("large", 3, 0, "3 members, 3 or more.")),
        (LARGE, household(HEAD, CHILD), None),
        (WAITING, household(HEAD, waiting_days=364), None),
        (WAITING, household(HEAD, waiting_days=365), RuleReason("waiting", None, 2, "Full years waiting: 1.")),
        (
            WAITING,
            household(HEAD, waiting_days=3_650),
            RuleReason("waiting", None, 6, "Full years waiting: 10, of which 3 count."),
        ),
    ],
)
def test_a_rule_applies_and_says_why(rule: Rule, facts: HouseholdFacts, expected: RuleReason | None) -> None:
    given_by_rule = [reason for reason in priority(facts, [rule], 9).reasons if reason.rule == rule.name]
    assert given_by_rule == ([] if expected is None else [expected])


def test_the_best_tier_counts_and_all_points_add_up() -> None:
    facts = household(
        HEAD,
        replace(CHILD, needs_step_free=True),
        NIECE,
        accommodation=Accommodation.DORMITORY,
        waiting_days=800,
    )
    result = priority(facts, [LARGE, DORMITORY, STEP_FREE, SINGLE_PARENT, AGED, WAITING], 5)
    assert (result.tier, result.points) == (1, 10 + 15 + 2 * 2)
    assert [reason.rule for reason in result.reasons] == ["large", "dormitory", "step-free", "single parent", "waiting"]


def test_without_a_tier_from_a_rule_the_default_is_given_and_said() -> None:
    result = priority(household(OLD), [AGED, DORMITORY], 4)
    assert (result.tier, result.points) == (4, 3)
    assert result.reasons[-1] == RuleReason("default_tier", 4, 0, "No rule gives the household a tier.")


def test_a_rule_worse_than_the_default_still_gives_its_tier() -> None:
    assert priority(household(HEAD, CHILD, NIECE), [LARGE], 1).tier == 3


@given(
    rules=st.lists(st.sampled_from([DORMITORY, STEP_FREE, SINGLE_PARENT, AGED, LARGE, WAITING]), unique_by=id),
    accommodation=st.sampled_from(Accommodation),
    waiting_days=st.integers(0, 10_000),
    default_tier=st.integers(1, 20),
)
def test_the_reasons_account_for_tier_and_points(
    rules: list[Rule], accommodation: Accommodation, waiting_days: int, default_tier: int
) -> None:
    facts = household(HEAD, CHILD, accommodation=accommodation, waiting_days=waiting_days)
    result = priority(facts, rules, default_tier)
    assert result.points == sum(reason.points for reason in result.reasons)
    assert result.tier == min(reason.tier for reason in result.reasons if reason.tier is not None)
    assert result.tier == priority(facts, rules[::-1], default_tier).tier
