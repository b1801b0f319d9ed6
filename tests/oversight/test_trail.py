"""Auditors read who did what and who looked, and can verify it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.access.models import Role
from app.audit import heads
from app.audit.heads import SignedHead
from app.database import Database
from tests import factories
from tests.audit.trail import require_chained
from tests.conftest import ActingAs

ORIGIN = {"name": "Upper Valley", "latitude": 0.5, "longitude": 0.3}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def auditor(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.AUDITOR)


def _read(client: httpx2.Client, **filters: str) -> list[dict[str, Any]]:
    """Every entry, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get("/audit", params={**filters, **cursor, "limit": "3"})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        assert len(page["items"]) == 3
        cursor = {"cursor": page["next"]}


def test_what_the_service_says_can_be_verified_from_what_it_says(auditor: httpx2.Client, acting_as: ActingAs) -> None:
    planner = acting_as(Role.PLANNER)
    for number in range(4):
        body = ORIGIN | {"latitude": 1e-7 * number, "name": f"Ori\u0121in {number}"}
        assert planner.post("/origins", json=body).status_code == 201
    found = _read(auditor)
    assert len(found) >= 6
    require_chained(found)
    assert _read(auditor) == found, "reading it writes nothing"


def test_it_is_read_by_who_what_and_whom(database: Database, auditor: httpx2.Client, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        seen, other = (factories.household(session).reference for _ in range(2))
    caseworker, planner = acting_as(Role.CASEWORKER), acting_as(Role.PLANNER)
    who = caseworker.get("/me").json()["reference"]
    assert caseworker.get("/households").status_code == 200
    assert caseworker.get(f"/households/{seen}").status_code == 200
    assert planner.get(f"/households/{other}").status_code == 200

    assert [each["act"] for each in _read(auditor, actor=who.lower())] == ["household.list", "household.read"]
    assert [each["act"] for each in _read(auditor, subject=seen)] == ["household.list", "household.read"]
    assert [each["subject"] for each in _read(auditor, act="household.read")] == [seen, other]
    assert [each["act"] for each in _read(auditor, actor="service")] == ["policy.put_in_force"]
    assert {each["act"] for each in _read(auditor, actor="operator")} == {"token.issue"}
    for nobody in ({"actor": "nobody"}, {"subject": "%"}, {"subject": "HH-00000000"}, {"cursor": ""}):
        assert _read(auditor, **nobody) == []


def test_it_is_read_by_time(auditor: httpx2.Client) -> None:
    (entry, *_rest) = _read(auditor)
    at = entry["recorded_at"]
    later = (datetime.fromisoformat(at) + timedelta(microseconds=1)).astimezone(UTC).isoformat()
    assert entry in _read(auditor, **{"from": at})
    assert entry not in _read(auditor, **{"from": later})
    assert entry not in _read(auditor, to=at)
    assert entry in _read(auditor, to=later)
    elsewhere = at.replace("Z", "-05:00")  # five hours later
    assert _read(auditor, **{"from": elsewhere}) == []


@on_sqlite
@pytest.mark.parametrize(
    ("filters", "pointer"),
    [
        ({"act": "nothing.at_all"}, "#/query/act"),
        ({"from": "yesterday"}, "#/query/from"),
        ({"to": "2026-11-23T08:00:00"}, "#/query/to"),
        ({"to": "0.5"}, "#/query/to"),
        ({"from": "0001-01-01T00:00:00+05:00"}, "#/query/from"),
        ({"cursor": "AB"}, "#/query/cursor"),
        ({"actors": "US-00000000"}, "#/query/actors"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(auditor: httpx2.Client, filters: dict[str, str], pointer: str) -> None:
    answer = auditor.get("/audit", params=filters)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


@on_sqlite
def test_nobody_else_reads_it(acting_as: ActingAs) -> None:
    others = [acting_as(role) for role in Role if role is not Role.AUDITOR]
    others.append(acting_as(Role.AUDITOR, district="North"))
    for client in others:
        assert client.get("/audit").status_code == 403
        assert client.get("/audit/head").status_code == 403


def test_the_last_head_is_there_to_be_kept(database: Database, auditor: httpx2.Client) -> None:
    assert auditor.get("/audit/head").status_code == 404
    with database.session(writes=True) as session:
        heads.sign(session, Ed25519PrivateKey.generate())
        last = heads.sign(session, Ed25519PrivateKey.generate())
    found = SignedHead.read(auditor.get("/audit/head").text)
    assert found == last
    assert found.is_genuine
    assert found.hash == _read(auditor)[found.sequence - 1]["hash"]
