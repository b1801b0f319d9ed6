"""Moving in and out, and houses that nobody should live in."""

from datetime import date, timedelta
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import select

from app.access.models import Role
from app.database import Database, utc_now
from app.housing.models import HouseState, Settlement, SettlementStatus
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

TODAY = utc_now().date()


class Reserved(NamedTuple):
    """References of a reserved house and of the family that is expected there."""

    settlement: str
    house: str
    household: str
    application: str


@pytest.fixture
def reserved(database: Database) -> Reserved:
    """A house with two bedrooms, reserved for a family of three."""
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        given = factories.accepted(session, factories.house(session, place, bedrooms=2), children=2)
        assert given.house is not None
        return Reserved(place.reference, given.house.reference, given.household.reference, given.application.reference)


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    """Someone who answers for the village, plans and registers."""
    return acting_as(Role.VILLAGE_ADMINISTRATOR, Role.PLANNER, Role.CASEWORKER)


def _move_in(client: httpx2.Client, house: str, household: str, day: date = TODAY) -> httpx2.Response:
    return client.post(f"/houses/{house}/move-in", json={"household": household, "moved_in_on": str(day)})


def _move_out(client: httpx2.Client, house: str, day: date = TODAY) -> httpx2.Response:
    return client.post(f"/houses/{house}/move-out", json={"moved_out_on": str(day), "reason": "With relatives."})


def _unfit(client: httpx2.Client, house: str) -> httpx2.Response:
    return client.post(f"/houses/{house}/unfit", json={"reason": "The roof leaks."})


def _states(client: httpx2.Client, reserved: Reserved) -> tuple[str, str]:
    """Return the states of house and application."""
    house = client.get(f"/houses/{reserved.house}").json()["state"]
    return house, client.get(f"/applications/{reserved.application}").json()["state"]


def test_a_family_moves_in_and_out_and_its_house_is_free_again(client: httpx2.Client, reserved: Reserved) -> None:
    expected = client.get("/reservations").json()["items"]
    assert [(each["house"], each["household"], each["people"]) for each in expected] == [
        (reserved.house, reserved.household, 3)
    ]
    assert expected[0]["head"].startswith("Amina")

    moved_in = _move_in(client, reserved.house.lower(), reserved.household.lower())
    assert moved_in.status_code == 201
    tenancy = moved_in.json()
    assert (tenancy["house"], tenancy["household"], tenancy["people"]) == (reserved.house, reserved.household, 3)
    assert (tenancy["moved_in_on"], tenancy["moved_out_on"], tenancy["end_reason"]) == (str(TODAY), None, None)
    assert _states(client, reserved) == ("occupied", "housed")
    assert client.get("/reservations").json()["items"] == []
    assert client.get("/tenancies?current=true").json()["items"] == [tenancy]
    assert client.get("/tenancies?current=false").json()["items"] == []
    assessment = client.get(f"/households/{reserved.household}/assessment")
    assert assessment.status_code == 200

    moved_out = _move_out(client, reserved.house)
    assert moved_out.status_code == 200
    ended = {"state": "ended", "moved_out_on": str(TODAY), "ended_for": "other", "end_reason": "With relatives."}
    assert moved_out.json() == tenancy | ended
    assert _states(client, reserved) == ("available", "withdrawn")
    assert client.get("/tenancies?current=true").json()["items"] == []
    assert client.get("/tenancies?current=false").json()["items"] == [moved_out.json()]
    assert client.post("/applications", json={"household": reserved.household}).status_code == 201
    assert _move_out(client, reserved.house).status_code == 409


def test_the_longest_reason_for_moving_out_is_kept_whole(client: httpx2.Client, reserved: Reserved) -> None:
    _move_in(client, reserved.house, reserved.household)
    reason = "w" * 500
    moved_out = client.post(f"/houses/{reserved.house}/move-out", json={"moved_out_on": str(TODAY), "reason": reason})
    assert (moved_out.status_code, moved_out.json()["end_reason"]) == (200, reason)
    (application,) = client.get(f"/households/{reserved.household}/subject-access").json()["applications"]
    assert application["withdrawn_reason"] == f"Moved out: {reason}"


