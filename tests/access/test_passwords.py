"""Which passwords are accepted, how they are changed, and that nobody waits for a hash."""

import unicodedata
from threading import Event

import httpx2
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pwdlib import PasswordHash
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.access import passwords, users
from app.access.models import Role, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.throttle import SAME_PLACE
from app.database import Database, utc_now
from app.errors import Invalid
from tests.access.delays import draw_out_delays
from tests.audit.trail import entries
from tests.concurrency import at_once, overtaken
from tests.conftest import ActingAs

PASSWORD, OTHER, ONCE = "correct horse battery", "another long password", "what an administrator gave out"


@pytest.fixture
def amina(database: Database) -> User:
    """A planner with a password."""
    return _user(database, "amina", PASSWORD)


def _user(database: Database, username: str, password: str) -> User:
    with database.session(writes=True) as session:
        return users.add(
            session,
            username=username,
            display_name="Amina K.",
            password_hash=passwords.hashed(password),
            roles=[HeldRole(Role.PLANNER)],
            actor=OPERATOR,
        )


def _sign_in(service: TestClient, password: str, **more: str) -> httpx2.Response:
    return service.post("/api/v1/tokens", json={"username": "amina", "password": password} | more)


def _bearer(answer: httpx2.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']}"}


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("elevenchars", "12 to 200"),
        ("x" * 201, "12 to 200"),
        ("ﬃﬃﬃﬃ" * 17, "12 to 200"),
        ("password1234", "breached"),
        ("PASSWORD1234", "breached"),
        ("ｐａｓｓｗｏｒｄ１２３４", "breached"),
        ("correcthorsebatterystaple", "breached"),
        ("I am AMINA, let me in", "username"),
        ("hearth, sweet home", "hearth"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.require_acceptable(password, "amina")
    assert [error.pointer for error in refused.value.errors] == ["#/body/password"]
    assert reason in refused.value.errors[0].message


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "пароль зі слів", "ثلاث كلمات طويلة", "🏠🏡🏘🛖🏚🏗🧱🪵🪨🛻🚜🪜", "x" * 200, "b" * 12 + " lodge"],
)
def test_any_characters_make_a_password(password: str) -> None:
    passwords.require_acceptable(password, "b")


@given(st.text(min_size=12, max_size=30))
@settings(max_examples=5)
def test_a_password_is_the_same_however_a_keyboard_composes_it(password: str) -> None:
    kept = passwords.hashed(unicodedata.normalize("NFD", password))
    assert passwords.verified(unicodedata.normalize("NFC", password), kept)
    assert not passwords.verified(password + "x", kept)


def test_nobody_has_the_password_of_who_signs_in_without_one() -> None:
    assert not passwords.verified("nobody has this password", passwords.NO_PASSWORD)


def test_changing_a_password_ends_every_other_token(service: TestClient, amina: User) -> None:
    kept, ended = _bearer(_sign_in(service, PASSWORD)), _bearer(_sign_in(service, PASSWORD))
    body = {"password": PASSWORD, "new_password": OTHER}
    assert service.post("/api/v1/me/password", json=body, headers=kept).status_code == 204
    assert service.get("/api/v1/me", headers=kept).status_code == 200
    assert service.get("/api/v1/me", headers=ended).status_code == 401
    assert _sign_in(service, PASSWORD).status_code == 401
    assert _sign_in(service, OTHER).status_code == 201


def test_a_password_is_not_changed_by_who_does_not_know_it_nor_to_a_bad_one(service: TestClient, amina: User) -> None:
    headers = _bearer(_sign_in(service, PASSWORD))
    for body, pointer in (
        ({"password": OTHER, "new_password": "a third long password"}, "#/body/password"),
        ({"password": PASSWORD, "new_password": "password1234"}, "#/body/new_password"),
        ({"password": PASSWORD, "new_password": "short"}, "#/body/new_password"),
        ({"password": PASSWORD, "new_password": PASSWORD}, "#/body/new_password"),
    ):
        refused = service.post("/api/v1/me/password", json=body, headers=headers)
        assert refused.status_code == 422, body
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert _sign_in(service, PASSWORD).status_code == 201


def test_a_stolen_token_does_not_get_to_guess_the_password(
    service: TestClient, database: Database, amina: User
) -> None:
    headers = _bearer(_sign_in(service, PASSWORD))
    body = {"password": "wrong", "new_password": OTHER}
    for _ in range(SAME_PLACE.free + 1):
        assert service.post("/api/v1/me/password", json=body, headers=headers).status_code == 422
    refused = [each for each in entries(database) if each["act"] == "user.proof_refused"]
    assert [(each["actor"], each["subject"]) for each in refused] == [(amina.reference,) * 2] * (SAME_PLACE.free + 1)
    draw_out_delays(database)
    body["password"] = PASSWORD
    assert service.post("/api/v1/me/password", json=body, headers=headers).status_code == 429


