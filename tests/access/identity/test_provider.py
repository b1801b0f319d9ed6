"""A provider that is down or odd, and settings that name one."""

from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.access.models import Role
from app.access.permissions import HeldRole
from app.access.provider import Provider
from app.database import Database
from app.errors import Invalid
from app.main import create_app
from app.settings import Settings
from tests.access.identity.coming import (
    HOME,
    Clock,
    Issuer,
)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
def test_a_provider_that_is_down_is_said_to_be_and_not_asked_at_every_request(
    settings: Settings, database: Database, issuer: Issuer
) -> None:
    clock = Clock()
    gone = Settings(**settings.model_dump() | {"oidc_issuer": "http://127.0.0.1:9"})
    app = create_app(gone, database)
    provider = app.state.identity_provider = Provider(gone, clock)
    with TestClient(app) as client:
        for path in ("/api/v1/oidc", "/api/v1/oidc/sign-in"):
            answer = client.get(path, follow_redirects=False)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
        assert client.get("/livez").status_code == 200
        provider.issuer = provider.published.issuer = issuer.address
        assert client.get("/api/v1/oidc").status_code == 503
        clock.now += 10
        shown = client.get("/api/v1/oidc").json()
    assert shown["issuer"] == issuer.address
    assert shown["sign_in"] == f"{HOME}/api/v1/oidc/sign-in"
    assert shown["sign_out"].startswith(f"{issuer.address}/oauth2/end_session?client_id={issuer.client_id}")


@on_sqlite
def test_metadata_that_make_no_sense_are_not_used(browser: httpx2.Client, issuer: Issuer, clock: Clock) -> None:
    wrong: list[dict[str, Any]] = [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://another.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": 7},
        {"padding": "x" * 300_000},
    ]
    for metadata in wrong:
        issuer.behave(metadata=metadata)
        assert browser.get("/oidc/sign-in").status_code == 503, metadata
        clock.now += 10
    issuer.behave()
    assert browser.get("/oidc/sign-in").status_code == 303


@on_sqlite
def test_without_a_provider_there_is_none(database: Database) -> None:
    app = create_app(Settings(worker="separate", log_level="error"), database)
    with TestClient(app) as client:
        for path in ("/oidc", "/oidc/sign-in", "/oidc/callback"):
            assert client.get(f"/api/v1{path}").status_code == 404


ROLES = '{"planners": "planner", "clerks": "caseworker"}'
GIVEN: dict[str, Any] = {
    "oidc_issuer": "https://identity.example",
    "oidc_client_id": "hearth",
    "public_url": "https://homes.example",
    "oidc_audience": "api",
    "oidc_services": "importer",
}


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"oidc_issuer": "http://identity.example"}, "HEARTH_OIDC_ISSUER"),
        ({"public_url": ""}, "HEARTH_PUBLIC_URL"),
        ({"public_url": "http://homes.example"}, "HEARTH_PUBLIC_URL"),
        ({"oidc_client_id": ""}, "HEARTH_OIDC_CLIENT_ID"),
        ({"oidc_scopes": "profile"}, "HEARTH_OIDC_SCOPES"),
        ({"oidc_audience": "hearth"}, "HEARTH_OIDC_AUDIENCE"),
        ({"oidc_services": ""}, "HEARTH_OIDC_SERVICES"),
        ({"oidc_roles": "planner"}, "HEARTH_OIDC_ROLES"),
        ({"oidc_roles": "[]"}, "HEARTH_OIDC_ROLES"),
        ({"oidc_roles": '{"a": 1}'}, "HEARTH_OIDC_ROLES"),
        ({"oidc_roles": '{"a": "king"}'}, "HEARTH_OIDC_ROLES"),
        ({"oidc_roles": '{"a": "planner@country:X"}'}, "HEARTH_OIDC_ROLES"),
        ({"oidc_roles": '{"a": "administrator@district:X"}'}, "HEARTH_OIDC_ROLES"),
        ({"oidc_roles": '{"a": ["approver", "caseworker"]}'}, "HEARTH_OIDC_ROLES"),
        ({"oidc_second_factor": "mfa"}, "HEARTH_OIDC_SECOND_FACTOR"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_stop_the_service(changed: dict[str, Any], setting: str) -> None:
    Provider(Settings(**GIVEN))
    with pytest.raises(Invalid) as refused:
        Provider(Settings(**GIVEN | changed))
    assert [error.pointer for error in refused.value.errors] == [setting]


def test_claims_are_found_by_name_and_within_objects() -> None:
    settings = Settings(**GIVEN | {"oidc_roles": ROLES, "oidc_roles_claim": "realm_access.roles"})
    mapped = Provider(settings).mapped
    assert mapped.roles_of({"realm_access": {"roles": ["clerks", "clerks", 7]}}) == (HeldRole(Role.CASEWORKER),)
    assert mapped.roles_of({"realm_access.roles": "planners clerks"}) == (
        HeldRole(Role.PLANNER),
        HeldRole(Role.CASEWORKER),
    )
    assert mapped.roles_of({"realm_access": ["clerks"]}) == ()
