"""Delays after wrong tries: for strangers, never for the user in a known place, and the same for names nobody has."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from app.access import passwords, throttle, users
from app.access.hashing import MOST_WAITING, Hashing, Rank
from app.access.models import KnownPlace, Role, Throttle, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.throttle import ACCOUNT, ADDRESS, SAME_PLACE, Counted, Limit, Place
from app.database import Database, utc_now
from app.errors import TooManyRequests
from tests.access.delays import draw_out_delays
from tests.concurrency import BLOCKED, at_once, until

PASSWORD = "correct horse battery"
HOME, OFFICE = Place("192.0.2.1"), Place("2001:db8::1")


@pytest.fixture
def amina(database: Database) -> User:
    """A planner with a password."""
    with database.session(writes=True) as session:
        return users.add(
            session,
            username="amina",
            display_name="Amina K.",
            password_hash=passwords.hashed(PASSWORD),
            roles=[HeldRole(Role.PLANNER)],
            actor=OPERATOR,
        )


def _sign_in(service: TestClient, password: str, username: str = "amina") -> httpx2.Response:
    return service.post("/api/v1/tokens", json={"username": username, "password": password})


def _try(database: Database, username: str, place: Place) -> throttle.Standing:
    """Count a try as a sign-in does. Raises TooManyRequests."""
    with database.session(writes=False) as session:
        standing = throttle.standing(session, username, place)
    with database.session(writes=True) as session:
        throttle.count(session, standing)
    return standing


def _tries(database: Database, attempts: Callable[[int], tuple[str, Place]]) -> int:
    """Return how many tries pass before the first that is refused."""
    for number in range(1000):
        try:
            _try(database, *attempts(number))
        except TooManyRequests:
            return number
        draw_out_delays(database)
    return 1000


def _pass_time(database: Database, by: timedelta) -> None:
    with database.session(writes=True) as session:
        for row in session.scalars(select(Throttle)):
            row.tried_at -= by
            row.closed_until = row.closed_until and row.closed_until - by


@pytest.mark.parametrize("username", ["amina", "nobody"])
def test_after_some_wrong_tries_there_is_a_delay_that_says_how_long(
    service: TestClient, database: Database, amina: User, username: str
) -> None:
    for _ in range(SAME_PLACE.free + 1):
        assert _sign_in(service, "wrong", username).status_code == 401
    draw_out_delays(database)
    refused = _sign_in(service, "wrong", username)
    assert refused.status_code == 429
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert 3000 < int(refused.headers["Retry-After"]) <= 3600
    assert username not in refused.text
    assert _sign_in(service, PASSWORD, username).status_code == 429


def test_the_delay_ends_and_a_right_password_forgives(service: TestClient, database: Database, amina: User) -> None:
    for _ in range(SAME_PLACE.free + 1):
        _sign_in(service, "wrong")
    draw_out_delays(database)
    _pass_time(database, timedelta(hours=1))
    assert _sign_in(service, PASSWORD).status_code == 201
    assert [_sign_in(service, "wrong").status_code for _ in range(SAME_PLACE.free)] == [401] * SAME_PLACE.free


@given(st.integers(0, 50), st.integers(0, 2000))
def test_a_delay_never_shrinks_and_ends_at_the_longest(free: int, tries: int) -> None:
    limit = Limit(free, timedelta(minutes=15))
    assert limit.delay(tries) <= limit.delay(tries + 1) <= limit.longest
    assert bool(limit.delay(tries)) == (tries > free)
    assert limit.delay(free + 20) == limit.longest


def test_the_delay_grows_with_every_try(database: Database) -> None:
    for seconds in (*[0] * SAME_PLACE.free, 1, 2, 4, 8):
        delay, before = timedelta(seconds=seconds), utc_now()
        _try(database, "amina", HOME)
        with database.session(writes=False) as session:
            until = session.scalar(select(func.max(Throttle.closed_until)))
        if delay:
            assert until is not None
            assert before + delay <= until <= utc_now() + delay
            _pass_time(database, delay)
        else:
            assert until is None


def test_an_account_that_is_tried_from_everywhere_is_closed_to_strangers(database: Database, amina: User) -> None:
    assert _tries(database, lambda number: ("amina", Place(f"198.51.100.{number}"))) == ACCOUNT.free + 1
    assert _tries(database, lambda number: ("nobody", Place(f"203.0.113.{number}"))) == ACCOUNT.free + 1


def test_an_address_that_tries_every_name_is_closed(database: Database) -> None:
    assert _tries(database, lambda number: (f"name-{number}", HOME)) == ADDRESS.free + 1


def test_an_address_of_ipv6_is_as_good_as_its_neighbours(database: Database) -> None:
    assert _tries(database, lambda number: (f"name-{number}", Place(f"2001:db8::{number:x}"))) == ADDRESS.free + 1
    _try(database, "name", Place("2001:db8:0:1::1"))
    assert Place("::ffff:192.0.2.1").network == Place("192.0.2.1").network
    assert Place("testclient").network == "testclient"


def test_the_user_gets_in_where_known_whatever_strangers_do(
    service: TestClient, database: Database, amina: User
) -> None:
    """They try the account from everywhere, and other names from the user's own address."""
    assert _sign_in(service, PASSWORD).status_code == 201
    here = Place("testclient")
    _tries(database, lambda number: ("amina", Place(f"198.51.100.{number}")))
    _tries(database, lambda number: (f"name-{number}", here))
    with database.session(writes=False) as session:
        assert throttle.standing(session, "amina", here).rank is Rank.ADDRESS
        for username, place in (("amina", HOME), ("somebody", here)):
            with pytest.raises(TooManyRequests):
                throttle.standing(session, username, place)
    assert _sign_in(service, PASSWORD).status_code == 201