def test_a_reset_password_works_once_and_ends_every_token(
    service: TestClient, acting_as: ActingAs, amina: User
) -> None:
    held = _bearer(_sign_in(service, PASSWORD))
    reset = acting_as(Role.ADMINISTRATOR).post(f"/users/{amina.reference}/reset-password")
    assert reset.status_code == 200
    once = reset.json()["password"]
    assert service.get("/api/v1/me", headers=held).status_code == 401
    assert _sign_in(service, PASSWORD).status_code == 401

    needed = _sign_in(service, once)
    assert (needed.status_code, needed.json()["type"]) == (403, "/problems/new-password-needed")
    assert _sign_in(service, once, new_password=once).status_code == 422
    assert _sign_in(service, once, new_password="password1234").status_code == 422
    assert _sign_in(service, once, new_password=OTHER).status_code == 201
    assert _sign_in(service, once, new_password=PASSWORD).status_code == 401
    assert _sign_in(service, OTHER).status_code == 201


def test_a_reset_password_is_not_used_late(
    service: TestClient, database: Database, acting_as: ActingAs, amina: User
) -> None:
    reset = acting_as(Role.ADMINISTRATOR).post(f"/users/{amina.reference}/reset-password").json()
    with database.session(writes=True) as session:
        session.execute(update(User).where(User.id == amina.id).values(password_expires_at=utc_now()))
    assert _sign_in(service, reset["password"], new_password=OTHER).status_code == 401


def test_there_is_nothing_to_reset_for_who_may_not_sign_in(acting_as: ActingAs, amina: User) -> None:
    administrator = acting_as(Role.ADMINISTRATOR)
    administrator.post(f"/users/{amina.reference}/disable")
    assert administrator.post(f"/users/{amina.reference}/reset-password").status_code == 409
    assert administrator.post("/users/US-00000000/reset-password").status_code == 404


def test_of_two_sign_ins_at_once_with_one_reset_password_one_wins(
    service: TestClient, acting_as: ActingAs, amina: User
) -> None:
    once = acting_as(Role.ADMINISTRATOR).post(f"/users/{amina.reference}/reset-password").json()["password"]
    answers = at_once(
        lambda: _sign_in(service, once, new_password=OTHER).status_code,
        lambda: _sign_in(service, once, new_password="a third long password").status_code,
    )
    assert sorted(answers) == [201, 401]


def _reset(session: Session, user: User) -> None:
    users.reset_password(session, users.get(session, user.reference), passwords.hashed(ONCE), OPERATOR)


def test_who_signs_in_while_the_password_is_reset_is_refused(
    service: TestClient, database: Database, amina: User
) -> None:
    late = overtaken(database, lambda session: _reset(session, amina), lambda: _sign_in(service, PASSWORD))
    assert late.status_code == 401


def test_a_password_that_is_reset_while_its_user_changes_it_stays_reset(
    service: TestClient, database: Database, amina: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, hash_of = _bearer(_sign_in(service, PASSWORD)), passwords.hashed

    def overtaken_by_the_reset(password: str) -> str:
        monkeypatch.setattr(passwords, "hashed", hash_of)
        with database.session(writes=True) as session:
            _reset(session, amina)
        return hash_of(password)

    monkeypatch.setattr(passwords, "hashed", overtaken_by_the_reset)
    body = {"password": PASSWORD, "new_password": OTHER}
    assert service.post("/api/v1/me/password", json=body, headers=headers).status_code == 401
    assert _sign_in(service, OTHER).status_code == 401
    assert _sign_in(service, ONCE, new_password=OTHER).status_code == 201


def test_of_two_changes_of_one_password_at_once_one_is_made(service: TestClient, amina: User) -> None:
    headers = _bearer(_sign_in(service, PASSWORD))

    def change(new_password: str) -> int:
        body = {"password": PASSWORD, "new_password": new_password}
        return service.post("/api/v1/me/password", json=body, headers=headers).status_code

    assert sorted(at_once(lambda: change(OTHER), lambda: change("a third long password"))) == [204, 422]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_others_write_while_a_password_is_hashed(
    service: TestClient, acting_as: ActingAs, amina: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is held up until somebody else has written."""
    hashing, written, verify = Event(), Event(), passwords.verified

    def held_up(password: str, password_hash: str) -> bool:
        hashing.set()
        assert written.wait(30)
        return verify(password, password_hash)

    monkeypatch.setattr(passwords, "verified", held_up)
    planner = acting_as(Role.PLANNER)

    def write() -> int:
        assert hashing.wait(30)
        try:
            return planner.post("/origins", json={"name": "Mill", "latitude": 0.5, "longitude": 0.3}).status_code
        finally:
            written.set()

    assert at_once(lambda: _sign_in(service, PASSWORD).status_code, write) == [201, 201]


def test_a_hash_made_with_other_parameters_is_made_anew_at_sign_in(
    service: TestClient,
    database: Database,
    amina: User,
    monkeypatch: pytest.MonkeyPatch,
    hasher_in_earnest: PasswordHash,
) -> None:
    monkeypatch.setattr(passwords, "_hasher", hasher_in_earnest)

    def kept() -> str:
        with database.session(writes=False) as session:
            return users.get(session, amina.reference).password_hash

    weak = "$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHRoZXJl$"
    with database.session(writes=True) as session:
        from argon2 import PasswordHasher

        hasher = PasswordHasher(time_cost=1, memory_cost=256, parallelism=1)
        users.get(session, amina.reference).password_hash = hasher.hash(PASSWORD)
    assert kept().startswith(weak[:26])
    assert _sign_in(service, PASSWORD).status_code == 201
    assert kept().startswith(f"$argon2id$v=19$m={passwords.MEMORY_KIB},t={passwords.PASSES},p={passwords.LANES}$")
    assert _sign_in(service, PASSWORD).status_code == 201
