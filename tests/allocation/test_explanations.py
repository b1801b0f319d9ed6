"""What a family is told names places and sizes, and says what decided."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from app.allocation.explanations import INELIGIBLE, Explanation, _Words, explain, size_in_words
from app.allocation.models import ProposalState
from app.allocation.offer_models import GivenHow, OfferState
from app.allocation.order import objectives
from app.allocation.snapshot import Snapshot, problem_of
from app.database import utc_now
from app.housing.models import HouseState
from app.policy.eligibility import Ineligibility
from app.policy.facts import Accommodation, DeclineReason
from app.policy.occupancy import Measure
from app.registry.models import ApplicationState
from solver import Parameters, Problem, solve
from solver.explain import Reason
from tests import factories
from tests.allocation.test_snapshot import snapshot_of
from tests.solver.small import with_assignments


def explained(session: Session) -> tuple[Snapshot, dict[str, Explanation]]:
    """By the reference of the household."""
    snapshot = snapshot_of(session)
    problem = Problem.from_dict(problem_of(snapshot, "seed"))
    return snapshot, explain(snapshot, problem, solve(problem))


def no_house_fits(session: Session) -> str:
    valley = factories.settlement(session)
    factories.house(session, valley, bedrooms=1)
    return factories.applicant(session, valley, children=4, needs_step_free=True).household.reference


def not_asked_for(session: Session) -> str:
    valley, hillside = factories.settlement(session), factories.settlement(session, "Hillside")
    factories.house(session, valley)
    return factories.applicant(session, hillside).household.reference


def asked_for_apart_from_kin(session: Session) -> str:
    valley, hillside = factories.settlement(session), factories.settlement(session, "Hillside")
    group = factories.kin_group(session)
    factories.house(session, valley)
    factories.tenancy(session, factories.house(session, hillside), kin_group=group)
    return factories.applicant(session, valley, kin_group=group).household.reference


def asked_for_and_declined(session: Session) -> str:
    house = factories.house(session, factories.settlement(session))
    given = factories.reservation(session, house)
    factories.offer(
        session,
        given,
        state=OfferState.DECLINED,
        decline_reason=DeclineReason.TOO_FAR,
        answered_on=utc_now().date(),
        given_how=GivenHow.IN_PERSON,
        ended_at=utc_now(),
    )
    given.state, house.state = ProposalState.RELEASED, HouseState.HANDED_OVER
    given.application.state, given.application.settlement_id = ApplicationState.ELIGIBLE, None
    session.flush()
    return given.household.reference


def taken_by_priority(session: Session) -> str:
    valley = factories.settlement(session)
    factories.house(session, valley)
    factories.applicant(session, valley, current_accommodation=Accommodation.DORMITORY)
    return factories.applicant(session, valley).household.reference


def services_full(session: Session) -> str:
    valley = factories.settlement(session, clinic_patients=0)
    factories.house(session, valley)
    return factories.applicant(session, valley).household.reference


def kin_not_whole(session: Session) -> str:
    valley, group = factories.settlement(session), factories.kin_group(session)
    factories.house(session, valley)
    factories.applicant(session, valley, kin_group=group)
    return factories.applicant(session, valley, kin_group=group).household.reference


def second_best(session: Session) -> str:
    valley, hillside = factories.settlement(session), factories.settlement(session, "Hillside")
    factories.house(session, valley)
    factories.house(session, hillside)
    factories.applicant(session, valley)
    return factories.applicant(session, valley, hillside).household.reference


@pytest.mark.parametrize(
    ("situation", "reason", "sentence"),
    [
        (no_house_fits, "no_class_fits", "No house of this run fits its need: 3 to 4 bedrooms, step-free."),
        (not_asked_for, "not_asked_for", "such houses are only where it did not ask to live: Valley."),
        (
            asked_for_apart_from_kin,
            "not_asked_for",
            "such houses are only where it asked to live, and none of its kin is, of whom some are placed: Valley.",
        ),
        (
            asked_for_and_declined,
            "not_asked_for",
            "such houses are only where it declined an offer, and is not offered another for now: Valley.",
        ),
        (taken_by_priority, "taken_by_priority", "the last of them in tier 2 with 10 points."),
        (services_full, "services_full", "It would need more places than are left: clinic in Valley."),
        (kin_not_whole, "kin_not_whole", "Its kin group must be housed whole, and cannot be: in Valley"),
        (second_best, "housed", "A house of 1 bedroom in Hillside: number 2 of what would suit it. Better would"),
    ],
)
def test_every_situation_has_its_sentence(
    session: Session, situation: Callable[[Session], str], reason: str, sentence: str
) -> None:
    household = situation(session)
    explanation = explained(session)[1][household]
    assert explanation.reason == reason
    assert sentence in explanation.sentence


def test_who_lost_the_lottery_is_told_the_numbers(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    for _ in range(2):
        factories.applicant(session, valley)
    snapshot, explanations = explained(session)
    numbers = {row["id"]: row["lottery"] for row in problem_of(snapshot, "seed")["households"]}
    first, second = sorted(numbers, key=numbers.__getitem__)
    assert explanations[first].reason == "housed"
    assert explanations[second].reason == "lost_lottery"
    assert "Its lottery number is 2; the last that won was 1." in explanations[second].sentence


@pytest.mark.parametrize(
    ("stages", "counted", "order"),
    [
        (
            ("points + 2 value",),
            ["value"],
            (
                "counts something else before these, or together with them: how well houses suit households and their "
                "wishes"
            ),
        ),
        (("tier 4", "tier 2"), [], "is another"),
    ],
)
def test_who_is_passed_over_by_the_order_of_the_policy_is_told_so(
    session: Session, stages: tuple[str, ...], counted: list[str], order: str
) -> None:
    valley, hillside = factories.settlement(session), factories.settlement(session, "Hillside")
    factories.house(session, valley)
    dormitory = Accommodation.DORMITORY
    first = factories.applicant(session, hillside, valley, current_accommodation=dormitory).household.reference
    factories.applicant(session, valley)
    snapshot = snapshot_of(session)
    problem = Problem.from_dict(problem_of(snapshot, "seed"))
    told = explain(snapshot, problem, solve(problem, Parameters(stages=objectives(stages))))[first]
    assert (told.reason, told.grounds["counted"], told.grounds["is_empty"]) == ("order_of_programme", counted, False)
    assert told.sentence == (
        "It is in tier 2 with 10 points. A house that fits it, where it would live, went to a household of a lower "
        "tier or fewer points. It is not first the tier and then the points that decide: the order of the policy "
        f"{order}."
    )


def test_who_is_passed_over_by_an_allocation_that_is_not_the_best_is_told_so(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    dormitory = Accommodation.DORMITORY
    first = factories.applicant(session, valley, current_accommodation=dormitory).household.reference
    after = factories.applicant(session, valley).household.reference
    snapshot = snapshot_of(session)
    problem = Problem.from_dict(problem_of(snapshot, "seed"))
    (house_class,) = problem.house_classes.id.tolist()
    worse = with_assignments(solve(problem), (after, house_class))
    told = explain(snapshot, problem, worse)[first]
    assert (told.reason, told.grounds["is_empty"]) == ("passed_over", False)
    assert told.sentence == (
        "It is in tier 2 with 10 points. A house that fits it, where it would live, went to a household of a lower "
        "tier or fewer points. No rule says so: the calculation ended before it found the best allocation, by which "
        "this does not happen."
    )


def test_who_is_left_without_an_empty_house_by_the_order_of_the_policy_is_told_so(session: Session) -> None:
    factories.house(session, factories.settlement(session), bedrooms=2)
    family = factories.applicant(session, factories.settlement(session, "Hillside"), anywhere=True).household.reference
    snapshot = snapshot_of(session)
    problem = Problem.from_dict(problem_of(snapshot, "seed"))
    told = explain(snapshot, problem, solve(problem, Parameters(stages=objectives(("value",)))))[family]
    assert (told.reason, told.grounds["is_empty"]) == ("order_of_programme", True)
    assert "A house that fits it, where it would live, was given to nobody." in told.sentence


def test_who_may_not_take_part_is_told_every_reason(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    factories.applicant(session, valley)
    household = factories.applicant(session, valley, consent_on=None, displaced_on=None).household.reference
    assert explained(session)[1][household] == Explanation(
        "no_consent",
        "It cannot take part: no consent is recorded; no date and origin of displacement are recorded.",
        {"codes": ["no_consent", "not_displaced"]},
    )


def test_every_reason_has_words(session: Session) -> None:
    factories.house(session, factories.settlement(session))
    assert set(_Words(snapshot_of(session)).sentences) == set(Reason)
    assert set(INELIGIBLE) == set(Ineligibility)


@pytest.mark.parametrize(
    ("size", "measure", "words"),
    [
        (0, Measure.BEDROOMS, "no separate bedroom"),
        (1, Measure.BEDROOMS, "1 bedroom"),
        (3, Measure.ROOMS, "3 rooms"),
        (54, Measure.FLOOR_AREA_M2, "54 m²"),
    ],
)
def test_sizes_in_words(size: int, measure: Measure, words: str) -> None:
    assert size_in_words(size, measure) == words
