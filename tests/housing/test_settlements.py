"""Settlements, the origins merged into them, their milestones and jobs."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.access.models import Role
from app.database import utc_now
from tests.concurrency import at_once
from tests.conftest import ActingAs

SETTLEMENT: dict[str, Any] = {
    "name": "Hillside",
    "district": "South",
    "latitude": 0.4,
    "longitude": 0.3,
    "school_places": 960,
    "clinic_patients": 6000,
    "status": "open",
}
TODAY = utc_now().date()
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def planner(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.PLANNER)


def _origin(planner: httpx2.Client, name: str = "Old Hillside") -> str:
    reference: str = planner.post("/origins", json={"name": name, "latitude": 0, "longitude": 0}).json()["reference"]
    return reference


def _settlement(planner: httpx2.Client, **fields: Any) -> str:
    """Add a settlement; return its address."""
    answer = planner.post("/settlements", json=SETTLEMENT | fields)
    assert answer.status_code == 201, answer.text
    return f"/settlements/{answer.json()['reference']}"


def _change(planner: httpx2.Client, path: str, **fields: Any) -> httpx2.Response:
    return planner.patch(path, json=fields, headers={"If-Match": planner.get(path).headers["ETag"]})


def _merged(planner: httpx2.Client, path: str) -> list[str]:
    return [origin["reference"] for origin in planner.get(path).json()["merged_from"]]


def test_a_settlement_is_added_read_changed_and_listed(planner: httpx2.Client) -> None:
    origins = [_origin(planner), _origin(planner, "Lower Hillside")]
    sent = SETTLEMENT | {"key": "KHI", "merged_from": origins[::-1]}
    added = planner.post("/settlements", json=sent)
    assert added.status_code == 201
    assert added.headers["ETag"] == '"1"'
    made = added.json()
    assert {name: made[name] for name in SETTLEMENT} == SETTLEMENT
    assert [origin["reference"] for origin in made["merged_from"]] == origins
    assert made["ready"] is False
    assert {gate["name"] for gate in made["gates"] if not gate["met"]} == {
        "access_road",
        "electricity",
        "drinking_water",
    }
    path = f"/settlements/{made['reference']}"
    assert planner.get(path).json() == made

    changed = _change(planner, path, name="Upper Hillside", latitude=-90)
    assert changed.json() == made | {"name": "Upper Hillside", "latitude": -90}
    assert changed.headers["ETag"] == planner.get(path).headers["ETag"] == '"2"'
    for query, found in (
        ("q=upper", True),
        ("q=khi", True),
        ("q=%25", False),
        ("district=South", True),
        ("district=south", False),
        ("status=open", True),
        ("status=suspended", False),
    ):
        assert planner.get(f"/settlements?{query}").json()["items"] == ([changed.json()] if found else []), query


def test_a_key_names_one_settlement(planner: httpx2.Client) -> None:
    _settlement(planner, key="KHI")
    assert planner.post("/settlements", json=SETTLEMENT | {"key": "KHI"}).status_code == 409


def test_a_change_names_the_version_it_was_made_to(planner: httpx2.Client) -> None:
    path = _settlement(planner)
    change = {"name": "Elsewhere"}
    assert planner.patch(path, json=change).status_code == 428
    for etag, status in (
        ('"2"', 412),
        ('"0"', 412),
        ("1", 400),
        ('W/"1"', 400),
        ("*", 400),
        ('"1", "2"', 400),
        ('"one"', 400),
        ('"' + "9" * 30 + '"', 400),
    ):
        answer = planner.patch(path, json=change, headers={"If-Match": etag})
        assert answer.status_code == status, etag
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert planner.get(path).json()["name"] == "Hillside"
    assert planner.patch(path, json=change, headers={"If-Match": '"1"'}).status_code == 200


def test_of_two_who_change_the_same_version_at_once_one_is_told(planner: httpx2.Client) -> None:
    path = _settlement(planner)

    def change(name: str) -> int:
        return planner.patch(path, json={"name": name}, headers={"If-Match": '"1"'}).status_code

    names = ["One", "Two", "Three"]
    answers = at_once(*(lambda name=name: change(name) for name in names))
    assert sorted(answers) == [200, 412, 412]
    read = planner.get(path)
    assert read.json()["name"] == names[answers.index(200)]
    assert read.headers["ETag"] == '"2"'


def test_an_origin_is_merged_into_one_settlement(planner: httpx2.Client) -> None:
    origin = _origin(planner)
    first = _settlement(planner, merged_from=[origin, origin.lower()])
    assert _merged(planner, first) == [origin]
    taken = planner.post("/settlements", json=SETTLEMENT | {"merged_from": [origin]})
    assert taken.status_code == 409
    assert origin in taken.json()["detail"]
    unknown = planner.post("/settlements", json=SETTLEMENT | {"merged_from": [origin, "OR-00000000"]})
    assert unknown.status_code == 422
    assert [error["pointer"] for error in unknown.json()["errors"]] == ["#/body/merged_from/1"]
    assert len(planner.get("/settlements").json()["items"]) == 1

    second = _settlement(planner)
    assert _change(planner, second, merged_from=[origin]).status_code == 409
    assert _change(planner, first, name="Same").status_code == 200
    assert _merged(planner, first) == [origin]
    assert _change(planner, first, merged_from=[]).status_code == 200
    assert _change(planner, second, merged_from=[origin]).status_code == 200
    assert (_merged(planner, first), _merged(planner, second)) == ([], [origin])


def test_two_settlements_that_take_one_origin_at_once_do_not_both_get_it(planner: httpx2.Client) -> None:
    origin = _origin(planner)
    paths = [_settlement(planner), _settlement(planner)]
    answers = at_once(*(lambda path=path: _change(planner, path, merged_from=[origin]).status_code for path in paths))
    assert sorted(answers) == [200, 409]
    assert sorted(_merged(planner, path) for path in paths) == [[], [origin]]


def test_milestones_open_gates(planner: httpx2.Client) -> None:
    path = _settlement(planner)
    for name in ("access_road", "electricity", "drinking_water"):
        assert planner.get(path).json()["ready"] is False
        answer = planner.put(f"{path}/milestones/{name}", json={"achieved_on": str(TODAY)})
        assert answer.json() == {"name": name, "achieved_on": str(TODAY), "expected_on": None}
    assert planner.get(path).json()["ready"] is True

    planner.put(f"{path}/milestones/electricity", json={"expected_on": "2999-01-01"})
    closed = planner.get(path).json()
    assert closed["ready"] is False
    assert [gate["name"] for gate in closed["gates"] if not gate["met"]] == ["electricity"]
    assert len(closed["milestones"]) == 3


@on_sqlite
def test_a_milestone_that_cannot_be_is_refused(planner: httpx2.Client) -> None:
    path = _settlement(planner)
    future = planner.put(f"{path}/milestones/school", json={"achieved_on": str(TODAY + timedelta(days=2))})
    assert future.status_code == 422
    assert [error["pointer"] for error in future.json()["errors"]] == ["#/body/achieved_on"]
    for name in ("School", "1school", "a" * 81, "a%00b", "a-b"):
        assert planner.put(f"{path}/milestones/{name}", json={}).status_code == 422, name
    assert planner.put("/settlements/ST-00000000/milestones/school", json={}).status_code == 404
    assert planner.get(path).json()["milestones"] == []


def test_jobs_replace_those_before(planner: httpx2.Client) -> None:
    path = f"{_settlement(planner)}/jobs"
    farm = {"employer": "Farm", "sector": "agriculture", "openings": 35}
    clinic = {"employer": "Clinic", "sector": "health", "openings": 0}
    assert planner.put(path, json=[farm, clinic]).json() == [clinic, farm]
    assert planner.get(path).json() == [clinic, farm]
    more = farm | {"openings": 36}
    assert planner.put(path, json=[more]).json() == [more]
    assert planner.get(path).json() == [more]
    for wrong, pointer in (
        ([farm, clinic, farm], "#/body/2"),
        ([farm | {"openings": -1}], "#/body/0/openings"),
        ([farm | {"openings": "many"}], "#/body/0/openings"),
        ([farm | {"sector": ""}], "#/body/0/sector"),
    ):
        refused = planner.put(path, json=wrong)
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert planner.get(path).json() == [more]
    assert planner.put(path, json=[]).json() == []


def test_of_two_sets_of_jobs_at_once_the_later_stands_alone(planner: httpx2.Client) -> None:
    path = f"{_settlement(planner)}/jobs"
    sets = [[{"employer": employer, "sector": "health", "openings": 1}] for employer in ("A", "B", "C")]
    answers = at_once(*(lambda jobs=jobs: planner.put(path, json=jobs).status_code for jobs in sets))
    assert answers == [200] * 3
    assert planner.get(path).json() in sets
