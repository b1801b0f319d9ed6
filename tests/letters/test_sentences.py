"""Every reason, every state and every change is said in every language, with what it is about in it."""

from typing import Any

import pytest

from app.allocation import placed, sentences
from app.allocation.grounds import Grounds
from app.allocation.placed import How
from app.allocation.placement_models import PlacementReason
from app.languages.words import SCRIPTS, words_for
from app.letters import standing
from app.policy.eligibility import Ineligibility
from app.registry.models import ApplicationState, ReturnReason
from solver.counterfactual import Kind
from solver.explain import Reason
from solver.objectives import WHERE

HOUSE = {"place": "Valley", "size": 2, "measure": "bedrooms", "step_free": True}
ATTIC = {"place": "Hillside", "size": 0, "measure": "bedrooms", "step_free": False}
NEED = {"least": 2, "most": 3, "measure": "bedrooms", "step_free": True}
CLINIC, SCHOOL = {"service": "clinic", "place": "Valley"}, {"service": "school", "place": "Hillside"}
GROUNDS: dict[Reason, Grounds] = {
    Reason.HOUSED: {"house": HOUSE, "rank": 2, "options": 3, "better": [ATTIC], "more_better": 0},
    Reason.NO_CLASS_FITS: {"need": NEED},
    Reason.NOT_ASKED_FOR: {"need": NEED | {"measure": "rooms"}, "places": ["Valley"], "more_places": 4},
    Reason.TAKEN_BY_PRIORITY: {"tier": 4, "points": 17, "lowest_tier": 2, "lowest_points": 31, "bound": True},
    Reason.ORDER_OF_PROGRAMME: {"tier": 4, "points": 17, "is_empty": False, "counted": ["keep", "value"]},
    Reason.PASSED_OVER: {"tier": 4, "points": 17, "is_empty": False},
    Reason.SERVICES_FULL: {"services": [CLINIC, SCHOOL], "more_services": 0},
    Reason.KIN_NOT_WHOLE: {"place": "Valley", "without_house": 2},
    Reason.LOST_LOTTERY: {"lottery": 17, "last_lottery": 11},
    Reason.EQUALS_FIT_BETTER: {"tier": 4, "points": 17},
    Reason.HELD_TOGETHER: {},
}
CHANGES: dict[Kind, dict[str, Any]] = {
    Kind.ANY_SETTLEMENT: {"place": "Valley"},
    Kind.WITHOUT_KIN: {"place": "Valley"},
    Kind.PLACES: {"services": [CLINIC | {"more": 3}]},
    Kind.HOUSE: {"house": HOUSE},
    Kind.HOUSE_ELSEWHERE: {"house": HOUSE | {"size": 54, "measure": "floor_area_m2"}},
}
ENGLISH = words_for("en")
in_every_language = pytest.mark.parametrize("language", SCRIPTS)


def test_nothing_is_left_unsaid() -> None:
    assert set(GROUNDS) == set(sentences.REASONS) == set(Reason)
    assert set(CHANGES) == set(sentences.CHANGES) == set(Kind)
    assert (set(placed.DECIDED), set(placed.REASONS)) == (set(How), set(PlacementReason))
    assert {each.value for each in Ineligibility} == set(sentences.INELIGIBLE)
    assert {each.value for each in ApplicationState} == set(standing.STATES)
    assert {each.value for each in ReturnReason} == set(standing.RETURNED)


@in_every_language
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_said(reason: Reason, language: str) -> None:
    words = words_for(language)
    said = " ".join(sentences.reasons(reason.value, GROUNDS[reason], words))
    grounds = str(GROUNDS[reason])
    assert [name for name in ("Valley", "Hillside") if name in grounds and name not in said] == []
    assert [number for number in ("17", "31", "11") if number in grounds and number not in said] == []
    if language != "en":
        assert said != " ".join(sentences.reasons(reason.value, GROUNDS[reason], ENGLISH))


@in_every_language
@pytest.mark.parametrize("how", How)
def test_that_people_decided_is_said_with_the_reason(how: How, language: str) -> None:
    words = words_for(language)
    reason = Reason.HOUSED if how in placed.GIVES_HOUSE else Reason.NOT_ASKED_FOR
    told = set()
    for code in PlacementReason:
        decided = {"how": how.value, "reason": code.value, "places": ["Hillside"] if how is How.NOT_THERE else []}
        said = sentences.reasons(reason.value, GROUNDS[reason] | {"placed": [decided]}, words)
        assert placed.REASONS[code](words) in said[-1]
        assert ("Hillside" in said[-1]) == (how is How.NOT_THERE)
        told.add(said[-1])
    assert len(told) == len(PlacementReason) - 1
    assert placed.REASONS[PlacementReason.SAFETY](words) == placed.REASONS[PlacementReason.OTHER](words)
    without = sentences.reasons(reason.value, GROUNDS[reason], words)
    # Wishes did not decide where people did; what they only narrowed is explained as ever.
    assert said[:-1] == (without if how is How.NOT_THERE else without[:1])
    if language != "en":
        assert told.isdisjoint(placed.told([decided], ENGLISH))


