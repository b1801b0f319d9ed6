"""The identity provider as the tests reach it, and the way of a browser to it and back."""

from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import func, select

from app.audit.models import AuditEntry
from app.database import Database

HOME = "http://127.0.0.1"
GROUPS = {"groups": ["planners", "staff"], "preferred_username": "Amina.K@ministry.example", "name": "Amina K."}


@dataclass
class Issuer:
    """The provider, as the tests reach it."""

    address: str
    client: httpx2.Client
    client_id: str = ""
    secret: str = ""

    def claim(self, subject: str, **claims: Any) -> None:
        """Have the provider say this of the subject."""
        self.client.put(f"/users/{subject}", json=claims).raise_for_status()

    def behave(self, **behaviour: Any) -> None:
        """Have the provider behave so."""
        self.client.put("/test/behaviour", json=behaviour).raise_for_status()

    def token(self, **wanted: Any) -> str:
        """Return an access token that the provider signs."""
        signed: str = self.client.post("/test/tokens", json=wanted).raise_for_status().json()["token"]
        return signed


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def come_back(browser: httpx2.Client, subject: str = "amina-1", path: str = "/oidc/sign-in") -> str:
    """Go to the provider, sign in there, and return where it sends the browser, as path and query."""
    sent = browser.get(path, headers={"Sec-Fetch-Site": "same-origin"})
    assert sent.status_code == 303, sent.text
    answer = httpx2.post(sent.headers["Location"], data={"sub": subject})
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(f"{HOME}/api/v1/oidc/callback?")
    return str(answer.headers["Location"].removeprefix(f"{HOME}/api/v1"))


def sign_in(browser: httpx2.Client, subject: str = "amina-1") -> httpx2.Response:
    return browser.get(come_back(browser, subject), headers={"Sec-Fetch-Site": "cross-site"})


def require_refused(answer: httpx2.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert "You are not signed in" in answer.text
    assert not any(cookie.startswith("hearth_session=") for cookie in answer.headers.get_list("Set-Cookie"))


def entries(database: Database, act: str) -> list[AuditEntry]:
    with database.session(writes=False) as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.act == act).order_by(AuditEntry.id)))


def count(database: Database, model: Any) -> int:
    with database.session(writes=False) as session:
        return session.scalars(select(func.count()).select_from(model)).one()
