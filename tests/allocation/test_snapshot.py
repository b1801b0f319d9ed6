"""The snapshot holds all that decides a run and nothing that names anybody."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.allocation import corrections
from app.allocation.corrections import Correction
from app.allocation.draw import lottery_numbers
from app.allocation.gather import Gathered, gather
from app.allocation.snapshot import Snapshot, build, problem_of
from app.errors import Invalid
from app.housing.models import Milestone, Settlement
from app.housing.readiness import ready_settlements
from app.policy.parameters import DEFAULT_POLICY, Policy
from app.registry.facts import facts_of
from app.registry.models import Application, ApplicationState, Suitability
from solver import Problem, Status, solve
from tests import factories

ON = date(2026, 5, 3)


def gathered(session: Session, settlements: Sequence[Settlement] | None = None, **policy: Any) -> Gathered:
    session.flush()
    chosen = ready_settlements(session)
    return gather(
        session,
        run="RUN-00000000",
        on=ON,
        policy_reference="PO-00000000",
        policy=Policy.model_validate(DEFAULT_POLICY.model_dump() | policy),
        settlements=chosen if settlements is None else [each for each in chosen if each in settlements],
    )


def snapshot_of(session: Session, settlements: Sequence[Settlement] | None = None, **policy: Any) -> Snapshot:
    return build(gathered(session, settlements, **policy))


def row(snapshot: Snapshot, application: Application) -> dict[str, Any]:
    return next(row for row in snapshot.problem["households"] if row["id"] == application.household.reference)


def house_class(snapshot: Snapshot, identifier: str) -> dict[str, Any]:
    return next(row for row in snapshot.problem["house_classes"] if row["id"] == identifier)


def place(session: Session, application: Application, settlement: Settlement) -> None:
    application.state, application.settlement_id = ApplicationState.ALLOCATED, settlement.id
    session.flush()


def test_nobody_is_named(session: Session) -> None:
    valley = factories.settlement(session, "Valley", openings={"health": 3})
    factories.house(session, valley)
    application = factories.applicant(session, valley, children=2, occupation="health", phone="+999 50 111 22 33")
    application.size_override, application.size_override_reason = 2, "Amina's brother visits"
    application.household.people[0].national_id = "A1234567"
    text = snapshot_of(session).text()
    people = application.household.people
    private = {person.given_name for person in people} | {person.family_name for person in people}
    private |= {person.birth_date.isoformat() for person in people} | {person.reference for person in people}
    private |= {"birth", '"age"', "Amina", "brother", "+999", "A1234567"}
    assert [word for word in sorted(private) if word in text] == []
    assert application.household.reference in text


def test_the_order_of_rows_changes_nothing(session: Session) -> None:
    places = [factories.settlement(session, name, openings={"health": 1}) for name in ("Valley", "Hillside", "Ford")]
    for number in range(12):
        factories.house(session, places[number % 3], bedrooms=1 + number % 2, step_free=number % 4 == 0)
        factories.applicant(session, places[number % 3], places[(number + 1) % 3], anywhere=number % 2 == 0)
    rows = gathered(session)
    text = build(rows).text()
    for seed in range(5):
        shuffle = random.Random(seed)
        again = replace(
            rows,
            settlements=shuffle.sample(rows.settlements, len(rows.settlements)),
            houses=shuffle.sample(rows.houses, len(rows.houses)),
            applications=shuffle.sample(rows.applications, len(rows.applications)),
            jobs=shuffle.sample(rows.jobs, len(rows.jobs)),
        )
        assert build(again).text() == text


def test_it_survives_its_own_text(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    factories.applicant(session, valley)
    snapshot = snapshot_of(session)
    assert Snapshot.model_validate_json(snapshot.text()) == snapshot
    assert json.loads(snapshot.text())["on"] == "2026-05-03"


def test_the_problem_is_the_snapshots_with_the_lottery_of_the_seed(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    families = [factories.applicant(session, valley).household.reference for _ in range(4)]
    factories.applicant(session, valley, consent_on=None)
    snapshot = snapshot_of(session)
    assert all("lottery" not in row for row in snapshot.problem["households"])
    problem = problem_of(snapshot, "4 17 23")
    assert {row["id"]: row["lottery"] for row in problem["households"]} == lottery_numbers(
        "4 17 23", "RUN-00000000", families
    )
    others = (Problem.from_dict(problem_of(snapshot, f"another {number}")) for number in range(20))
    assert any(other != Problem.from_dict(problem) for other in others)  # two of four families may fall alike


def test_only_eligible_applications_take_part_and_ineligible_ones_say_why(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    taking_part = factories.applicant(session, valley)
    without_consent = factories.applicant(session, valley, consent_on=None, displaced_on=None)
    for state in set(ApplicationState) - {ApplicationState.ELIGIBLE}:
        factories.application(session, factories.household(session), [valley], state=state)
    snapshot = snapshot_of(session)
    assert {part.application: part.ineligible for part in snapshot.households} == {
        taking_part.reference: (),
        without_consent.reference: ("no_consent", "not_displaced"),
    }
    assert [row["id"] for row in snapshot.problem["households"]] == [taking_part.household.reference]


def test_classes_are_by_settlement_size_and_access_in_the_measure_of_the_standard(session: Session) -> None:
    valley = factories.settlement(session)
    small = [factories.house(session, valley, bedrooms=1, rooms=3).reference for _ in range(2)]
    factories.house(session, valley, bedrooms=2, rooms=3, step_free=True)
    factories.applicant(session, valley)
    by_bedrooms = {part.id: part.houses for part in snapshot_of(session).house_classes}
    assert by_bedrooms[f"{valley.reference}/1/stairs"] == tuple(sorted(small))
    assert set(by_bedrooms) == {f"{valley.reference}/1/stairs", f"{valley.reference}/2/step-free"}
    by_rooms = snapshot_of(session, occupancy={"standard": "rooms_by_headcount"})
    assert {part.id for part in by_rooms.house_classes} == {
        f"{valley.reference}/3/stairs",
        f"{valley.reference}/3/step-free",
    }


def test_sizes_beyond_the_solvers_count_as_its_largest(session: Session) -> None:
    valley = factories.settlement(session)
    for area in (180, 1_200, 100_000):
        factories.house(session, valley, floor_area_m2=area)
    small, large = (factories.applicant(session, valley, children=children) for children in (0, 11))

    def sizes(**policy: Any) -> list[tuple[int, int]]:
        snapshot = snapshot_of(session, **policy)
        assert solve(Problem.from_dict(problem_of(snapshot, "seed"))).status is Status.OPTIMAL
        return [(each["bedrooms_min"], each["bedrooms_max"]) for each in (row(snapshot, small), row(snapshot, large))]

    by_area = {"standard": "floor_area", "m2_per_person": 100}
    assert {part.size: len(part.houses) for part in snapshot_of(session, occupancy=by_area).house_classes} == {
        180: 1,
        1_000: 2,
    }
    assert sizes(occupancy=by_area, spare_allowed=80) == [(100, 180), (1_000, 1_000)]
    assert sizes(occupancy=by_area, spare_allowed=1_000) == [(100, 1_000), (1_000, 1_000)]
    assert [most for _, most in sizes(spare_allowed=1_000)] == [1_000, 1_000]


def test_step_free_houses_are_kept_for_as_many_as_could_live_there(session: Session) -> None:
    valley, hillside = factories.settlement(session, "Valley"), factories.settlement(session, "Hillside")
    for _ in range(4):
        factories.house(session, valley, bedrooms=1, step_free=True)
    factories.house(session, valley, bedrooms=1)
    for _ in range(2):
        factories.applicant(session, valley, needs_step_free=True)
    factories.applicant(session, hillside, needs_step_free=True)  # would not live there
    factories.applicant(session, valley, needs_step_free=True, children=4)  # would not fit
    factories.applicant(session, valley, needs_step_free=True, consent_on=None)  # may not take part
    step_free, stairs = f"{valley.reference}/1/step-free", f"{valley.reference}/1/stairs"
    assert house_class(snapshot_of(session), step_free)["reserved"] == 2
    assert house_class(snapshot_of(session), stairs)["reserved"] == 0
    assert house_class(snapshot_of(session, step_free_reserved_percent=25), step_free)["reserved"] == 1
    factories.applicant(session, anywhere=True, needs_step_free=True)
    assert house_class(snapshot_of(session), step_free)["reserved"] == 3


def test_wishes_work_and_outside_estimates_make_the_value(session: Session) -> None:
    valley = factories.settlement(session, "Valley", openings={"health": 1, "education": 5})
    hillside = factories.settlement(session, "Hillside", openings={"health": 1})
    ford = factories.settlement(session, "Ford")
    factories.house(session, valley)
    application = factories.applicant(session, hillside, ford, anywhere=True, occupation="health")
    application.household.people[0].occupation = "health"
    stays = factories.applicant(session, valley, occupation="farming")
    snapshot = snapshot_of(session)
    wish = row(snapshot, application)
    assert wish["options"] == {hillside.reference: 110, ford.reference: 60}
    assert wish["anywhere"] == 0
    values = {each["id"]: each["values"] for each in snapshot.problem["profiles"]}
    assert values[wish["profile"]] == {valley.reference: 10, hillside.reference: 10, ford.reference: 0}
    assert (row(snapshot, stays)["anywhere"], row(snapshot, stays)["profile"]) == (None, None)
    session.add(Suitability(household_id=application.household_id, settlement_id=valley.id, score=0.5))
    wishes = {"suitability_weight": 40, "anywhere": 1}
    assert row(snapshot_of(session, wishes=wishes), application)["options"] == {
        valley.reference: 1 + 10 + 20,
        hillside.reference: 110,
        ford.reference: 60,
    }


def test_no_more_jobs_count_than_there_are_openings(session: Session) -> None:
    valley = factories.settlement(session, "Valley", openings={"health": 1})
    factories.house(session, valley)
    application = factories.applicant(session, valley, children=2, occupation="health")
    for person in application.household.people:
        person.occupation = "health"
    assert row(snapshot_of(session), application)["options"] == {valley.reference: 110}


def test_settlements_outside_the_run_do_not_count(session: Session) -> None:
    valley, hillside = factories.settlement(session, "Valley"), factories.settlement(session, "Hillside")
    factories.house(session, valley)
    application = factories.applicant(session, hillside, valley)
    assert row(snapshot_of(session, [valley]), application)["options"] == {valley.reference: 60}


def test_an_override_replaces_the_need_and_both_are_kept(session: Session) -> None:
    valley = factories.settlement(session)
    factories.house(session, valley)
    application = factories.applicant(session, valley)
    application.size_override, application.size_override_reason = 3, "A carer lives with her."
    snapshot = snapshot_of(session)
    assert (row(snapshot, application)["bedrooms_min"], row(snapshot, application)["bedrooms_max"]) == (3, 4)
    assert (snapshot.households[0].need.amount, snapshot.households[0].size_override) == (1, 3)


def test_those_placed_already_take_their_places(session: Session) -> None:
    valley = factories.settlement(session, school_places=2, clinic_patients=2)
    factories.house(session, valley)
    factories.applicant(session, valley)
    placed = factories.applicant(session, valley, children=3)
    place(session, placed, valley)
    snapshot = snapshot_of(session)
    assert snapshot.settlements[0].taken == {"school": 3, "clinic": 4}
    assert snapshot.problem["settlements"] == [{"id": valley.reference, "capacities": {"school": 0, "clinic": 0}}]


def test_a_school_that_is_not_there_yet_has_no_places(session: Session) -> None:
    valley = factories.settlement(session)
    session.add(Milestone(settlement_id=valley.id, name="school", achieved_on=None))
    session.flush()
    session.expire(valley)
    factories.house(session, valley)
    assert snapshot_of(session).problem["settlements"][0]["capacities"] == {"school": 0, "clinic": 500}


@pytest.mark.parametrize("state", [ApplicationState.ALLOCATED, ApplicationState.HOUSED])
def test_kin_follow_their_kin(session: Session, state: ApplicationState) -> None:
    places = [factories.settlement(session, name) for name in ("Valley", "Hillside", "Ford")]
    factories.house(session, places[0])
    group = factories.kin_group(session)
    sister = factories.applicant(session, anywhere=True, kin_group=group)
    brother = factories.applicant(session, places[1], kin_group=group)
    assert row(snapshot_of(session), sister)["kin_group"] == group.reference
    assert row(snapshot_of(session), sister)["forbidden"] == []
    place(session, brother, places[1])
    brother.state = state
    assert row(snapshot_of(session), sister)["forbidden"] == sorted([places[0].reference, places[2].reference])
    assert row(snapshot_of(session, [places[0]]), sister)["forbidden"] == [places[0].reference]


def _refused(session: Session, *preferred: Settlement, **fields: Any) -> Application:
    """An application that was signed as ineligible."""
    application = factories.applicant(session, *preferred, **fields)
    application.state, application.ineligible_for = ApplicationState.INELIGIBLE, ["no_consent"]
    session.flush()
    return application


def test_who_was_refused_is_kept_beside_the_problem_and_changes_nothing_in_it(session: Session) -> None:
    valley = factories.settlement(session, "Valley", openings={"health": 3})
    factories.house(session, valley, bedrooms=2)
    factories.applicant(session, valley)
    unsaid = factories.applicant(session, valley, consent_on=None)
    without = snapshot_of(session)
    signed = _refused(session, anywhere=True, children=1, occupation="health", needs_step_free=True)
    snapshot = snapshot_of(session)
    assert (snapshot.problem, snapshot.households) == (without.problem, without.households)
    beside = {each.row["id"]: each for each in snapshot.aside}
    assert beside.keys() == {signed.household.reference, unsaid.household.reference}
    mine = beside[signed.household.reference]
    assert (mine.row["needs_step_free"], mine.row["uses"]) == (True, {"school": 1, "clinic": 2})
    assert mine.row["profile"] not in {None, *(profile["id"] for profile in snapshot.problem["profiles"])}
    assert set(mine.work) == {valley.reference}
    assert mine.household is not None
    assert mine.household.ineligible == ("no_consent",)
    assert beside[unsaid.household.reference].household is None
    assert [person.given_name for person in signed.household.people if person.given_name in snapshot.text()] == []
    assert Snapshot.model_validate_json(snapshot.text()) == snapshot


@pytest.mark.parametrize("is_old", [False, True])
def test_who_was_refused_can_be_put_in_also_by_a_snapshot_from_before(session: Session, is_old: bool) -> None:
    valley = factories.settlement(session, "Valley", openings={"health": 3})
    factories.house(session, valley, bedrooms=2)
    group = factories.kin_group(session)
    factories.applicant(session, valley, kin_group=group)
    unsaid = factories.applicant(session, anywhere=True, occupation="health", consent_on=None, kin_group=group)
    snapshot = snapshot_of(session)
    if is_old:
        old = json.loads(snapshot.text())
        assert old.pop("aside")
        snapshot = Snapshot.model_validate(old)
        assert "aside" not in snapshot.text()
    reference = unsaid.household.reference
    part = corrections.part_of(snapshot, reference)
    assert part is not None
    facts = facts_of(unsaid.household, on=ON, has_home=False)
    with pytest.raises(Invalid, match="could not take part"):
        corrections.row_of(snapshot, part, Correction(tier=1), facts)
    found = corrections.row_of(snapshot, part, Correction(eligible=True, tier=1), facts)
    assert (found["tier"], found["kin_group"]) == (1, None if is_old else group.reference)
    problem = Problem.from_dict(problem_of(corrections.corrected(snapshot, found), "a seed"))
    assert found["profile"] == (None if is_old else "work-1")
    assert solve(problem).assignments is not None
