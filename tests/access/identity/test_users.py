"""Who comes from the identity provider becomes which user, with which roles."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pyotp
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.access import identities, roles, users
from app.access.models import BrowserSession, Identity, Role, SecondFactor, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.throttle import Place
from app.database import Database, utc_now
from app.errors import Conflict, NotFound
from app.main import create_app
from app.settings import Settings
from tests import factories
from tests.access.identity.coming import GROUPS, Issuer, count, entries, require_refused, sign_in
from tests.concurrency import at_once, overtaken

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_who_comes_for_the_first_time_is_added_with_the_roles_of_the_claims(
    browser: httpx2.Client, database: Database
) -> None:
    answer = sign_in(browser)
    assert answer.status_code == 200, answer.text
    assert '<meta http-equiv="refresh" content="0; url=/">' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    session_cookie, begun_cookie = answer.headers.get_list("Set-Cookie")
    assert session_cookie.startswith("hearth_session=")
    assert "HttpOnly" in session_cookie
    assert "SameSite=strict" in session_cookie
    assert "Max-Age=0" in begun_cookie
    me = browser.get("/me").json()
    assert me["username"] == "amina.k"
    assert (me["roles"], me["withheld"]) == ([], [{"role": "planner", "district": None, "settlement": None}])
    added, signed_in = entries(database, "user.add")[-1], entries(database, "user.sign_in")[-1]
    assert added.actor == "service"
    assert signed_in.actor == signed_in.subject == me["reference"]
    csrf = browser.get("/session").json()["csrf_token"]
    assert (
        browser.delete("/session", headers={"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}).status_code == 204
    )
    assert browser.get("/me").status_code == 401


@on_sqlite
def test_the_browser_is_sent_with_a_state_a_nonce_and_a_challenge(browser: httpx2.Client, issuer: Issuer) -> None:
    first, second = (browser.get("/oidc/sign-in").headers for _ in range(2))
    given = [parse_qs(urlsplit(each["Location"]).query) for each in (first, second)]
    assert {name: given[0][name] for name in ("response_type", "code_challenge_method", "scope", "client_id")} == {
        "response_type": ["code"],
        "code_challenge_method": ["S256"],
        "scope": ["openid profile"],
        "client_id": [issuer.client_id],
    }
    for name in ("state", "nonce", "code_challenge"):
        assert len(given[0][name][0]) >= 43
        assert given[0][name] != given[1][name]
    cookie = first["Set-Cookie"]
    assert "SameSite=lax" in cookie
    assert "HttpOnly" in cookie
    assert "Max-Age=600" in cookie
    assert given[0]["state"][0] not in cookie


@on_sqlite
def test_roles_are_those_of_the_claims_at_everysign_in(
    browser: httpx2.Client, database: Database, issuer: Issuer
) -> None:
    sign_in(browser)
    issuer.claim("amina-1", **GROUPS | {"groups": ["north"], "amr": ["pwd", "mfa"]})
    sign_in(browser)
    me = browser.get("/me").json()
    assert me["has_second_factor"]
    assert me["roles"] == [
        {"role": "caseworker", "district": "North", "settlement": None},
        {"role": "village_administrator", "district": None, "settlement": "ST-7K3M9QTX"},
    ]
    sign_in(browser)
    assert len(entries(database, "user.set_roles")) == 1
    assert count(database, User) == 1


@on_sqlite
@pytest.mark.parametrize("groups", [["nobody"], ["approvers", "clerks"], None], ids=str)
def test_no_role_or_roles_that_exclude_each_other_let_nobody_in_and_end_what_was(
    browser: httpx2.Client, database: Database, issuer: Issuer, groups: Any
) -> None:
    sign_in(browser)
    issuer.claim("amina-1", **GROUPS | {"groups": groups})
    require_refused(sign_in(browser))
    assert browser.get("/me").status_code == 401
    with database.session(writes=False) as session:
        user = users.get(session, session.scalars(select(User.reference)).one())
        assert user.grants == []
    refused = entries(database, "user.sign_in_refused")[-1]
    assert refused.subject == user.reference
    assert refused.reason
    assert "amina-1" not in refused.details
    issuer.claim("omar-1", groups=groups)
    require_refused(sign_in(browser, "omar-1"))
    assert count(database, User) == 1


@on_sqlite
def test_who_is_disabled_here_stays_out(browser: httpx2.Client, database: Database) -> None:
    sign_in(browser)
    with database.session(writes=True) as session:
        users.disable(session, users.get(session, session.scalars(select(User.reference)).one()), OPERATOR)
    assert browser.get("/me").status_code == 401
    require_refused(sign_in(browser))
    assert entries(database, "user.sign_in_refused")[-1].reason == "The user is disabled."


@on_sqlite
def test_a_name_or_an_address_that_is_somebodys_makes_nobody_that_user(
    browser: httpx2.Client, database: Database, issuer: Issuer
) -> None:
    with database.session(writes=True) as session:
        users.add(
            session,
            username="amina.k",
            display_name="A",
            password_hash="",
            roles=[HeldRole(Role.AUDITOR)],
            actor=OPERATOR,
        )
    issuer.claim("amina-1", **GROUPS | {"email": "amina.k@ministry.example", "amr": ["mfa"]})
    sign_in(browser)
    me = browser.get("/me").json()
    assert me["username"].startswith("amina.k-")
    assert [role["role"] for role in me["roles"]] == ["planner"]


@on_sqlite
def test_a_user_is_linked_and_unlinked_by_an_administrator(
    browser: httpx2.Client, database: Database, issuer: Issuer
) -> None:
    with database.session(writes=True) as session:
        user = users.get(session, factories.user(session, Role.AUDITOR).reference)
        other = users.get(session, factories.user(session, Role.AUDITOR).reference)
        identities.link(session, user, issuer.address, "amina-1", OPERATOR)
        for again in (user, other):
            with pytest.raises(Conflict):
                identities.link(session, again, issuer.address, "amina-1", OPERATOR)
    sign_in(browser)
    assert browser.get("/me").json()["reference"] == user.reference
    with database.session(writes=True) as session:
        identities.unlink(session, user, OPERATOR)
        with pytest.raises(NotFound):
            identities.unlink(session, user, OPERATOR)
    assert browser.get("/me").status_code == 401
    sign_in(browser)
    assert browser.get("/me").json()["reference"] != user.reference


def test_who_is_unlinked_while_signing_in_is_not_let_in_as_the_user(browser: httpx2.Client, database: Database) -> None:
    sign_in(browser)
    reference = browser.get("/me").json()["reference"]

    def unlink(session: Session) -> None:
        identities.unlink(session, users.get(session, reference), OPERATOR)

    overtaken(database, unlink, lambda: sign_in(browser))
    assert browser.get("/me").json()["reference"] != reference


def test_two_first_sign_ins_at_once_add_one_user(database: Database) -> None:
    vouched = identities.Vouched("https://issuer.example", "one", (HeldRole(Role.CASEWORKER),), False, "one")
    limits, place = create_app(Settings(worker="separate"), database).state.access_rules.limits, Place("")

    def sign_in() -> bool:
        for _ in range(2):
            try:
                with database.session(writes=True) as session:
                    return identities.sign_in(session, vouched, place, limits) is not None
            except IntegrityError:
                continue
        return False

    assert at_once(*[sign_in] * 4) == [True] * 4
    assert (count(database, User), count(database, Identity), count(database, BrowserSession)) == (1, 1, 4)


def test_roles_set_here_while_somebody_signs_in_are_replaced_by_those_of_the_claims(
    browser: httpx2.Client, database: Database
) -> None:
    sign_in(browser)
    reference = browser.get("/me").json()["reference"]

    def audit(session: Session) -> None:
        roles.change(session, users.get(session, reference), [HeldRole(Role.AUDITOR)], OPERATOR)

    overtaken(database, audit, lambda: sign_in(browser))
    with database.session(writes=False) as session:
        assert [grant.role for grant in users.get(session, reference).grants] == [Role.PLANNER]


@on_sqlite
def test_who_has_an_app_here_gives_a_code_before_anything_else(
    browser: httpx2.Client, database: Database, issuer: Issuer
) -> None:
    issuer.claim("amina-1", groups=["clerks"])
    sign_in(browser)
    with database.session(writes=True) as session:
        user_id = session.scalars(select(User.id)).one()
        session.add(SecondFactor(user_id=user_id, secret=SECRET, confirmed_at=utc_now(), last_step=0))
    sign_in(browser)
    before = browser.cookies["hearth_session"]
    assert [role["role"] for role in browser.get("/me").json()["withheld"]] == ["caseworker"]
    refused = browser.get("/households")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/second-factor-needed")
    headers = {"X-CSRF-Token": browser.get("/session").json()["csrf_token"], "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/session/second-factor", json={"code": "000000"}, headers=headers).status_code == 422
    stepped = browser.post("/session/second-factor", json={"code": pyotp.TOTP(SECRET).now()}, headers=headers)
    assert stepped.status_code == 200, stepped.text
    assert browser.cookies["hearth_session"] != before
    assert browser.get("/households").status_code == 200
    assert browser.get("/me").json()["has_second_factor"]
    issuer.claim("amina-1", groups=["clerks"], acr="strong")
    sign_in(browser)
    assert browser.get("/households").status_code == 200
