"""Under attack, who is refused costs no thread, connection or hash, and who is known still gets in."""

from collections.abc import Callable

import anyio
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.access import cookies, passwords, throttle, users
from app.access.authentication import Admission, Entrance, Given, by_password
from app.access.doors import MOST_AT_ONCE, PLACES_SECONDS, REMEMBERED_SECONDS, Doors
from app.access.hashing import MOST_WAITING, Hashing, Rank
from app.access.models import Role, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.throttle import ACCOUNT, SAME_PLACE, Counted, Place
from app.database import Database
from app.errors import TooManyRequests, Unauthorised
from tests.access.delays import draw_out_delays

PASSWORD = "correct horse battery"
HOME, BROWSER = Place("192.0.2.1"), Place("192.0.2.1", device="a browser of Amina's")
Knock = Callable[..., bool | int]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def amina(database: Database) -> User:
    """A caseworker with a password, who is known at home and with a browser."""
    with database.session(writes=True) as session:
        user = users.add(
            session,
            username="amina",
            display_name="Amina K.",
            password_hash=passwords.hashed(PASSWORD),
            roles=[HeldRole(Role.CASEWORKER)],
            actor=OPERATOR,
        )
        throttle.remember(session, user, BROWSER, Counted("", ()))
        return user


@pytest.fixture
def entrance(database: Database) -> Entrance:
    """What signing in needs of a process."""
    return Entrance(database, Hashing(2), Doors())


@pytest.fixture
def knock(entrance: Entrance, statements: list[str]) -> Knock:
    """Tries to sign in: True, or how many statements the database was sent before the try was delayed."""

    def admit(_session: Session, _admission: Admission) -> bool:
        return True

    def once(username: str, place: Place, given: str = "wrong") -> bool | int:
        before = len(statements)
        try:
            return anyio.run(by_password, entrance, Given(username, given), place, admit)
        except Unauthorised:
            return False
        except TooManyRequests:
            return len(statements) - before

    return once


def _anywhere(number: int) -> Place:
    return Place(f"198.51.100.{number}")


def _close_account(database: Database, username: str) -> None:
    """Have strangers try from everywhere, until the account is closed to them for an hour."""
    for number in range(ACCOUNT.free + 1):
        with database.session(writes=True) as session:
            throttle.count(session, throttle.standing(session, username, _anywhere(number)))
    draw_out_delays(database)


@pytest.mark.parametrize("username", ["amina", "nobody"])
def test_strangers_at_a_closed_account_are_not_asked_about_again(
    database: Database, amina: User, knock: Knock, username: str
) -> None:
    _close_account(database, username)
    assert knock(username, _anywhere(100)) > 0  # the database says so
    assert knock(username, _anywhere(101)) > 0  # and whom it knows anywhere
    assert [knock(username, _anywhere(number)) for number in range(102, 110)] == [0] * 8
    assert knock("amina", HOME, PASSWORD) is True
    assert knock("amina", BROWSER, PASSWORD) is True


def test_what_is_remembered_is_asked_about_anew(
    database: Database, amina: User, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _close_account(database, "amina")
    for number in range(100, 103):
        knock("amina", _anywhere(number))
    now = 1e9
    monkeypatch.setattr("app.access.doors.monotonic", lambda: now)
    assert knock("amina", _anywhere(103)) > 0
    now += REMEMBERED_SECONDS
    assert knock("amina", _anywhere(104)) > 0
    with database.session(writes=True) as session:  # by another process, say
        throttle.remember(session, amina, _anywhere(105), Counted("", ()))
    now += PLACES_SECONDS + 1
    assert knock("amina", _anywhere(106)) > 0
    assert knock("amina", _anywhere(105), PASSWORD) is True


def test_a_place_of_the_user_that_is_closed_is_refused_and_the_browser_there_is_not(
    database: Database, amina: User, knock: Knock
) -> None:
    for _ in range(SAME_PLACE.free + 1):
        assert knock("amina", HOME) is False
    draw_out_delays(database)
    assert knock("amina", HOME) > 0
    assert [knock("amina", HOME, PASSWORD) for _ in range(3)] == [0] * 3
    assert knock("amina", BROWSER, PASSWORD) is True
    assert knock("amina", HOME, PASSWORD) > 0  # the right sign-in of a browser opens nothing for others there
    assert knock("amina", BROWSER, PASSWORD) is True


def test_made_up_names_are_refused_at_once_while_strangers_wait_and_the_known_are_not(
    amina: User, entrance: Entrance, statements: list[str]
) -> None:
    def admit(_session: Session, _admission: Admission) -> bool:
        return True

    async def attack() -> list[int]:
        done, sent = anyio.Event(), list[int]()

        async def stranger() -> None:
            async with entrance.hashing.turn(Rank.STRANGER):
                await done.wait()

        async with anyio.create_task_group() as tasks:
            for _ in range(MOST_WAITING[Rank.STRANGER] + 1):
                tasks.start_soon(stranger)
            while not entrance.hashing.is_full:
                await anyio.lowlevel.checkpoint()
            for number in range(5):
                before = len(statements)
                with pytest.raises(TooManyRequests):
                    await by_password(entrance, Given(f"name-{number}", "wrong"), _anywhere(number), admit)
                sent.append(len(statements) - before)
            with anyio.fail_after(30):
                assert await by_password(entrance, Given("amina", PASSWORD), BROWSER, admit)
            done.set()
        return sent

    asked, *others = anyio.run(attack)
    assert asked > 0
    assert others == [0] * 4


def test_few_tries_of_one_name_from_one_place_are_looked_at_together(entrance: Entrance) -> None:
    doors = entrance.doors
    held = [doors.entering("amina", HOME) for _ in range(MOST_AT_ONCE)]
    for each in held:
        each.__enter__()
    for place, is_refused in ((HOME, True), (BROWSER, False), (_anywhere(1), False)):
        try:
            with doors.entering("amina", place):
                assert not is_refused
        except TooManyRequests:
            assert is_refused
    for each in held:
        each.__exit__(None, None, None)
    with doors.entering("amina", HOME):
        assert not doors._inside.keys() - {throttle.keys_of("amina", HOME).here}


def test_a_browser_is_known_by_a_cookie_that_was_made_here(service: TestClient, amina: User) -> None:
    given = {"username": "amina", "password": PASSWORD}

    def device(cookie: str | None) -> str:
        service.cookies.clear()
        if cookie is not None:
            service.cookies.set("hearth_device", cookie)
        answer = service.post("/api/v1/session", json=given)
        assert answer.status_code == 201, answer.text
        found = [each for each in answer.headers.get_list("Set-Cookie") if each.startswith("hearth_device=")]
        return found[0].partition(";")[0].removeprefix("hearth_device=")

    first = device(None)
    assert device(first) == first
    for made_up in ("x", "x" * 43, f"x{first[1:]}", f"{first[:-1]}x", cookies.new_device()[:-1], "."):
        assert device(made_up) not in (first, made_up)
