"""Services that act with access tokens of the identity provider."""

import time
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.access import users
from app.access.models import User
from app.access.permissions import OPERATOR
from app.database import Database
from tests.access.identity.coming import Issuer, count, entries, require_refused, sign_in

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CLAIMS = {"sub": "importer", "client_id": "importer", "aud": "hearth", "groups": ["planners", "north"]}
NOW = int(time.time())


def _ask(service: TestClient, token: str, path: str = "/me") -> httpx2.Response:
    return service.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_service_acts_with_the_roles_of_its_token_and_is_on_the_record(
    service: TestClient, database: Database, issuer: Issuer
) -> None:
    token = issuer.token(claims=CLAIMS)
    me = _ask(service, token).json()
    assert me["username"] == "service-importer"
    assert [(role["role"], role["district"]) for role in me["roles"]] == [
        ("planner", None),
        ("caseworker", "North"),
        ("village_administrator", None),
    ]
    made = service.post(
        "/api/v1/origins",
        json={"name": "Old", "latitude": 0, "longitude": 0},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert made.status_code == 201, made.text
    added, came, act = (entries(database, name)[-1] for name in ("user.add", "user.sign_in", "origin.add"))
    assert (added.actor, came.actor, act.actor) == ("service", me["reference"], me["reference"])
    assert came.token == act.token
    assert str(act.token).startswith("JWT-")
    assert token[-20:] not in str(act.token)
    narrower = _ask(service, issuer.token(claims=CLAIMS | {"groups": ["north"]})).json()
    assert [role["role"] for role in narrower["roles"]] == ["caseworker", "village_administrator"]
    assert narrower["reference"] == me["reference"]
    assert len(entries(database, "user.sign_in")) == 2  # once for each token
    assert count(database, User) == 1


@on_sqlite
def test_a_service_manages_no_access_and_is_no_user(
    service: TestClient, issuer: Issuer, browser: httpx2.Client
) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(claims=CLAIMS)}"}
    token = {"name": "More", "permissions": ["stock.read"], "days": 1}
    assert service.post("/api/v1/api-tokens", json=token, headers=headers).status_code == 403
    assert service.post("/api/v1/me/second-factor", json={"password": "x"}, headers=headers).status_code == 403
    assert service.post("/api/v1/session/second-factor", json={"code": "123456"}, headers=headers).status_code == 409
    issuer.claim("importer", groups=["planners"])
    require_refused(sign_in(browser, "importer"))


@on_sqlite
def test_large_bodies_of_a_service_are_read(service: TestClient, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(claims=CLAIMS)}"}
    file = ("origins.csv", "origin,name,latitude,longitude\nO1,Old,0,0\n")
    answer = service.post("/api/v1/imports", files=[("files", file)], headers=headers)
    assert answer.status_code == 200, answer.text


WRONG: dict[str, dict[str, Any]] = {
    "audience": {"claims": CLAIMS | {"aud": "another"}},
    "no audience": {"claims": CLAIMS | {"aud": None}},
    "issuer": {"claims": CLAIMS | {"iss": "https://another.example"}},
    "expired": {"claims": CLAIMS | {"exp": NOW - 60}},
    "no end": {"claims": CLAIMS | {"exp": None}},
    "no beginning": {"claims": CLAIMS | {"iat": None}},
    "from the future": {"claims": CLAIMS | {"iat": NOW + 600}},
    "for days": {"claims": CLAIMS | {"exp": NOW + 2 * 24 * 3600}},
    "somebody": {"claims": CLAIMS | {"sub": "amina-1"}},
    "nobody": {"claims": CLAIMS | {"sub": None}},
    "no role": {"claims": CLAIMS | {"groups": []}},
    "a role of people": {"claims": CLAIMS | {"groups": ["approvers"]}},
    "none": {"claims": CLAIMS, "how": "none"},
    "public key as secret": {"claims": CLAIMS, "how": "public key as secret"},
    "unknown key": {"claims": CLAIMS, "how": "unknown key"},
    "another key": {"claims": CLAIMS, "how": "another key"},
    "another kind": {"claims": CLAIMS, "header": {"typ": "logout+jwt"}},
    "what nobody knows": {"claims": CLAIMS, "header": {"typ": "at+jwt", "crit": ["exp"], "exp": 1}},
}


@on_sqlite
def test_what_is_no_access_token_for_this_service_is_refused(
    service: TestClient, database: Database, issuer: Issuer
) -> None:
    identity_token = {"claims": CLAIMS | {"aud": ["hearth", issuer.client_id], "azp": issuer.client_id}, "header": {}}
    taken = []
    for name, wanted in {**WRONG, "identity token": identity_token}.items():
        answer = _ask(service, issuer.token(**wanted))
        if (answer.status_code, answer.json().get("type")) != (401, "/problems/not-signed-in"):
            taken.append(name)
    for text in ("a.b.c", "..", f"{'x' * 9000}.b.c"):
        assert _ask(service, text).status_code == 401
    odd = service.get("/api/v1/me", headers=[(b"Authorization", "Bearer ü.b.c".encode())])
    assert odd.status_code == 401
    assert taken == []
    assert count(database, User) == 0
    refused = entries(database, "user.sign_in_refused")
    assert [entry.reason for entry in refused] == ["A service cannot hold these roles."] * 2


@on_sqlite
def test_a_plain_token_of_the_service_is_taken_where_the_provider_offers_no_other(
    service: TestClient, issuer: Issuer
) -> None:
    assert _ask(service, issuer.token(claims=CLAIMS, header={"typ": "JWT"})).status_code == 200


@on_sqlite
def test_a_service_that_is_disabled_stays_out(service: TestClient, database: Database, issuer: Issuer) -> None:
    token = issuer.token(claims=CLAIMS)
    assert _ask(service, token).status_code == 200
    with database.session(writes=True) as session:
        users.disable(session, users.get(session, session.scalars(select(User.reference)).one()), OPERATOR)
    assert _ask(service, token).status_code == 401
    assert _ask(service, issuer.token(claims=CLAIMS)).status_code == 401


@on_sqlite
def test_a_user_is_no_service(service: TestClient, database: Database, issuer: Issuer, browser: httpx2.Client) -> None:
    """A subject that has signed in as a person keeps being one, whatever is listed later."""
    sign_in(browser)
    service.app.state.identity_provider.services = frozenset({"amina-1"})  # type: ignore[attr-defined]
    assert _ask(service, issuer.token(claims=CLAIMS | {"sub": "amina-1"})).status_code == 401
    assert entries(database, "user.sign_in_refused")[-1].reason == "This is no service."
