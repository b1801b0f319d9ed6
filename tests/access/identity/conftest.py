"""An identity provider that listens, a service that it is set for, and a browser between them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.access.provider import Provider
from app.database import Database
from app.main import create_app
from app.settings import Settings
from tests.access.identity.coming import GROUPS, HOME, Clock, Issuer

ROLES = """{
"planners": "planner", "clerks": "caseworker", "approvers": "approver",
"north": ["caseworker@district:North", "village_administrator@settlement:ST-7K3M9QTX"]
}"""


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    """An identity provider in a process of its own."""
    environment = os.environ | {"AUTHLIB_INSECURE_TRANSPORT": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.access.identity.provider"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with httpx2.Client(base_url=address) as client:
            registered = client.post("/oauth2/clients", json={"redirect_uris": [f"{HOME}/api/v1/oidc/callback"]}).json()
            yield Issuer(address, client, registered["client_id"], registered["client_secret"])
        process.terminate()


@pytest.fixture
def issuer(running: Issuer) -> Iterator[Issuer]:
    """The provider, behaving as it should, which knows Amina."""
    running.claim("amina-1", **GROUPS)
    yield running
    running.behave()


@pytest.fixture
def settings(issuer: Issuer, tmp_path: Path) -> Settings:
    """Settings that name the provider."""
    secret = tmp_path / "secret"
    secret.write_text(f"{issuer.secret}\n")
    return Settings(
        worker="separate",
        log_level="error",
        public_url=HOME,
        oidc_issuer=issuer.address,
        oidc_client_id=issuer.client_id,
        oidc_client_secret_file=str(secret),
        oidc_roles=ROLES,
        oidc_second_factor="amr=mfa, acr=strong",
        oidc_audience="hearth",
        oidc_services="importer, robot",
    )


@pytest.fixture
def clock() -> Clock:
    """What the service takes for the time when it keeps the provider's documents."""
    return Clock()


@pytest.fixture
def service(settings: Settings, database: Database, clock: Clock) -> Iterator[TestClient]:
    """The service over this test's database, with the provider set."""
    app = create_app(settings, database)
    app.state.identity_provider = Provider(settings, clock)
    with TestClient(app) as client:
        yield client


@pytest.fixture
def browser(service: TestClient) -> Iterator[httpx2.Client]:
    """A browser with a jar of cookies, which follows nothing by itself."""
    with httpx2.Client(
        transport=service._transport, base_url=f"{HOME}/api/v1", headers={"Accept": "text/html"}
    ) as client:
        yield client
