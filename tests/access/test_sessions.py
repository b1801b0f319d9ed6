"""Sessions of browsers: the cookie, its limits, where one is signed in, and requests that other sites forge."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from app.access import passwords, throttle, users
from app.access.models import BrowserSession, KnownPlace, Role, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.throttle import ACCOUNT, Place
from app.database import Database, utc_now
from app.errors import TooManyRequests
from tests.access.delays import draw_out_delays
from tests.conftest import ActingAs

PASSWORD = "correct horse battery"
GIVEN = {"username": "amina", "password": PASSWORD}
Browser = Callable[[str], httpx2.Client]


@pytest.fixture
def amina(database: Database) -> User:
    """A caseworker with a password."""
    with database.session(writes=True) as session:
        return users.add(
            session,
            username="amina",
            display_name="Amina K.",
            password_hash=passwords.hashed(PASSWORD),
            roles=[HeldRole(Role.CASEWORKER)],
            actor=OPERATOR,
        )


@pytest.fixture
def browser(service: TestClient) -> Iterator[Browser]:
    """Browsers with a name and a jar of cookies each."""
    with ExitStack() as clients:

        def begin(agent: str = "Browser 1", scheme: str = "http") -> httpx2.Client:
            return clients.enter_context(
                httpx2.Client(
                    transport=service._transport,
                    base_url=f"{scheme}://testserver/api/v1",
                    headers={"User-Agent": agent, "Sec-Fetch-Site": "same-origin"},
                )
            )

        yield begin


def _sign_in(client: httpx2.Client) -> dict[str, str]:
    """Sign in, and send the CSRF token with everything from then on."""
    answer = client.post("/session", json=GIVEN)
    assert answer.status_code == 201, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    started: dict[str, str] = answer.json()
    return started


def test_a_browser_signs_in_acts_and_signs_out(browser: Browser, amina: User) -> None:
    client = browser("Browser 1")
    started = _sign_in(client)
    assert client.get("/me").json()["username"] == "amina"
    assert client.get("/session").json() == started
    assert client.post("/kin-groups", json={}).status_code == 201
    secret = client.cookies["hearth_session"]
    assert client.delete("/session").status_code == 204
    assert "hearth_session" not in client.cookies
    client.cookies.set("hearth_session", secret, domain="testserver")
    assert client.get("/me").status_code == 401


def test_the_cookie_is_for_this_host_and_no_script(browser: Browser, database: Database, amina: User) -> None:
    plain = browser("Browser 1").post("/session", json=GIVEN).headers.get_list("Set-Cookie")
    assert all("HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie for cookie in plain)
    assert not any("Secure" in cookie or "Domain" in cookie for cookie in plain)
    over_tls = httpx2.Client(transport=browser("x")._transport, base_url="https://testserver/api/v1")
    secured = over_tls.post("/session", json=GIVEN).headers.get_list("Set-Cookie")
    assert sorted(cookie.split("=")[0] for cookie in secured) == ["__Host-hearth_device", "__Host-hearth_session"]
    assert all("Secure" in cookie for cookie in secured)
    assert over_tls.get("/me").status_code == 200
    secret = over_tls.cookies["__Host-hearth_session"]
    with database.session(writes=False) as session:
        rows = session.scalars(select(BrowserSession)).all()
    assert not any(secret in str(vars(row)) for row in rows)


def test_every_sign_in_begins_another_session(browser: Browser, amina: User) -> None:
    client = browser("Browser 1")
    first = _sign_in(client)
    before = client.cookies["hearth_session"]
    second = _sign_in(client)
    assert client.cookies["hearth_session"] != before
    assert first["csrf_token"] != second["csrf_token"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": None, "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": None, "Origin": "null"},
        {"Sec-Fetch-Site": None, "Origin": "http://["},
    ],
    ids=str,
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_another_site_sends_is_refused(browser: Browser, amina: User, headers: dict[str, str | None]) -> None:
    client = browser("Browser 1")
    _sign_in(client)
    for name, value in headers.items():
        client.headers.pop(name, None)
        if value is not None:
            client.headers[name] = value
    refused = client.post("/kin-groups", json={})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forged-request")
    assert client.delete("/session").status_code == 403
    assert client.get("/me").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_site_does_not_sign_anybody_in(browser: Browser, amina: User) -> None:
    client = browser("Browser 1")
    client.headers["Sec-Fetch-Site"] = "cross-site"
    assert client.post("/session", json=GIVEN).status_code == 403
    assert not client.cookies


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_sends_a_token_needs_no_csrf_token(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    client.cookies.set("hearth_session", "nonsense", domain="testserver")
    assert client.post("/kin-groups", json={}, headers={"Origin": "http://evil.example"}).status_code == 201
    assert client.get("/session").status_code == 404


@pytest.mark.parametrize("column", ["used_at", "expires_at"])
def test_a_session_ends_unused_and_in_any_case(browser: Browser, database: Database, amina: User, column: str) -> None:
    client = browser("Browser 1")
    _sign_in(client)
    assert client.get("/me").status_code == 200
    back = {"used_at": timedelta(minutes=30), "expires_at": timedelta(0)}[column]
    with database.session(writes=True) as session:
        session.execute(update(BrowserSession).values({column: utc_now() - back}))
    assert client.get("/me").status_code == 401
    assert client.get("/sessions").status_code == 401


def test_use_is_noted_so_that_a_session_in_use_goes_on(browser: Browser, database: Database, amina: User) -> None:
    client = browser("Browser 1")
    _sign_in(client)
    with database.session(writes=True) as session:
        session.execute(update(BrowserSession).values(used_at=utc_now() - timedelta(minutes=29)))
    assert client.get("/me").status_code == 200
    with database.session(writes=False) as session:
        used_at = session.scalars(select(BrowserSession.used_at)).one()
    assert utc_now() - used_at < timedelta(minutes=29)


def test_users_see_where_they_are_signed_in_and_end_it(browser: Browser, acting_as: ActingAs, amina: User) -> None:
    here, there, third = browser("Browser 1"), browser("Browser 2"), browser("Browser 3")
    for client in (here, there, third):
        _sign_in(client)
    listed = here.get("/sessions").json()["items"]
    assert {(each["agent"], each["is_current"]) for each in listed} == {
        ("Browser 1", True),
        ("Browser 2", False),
        ("Browser 3", False),
    }
    assert {each["address"] for each in listed} == {"testclient"}
    other = next(each["reference"] for each in listed if each["agent"] == "Browser 2")
    assert acting_as(Role.CASEWORKER).delete(f"/sessions/{other}").status_code == 404
    assert here.delete(f"/sessions/{other}").status_code == 204
    assert here.delete(f"/sessions/{other}").status_code == 404
    assert there.get("/me").status_code == 401
    assert third.get("/me").status_code == 200
    assert here.delete("/sessions").status_code == 204
    assert third.get("/me").status_code == 401
    assert here.get("/me").status_code == 200


@pytest.mark.parametrize("act", ["disable", "reset-password", "end-sessions"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_administrator_ends_a_users_sessions(browser: Browser, acting_as: ActingAs, amina: User, act: str) -> None:
    client = browser("Browser 1")
    _sign_in(client)
    assert acting_as(Role.ADMINISTRATOR).post(f"/users/{amina.reference}/{act}").is_success
    assert client.get("/me").status_code == 401


def test_changing_the_password_ends_the_other_sessions(browser: Browser, amina: User) -> None:
    here, there = browser("Browser 1"), browser("Browser 2")
    _sign_in(here)
    _sign_in(there)
    body = {"password": PASSWORD, "new_password": "another long password"}
    assert here.post("/me/password", json=body).status_code == 204
    assert here.get("/me").status_code == 200
    assert there.get("/me").status_code == 401


def test_a_browser_is_known_whatever_strangers_do_at_the_account_and_from_its_address(
    browser: Browser, database: Database, amina: User
) -> None:
    client = browser("Browser 1")
    _sign_in(client)
    with database.session(writes=True) as session:
        session.query(KnownPlace).filter(KnownPlace.place_sha256 == throttle._address_key(Place("testclient"))).delete()
    for number in range(ACCOUNT.free + 1):
        place = Place("testclient" if number < 7 else f"198.51.100.{number}")
        try:
            with database.session(writes=False) as session:
                standing = throttle.standing(session, "amina", place)
            with database.session(writes=True) as session:
                throttle.count(session, standing)
        except TooManyRequests:
            continue
        draw_out_delays(database)
    assert browser("Browser 2").post("/session", json=GIVEN).status_code == 429
    _sign_in(client)
