"""Signing in and out, and when a token ends."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.access import passwords, tokens, users
from app.access.models import ApiToken, Role, User
from app.access.permissions import OPERATOR, HeldRole
from app.database import Database
from tests import factories
from tests.audit.trail import acts, entries
from tests.conftest import ActingAs

PASSWORD = "correct horse battery"


@pytest.fixture
def amina(database: Database) -> User:
    """A planner with a password."""
    with database.session(writes=True) as session:
        return users.add(
            session,
            username="amina",
            display_name="Amina K.",
            password_hash=passwords.hashed(PASSWORD),
            roles=[HeldRole(Role.CASEWORKER, district="North")],
            actor=OPERATOR,
        )


def _token(database: Database, lifetime: timedelta) -> str:
    with database.session(writes=True) as session:
        user = users.get(session, factories.user(session, Role.PLANNER).reference)
        return tokens.issue(session, user, lifetime)[1]


def _status(service: TestClient, token: str) -> int:
    return service.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_name_and_password_give_a_token_that_acts_for_the_user(service: TestClient, amina: User) -> None:
    answer = service.post("/api/v1/tokens", json={"username": "amina", "password": PASSWORD})
    assert answer.status_code == 201
    lifetime = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11) < lifetime <= timedelta(hours=12)

    me = service.get("/api/v1/me", headers={"Authorization": f"Bearer {answer.json()['token']}"})
    assert me.status_code == 200
    assert me.json()["reference"] == amina.reference
    assert me.json()["roles"] == [{"role": "caseworker", "district": "North", "settlement": None}]
    assert "household.write" in me.json()["permissions"]
    assert "user.write" not in me.json()["permissions"]


def test_whatever_is_wrong_with_a_sign_in_the_answer_is_the_same(
    service: TestClient, database: Database, amina: User
) -> None:
    attempts = [("amina", "wrong"), ("nobody", PASSWORD), ("Amina", PASSWORD), ("amina", PASSWORD + " ")]
    answers = [service.post("/api/v1/tokens", json={"username": n, "password": p}) for n, p in attempts]
    with database.session(writes=True) as session:
        users.disable(session, users.get(session, amina.reference), OPERATOR)
    answers.append(service.post("/api/v1/tokens", json={"username": "amina", "password": PASSWORD}))

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}


def test_a_wrong_password_leaves_an_entry_where_there_is_a_user(
    service: TestClient, database: Database, amina: User
) -> None:
    before = len(acts(database))
    for username in ("amina", "nobody"):
        assert service.post("/api/v1/tokens", json={"username": username, "password": "wrong"}).status_code == 401
    assert [(each["act"], each["actor"], each["subject"]) for each in entries(database)[before:]] == [
        ("user.sign_in_refused", "service", amina.reference)
    ]


def test_a_name_that_no_user_can_have_is_refused_before_the_database_sees_it(service: TestClient) -> None:
    for username in ("a\x00b", "a\nb", "", "x" * 65):
        answer = service.post("/api/v1/tokens", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 422, username
        assert answer.json()["errors"][0]["pointer"] == "#/body/username"


def test_a_token_is_kept_only_as_its_hash(database: Database) -> None:
    token = _token(database, timedelta(hours=1))
    with database.session(writes=False) as session:
        row = session.scalars(select(ApiToken)).one()
    kept = [str(getattr(row, column.key)) for column in ApiToken.__table__.columns]
    assert hashlib.sha256(token.encode()).hexdigest() in kept
    assert not any(token in value or token.removeprefix(tokens.PREFIX) in value for value in kept)


def test_two_tokens_differ(database: Database) -> None:
    assert _token(database, timedelta(hours=1)) != _token(database, timedelta(hours=1))


def test_a_token_ends_when_its_time_is_over(service: TestClient, database: Database) -> None:
    assert _status(service, _token(database, timedelta(hours=1))) == 200
    assert _status(service, _token(database, timedelta(seconds=-1))) == 401


def test_what_is_no_token_is_refused(service: TestClient) -> None:
    for header in ("Bearer nonsense", "Bearer ", "Basic YW1pbmE6eA==", "Bearer h\xe4", "nonsense"):
        answer = service.get("/api/v1/me", headers=[(b"Authorization", header.encode("latin-1"))])
        assert answer.status_code == 401, header
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_signing_out_ends_this_token_and_no_other(acting_as: ActingAs, database: Database) -> None:
    first, second = acting_as(Role.PLANNER), acting_as(Role.PLANNER)
    assert first.delete("/tokens/current").status_code == 204
    assert first.get("/me").status_code == 401
    assert first.delete("/tokens/current").status_code == 401
    assert second.get("/me").status_code == 200


def test_a_disabled_users_tokens_end_at_once(acting_as: ActingAs) -> None:
    administrator, planner = acting_as(Role.ADMINISTRATOR), acting_as(Role.PLANNER)
    reference = planner.get("/me").json()["reference"]

    disabled = administrator.post(f"/users/{reference}/disable")
    assert disabled.status_code == 200
    assert disabled.json()["disabled_at"] is not None
    assert planner.get("/me").status_code == 401
    assert administrator.get("/me").status_code == 200
    assert administrator.post(f"/users/{reference}/disable").status_code == 409
    assert administrator.post("/users/US-00000000/disable").status_code == 404
