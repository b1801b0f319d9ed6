"""A settlement's gates, in Python and in SQL, and the houses they open."""

from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.database import Database
from app.housing.models import HouseState, LandState, Milestone, Settlement, SettlementStatus
from app.housing.readiness import (
    REQUIRED_MILESTONES,
    available_houses,
    capacities,
    gates,
    loaded_for_gates,
    ready,
    ready_settlements,
)
from app.policy.assess import Service
from tests import factories
from tests.conftest import ActingAs

RELEASED_ON = date(2024, 1, 30)


def _loaded(session: Session, settlement: Settlement) -> Settlement:
    query = select(Settlement).where(Settlement.id == settlement.id).options(*loaded_for_gates())
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _verdicts(session: Session, settlement: Settlement) -> tuple[bool, bool]:
    """Return whether the settlement is ready, as Python and as the database says."""
    said = session.scalar(select(Settlement.id).where(Settlement.id == settlement.id, ready()))
    return all(gate.met for gate in gates(_loaded(session, settlement))), said is not None


areas = st.lists(st.tuples(st.sampled_from(LandState), st.sampled_from([None, RELEASED_ON])), max_size=3)
milestones = st.dictionaries(
    st.sampled_from([*REQUIRED_MILESTONES, "school"]), st.sampled_from([None, RELEASED_ON]), max_size=4
)


@given(status=st.sampled_from(SettlementStatus), areas=areas, milestones=milestones, complete=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_python_and_the_database_agree_on_every_combination(
    session: Session,
    status: SettlementStatus,
    areas: list[tuple[LandState, date | None]],
    milestones: dict[str, date | None],
    complete: bool,
) -> None:
    if complete:
        milestones |= dict.fromkeys(REQUIRED_MILESTONES, RELEASED_ON)
    rows = [Milestone(name=name, achieved_on=achieved_on) for name, achieved_on in milestones.items()]
    place = factories.settlement(session, status=status, milestones=rows)
    factories.settlement(session, "Another, which is ready")
    for state, released_on in areas:
        factories.land_release_area(session, place, state=state, released_on=released_on)
    house = factories.house(session, place)

    by_python, by_database = _verdicts(session, place)
    assert by_python == by_database
    assert (place in ready_settlements(session)) == by_python
    assert (house in session.scalars(available_houses([place.id])).all()) == by_python


C, S, R = LandState.CONFIRMED_HAZARDOUS, LandState.SUSPECTED_HAZARDOUS, LandState.REDUCED


@pytest.mark.parametrize(
    ("areas", "met"),
    [
        ([], True),
        ([(LandState.CANCELLED, RELEASED_ON)], True),
        ([(R, RELEASED_ON)], True),
        ([(LandState.CLEARED, RELEASED_ON)], True),
        ([(S, None)], False),
        ([(C, None)], False),
        ([(R, RELEASED_ON), (C, None)], False),
        ([(R, RELEASED_ON), (S, None)], True),
        ([(R, RELEASED_ON), (S, RELEASED_ON)], False),
        ([(S, RELEASED_ON)], False),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_land_is_lived_on_once_it_is_released_and_not_suspected_again(
    session: Session, areas: list[tuple[LandState, date | None]], met: bool
) -> None:
    place = factories.settlement(session)
    for state, released_on in areas:
        factories.land_release_area(session, place, state=state, released_on=released_on)
    assert _verdicts(session, place) == (met, met)
    land = next(gate for gate in gates(_loaded(session, place)) if gate.name == "land")
    assert land.met is met
    assert land.reason


@pytest.mark.parametrize(
    ("status", "missing"), [*product(SettlementStatus, [None]), *product(["open"], REQUIRED_MILESTONES)]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_gate_closes_the_settlement_alone(session: Session, status: str, missing: str | None) -> None:
    rows = [Milestone(name=name, achieved_on=RELEASED_ON) for name in REQUIRED_MILESTONES if name != missing]
    place = factories.settlement(session, status=SettlementStatus(status), milestones=rows)
    is_open = status == SettlementStatus.OPEN and missing is None
    assert _verdicts(session, place) == (is_open, is_open)
    unmet = [gate.name for gate in gates(_loaded(session, place)) if not gate.met]
    assert unmet == [] if is_open else [missing or "status"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_service_has_no_places_before_its_milestone(session: Session) -> None:
    reached = [Milestone(name=name, achieved_on=RELEASED_ON) for name in (*REQUIRED_MILESTONES, "clinic")]
    expected = [Milestone(name="school", expected_on=date(2999, 1, 1))]
    place = factories.settlement(session, milestones=reached + expected, school_places=90, clinic_patients=400)
    assert capacities(_loaded(session, place)) == {Service.SCHOOL: 0, Service.CLINIC: 400}
    plain = factories.settlement(session, school_places=90, clinic_patients=400)
    assert capacities(_loaded(session, plain)) == {Service.SCHOOL: 90, Service.CLINIC: 400}


def test_free_houses_are_shown_as_available_while_every_gate_is_met(acting_as: ActingAs, database: Database) -> None:
    states = sorted(set(HouseState) - {HouseState.AVAILABLE})
    with database.session(writes=True) as session:
        place, closed = factories.settlement(session), factories.settlement(session, status=SettlementStatus.PLANNED)
        houses: dict[tuple[str, HouseState], str] = {}
        for settlement in (place, closed):
            for state in states:
                fields: dict[str, Any] = {"unfit_reason": "It leaks."} if state is HouseState.UNFIT else {}
                house = factories.house(session, settlement, state=state, **fields)
                houses[settlement.reference, state] = house.reference
    client = acting_as(Role.PLANNER)

    def shown(settlement: str) -> dict[str, str]:
        items = client.get("/houses", params={"settlement": settlement}).json()["items"]
        return {each["reference"]: each["state"] for each in items}

    free = {HouseState.HANDED_OVER, HouseState.VACATED}
    assert shown(place.reference) == {
        houses[place.reference, state]: "available" if state in free else state.value for state in states
    }
    assert shown(closed.reference) == {houses[closed.reference, state]: state.value for state in states}
    for state in HouseState:
        items = client.get("/houses", params={"state": state.value}).json()["items"]
        assert {each["state"] for each in items} <= {state.value}
        expected = 2 if state is HouseState.AVAILABLE else 1 if state in free else 2
        assert len(items) == expected, state
        assert all(client.get(f"/houses/{each['reference']}").json() == each for each in items)

    etag = client.get(f"/settlements/{place.reference}").headers["ETag"]
    client.patch(f"/settlements/{place.reference}", json={"status": "suspended"}, headers={"If-Match": etag})
    assert "available" not in shown(place.reference).values()
