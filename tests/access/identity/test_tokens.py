"""Tokens that the provider did not sign, or not for this, sign nobody in."""

import time
from typing import Any

import httpx2
import pytest

from app.access.models import User
from app.database import Database
from tests.access.identity.coming import (
    GROUPS,
    Clock,
    Issuer,
    count,
    entries,
    require_refused,
    sign_in,
)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


NOW = int(time.time())
CHANGES: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://another.example"},
    "audience": {"aud": "another"},
    "audience-without-party": {"aud": ["another", "and another"]},
    "party": {"azp": "another"},
    "expired": {"exp": NOW - 60},
    "no-end": {"exp": None},
    "nonce": {"nonce": "another"},
    "no-nonce": {"nonce": None},
    "from-the-future": {"iat": NOW + 600},
    "not-yet": {"nbf": NOW + 600},
    "hash-of-another-token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "no-number": {"exp": "soon"},
    "long": {"padding": "x" * 8000},
}


@on_sqlite
def test_a_token_with_wrong_claims_is_refused(browser: httpx2.Client, database: Database, issuer: Issuer) -> None:
    for subject, wrong in CHANGES.items():
        issuer.claim(subject, **GROUPS | wrong)
        require_refused(sign_in(browser, subject))
    assert count(database, User) == 0
    reasons = [entry.reason or "" for entry in entries(database, "user.sign_in_refused")]
    assert len(reasons) == len(CHANGES)
    assert all(reason.startswith("Not to be trusted: ") for reason in reasons)
    assert reasons[4] == "Not to be trusted: identity token: expired_token, exp."


@on_sqlite
def test_a_token_that_the_provider_did_not_sign_is_refused(
    browser: httpx2.Client, database: Database, issuer: Issuer
) -> None:
    for how in ("none", "public key as secret", "unknown key", "another key", "missing"):
        issuer.behave(how=how)
        require_refused(sign_in(browser))
    assert count(database, User) == 0
    issuer.behave()
    assert sign_in(browser).status_code == 200


@on_sqlite
@pytest.mark.parametrize("behaviour", [{}, {"how": "named key"}], ids=["nameless", "named"])
def test_a_new_key_of_the_provider_is_fetched_and_not_at_every_token(
    browser: httpx2.Client, issuer: Issuer, clock: Clock, behaviour: dict[str, str]
) -> None:
    issuer.behave(**behaviour)
    assert sign_in(browser).status_code == 200
    issuer.client.post("/test/key").raise_for_status()
    require_refused(sign_in(browser))  # they were fetched just now, and are not fetched again at once
    clock.now += 10
    assert sign_in(browser).status_code == 200
