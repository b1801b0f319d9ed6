"""Each condition of eligibility, met, failed and switched off."""

from dataclasses import replace

import pytest

from app.policy.eligibility import EligibilityRules, Ineligibility, eligibility
from app.policy.facts import Accommodation, HouseholdFacts, Member, Relationship, Sex

HEAD = Member("1", 40, Sex.FEMALE, Relationship.HEAD)
CHILD = Member("2", 10, Sex.MALE, Relationship.CHILD)
FAMILY = HouseholdFacts(
    "H", (HEAD, CHILD), Accommodation.RENTED, displaced=True, consented=True, has_home=False, waiting_days=0
)
MINOR_HEAD = replace(HEAD, age=17)


def codes(facts: HouseholdFacts, rules: EligibilityRules) -> list[Ineligibility]:
    verdict = eligibility(facts, rules)
    assert verdict.eligible is (not verdict.reasons)
    assert all(reason.sentence.endswith(".") for reason in verdict.reasons)
    return [reason.code for reason in verdict.reasons]


def test_a_family_that_meets_every_condition_is_eligible() -> None:
    assert codes(FAMILY, EligibilityRules(owners_excluded=True)) == []


@pytest.mark.parametrize(
    ("facts", "code", "without"),
    [
        (replace(FAMILY, consented=False), "no_consent", EligibilityRules(consent_required=False)),
        (replace(FAMILY, displaced=False), "not_displaced", EligibilityRules(displacement_required=False)),
        (replace(FAMILY, has_home=True), "already_housed", EligibilityRules(home_excludes=False)),
        (
            replace(FAMILY, members=(replace(HEAD, relationship=Relationship.SPOUSE), CHILD)),
            "no_head",
            EligibilityRules(one_head_required=False),
        ),
        (
            replace(FAMILY, members=(HEAD, replace(HEAD, key="3"))),
            "several_heads",
            EligibilityRules(one_head_required=False),
        ),
        (replace(FAMILY, members=(MINOR_HEAD, CHILD)), "no_adult", EligibilityRules(adult_required=False)),
        (replace(FAMILY, members=(MINOR_HEAD, CHILD)), "no_adult", EligibilityRules(adult_age=17)),
    ],
)
def test_each_condition_excludes_unless_switched_off(
    facts: HouseholdFacts, code: str, without: EligibilityRules
) -> None:
    assert codes(facts, EligibilityRules()) == [code]
    assert codes(facts, without) == []


def test_owners_are_excluded_only_where_the_programme_says_so() -> None:
    owners = replace(FAMILY, accommodation=Accommodation.OWNED)
    assert codes(owners, EligibilityRules()) == []
    assert codes(owners, EligibilityRules(owners_excluded=True)) == ["owns_home"]


def test_nobody_to_house_excludes_whatever_is_switched_off() -> None:
    empty = replace(FAMILY, members=())
    lenient = EligibilityRules(
        consent_required=False,
        displacement_required=False,
        home_excludes=False,
        one_head_required=False,
        adult_required=False,
    )
    assert codes(empty, EligibilityRules()) == ["no_members"]
    assert codes(empty, lenient) == ["no_members"]


def test_every_reason_is_given_not_only_the_first() -> None:
    facts = HouseholdFacts(
        "H", (CHILD,), Accommodation.OWNED, displaced=False, consented=False, has_home=True, waiting_days=0
    )
    assert codes(facts, EligibilityRules(owners_excluded=True)) == [
        "no_consent",
        "not_displaced",
        "already_housed",
        "no_head",
        "no_adult",
        "owns_home",
    ]
