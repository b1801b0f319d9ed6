"""Policies, assessments, runs and proposals over HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.access import tokens
from app.access.models import Role, User
from app.allocation import runs
from app.database import Database
from app.main import create_app
from app.policy.parameters import DEFAULT_POLICY
from app.settings import Settings
from app.worker import work_one
from tests import factories
from tests.allocation.conftest import Register, decide, drawn, proposed, request

V1 = "/api/v1"


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[TestClient]:
    """The service, with nobody who works its queue."""
    with TestClient(create_app(settings.model_copy(update={"worker": "separate"}), database)) as opened:
        yield opened


def signed_in(client: TestClient, database: Database, role: Role, **scope: str) -> TestClient:
    """Act as a user with one role."""
    with database.session(writes=True) as session:
        principal = factories.user(session, role, **scope)
        user = session.scalars(select(User).where(User.reference == principal.reference)).one()
        _, token = tokens.issue(session, user, timedelta(hours=1))
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_a_run_from_request_to_drawn(
    client: TestClient, database: Database, register: Register, settings: Settings
) -> None:
    signed_in(client, database, Role.PLANNER)
    asked = client.post(f"{V1}/runs", json={"seed_source": "Ball draw"})
    assert asked.status_code == 202
    address = asked.headers["Location"]
    assert asked.json()["state"] == "awaiting_seed"
    waiting = client.get(address).json()
    assert (waiting["stages"], waiting["seed"], waiting["problem_sha256"]) == ([], None, None)
    assert client.get(f"{address}/problem").status_code == 404
    assert client.post(f"{address}/seed", json={"seed": "4 17 23"}).status_code == 403
    signed_in(client, database, Role.APPROVER)
    assert client.post(f"{address}/seed", json={"seed": "4 17 23"}).json()["state"] == "queued"
    signed_in(client, database, Role.PLANNER)
    work_one(database, settings)
    run = client.get(address).json()
    assert (run["state"], run["status"], run["seed"], run["seed_is_public"]) == ("proposed", "optimal", "4 17 23", True)
    assert run["snapshot_sha256"] == waiting["snapshot_sha256"]
    assert [stage["name"] for stage in run["stages"]] == [stage["stage"] for stage in run["progress"]]
    assert run["tiers"] == [
        {"tier": 1, "housed": 2, "households": 2},
        {"tier": 2, "housed": 3, "households": 3},
        {"tier": 4, "housed": 0, "households": 1},
    ]
    assert sum(each["housed"] for each in run["houses"]) == 5
    for document in ("snapshot", "problem", "solution"):
        text = client.get(f"{address}/{document}")
        assert hashlib.sha256(text.content).hexdigest() == run[f"{document}_sha256"]
        assert text.headers["Content-Type"] == "application/json"
    assert client.post(f"{address}/approve").status_code == 403
    signed_in(client, database, Role.APPROVER)
    assert client.post(f"{address}/approve").json()["state"] == "drawn"
    reserved = client.get(f"{address}/proposals", params={"state": "reserved"}).json()["items"]
    assert len({each["house"] for each in reserved}) == 5
    assert all(each["explanation"] for each in reserved)
    again = client.post(f"{address}/approve")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")


def test_the_same_key_requests_one_run(client: TestClient, database: Database, register: Register) -> None:
    signed_in(client, database, Role.PLANNER)
    first, second = (client.post(f"{V1}/runs", json={}, headers={"Idempotency-Key": "once"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["reference"] == second.json()["reference"]
    third = client.post(f"{V1}/runs", json={})
    assert third.status_code == 409
    assert first.json()["reference"] in third.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"seed": "4 17 23", "seed_source": "Ball draw"},  # nobody may know it before the hash is published
        {"seed_source": ""},
        {"time_limit_seconds": 0},
        {"time_limit_seconds": "60"},
        {"settlements": []},
        {"settlements": ["nowhere"]},
        {"settlements": ["ST-00000000"]},
        {"lottery": 7},
    ],
)
def test_a_wrong_request_is_refused_and_makes_nothing(
    client: TestClient, database: Database, register: Register, body: dict[str, object]
) -> None:
    signed_in(client, database, Role.PLANNER)
    assert client.post(f"{V1}/runs", json=body).status_code == 422
    assert client.get(f"{V1}/runs").json()["items"] == []


def test_cancel_and_reject(client: TestClient, database: Database, register: Register) -> None:
    signed_in(client, database, Role.PLANNER)
    cancelled = request(database)
    assert client.post(f"{V1}/runs/{cancelled}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{V1}/runs/{cancelled}/cancel").status_code == 409
    assert client.get(f"{V1}/runs/{cancelled}/solution").status_code == 404
    rejected = proposed(database)
    signed_in(client, database, Role.APPROVER)
    assert client.post(f"{V1}/runs/{rejected}/reject", json={}).status_code == 422
    answer = client.post(f"{V1}/runs/{rejected}/reject", json={"reason": "Entered twice."})
    assert answer.json()["state"] == "rejected"
    assert client.get(f"{V1}/runs/{rejected}").json()["decision_reason"] == "Entered twice."
    listed = client.get(f"{V1}/runs", params={"state": "cancelled"}).json()["items"]
    assert [run["reference"] for run in listed] == [cancelled]


def test_events_end_when_the_solver_has(
    client: TestClient, database: Database, register: Register, settings: Settings
) -> None:
    signed_in(client, database, Role.AUDITOR)
    reference = request(database)
    worker = threading.Thread(target=work_one, args=(database, settings))
    events: list[tuple[str, str]] = []
    with client.stream("GET", f"{V1}/runs/{reference}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        worker.start()
        lines = [line for line in stream.iter_lines() if line]
    worker.join()
    for name, data in zip(lines[::2], lines[1::2], strict=True):
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))["state"]))
    assert events[-1] == ("end", "proposed")
    assert {name for name, _ in events[:-1]} <= {"progress"}


def test_what_is_not_decided_is_seen_by_who_plans_and_decides_alone(
    client: TestClient, database: Database, register: Register
) -> None:
    reference = proposed(database)
    address = f"{V1}/runs/{reference}/proposals"
    unknown = signed_in(client, database, Role.CASEWORKER).get(f"{V1}/runs/RUN-00000000/proposals")
    for role in (Role.CASEWORKER, Role.VERIFIER):
        answer = signed_in(client, database, role).get(address)
        assert (answer.status_code, answer.json()) == (404, unknown.json())
    for role in (Role.PLANNER, Role.APPROVER):
        assert len(signed_in(client, database, role).get(address).json()["items"]) == len(register.families)
    decide(database, reference, runs.reject, "No.")
    assert signed_in(client, database, Role.CASEWORKER).get(address).status_code == 404


def test_what_is_out_of_scope_is_not_there(client: TestClient, database: Database, register: Register) -> None:
    reference = drawn(database)
    signed_in(client, database, Role.PLANNER, district="North")
    unknown = client.get(f"{V1}/runs/RUN-00000000").json()
    for address in ("", "/snapshot", "/problem", "/solution", "/events"):
        answer = client.get(f"{V1}/runs/{reference}{address}")
        assert (answer.status_code, answer.json()) == (404, unknown)
    assert client.post(f"{V1}/runs/{reference}/cancel").json() == unknown
    assert client.get(f"{V1}/runs").json()["items"] == []
    signed_in(client, database, Role.APPROVER, district="North")
    for act, body in (("approve", None), ("reject", {"reason": "No."})):
        answer = client.post(f"{V1}/runs/{reference}/{act}", json=body)
        assert (answer.status_code, answer.json()) == (404, unknown)


def test_proposals_are_seen_with_the_families(client: TestClient, database: Database, register: Register) -> None:
    reference = drawn(database)
    signed_in(client, database, Role.CASEWORKER, settlement=register.hillside)
    seen = client.get(f"{V1}/runs/{reference}/proposals").json()["items"]
    assert {each["household"] for each in seen} == {register.families["large"], register.families["anywhere"]}
    assert client.get(f"{V1}/runs/{reference}").status_code == 403
    signed_in(client, database, Role.PLANNER)
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{V1}/runs/{reference}/proposals", params={"limit": 3, "cursor": cursor}).json()
        pages.append(len(page["items"]))
        cursor = page["next"]
    assert pages == [3, 3, 1]
    there = client.get(f"{V1}/runs/{reference}/proposals", params={"settlement": register.valley}).json()["items"]
    assert len(there) == 3
    assert client.get(f"{V1}/runs/RUN-00000000/proposals").status_code == 404


@pytest.mark.parametrize("role", [Role.CASEWORKER, Role.AUDITOR, Role.VILLAGE_ADMINISTRATOR, Role.ADMINISTRATOR])
def test_who_may_not_plan_is_refused(client: TestClient, database: Database, register: Register, role: Role) -> None:
    reference = proposed(database)
    signed_in(client, database, role)
    for act, body in (("", {}), (f"/{reference}/approve", None), (f"/{reference}/cancel", None)):
        assert client.post(f"{V1}/runs{act}", json=body).status_code == 403
    assert client.post(f"{V1}/policies", json=DEFAULT_POLICY.model_dump(mode="json")).status_code == 403


def test_nobody_reads_anything_without_signing_in(client: TestClient) -> None:
    for address in ("runs", "policies", "policies/in-force", "runs/RUN-00000000", "runs/RUN-00000000/events"):
        assert client.get(f"{V1}/{address}").status_code == 401


def test_a_policy_is_drafted_and_put_in_force(client: TestClient, database: Database) -> None:
    signed_in(client, database, Role.PLANNER)
    first = client.get(f"{V1}/policies/in-force").json()
    assert first["sha256"] == DEFAULT_POLICY.sha256()
    document = DEFAULT_POLICY.model_dump(mode="json") | {"version": "2", "spare_allowed": 0}
    draft = client.post(f"{V1}/policies", json=document, headers={"Idempotency-Key": "second"})
    assert (draft.status_code, draft.json()["state"], draft.json()["document"]) == (201, "draft", document)
    again = client.post(f"{V1}/policies", json=document, headers={"Idempotency-Key": "second"})
    assert again.json()["reference"] == draft.json()["reference"]
    address = f"{V1}/policies/{draft.json()['reference']}"
    assert client.post(f"{address}/put-in-force").status_code == 403
    assert client.post(f"{address}/preview", json={}).json()["state"] == "done"
    signed_in(client, database, Role.APPROVER)
    assert client.post(f"{address}/put-in-force").json()["state"] == "in_force"
    assert client.post(f"{address}/put-in-force").status_code == 409
    assert client.get(address).json() == client.get(f"{V1}/policies/in-force").json()
    superseded = client.get(f"{V1}/policies", params={"state": "superseded"}).json()["items"]
    assert [each["reference"] for each in superseded] == [first["reference"]]
    assert client.get(f"{V1}/policies/PO-00000000").status_code == 404


def test_a_policy_that_makes_no_sense_is_refused(client: TestClient, database: Database) -> None:
    signed_in(client, database, Role.PLANNER)
    for change in ({"spare_allowed": -1}, {"wishes": {"preferred": [1, 2, 3]}}, {"religion": "any"}):
        answer = client.post(f"{V1}/policies", json=DEFAULT_POLICY.model_dump(mode="json") | change)
        assert answer.status_code == 422
        assert answer.json()["errors"]


def test_an_assessment_says_what_and_why(client: TestClient, database: Database, register: Register) -> None:
    signed_in(client, database, Role.CASEWORKER)
    found = client.get(f"{V1}/households/{register.families['large']}/assessment").json()
    assert (found["need"]["amount"], found["size_min"], found["size_max"]) == (2, 2, 3)
    assert len(found["need"]["people"]) == 3
    assert (found["eligible"], found["ineligible"], found["tier"], found["points"]) == (True, [], 2, 15)
    assert found["uses"] == {"school": 2, "clinic": 3}
    without = client.get(f"{V1}/households/{register.families['without consent']}/assessment").json()
    assert [each["code"] for each in without["ineligible"]] == ["no_consent"]
    drawn(database)
    housed = client.get(f"{V1}/households/{register.families['large']}/assessment").json()
    assert [each["code"] for each in housed["ineligible"]] == ["already_housed"]
    assert client.get(f"{V1}/households/HH-00000000/assessment").status_code == 404


def test_a_family_withdraws(client: TestClient, database: Database, register: Register) -> None:
    reference = drawn(database)
    signed_in(client, database, Role.PLANNER)
    mine = client.get(f"{V1}/runs/{reference}/proposals", params={"state": "reserved"}).json()["items"][0]
    address = f"{V1}/applications/{mine['application']}/withdraw"
    assert client.post(address, json={"reason": "Found a home."}).status_code == 403
    signed_in(client, database, Role.CASEWORKER)
    answer = client.post(address, json={"reason": "Found a home."})
    assert (answer.status_code, answer.json()["state"]) == (200, "withdrawn")
    assert answer.json()["withdrawn_reason"] == "Found a home."
    assert client.post(address, json={"reason": "Again."}).status_code == 409
    assert client.post(address, json={}).status_code == 422
    released = client.get(f"{V1}/runs/{reference}/proposals", params={"state": "released"}).json()["items"]
    assert [each["reference"] for each in released] == [mine["reference"]]
