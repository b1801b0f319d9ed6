"""Land-release areas: from suspicion to release, and back."""

import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.access.models import Role
from app.database import Database, utc_now
from tests import factories
from tests.conftest import ActingAs

SQUARE = [[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]
TODAY = utc_now().date()
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def place(database: Database) -> str:
    """A settlement whose gates are all met."""
    with database.session(writes=True) as session:
        return factories.settlement(session).reference


def _area(place: str, **fields: Any) -> dict[str, Any]:
    ordinary = {
        "settlement": place,
        "state": "suspected_hazardous",
        "hectares": 61.5,
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
    }
    return ordinary | fields


def _is_ready(client: httpx2.Client, place: str) -> bool:
    verdict: bool = client.get(f"/settlements/{place}").json()["ready"]
    return verdict


def test_an_area_closes_its_settlement_until_it_is_released_and_again_when_it_is_suspected_again(
    acting_as: ActingAs, place: str
) -> None:
    client = acting_as(Role.PLANNER)
    assert _is_ready(client, place)
    added = client.post("/land-release-areas", json=_area(place, key="KHI-LR1"))
    assert added.status_code == 201
    assert not _is_ready(client, place)
    path = f"/land-release-areas/{added.json()['reference']}"
    read = client.get(path)
    assert (read.json(), read.headers["ETag"]) == (added.json(), added.headers["ETag"])

    def change(**fields: Any) -> httpx2.Response:
        return client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})

    papers = {"method": "manual", "released_on": "2024-01-30", "certificate": "LR-2024-0008"}
    cleared = change(state="cleared", **papers)
    assert cleared.json() == added.json() | {"state": "cleared"} | papers
    assert _is_ready(client, place)
    assert change(state="suspected_hazardous").json() == cleared.json() | {"state": "suspected_hazardous"}
    assert not _is_ready(client, place)
    items = client.get("/land-release-areas", params={"settlement": place.lower()}).json()["items"]
    assert items == [client.get(path).json()]
    assert client.get("/land-release-areas", params={"settlement": "ST-00000000"}).json()["items"] == []


def test_land_suspected_again_keeps_its_release_and_closes_whatever_is_left_empty(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        settlement = factories.settlement(session)
        _, area = (factories.land_release_area(session, settlement) for _ in range(2))
        house = factories.house(session, settlement).reference
    client, place, path = acting_as(Role.PLANNER), settlement.reference, f"/land-release-areas/{area.reference}"
    cleared = client.get(path).json()
    assert _is_ready(client, place)

    def change(**fields: Any) -> dict[str, Any]:
        answer = client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    nothing = {"method": None, "released_on": None, "certificate": None}
    for fields in (
        {"state": "suspected_hazardous"} | nothing,
        nothing,
        {"state": "confirmed_hazardous"} | nothing,
        {"state": "suspected_hazardous"} | nothing,
    ):
        assert change(**fields) == cleared | {"state": fields.get("state", "suspected_hazardous")}
        assert not _is_ready(client, place)
        assert client.get(f"/houses/{house}").json()["state"] == "handed_over"
    corrected = {"released_on": "2021-01-01", "certificate": "C-2"}
    assert change(**corrected) == cleared | {"state": "suspected_hazardous"} | corrected
    assert change(state="cleared", **PAPERS) == cleared | PAPERS
    assert _is_ready(client, place)


@pytest.mark.parametrize("state", ["cancelled", "reduced", "cleared"])
def test_land_suspected_again_is_released_on_new_papers_alone(
    acting_as: ActingAs, database: Database, state: str
) -> None:
    with database.session(writes=True) as session:
        settlement = factories.settlement(session)
        area = factories.land_release_area(session, settlement)
    client, path = acting_as(Role.PLANNER), f"/land-release-areas/{area.reference}"

    def change(**fields: Any) -> httpx2.Response:
        return client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})

    assert change(state="suspected_hazardous").status_code == 200
    suspected = change(state="confirmed_hazardous").json()
    needed = ["released_on", "certificate", *(["method"] if state == "cleared" else [])]
    incomplete: list[dict[str, Any]] = [{}, {"certificate": None}, *({name: PAPERS[name]} for name in needed)]
    for fields in incomplete:
        refused = change(state=state, **fields)
        assert refused.status_code == 422
        lacking = [name for name in needed if fields.get(name) is None]
        assert [error["pointer"] for error in refused.json()["errors"]] == [f"#/body/{name}" for name in lacking]
        assert client.get(path).json() == suspected
        assert not _is_ready(client, settlement.reference)
    papers = {name: PAPERS[name] for name in needed}
    assert change(state=state, **papers).json() == suspected | {"state": state} | papers
    assert _is_ready(client, settlement.reference)
    assert change(hectares=2.0).status_code == 200


def test_a_suspicion_entered_by_mistake_is_taken_back_by_giving_the_papers_of_the_release_again(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        settlement = factories.settlement(session)
        area = factories.land_release_area(session, settlement)
    client, path = acting_as(Role.PLANNER), f"/land-release-areas/{area.reference}"
    released = client.get(path).json()
    again = {name: released[name] for name in ("state", *PAPERS)}
    for fields in ({"state": "suspected_hazardous"}, again):
        changed = client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})
        assert changed.status_code == 200, changed.text
        assert _is_ready(client, settlement.reference) == (fields is again)
    assert changed.json() == released


