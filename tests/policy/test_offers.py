"""What follows of declined offers: nothing by default, and what a policy says, when it says so."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.policy.assess import LAST_TIER, Assessment, assess
from app.policy.eligibility import Ineligibility
from app.policy.facts import Accommodation, Decline, DeclineReason, HouseholdFacts, Member, Relationship, Sex
from app.policy.offers import OFFERS_RULE, OfferRules, is_offered_again
from app.policy.parameters import DEFAULT_POLICY
from app.policy.priority import StepFreeNeedRule

TOO_FAR, SAFETY = DeclineReason.TOO_FAR, DeclineReason.SAFETY
TWICE = (Decline(TOO_FAR, 40), Decline(DeclineReason.NO_WORK, 3))


def _assessed(effect: dict[str, Any] | None, *declines: Decline, **rules: Any) -> Assessment:
    offers = OfferRules.model_validate(rules | ({"effect": effect} if effect else {}))
    head = Member("PE-1", 40, Sex.FEMALE, Relationship.HEAD)
    facts = HouseholdFacts(
        reference="HH-1",
        members=(head,),
        accommodation=Accommodation.DORMITORY,
        displaced=True,
        consented=True,
        has_home=False,
        waiting_days=0,
        declines=declines,
    )
    return assess(facts, DEFAULT_POLICY.model_copy(update={"offers": offers}))


def test_declining_lowers_nothing_unless_the_policy_says_so() -> None:
    before, after = _assessed(None), _assessed(None, *TWICE)
    assert (before.priority, before.eligibility) == (after.priority, after.eligibility)
    assert (before.priority.tier, before.priority.points) == (2, 10)


@pytest.mark.parametrize(
    ("effect", "tier", "points"),
    [
        ({"kind": "fewer_points", "points": 4}, 2, 6),
        ({"kind": "fewer_points", "points": 99}, 2, 0),
        ({"kind": "later_tier", "tiers": 1}, 3, 10),
        ({"kind": "later_tier", "tiers": 19}, LAST_TIER, 10),
    ],
)
def test_from_the_second_decline_on_that_counts_the_policys_effect_applies(
    effect: dict[str, Any], tier: int, points: int
) -> None:
    lowered = _assessed(effect, *TWICE).priority
    assert (lowered.tier, lowered.points) == (tier, points)
    assert lowered.reasons[-1].rule == OFFERS_RULE
    assert "2 offers declined" in lowered.reasons[-1].sentence
    once = _assessed(effect, TWICE[0]).priority
    assert (once.tier, once.points) == (2, 10)


def test_a_family_waits_for_so_many_days_after_the_last_decline() -> None:
    wait = {"kind": "wait", "days": 30}
    waiting = _assessed(wait, *TWICE).eligibility
    assert [reason.code for reason in waiting.reasons] == [Ineligibility.WAITS_AFTER_DECLINES]
    assert "27 days" in waiting.reasons[0].sentence
    assert _assessed(wait, Decline(TOO_FAR, 60), Decline(TOO_FAR, 30)).eligibility.eligible


def test_excused_reasons_never_count_and_unanswered_offers_only_where_the_policy_says() -> None:
    effect = {"kind": "later_tier", "tiers": 1}
    assert _assessed(effect, *[Decline(SAFETY, 1)] * 5).priority.tier == 2
    unanswered = [Decline(None, 1)] * 5
    assert _assessed(effect, *unanswered).priority.tier == 2
    assert _assessed(effect, *unanswered, unanswered_counts=True).priority.tier == 3


def test_a_settlement_declined_for_reasons_of_place_is_not_offered_again_for_a_time() -> None:
    rules = OfferRules()
    assert not is_offered_again(Decline(TOO_FAR, 364), rules)
    assert is_offered_again(Decline(TOO_FAR, 365), rules)
    assert is_offered_again(Decline(DeclineReason.TOO_SMALL, 0), rules)
    assert is_offered_again(Decline(None, 0), rules)


@pytest.mark.parametrize(
    "wrong",
    [
        {"days_to_answer": 0},
        {"counted_declines": 0},
        {"excused": ["too_far", "too_far"]},
        {"effect": {"kind": "shame"}},
        {"effect": {"kind": "fewer_points", "points": 0}},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OfferRules.model_validate(wrong)


def test_a_rule_of_priority_does_not_take_the_name() -> None:
    rule = StepFreeNeedRule(name=OFFERS_RULE, tier=1)
    document = DEFAULT_POLICY.model_dump() | {"priority_rules": [rule.model_dump()]}
    with pytest.raises(ValidationError, match="names of their own"):
        type(DEFAULT_POLICY).model_validate(document)