def test_only_the_family_expected_moves_in_and_only_once(
    client: httpx2.Client, database: Database, reserved: Reserved
) -> None:
    with database.session(writes=True) as session:
        other = factories.household(session).reference
    for household in (other, "HH-00000000"):
        refused = _move_in(client, reserved.house, household)
        assert refused.status_code == 409
        assert reserved.household not in refused.text
    assert _states(client, reserved) == ("reserved", "allocated")
    assert _move_in(client, reserved.house, reserved.household).status_code == 201
    again = _move_in(client, reserved.house, reserved.household)
    assert again.status_code == 409
    assert "occupied" in again.json()["detail"]
    assert len(client.get("/tenancies").json()["items"]) == 1


@pytest.mark.parametrize("state", sorted(set(HouseState) - {HouseState.AVAILABLE, HouseState.RESERVED}))
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_moves_into_a_house_that_is_not_reserved(
    client: httpx2.Client, database: Database, state: HouseState
) -> None:
    with database.session(writes=True) as session:
        fields: dict[str, Any] = {"unfit_reason": "It leaks."} if state is HouseState.UNFIT else {}
        house = factories.house(session, factories.settlement(session), state=state, **fields).reference
        household = factories.household(session).reference
    before = client.get(f"/houses/{house}").json()
    refused = _move_in(client, house, household)
    assert refused.status_code == 409
    assert state.value in refused.json()["detail"]
    assert client.get(f"/houses/{house}").json() == before


def test_nobody_moves_to_a_settlement_whose_gates_have_closed(
    client: httpx2.Client, database: Database, reserved: Reserved
) -> None:
    path = f"/settlements/{reserved.settlement}"
    etag = client.get(path).headers["ETag"]
    suspended = client.patch(path, json={"status": SettlementStatus.SUSPENDED}, headers={"If-Match": etag})
    refused = _move_in(client, reserved.house, reserved.household)
    assert refused.status_code == 409
    assert "gate" in refused.json()["detail"]
    assert _states(client, reserved) == ("reserved", "allocated")

    client.patch(path, json={"status": "open"}, headers={"If-Match": suspended.headers["ETag"]})
    assert _move_in(client, reserved.house, reserved.household).status_code == 201


def test_days_of_moving_make_sense(client: httpx2.Client, reserved: Reserved) -> None:
    later = TODAY + timedelta(days=2)
    future = _move_in(client, reserved.house, reserved.household, later)
    assert [error["pointer"] for error in future.json()["errors"]] == ["#/body/moved_in_on"]
    assert _move_in(client, reserved.house, reserved.household).status_code == 201
    for day in (later, TODAY - timedelta(days=1)):
        refused = _move_out(client, reserved.house, day)
        assert refused.status_code == 422, day
        assert [error["pointer"] for error in refused.json()["errors"]] == ["#/body/moved_out_on"]
    assert _states(client, reserved) == ("occupied", "housed")
    assert _move_out(client, reserved.house).status_code == 200


def test_of_many_who_hand_over_the_key_at_once_exactly_one_does(client: httpx2.Client, reserved: Reserved) -> None:
    answers = at_once(*[lambda: _move_in(client, reserved.house, reserved.household).status_code] * 4)
    assert sorted(answers) == [201, 409, 409, 409]
    assert len(client.get("/tenancies").json()["items"]) == 1


def test_moving_in_while_the_family_withdraws_ends_in_one_of_the_two(client: httpx2.Client, reserved: Reserved) -> None:
    moved_in, withdrawn = at_once(
        lambda: _move_in(client, reserved.house, reserved.household).status_code,
        lambda: (
            client.post(
                f"/applications/{reserved.application}/withdraw", json={"reason": "Settled elsewhere."}
            ).status_code
        ),
    )
    if moved_in == 201:
        assert withdrawn in (409, 412)
        assert _states(client, reserved) == ("occupied", "housed")
    else:
        assert (moved_in, withdrawn) in ((409, 200), (412, 200))
        assert _states(client, reserved) == ("available", "withdrawn")


