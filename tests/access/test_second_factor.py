"""The second factor: beginning with one, each code once, recovery codes, and roles that wait for it."""

import time

import httpx2
import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, text, update

from app.access import passwords, users
from app.access.models import Role, SecondFactor, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.second_factor import RECOVERY_CODES, STEP_SECONDS, required_roles
from app.access.throttle import SAME_PLACE
from app.database import Database
from app.errors import Invalid
from app.main import create_app
from app.settings import Settings
from tests.access.delays import draw_out_delays
from tests.audit.trail import entries
from tests.concurrency import at_once
from tests.conftest import ActingAs

PASSWORD = "correct horse battery"
GIVEN = {"username": "amina", "password": PASSWORD}


@pytest.fixture
def amina(database: Database) -> User:
    """A planner, who needs a second factor, and a verifier, who needs none."""
    with database.session(writes=True) as session:
        return users.add(
            session,
            username="amina",
            display_name="Amina K.",
            password_hash=passwords.hashed(PASSWORD),
            roles=[HeldRole(Role.PLANNER), HeldRole(Role.VERIFIER)],
            actor=OPERATOR,
        )


def _sign_in(service: TestClient, **more: str) -> httpx2.Response:
    return service.post("/api/v1/tokens", json=GIVEN | more)


def _bearer(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


class App:
    """An authenticator app, which shows a code of another step each time."""

    def __init__(self, secret: str) -> None:
        self._totp, self._steps = pyotp.TOTP(secret), iter((-1, 0, 1))

    def code(self) -> str:
        return self._totp.generate_otp(int(time.time()) // STEP_SECONDS + next(self._steps))


def _enrol(service: TestClient) -> tuple[App, list[str]]:
    headers = _bearer(_sign_in(service))
    begun = service.post("/api/v1/me/second-factor", json={"password": PASSWORD}, headers=headers)
    assert begun.status_code == 200, begun.text
    assert begun.json()["uri"].startswith("otpauth://totp/Hearth:amina?secret=")
    app = App(begun.json()["secret"])
    confirmed = service.post("/api/v1/me/second-factor/confirm", json={"code": app.code()}, headers=headers)
    assert confirmed.status_code == 200, confirmed.text
    codes: list[str] = confirmed.json()["recovery_codes"]
    return app, codes


def test_roles_that_need_a_second_factor_act_once_it_was_given(service: TestClient, amina: User) -> None:
    without = _bearer(_sign_in(service))
    me = service.get("/api/v1/me", headers=without).json()
    assert [role["role"] for role in me["roles"]] == ["verifier"]
    assert [role["role"] for role in me["withheld"]] == ["planner"]
    assert service.get("/api/v1/houses", headers=without).status_code == 200
    refused = service.get("/api/v1/runs", headers=without)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/second-factor-needed")

    app, _ = _enrol(service)
    needed = _sign_in(service)
    assert (needed.status_code, needed.json()["type"]) == (403, "/problems/second-factor-needed")
    signed_in = _bearer(_sign_in(service, code=app.code()))
    assert service.get("/api/v1/runs", headers=signed_in).status_code == 200
    assert service.get("/api/v1/me", headers=signed_in).json()["withheld"] == []


def test_a_code_counts_once(service: TestClient, amina: User) -> None:
    app, _ = _enrol(service)
    code = app.code()
    answers = at_once(*[lambda: _sign_in(service, code=code).status_code] * 2)
    assert sorted(answers) == [201, 401]
    assert _sign_in(service, code=code).status_code == 401
    assert _sign_in(service, code=app.code()).status_code == 201


def test_a_code_of_before_one_that_was_used_is_refused(service: TestClient, database: Database, amina: User) -> None:
    _, _ = _enrol(service)
    with database.session(writes=True) as session:
        row = session.scalars(select(SecondFactor)).one()
        row.last_step = int(time.time()) // STEP_SECONDS + 2
        code = pyotp.TOTP(str(row.secret)).now()
    assert _sign_in(service, code=code).status_code == 401


@pytest.mark.parametrize("code", ["000000", "abcdef", "12345678", "٠٠٠٠٠٠", "0000-0000-0000-0000-0000-0000"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_code_is_refused_like_a_wrong_password(
    service: TestClient, database: Database, amina: User, code: str
) -> None:
    _enrol(service)
    secrets = ("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU")
    with database.session(writes=True) as session:
        row = session.scalars(select(SecondFactor)).one()
        row.secret = next(each for each in secrets if not pyotp.TOTP(each).verify(code, valid_window=2))
    with_code, with_password = _sign_in(service, code=code), _sign_in(service, password="wrong")
    assert with_code.status_code == 401
    assert with_code.json() == with_password.json()


def test_codes_are_not_guessed(service: TestClient, database: Database, amina: User) -> None:
    app, _ = _enrol(service)
    for _ in range(SAME_PLACE.free + 1):
        _sign_in(service, code="000000")
    draw_out_delays(database)
    assert _sign_in(service, code=app.code()).status_code == 429


def test_each_recovery_code_stands_for_a_code_once(service: TestClient, amina: User) -> None:
    _, codes = _enrol(service)
    assert len(set(codes)) == RECOVERY_CODES
    assert _sign_in(service, code=codes[0].lower().replace("0", "o").replace("-", " ")).status_code == 201
    assert _sign_in(service, code=codes[0]).status_code == 401
    answers = at_once(*[lambda: _sign_in(service, code=codes[1]).status_code] * 2)
    assert sorted(answers) == [201, 401]


def test_new_recovery_codes_end_the_old_ones(service: TestClient, database: Database, amina: User) -> None:
    app, old = _enrol(service)
    headers = _bearer(_sign_in(service, code=app.code()))
    path = "/api/v1/me/second-factor/recovery-codes"
    assert service.post(path, json={"code": "000000"}, headers=headers).status_code == 422
    assert (entries(database)[-1]["act"], entries(database)[-1]["actor"]) == ("user.proof_refused", amina.reference)
    new = service.post(path, json={"code": app.code()}, headers=headers).json()["recovery_codes"]
    assert _sign_in(service, code=old[0]).status_code == 401
    assert _sign_in(service, code=new[0]).status_code == 201


def test_nothing_secret_is_stored_in_clear(service: TestClient, database: Database, amina: User) -> None:
    _, codes = _enrol(service)
    with database.session(writes=False) as session:
        secret = str(session.scalars(select(SecondFactor)).one().secret)
        stored = [
            str(session.execute(text(f"SELECT * FROM {table}")).all())  # noqa: S608 - names from below
            for table in ("second_factors", "recovery_codes", "audit_entries")
        ]
    assert not any(each in kept for each in (secret, *codes) for kept in stored)


def test_beginning_needs_the_password_and_one_in_use_stays(service: TestClient, amina: User) -> None:
    headers = _bearer(_sign_in(service))
    path = "/api/v1/me/second-factor"
    assert service.post(path, json={"password": "wrong"}, headers=headers).status_code == 422
    assert service.post(f"{path}/confirm", json={"code": "123456"}, headers=headers).status_code == 409
    first = service.post(path, json={"password": PASSWORD}, headers=headers).json()["secret"]
    second = service.post(path, json={"password": PASSWORD}, headers=headers).json()["secret"]
    assert first != second
    wrong = service.post(f"{path}/confirm", json={"code": pyotp.TOTP(first).now()}, headers=headers)
    assert wrong.status_code == 422
    assert _sign_in(service).status_code == 201
    assert service.post(f"{path}/confirm", json={"code": pyotp.TOTP(second).now()}, headers=headers).status_code == 200
    assert service.post(path, json={"password": PASSWORD}, headers=headers).status_code == 409


def test_confirming_gives_the_session_a_new_cookie_and_ends_the_others(service: TestClient, amina: User) -> None:
    elsewhere = _bearer(_sign_in(service))
    started = service.post("/api/v1/session", json=GIVEN)
    service.headers["X-CSRF-Token"] = started.json()["csrf_token"]
    before = service.cookies["hearth_session"]
    secret = service.post("/api/v1/me/second-factor", json={"password": PASSWORD}).json()["secret"]
    body = {"code": pyotp.TOTP(secret).now()}
    confirmed = service.post("/api/v1/me/second-factor/confirm", json=body)
    assert confirmed.status_code == 200
    assert service.cookies["hearth_session"] != before
    assert confirmed.json()["csrf_token"] == service.get("/api/v1/session").json()["csrf_token"]
    assert service.get("/api/v1/runs").status_code == 200
    service.cookies.clear()
    assert service.get("/api/v1/me", headers=elsewhere).status_code == 401
    assert service.get("/api/v1/me", headers={"Cookie": f"hearth_session={before}"}).status_code == 401


def test_it_is_removed_with_a_code_and_reset_by_an_administrator(
    service: TestClient, acting_as: ActingAs, amina: User
) -> None:
    app, codes = _enrol(service)
    headers = _bearer(_sign_in(service, code=app.code()))
    path = "/api/v1/me/second-factor/remove"
    assert service.post(path, json={"code": "000000"}, headers=headers).status_code == 422
    assert service.post(path, json={"code": codes[0]}, headers=headers).status_code == 204
    assert service.get("/api/v1/me", headers=_bearer(_sign_in(service))).json()["withheld"]

    app, _ = _enrol(service)
    headers = _bearer(_sign_in(service, code=app.code()))
    administrator = acting_as(Role.ADMINISTRATOR)
    assert administrator.post(f"/users/{amina.reference}/reset-second-factor").status_code == 204
    assert administrator.post(f"/users/{amina.reference}/reset-second-factor").status_code == 409
    assert service.get("/api/v1/me", headers=headers).status_code == 401
    assert _sign_in(service).status_code == 201


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_which_roles_need_one_is_a_setting(service: TestClient, database: Database, amina: User) -> None:
    headers = _bearer(_sign_in(service))
    for setting, withheld in (("", []), ("verifier", ["verifier"]), (" planner , verifier", ["planner", "verifier"])):
        app = create_app(Settings(worker="separate", log_level="error", second_factor_roles=setting), database)
        me = TestClient(app).get("/api/v1/me", headers=headers).json()
        assert [role["role"] for role in me["withheld"]] == withheld
    with pytest.raises(Invalid) as refused:
        required_roles("planner,king")
    assert refused.value.errors[0].pointer == "HEARTH_SECOND_FACTOR_ROLES"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_secret_is_bound_to_its_row(service: TestClient, database: Database, amina: User) -> None:
    app, _ = _enrol(service)
    with database.session(writes=True) as session:
        session.execute(update(SecondFactor).values(reference="SF-00000000"))
    assert _sign_in(service, code=app.code()).status_code == 503
