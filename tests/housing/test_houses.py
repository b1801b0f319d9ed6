"""Houses: added, changed, handed over; and what cannot change while a family rests on it."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.access.models import Role
from app.database import Database, utc_now
from app.housing.models import HouseState
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

TODAY = utc_now().date()
HOUSE: dict[str, Any] = {
    "address": "Street 1, house 1",
    "rooms": 3,
    "bedrooms": 2,
    "floor_area_m2": 90.5,
    "step_free": False,
}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def place(database: Database) -> str:
    """A settlement whose gates are all met."""
    with database.session(writes=True) as session:
        return factories.settlement(session).reference


def _change(client: httpx2.Client, path: str, **fields: Any) -> httpx2.Response:
    return client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})


def test_a_house_is_added_read_handed_over_and_taken_back(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    added = client.post("/houses", json=HOUSE | {"key": "KHI-1", "settlement": place.lower()})
    assert added.status_code == 201
    assert added.headers["ETag"] == '"1"'
    made = added.json()
    assert {name: made[name] for name in HOUSE} == HOUSE
    assert (made["settlement"], made["storeys"], made["solar_kw"]) == (place, 1, 0.0)
    assert (made["state"], made["handed_over_on"]) == ("under_construction", None)
    path = f"/houses/{made['reference']}"
    assert client.get(path).json() == made

    handed_over = _change(client, path, handed_over_on=str(TODAY))
    assert handed_over.json() == made | {"handed_over_on": str(TODAY), "state": "available"}
    assert client.get(path).headers["ETag"] == handed_over.headers["ETag"] == '"2"'
    undone = _change(client, path, handed_over_on=None, address="Street 2")
    assert undone.json() == made | {"address": "Street 2"}


@on_sqlite
def test_a_house_that_cannot_be_is_refused(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    for fields, pointer in (
        ({"bedrooms": 4}, "#/body/bedrooms"),
        ({"bedrooms": -1}, "#/body/bedrooms"),
        ({"rooms": 0}, "#/body/rooms"),
        ({"rooms": 61}, "#/body/rooms"),
        ({"floor_area_m2": 0}, "#/body/floor_area_m2"),
        ({"floor_area_m2": -1}, "#/body/floor_area_m2"),
        ({"storeys": 0}, "#/body/storeys"),
        ({"solar_kw": -0.1}, "#/body/solar_kw"),
        ({"step_free": None}, "#/body/step_free"),
        ({"handed_over_on": str(TODAY + timedelta(days=2))}, "#/body/handed_over_on"),
        ({"settlement": "ST-00000000"}, "#/body/settlement"),
        ({"state": "available"}, "#/body/state"),
    ):
        answer = client.post("/houses", json=HOUSE | {"settlement": place} | fields)
        assert answer.status_code == 422, fields
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer], fields
    assert client.get("/houses").json()["items"] == []
    studio = client.post("/houses", json=HOUSE | {"settlement": place, "rooms": 1, "bedrooms": 0})
    assert studio.status_code == 201


def test_a_change_that_cannot_be_leaves_the_house_as_it_was(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    made = client.post("/houses", json=HOUSE | {"settlement": place}).json()
    path = f"/houses/{made['reference']}"
    for fields, pointer in (
        ({"rooms": 1}, "#/body/bedrooms"),
        ({"bedrooms": 4, "address": "Street 9"}, "#/body/bedrooms"),
        ({"handed_over_on": str(TODAY + timedelta(days=2))}, "#/body/handed_over_on"),
        ({"address": None}, "#/body/address"),
        ({"settlement": place}, "#/body/settlement"),
    ):
        answer = _change(client, path, **fields)
        assert answer.status_code == 422, fields
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer], fields
    assert client.get(path).json() == made
    assert _change(client, path, rooms=5, bedrooms=4).status_code == 200


@pytest.mark.parametrize("state", [HouseState.RESERVED, HouseState.OCCUPIED])
def test_what_a_family_rests_on_does_not_change_under_it(
    acting_as: ActingAs, database: Database, state: HouseState
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session), state=state)
    client, path = acting_as(Role.PLANNER), f"/houses/{house.reference}"
    before = client.get(path).json()
    for fields in (
        {"rooms": 9},
        {"bedrooms": 0},
        {"floor_area_m2": 1.0},
        {"step_free": True},
        {"handed_over_on": None},
        {"handed_over_on": str(TODAY)},
    ):
        refused = _change(client, path, **fields)
        assert refused.status_code == 409, fields
        assert state.value in refused.json()["detail"]
    assert client.get(path).json() == before
    harmless = {"address": "Street 9", "rooms": before["rooms"], "solar_kw": 4.5}
    assert _change(client, path, **harmless).json() == before | harmless


def test_an_unfit_house_stays_so_whatever_happens_to_its_handover(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        made = [
            factories.house(session, place, state=HouseState.UNFIT, unfit_reason="It leaks.", handed_over_on=on)
            for on in (TODAY - timedelta(days=9), None)
        ]
        handed_over, unfinished = (f"/houses/{house.reference}" for house in made)
    client = acting_as(Role.PLANNER)
    before = client.get(handed_over).json()
    refused = _change(client, handed_over, handed_over_on=None, address="Street 9")
    assert refused.status_code == 409
    assert "before it is declared fit" in refused.json()["detail"]
    assert client.get(handed_over).json() == before
    for path in (handed_over, unfinished):
        before = client.get(path).json()
        finished = {"handed_over_on": str(TODAY), "address": "Street 9"}
        assert _change(client, path, **finished).json() == before | finished


def test_two_changes_of_one_version_at_once_do_not_both_count(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    path = f"/houses/{client.post('/houses', json=HOUSE | {'settlement': place}).json()['reference']}"

    def change(fields: dict[str, Any]) -> int:
        return client.patch(path, json=fields, headers={"If-Match": '"1"'}).status_code

    answers = at_once(lambda: change({"rooms": 9}), lambda: change({"address": "Street 9"}))
    assert sorted(answers) == [200, 412]
    read = client.get(path).json()
    assert (read["rooms"] == 9) is (answers[0] == 200)
    assert (read["address"] == "Street 9") is (answers[1] == 200)


def test_houses_are_found_by_size_step_free_access_and_words(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.AUDITOR, Role.PLANNER)
    for number, (bedrooms, step_free) in enumerate(((0, False), (1, True), (2, False)), 1):
        fields = {"settlement": place, "key": f"K_{number}", "bedrooms": bedrooms, "step_free": step_free}
        assert client.post("/houses", json=HOUSE | fields | {"address": f"Lane {number}%"}).status_code == 201
    for query, keys in (
        ("bedrooms=0", ["K_1"]),
        ("bedrooms=60", []),
        ("step_free=true", ["K_2"]),
        ("step_free=false", ["K_1", "K_3"]),
        ("q=lane", ["K_1", "K_2", "K_3"]),
        ("q=1%25", ["K_1"]),
        ("q=_3", ["K_3"]),
        ("q=%25%25", []),
        ("q=lane&bedrooms=2&step_free=false&state=under_construction", ["K_3"]),
        (f"settlement={place.lower()}&limit=1", ["K_1"]),
    ):
        assert [each["key"] for each in client.get(f"/houses?{query}").json()["items"]] == keys, query


@pytest.mark.parametrize("path", ["/houses", "/origins", "/settlements", "/land-release-areas"])
def test_an_auditor_reads_the_stock_and_changes_nothing(acting_as: ActingAs, path: str) -> None:
    auditor = acting_as(Role.AUDITOR)
    assert auditor.get(path).status_code == 200
    assert auditor.post(path, json={}).status_code == 403
