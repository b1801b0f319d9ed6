"""The way to the provider and back: state, issuer, cookies, and where it ends."""

import time
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.access.models import BrowserSession
from app.database import Database
from tests.access.identity.coming import (
    HOME,
    Clock,
    Issuer,
    come_back,
    count,
    require_refused,
    sign_in,
)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
def test_what_did_not_begin_in_this_browser_is_refused(
    browser: httpx2.Client, service: TestClient, database: Database
) -> None:
    """Nobody is signed in as somebody else by a link (login CSRF), nor with a code that was used, nor an old page."""
    back = come_back(browser)
    with httpx2.Client(transport=service._transport, base_url=f"{HOME}/api/v1", headers=browser.headers) as victim:
        require_refused(victim.get(back))
        come_back(victim)
        require_refused(victim.get(back))
    require_refused(browser.get(back.replace("state=", "state=x")))
    require_refused(browser.get(back))  # what was begun has ended with the wrong state
    back = come_back(browser)
    kept = browser.cookies["hearth_sign_in"]
    assert browser.get(back).status_code == 200
    require_refused(browser.get(back))
    browser.cookies.set("hearth_sign_in", kept, domain="127.0.0.1")
    require_refused(browser.get(back))  # the provider takes a code once
    browser.cookies.set("hearth_sign_in", "x" * 3000, domain="127.0.0.1")
    require_refused(browser.get(back))
    assert count(database, BrowserSession) == 1


@on_sqlite
def test_a_sign_in_has_ten_minutes(browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    back, now = come_back(browser), time.time
    monkeypatch.setattr("app.access.provider_api.time.time", lambda: now() + 601)
    require_refused(browser.get(back))


@on_sqlite
def test_a_code_without_its_verifier_is_worth_nothing(
    browser: httpx2.Client, issuer: Issuer, service: TestClient
) -> None:
    """Somebody who reads the code on its way exchanges it at the provider, with the secret of the client even."""
    code = parse_qs(urlsplit(come_back(browser)).query)["code"][0]
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{HOME}/api/v1/oidc/callback"}
    taken = httpx2.post(f"{issuer.address}/oauth2/token", data=given, auth=(issuer.client_id, issuer.secret))
    assert (taken.status_code, taken.json()["error"]) == (400, "invalid_grant")


@on_sqlite
def test_an_answer_of_another_issuer_is_refused(browser: httpx2.Client, issuer: Issuer, clock: Clock) -> None:
    issuer.behave(iss="https://another.example")
    require_refused(sign_in(browser))
    issuer.behave(iss=issuer.address)
    assert sign_in(browser).status_code == 200
    issuer.behave(metadata={"authorization_response_iss_parameter_supported": True})
    clock.now += 3600
    require_refused(sign_in(browser))


@on_sqlite
def test_what_the_provider_refuses_or_nobody_sent_is_refused(browser: httpx2.Client) -> None:
    back = come_back(browser)
    state = parse_qs(urlsplit(back).query)["state"][0]
    require_refused(browser.get(f"/oidc/callback?error=access_denied&error_description=x&state={state}"))
    come_back(browser)
    require_refused(browser.get("/oidc/callback"))
    answer = browser.get("/oidc/callback?state=x&state=y", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    answer = browser.get("/oidc/callback?session_state=anything", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not-signed-in")


@on_sqlite
def test_nobody_is_led_elsewhere(browser: httpx2.Client) -> None:
    for path in (
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil",
        "",
        "/a b",
        '/"><script>',
        "/a\n",
    ):
        assert browser.get("/oidc/sign-in", params={"return_to": path}).status_code == 422, path


@on_sqlite
def test_one_comes_back_to_where_one_was(browser: httpx2.Client) -> None:
    answer = browser.get(come_back(browser, path="/oidc/sign-in?return_to=/docs%3Fa=1%26b"))
    assert 'content="0; url=/docs?a=1&amp;b"' in answer.text


@on_sqlite
def test_another_site_does_not_begin_a_sign_in(browser: httpx2.Client) -> None:
    refused = browser.get("/oidc/sign-in", headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forged-request")


@on_sqlite
def test_over_tls_no_other_host_sets_the_cookies(service: TestClient) -> None:
    with httpx2.Client(transport=service._transport, base_url="https://127.0.0.1/api/v1") as over_tls:
        cookie = over_tls.get("/oidc/sign-in").headers["Set-Cookie"]
    assert cookie.startswith("__Host-hearth_sign_in=")
    assert "Secure" in cookie
