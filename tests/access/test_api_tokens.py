"""Tokens for programs: for some permissions, for a time, and not for making more of themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.access import tokens, users
from app.access.models import ApiToken, Role
from app.access.permissions import OPERATOR, Permission
from app.database import Database, utc_now
from tests import factories
from tests.concurrency import overtaken
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REPORT: dict[str, Any] = {"name": "Weekly report", "permissions": ["stock.read"], "days": 7}


def _with(client: httpx2.Client, token: str) -> httpx2.Client:
    return httpx2.Client(
        transport=client._transport, base_url=client.base_url, headers={"Authorization": f"Bearer {token}"}
    )


def test_a_token_does_what_it_was_made_for_and_nothing_else(acting_as: ActingAs) -> None:
    planner = acting_as(Role.PLANNER)
    issued = planner.post("/api-tokens", json=REPORT)
    assert issued.status_code == 201
    lifetime = datetime.fromisoformat(issued.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < lifetime <= timedelta(days=7)
    program = _with(planner, issued.json()["token"])
    assert program.get("/me").json()["permissions"] == ["stock.read"]
    assert program.get("/houses").status_code == 200
    refused = program.get("/runs")
    assert refused.status_code == 403
    assert "for which your token was not made" in refused.json()["detail"]


def test_a_token_that_was_made_for_some_acts_manages_no_access(acting_as: ActingAs) -> None:
    planner = acting_as(Role.PLANNER)
    issued = planner.post("/api-tokens", json=REPORT).json()
    program = _with(planner, issued["token"])
    requests = [
        ("POST", "/api-tokens", REPORT),
        ("DELETE", f"/api-tokens/{issued['reference']}", None),
        ("DELETE", "/sessions", None),
        ("DELETE", "/sessions/SE-00000000", None),
        ("POST", "/me/password", {"password": "x", "new_password": "another long password"}),
        ("POST", "/me/second-factor", {"password": "x"}),
        ("POST", "/me/second-factor/confirm", {"code": "123456"}),
        ("POST", "/me/second-factor/recovery-codes", {"code": "123456"}),
        ("POST", "/me/second-factor/remove", {"code": "123456"}),
    ]
    for method, path, body in requests:
        refused = program.request(method, path, json=body)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden"), path


def test_a_token_that_is_asked_for_while_its_users_access_ends_is_not_made(
    acting_as: ActingAs, database: Database
) -> None:
    planner = acting_as(Role.PLANNER)
    reference = planner.get("/me").json()["reference"]

    def end(session: Session) -> None:
        users.end_sessions(session, users.get(session, reference), OPERATOR)

    assert overtaken(database, end, lambda: planner.post("/api-tokens", json=REPORT)).status_code == 401


def test_a_token_that_is_made_just_before_its_users_access_ends_ends_too(
    acting_as: ActingAs, database: Database
) -> None:
    planner, administrator = acting_as(Role.PLANNER), acting_as(Role.ADMINISTRATOR)
    reference, made = planner.get("/me").json()["reference"], list[str]()

    def make(session: Session) -> None:
        actor = tokens.principal(session, planner.headers["Authorization"].removeprefix("Bearer "))
        day, own = timedelta(days=1), users.own(session, actor)
        made.append(tokens.issue_named(session, own, "Report", [Permission.STOCK_READ], day, actor)[1])

    ended = overtaken(database, make, lambda: administrator.post(f"/users/{reference}/end-sessions"))
    assert ended.status_code == 204
    assert _with(planner, made[0]).get("/me").status_code == 401


@on_sqlite
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"permissions": ["user.write"]}, 403),
        ({"permissions": ["stock.read", "user.write"]}, 403),
        ({"permissions": ["world.rule"]}, 422),
        ({"permissions": []}, 422),
        ({"name": " "}, 422),
        ({"name": "x" * 101}, 422),
        ({"days": 0}, 422),
        ({"days": 367}, 422),
        ({"days": "7"}, 422),
    ],
    ids=str,
)
def test_a_token_that_cannot_be_is_not_made(acting_as: ActingAs, change: dict[str, Any], status: int) -> None:
    planner = acting_as(Role.PLANNER)
    assert planner.post("/api-tokens", json=REPORT | change).status_code == status
    assert len(planner.get("/api-tokens").json()["items"]) == 1


def test_tokens_are_listed_and_revoked_by_whose_they_are(acting_as: ActingAs) -> None:
    planner, other = acting_as(Role.PLANNER), acting_as(Role.PLANNER)
    issued = planner.post("/api-tokens", json=REPORT).json()
    listed = planner.get("/api-tokens").json()["items"]
    assert [(each["name"], each["permissions"]) for each in listed] == [("Weekly report", ["stock.read"]), (None, None)]
    assert issued["token"] not in planner.get("/api-tokens").text
    path = f"/api-tokens/{issued['reference']}"
    assert other.delete(path).status_code == 404
    assert planner.delete(path.lower()).status_code == 204
    assert planner.delete(path).status_code == 404
    assert _with(planner, issued["token"]).get("/me").status_code == 401
    assert planner.get("/me").status_code == 200


def test_a_token_ends_with_its_time_and_with_the_role_behind_it(acting_as: ActingAs, database: Database) -> None:
    planner, administrator = acting_as(Role.PLANNER), acting_as(Role.ADMINISTRATOR)
    program = _with(planner, planner.post("/api-tokens", json=REPORT).json()["token"])
    path = f"/users/{planner.get('/me').json()['reference']}/roles"
    assert administrator.put(path, json={"roles": [{"role": "village_administrator"}]}).status_code == 200
    assert program.get("/houses").status_code == 200
    assert administrator.put(path, json={"roles": [{"role": "administrator"}]}).status_code == 200
    assert program.get("/houses").status_code == 403
    with database.session(writes=True) as session:
        session.execute(update(ApiToken).where(ApiToken.name.is_not(None)).values(expires_at=utc_now()))
    assert program.get("/me").status_code == 401


def test_the_last_use_of_a_token_is_noted(acting_as: ActingAs, database: Database) -> None:
    planner = acting_as(Role.PLANNER)
    long_ago = utc_now() - timedelta(days=1)
    with database.session(writes=True) as session:
        session.execute(update(ApiToken).values(used_at=long_ago))
    assert planner.get("/me").status_code == 200
    with database.session(writes=False) as session:
        assert session.scalars(select(ApiToken.used_at)).one() > long_ago


def test_what_an_act_takes_beside_its_own_permission_is_named_and_nothing_is_done_without(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        lived_in = factories.house(session, factories.settlement(session))
        factories.tenancy(session, lived_in)
    administrator = acting_as(Role.VILLAGE_ADMINISTRATOR)
    check = {"finding": "expected_family", "checked_on": str(utc_now().date())}
    permissions: list[str] = []
    for given, missing in (("tenancy.write", "stock.read"), ("stock.read", "tenancy.read"), ("tenancy.read", None)):
        permissions.append(given)
        issued = administrator.post("/api-tokens", json=REPORT | {"permissions": permissions})
        answer = _with(administrator, issued.json()["token"]).post(f"/houses/{lived_in.reference}/checks", json=check)
        assert answer.status_code == (201 if missing is None else 403), answer.text
        assert missing is None or f"the permission {missing}," in answer.json()["detail"]
        found = administrator.get("/occupancy/checks").json()["items"]
        assert len(found) == (1 if missing is None else 0)