def test_moving_out_twice_at_once_counts_once(client: httpx2.Client, reserved: Reserved) -> None:
    assert _move_in(client, reserved.house, reserved.household).status_code == 201
    answers = at_once(*[lambda: _move_out(client, reserved.house).status_code] * 3)
    assert sorted(answers) == [200, 409, 409]


def test_an_unfit_house_gives_up_its_reservation(client: httpx2.Client, reserved: Reserved) -> None:
    assert _unfit(client, reserved.house).json()["unfit_reason"] == "The roof leaks."
    assert _states(client, reserved) == ("unfit", "eligible")
    assert client.get("/reservations").json()["items"] == []
    assert _move_in(client, reserved.house, reserved.household).status_code == 409
    assert _unfit(client, reserved.house).status_code == 409

    fit = client.post(f"/houses/{reserved.house}/fit")
    assert (fit.json()["state"], fit.json()["unfit_reason"]) == ("available", None)
    assert client.post(f"/houses/{reserved.house}/fit").status_code == 409


def test_who_gives_the_keys_says_that_a_house_is_unfit_and_nobody_else(
    acting_as: ActingAs, database: Database, client: httpx2.Client, reserved: Reserved
) -> None:
    planner = acting_as(Role.PLANNER)
    with database.session(writes=True) as session:
        place = session.scalars(select(Settlement).where(Settlement.reference == reserved.settlement)).one()
        lived_in = factories.tenancy(session, factories.house(session, place)).house.reference
        elsewhere = factories.settlement(session, "Elsewhere").reference
        me = planner.get("/me").json()["reference"]
        factories.grant(session, me, Role.VILLAGE_ADMINISTRATOR, settlement=elsewhere)
    for house in (reserved.house, lived_in):
        before = client.get(f"/houses/{house}").json()
        refused = _unfit(planner, house)
        assert (refused.status_code, f"only in {elsewhere}" in refused.json()["detail"]) == (403, True)
        assert client.get(f"/houses/{house}").json() == before
    assert _states(client, reserved) == ("reserved", "allocated")

    wanted = {"name": "Inspections", "permissions": ["tenancy.write", "stock.read"], "days": 1}
    administrator = acting_as(Role.VILLAGE_ADMINISTRATOR, settlement=reserved.settlement)
    administrator.headers["Authorization"] = f"Bearer {administrator.post('/api-tokens', json=wanted).json()['token']}"
    for house in (reserved.house, lived_in):
        assert _unfit(administrator, house).json()["state"] == "unfit"


def test_a_family_stays_on_record_in_a_house_that_became_unfit(client: httpx2.Client, reserved: Reserved) -> None:
    assert _move_in(client, reserved.house, reserved.household).status_code == 201
    assert _unfit(client, reserved.house).status_code == 200
    assert _states(client, reserved) == ("unfit", "eligible")  # the family waits for another
    assert len(client.get("/tenancies?current=true").json()["items"]) == 1
    assert client.post(f"/houses/{reserved.house}/fit").json()["state"] == "occupied"

    assert _unfit(client, reserved.house).status_code == 200
    assert _move_out(client, reserved.house).status_code == 200
    assert _states(client, reserved) == ("unfit", "eligible")
    assert client.post(f"/houses/{reserved.house}/fit").json()["state"] == "available"


@pytest.mark.parametrize(
    ("state", "fields", "fit"),
    [
        (HouseState.PLANNED, {"handed_over_on": None}, "under_construction"),
        (HouseState.UNDER_CONSTRUCTION, {"handed_over_on": None}, "under_construction"),
        (HouseState.HANDED_OVER, {}, "available"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_house_is_declared_unfit_and_fit_again_without_getting_further_than_it_was(
    client: httpx2.Client, database: Database, state: HouseState, fields: dict[str, Any], fit: str
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session), state=state, **fields).reference
    assert client.post(f"/houses/{house}/unfit", json={}).status_code == 422
    assert client.post(f"/houses/{house}/fit").status_code == 409
    assert _unfit(client, house).json()["state"] == "unfit"
    assert client.post(f"/houses/{house}/fit").json()["state"] == fit