def test_an_area_that_was_never_released_may_lose_what_was_noted_of_it(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    added = client.post("/land-release-areas", json=_area(place, method="manual", certificate="C-1")).json()
    nothing = {"method": None, "certificate": None}
    path = f"/land-release-areas/{added['reference']}"
    assert client.patch(path, json=nothing, headers={"If-Match": '"1"'}).json() == added | nothing


def test_a_change_of_an_area_names_its_version(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    path = f"/land-release-areas/{client.post('/land-release-areas', json=_area(place)).json()['reference']}"
    change = {"state": "confirmed_hazardous"}
    assert client.patch(path, json=change).status_code == 428
    assert client.patch(path, json=change, headers={"If-Match": '"2"'}).status_code == 412
    assert client.patch(path, json=change, headers={"If-Match": '"1"'}).status_code == 200


PAPERS = {"method": "manual", "released_on": "2024-01-30", "certificate": "LR-2024-0008"}


@on_sqlite
def test_state_and_papers_must_agree(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    for fields, pointers in (
        ({"state": "cleared"}, ["released_on", "certificate", "method"]),
        ({"state": "cleared", **PAPERS, "method": None}, ["method"]),
        ({"state": "reduced"}, ["released_on", "certificate"]),
        ({"state": "cancelled", "released_on": "2024-01-30"}, ["certificate"]),
        ({"state": "cancelled", **PAPERS, "released_on": str(TODAY + timedelta(days=2))}, ["released_on"]),
        ({"state": "suspected_hazardous", "released_on": str(TODAY + timedelta(days=2))}, ["released_on"]),
        ({"hectares": 0}, ["hectares"]),
        ({"settlement": "ST-00000000"}, ["settlement"]),
    ):
        answer = client.post("/land-release-areas", json=_area(place, **fields))
        assert answer.status_code == 422, fields
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/body/{each}" for each in pointers]
    assert client.get("/land-release-areas").json()["items"] == []
    for fields in ({"state": "reduced", **PAPERS, "method": None}, {"state": "cleared", **PAPERS}):
        assert client.post("/land-release-areas", json=_area(place, **fields)).status_code == 201

    cleared = client.get("/land-release-areas").json()["items"][1]
    path = f"/land-release-areas/{cleared['reference']}"
    for change in ({"certificate": None}, {"released_on": None}, {"method": None}):
        assert client.patch(path, json=change, headers={"If-Match": '"1"'}).status_code == 422, change
    assert client.get(path).json() == cleared


def test_geometry_comes_back_as_it_was_sent(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    hole = [[0.02, 0.02], [0.02, 0.03], [0.03, 0.03], [0.02, 0.02]]
    for geometry in (
        {"type": "Polygon", "coordinates": [SQUARE]},
        {"type": "Polygon", "coordinates": [SQUARE, hole]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE, hole], [[[-180, -90], [180, -90], [180, 90], [-180, -90]]]]},
    ):
        added = client.post("/land-release-areas", json=_area(place, geometry=geometry))
        assert added.status_code == 201, added.text
        assert client.get(f"/land-release-areas/{added.json()['reference']}").json()["geometry"] == geometry


@on_sqlite
def test_geometry_that_is_none_is_refused(acting_as: ActingAs, place: str) -> None:
    client = acting_as(Role.PLANNER)
    far_north = [[0.0, 0.0], [0.0, 90.1], [0.1, 0.1], [0.0, 0.0]]
    for geometry in (
        None,
        {},
        {"type": "Point", "coordinates": [0, 0]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [SQUARE[:3]]},
        {"type": "Polygon", "coordinates": [[*SQUARE[:3], [0.1, 0.0]]]},
        {"type": "Polygon", "coordinates": [SQUARE, [*SQUARE[:3], [0.1, 0.0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0, 7], *SQUARE]]},
        {"type": "Polygon", "coordinates": [[[181, 0], [0, 0.1], [0.1, 0.1], [181, 0]]]},
        {"type": "Polygon", "coordinates": [far_north]},
        {"type": "Polygon", "coordinates": [[["0", "0"], *SQUARE[1:3], ["0", "0"]]]},
        {"type": "Polygon", "coordinates": [[[float("nan"), 0.0], *SQUARE[1:3], [float("nan"), 0.0]]]},
        {"type": "Polygon", "coordinates": [[[10**400, 0.0], *SQUARE[1:3], [10**400, 0.0]]]},
        {"type": "MultiPolygon", "coordinates": [SQUARE]},
        {"type": "MultiPolygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [SQUARE], "crs": "EPSG:4326"},
    ):
        answer = client.post(
            "/land-release-areas",
            content=json.dumps(_area(place, geometry=geometry)).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, geometry
        assert all(error["pointer"].startswith("#/body/geometry") for error in answer.json()["errors"]), geometry
    assert client.get("/land-release-areas").json()["items"] == []
