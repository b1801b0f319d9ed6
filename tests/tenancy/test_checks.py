"""What was found at houses, and what that contradicts."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.access.models import Role
from app.database import Database, utc_now
from app.housing.models import HouseState
from app.tenancy.models import Finding
from tests import factories
from tests.conftest import ActingAs, PlansOf
from tests.tenancy import living

TODAY = utc_now().date()
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.VILLAGE_ADMINISTRATOR)


def _check(client: httpx2.Client, house: str, finding: str, **fields: Any) -> httpx2.Response:
    body = {"checked_on": str(TODAY), "finding": finding} | fields
    return client.post(f"/houses/{house}/checks", json=body)


def _listed(client: httpx2.Client, **query: Any) -> dict[str, list[str]]:
    items = client.get("/occupancy/reconciliation", params=query).json()["items"]
    return {item["house"]: item["contradictions"] for item in items}


def test_houses_that_contradict_the_record_are_listed(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        place, other = factories.settlement(session), factories.settlement(session)
        fields = {"moved_in_on": TODAY - timedelta(days=10)}
        homes = {
            finding: factories.tenancy(session, factories.house(session, place), **fields).house.reference
            for finding in Finding
        }
        free = {finding: factories.house(session, other).reference for finding in Finding}
        long_unchecked = factories.tenancy(session, factories.house(session, place)).house.reference
    assert _listed(client) == {long_unchecked: ["not_checked"]}
    for finding, house in homes.items():
        checked = _check(client, house, finding, note="At noon.")
        assert (checked.status_code, checked.json()["finding"]) == (201, finding)
        assert checked.json()["household"] is not None
    for finding, house in free.items():
        assert _check(client, house, finding).status_code == (409 if finding == "expected_family" else 201)
    assert _listed(client) == {
        homes[Finding.EMPTY]: ["family_not_found"],
        homes[Finding.SOMEONE_ELSE]: ["family_not_found"],
        homes[Finding.UNFIT]: ["found_unfit"],
        free[Finding.SOMEONE_ELSE]: ["nobody_expected"],
        free[Finding.UNFIT]: ["found_unfit"],
        long_unchecked: ["not_checked"],
    }
    assert set(_listed(client, settlement=other.reference)) == {free[Finding.SOMEONE_ELSE], free[Finding.UNFIT]}
    # seven days are long enough: whoever was not met in that time was not checked
    assert _listed(client, days=7)[homes[Finding.NO_ACCESS]] == ["not_checked"]

    _check(client, homes[Finding.EMPTY], "expected_family")  # the newest counts
    _check(client, long_unchecked, "expected_family")
    client.post(f"/houses/{homes[Finding.SOMEONE_ELSE]}/move-out", json={"moved_out_on": str(TODAY), "reason": "Gone."})
    assert set(_listed(client)) == {homes[Finding.UNFIT], free[Finding.SOMEONE_ELSE], free[Finding.UNFIT]}
    assert client.post(f"/houses/{homes[Finding.UNFIT]}/unfit", json={"reason": "No roof."}).is_success
    assert homes[Finding.UNFIT] not in _listed(client)

    history = client.get("/occupancy/checks", params={"house": homes[Finding.EMPTY]}).json()["items"]
    assert [each["finding"] for each in history] == ["empty", "expected_family"]
    seen = client.get("/occupancy/checks", params={"finding": "unfit", "settlement": other.reference}).json()["items"]
    assert [each["house"] for each in seen] == [free[Finding.UNFIT]]


def test_what_was_found_last_is_by_the_day_on_which_somebody_looked(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        home = factories.tenancy(session, factories.house(session, place)).house.reference
        other = factories.tenancy(session, factories.house(session, place)).house.reference
    earlier = str(TODAY - timedelta(days=60))
    for house, day, finding in (
        (home, str(TODAY), "someone_else"),
        (other, str(TODAY), "expected_family"),
        (home, earlier, "expected_family"),  # typed in late
        (other, earlier, "empty"),
    ):
        assert _check(client, house, finding, checked_on=day).status_code == 201
    (item,) = client.get("/occupancy/reconciliation").json()["items"]
    assert (item["house"], item["contradictions"]) == (home, ["family_not_found"])
    assert (item["last_finding"], item["last_checked_on"]) == ("someone_else", str(TODAY))
    _check(client, home, "expected_family")  # of two on one day the later counts
    assert _listed(client) == {}


def test_what_was_found_is_about_the_family_that_lived_there_on_that_day(
    client: httpx2.Client, database: Database
) -> None:
    before, moved = TODAY - timedelta(days=30), TODAY - timedelta(days=3)
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        former = factories.tenancy(session, factories.house(session, place))
        living.left(former, moved)
        session.flush()  # one family at a time
        now = factories.tenancy(session, former.house, moved_in_on=moved)
        free, new = factories.tenancy(session, factories.house(session, place)), factories.house(session, place)
        living.left(free, moved)
        free.house.state = HouseState.VACATED
        factories.tenancy(session, new, moved_in_on=moved)
    house = former.house.reference
    for day, family in ((before, former), (moved - timedelta(days=1), former), (moved, now), (TODAY, now)):
        checked = _check(client, house, "expected_family", checked_on=str(day))
        assert (checked.status_code, checked.json()["household"]) == (201, family.household.reference), day
    nobody = _check(client, new.reference, "expected_family", checked_on=str(before))
    assert (nobody.status_code, str(before) in nobody.json()["detail"]) == (409, True)

    late = str(before)  # typed in after the families have moved
    assert _check(client, new.reference, "empty", checked_on=late).json()["household"] is None
    found = _check(client, free.house.reference, "someone_else", checked_on=late)
    assert found.json()["household"] == free.household.reference
    assert _listed(client) == {}


@on_sqlite
def test_people_recorded_in_two_houses_and_keys_nobody_used_are_listed(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        fields = {"moved_in_on": TODAY}
        first, second, third = (factories.tenancy(session, factories.house(session, place), **fields) for _ in range(3))
        twin, person = second.household.people[0], first.household.people[0]
        twin.given_name, twin.family_name = person.given_name.upper(), person.family_name
        unused = factories.tenancy(session, factories.house(session, place))
        unused.moved_in_on = None
    twice = {each.house.reference: ["recorded_twice"] for each in (first, second)}
    assert _listed(client) == twice | {unused.house.reference: ["not_checked", "not_moved_in"]}
    assert third.house.reference not in _listed(client)


def test_who_is_recorded_twice_is_found_by_birth_date(
    client: httpx2.Client, database: Database, plans_of: PlansOf
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        for number in range(20):
            tenancy = factories.tenancy(session, factories.house(session, place))
            tenancy.household.people[0].birth_date -= timedelta(days=number)
    plans = plans_of(lambda: _listed(client))
    assert any("ix_people_birth_date" in plan for plan in plans)  # reading everybody for each house never ends


@on_sqlite
def test_nobody_is_looked_for_in_a_house_that_is_not_built_nor_tomorrow(
    client: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        built, planned = factories.house(session, place), factories.house(session, place, state=HouseState.PLANNED)
    assert _check(client, planned.reference, "empty").status_code == 409
    refused = _check(client, built.reference, "empty", checked_on=str(TODAY + timedelta(days=2)))
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/body/checked_on"]