def test_a_place_is_known_for_a_time_and_as_one_of_many(database: Database, amina: User) -> None:
    def known(place: Place) -> bool:
        with database.session(writes=False) as session:
            return throttle.standing(session, "amina", place).rank is not Rank.STRANGER

    with database.session(writes=True) as session:
        for number in range(throttle.MOST_KNOWN_PLACES + 1):
            throttle.remember(session, amina, Place(f"192.0.2.{number}"), Counted("", ()))
        assert session.scalar(select(func.count()).select_from(KnownPlace)) == throttle.MOST_KNOWN_PLACES
    assert not known(Place("192.0.2.0"))
    assert known(Place("192.0.2.1"))
    with database.session(writes=True) as session:
        session.execute(update(KnownPlace).values(seen_at=utc_now() - throttle.KNOWN_FOR))
    assert not known(Place("192.0.2.1"))


def test_what_was_counted_is_forgotten_after_a_day(database: Database) -> None:
    _tries(database, lambda _: ("amina", HOME))
    _pass_time(database, throttle.FORGOTTEN_AFTER)
    assert _tries(database, lambda _: ("amina", HOME)) == SAME_PLACE.free + 1
    _pass_time(database, throttle.FORGOTTEN_AFTER)
    _try(database, "somebody", OFFICE)
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(Throttle)) == len(("place", "account", "address"))


def test_many_at_once_pass_no_more_often_than_one_after_another(database: Database) -> None:
    with database.session(writes=False) as session:
        standing = throttle.standing(session, "amina", HOME)

    def count() -> bool:
        try:
            with database.session(writes=True) as session:
                throttle.count(session, standing)
        except TooManyRequests:
            return False
        return True

    assert sum(at_once(*[count] * 10)) == SAME_PLACE.free + 1


def test_who_comes_back_after_a_day_and_who_drops_what_is_old_do_not_stop_each_other(database: Database) -> None:
    office, newcomer, old = "0" * 64, "1" * 64, "2" * 64
    with database.session(writes=True) as session:
        session.add(Throttle(key_sha256=old, tries=1, tried_at=utc_now() - throttle.FORGOTTEN_AFTER))

    def count(session: Session, own: str) -> Counted:
        limits = ((office, ADDRESS), (own, SAME_PLACE))
        return throttle.count(session, throttle.Standing(Rank.STRANGER, own, limits))

    def come_back() -> Counted:
        with database.session(writes=True) as session:
            return count(session, old)

    begun = list[Future[Counted]]()
    with ThreadPoolExecutor(1) as threads:
        with database.session(writes=True) as session:
            connection = session.connection()

            def dropped(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
                if statement.startswith("DELETE"):
                    begun.append(threads.submit(come_back))
                    if not database.is_sqlite:
                        until(lambda: begun[0].done() or connection.scalar(BLOCKED) or None)

            event.listen(connection, "after_cursor_execute", dropped)
            assert count(session, newcomer).tries == ((office, 1), (newcomer, 1))
        assert begun[0].result().tries == ((office, 2), (old, 1))


def test_who_is_known_better_goes_first_and_strangers_one_at_a_time_in_a_queue_that_ends() -> None:
    async def attack() -> list[str]:
        hashing, done, ended = Hashing(2), anyio.Event(), list[str]()

        async def come(rank: Rank) -> None:
            try:
                async with hashing.turn(rank):
                    await done.wait()
                    ended.append(rank.name)
            except TooManyRequests:
                ended.append(f"{rank.name} refused")

        async with anyio.create_task_group() as tasks:
            for rank in (Rank.STRANGER, Rank.ADDRESS):
                for _ in range(MOST_WAITING[rank] + 2):
                    tasks.start_soon(come, rank)
                    await anyio.lowlevel.checkpoint()
            while len(ended) < 3:
                await anyio.lowlevel.checkpoint()
            assert hashing.is_full
            with anyio.fail_after(30):
                async with hashing.turn(Rank.BROWSER):
                    ended.append("known")
            done.set()
        return ended

    assert anyio.run(attack) == [
        "STRANGER refused",
        *["ADDRESS refused"] * 2,
        "known",
        "STRANGER",  # held the turn already
        *["ADDRESS"] * MOST_WAITING[Rank.ADDRESS],
        *["STRANGER"] * MOST_WAITING[Rank.STRANGER],
    ]


def test_who_gives_up_waiting_takes_no_turn_along() -> None:
    async def give_up() -> bool:
        hashing = Hashing(2)
        async with hashing.turn(Rank.ADDRESS):
            for rank in (Rank.ADDRESS, Rank.STRANGER):
                with anyio.move_on_after(0.01):
                    async with hashing.turn(rank):
                        return False
        with anyio.fail_after(30):
            async with hashing.turn(Rank.ADDRESS), hashing.turn(Rank.BROWSER):
                return True

    assert anyio.run(give_up)