@in_every_language
def test_that_people_decided_for_others_is_said_in_place_of_their_kin(language: str) -> None:
    words = words_for(language)
    lost = GROUNDS[Reason.TAKEN_BY_PRIORITY] | {"bound": False}
    by_hand = sentences.reasons(Reason.TAKEN_BY_PRIORITY, lost | {"by_hand": True}, words)
    assert len(by_hand) == len(sentences.reasons(Reason.TAKEN_BY_PRIORITY, lost, words)) + 1
    kin = sentences.reasons(Reason.HELD_TOGETHER, {}, words)
    hand = sentences.reasons(Reason.HELD_TOGETHER, {"bound": False, "by_hand": True}, words)
    both = sentences.reasons(Reason.HELD_TOGETHER, {"bound": True, "by_hand": True}, words)
    assert (hand[0], hand[1] != kin[1]) == (kin[0], True)
    assert both == [*kin, by_hand[-1]]


@in_every_language
def test_of_an_order_of_the_programme_s_own_is_said_what_it_counts(language: str) -> None:
    words, grounds = words_for(language), GROUNDS[Reason.ORDER_OF_PROGRAMME]
    said = sentences.reasons(Reason.ORDER_OF_PROGRAMME, grounds, words)
    assert {term: sentences.COUNTED[term](words) in said[3] for term in WHERE} == dict.fromkeys(WHERE, True)
    other = sentences.reasons(Reason.ORDER_OF_PROGRAMME, grounds | {"is_empty": True, "counted": []}, words)
    assert [one == another for one, another in zip(said, other, strict=True)] == [True, False, True, False]
    if language != "en":
        english = sentences.reasons(Reason.ORDER_OF_PROGRAMME, grounds | {"is_empty": True, "counted": []}, ENGLISH)
        assert set(other).isdisjoint(english)


@in_every_language
@pytest.mark.parametrize("why", ["apart", "declined"])
def test_of_a_place_that_it_asked_for_a_family_is_not_told_otherwise(why: str, language: str) -> None:
    words = words_for(language)
    need = GROUNDS[Reason.NOT_ASKED_FOR] | {"places": [], "more_places": 0}
    grounds = need | {why: {"places": ["Hillside"], "more_places": 0}}
    said = sentences.reasons(Reason.NOT_ASKED_FOR, grounds, words)
    assert said[:2] == sentences.reasons(Reason.NOT_ASKED_FOR, need, words)
    assert ("Hillside" in said[2], len(said)) == (True, 4)
    not_asked = words.say("There are such houses in places that you did not ask for: {places}.", places="Hillside")
    assert said[2] != not_asked
    if language != "en":
        assert set(said).isdisjoint(sentences.reasons(Reason.NOT_ASKED_FOR, grounds, ENGLISH))


def test_of_changes_that_could_not_be_tried_nothing_is_said() -> None:
    assert sentences.smallest_change({"verified": None, "tried": 0}, ENGLISH) == []


@in_every_language
def test_every_reason_against_is_said_with_what_to_do(language: str) -> None:
    words = words_for(language)
    codes = list(sentences.INELIGIBLE)
    said = sentences.reasons(codes[0], {"codes": codes}, words)
    assert len(set(said)) == len(codes) + 2
    assert said[-1] == words.say("If this is not right, or has changed, tell your caseworker: it can be corrected.")
    assert sentences.why_ineligible(["of tomorrow"], words)[1] not in said


@in_every_language
@pytest.mark.parametrize("kind", Kind)
def test_every_smallest_change_is_said(kind: Kind, language: str) -> None:
    found = {"verified": {"kind": kind.value, "proven": False, **CHANGES[kind]}}
    said = sentences.smallest_change(found, words_for(language))
    assert "Valley" in said[0]
    assert (kind is not Kind.PLACES) or f"(+{words_for(language).number(3)})" in said[0]
    proven = sentences.smallest_change({"verified": {**found["verified"], "proven": True}}, words_for(language))
    assert len(said) == len(proven) + 1


@in_every_language
def test_that_no_change_helps_is_said(language: str) -> None:
    assert len(sentences.smallest_change({"verified": None, "tried": 1}, words_for(language))) == 1


def test_sizes_are_in_the_measure_of_the_need() -> None:
    assert sentences.size(ATTIC, ENGLISH) == "no separate bedroom"
    assert sentences.house(HOUSE, ENGLISH) == "Valley: 2 bedrooms, step-free access"
    said = sentences.reasons("no_class_fits", {"need": NEED}, words_for("uk"))
    assert "2–3 спальні, вхід без сходів" in said[1]
    area = {"need": NEED | {"measure": "floor_area_m2", "least": 54, "most": 54, "step_free": False}}
    assert sentences.reasons("no_class_fits", area, ENGLISH)[1].endswith("54 m².")
