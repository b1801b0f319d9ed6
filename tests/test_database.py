"""One request is one transaction: committed before it is answered, undone when it fails, never left open."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session
from starlette.types import Message, Receive, Scope, Send

from app.access.models import ApiToken, Role
from app.database import Database, utc_now
from app.registry.models import KinGroup
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

ORIGIN = {"name": "Upper Valley", "latitude": 0.5, "longitude": 0.3}


def _count(database: Database) -> int:
    with database.session(writes=False) as session:
        return session.scalar(select(func.count()).select_from(KinGroup)) or 0


def _write(database: Database, then: Callable[[], Any]) -> None:
    """Add a kin group and then what `then` returns."""
    with database.session(writes=True) as session:
        factories.kin_group(session)
        session.add_all(then())


def _token(session: Session, expires_at: datetime) -> ApiToken:
    user_id = factories.user(session, Role.PLANNER).user_id
    assert user_id is not None
    row = ApiToken(user_id=user_id, token_sha256="0" * 64, expires_at=expires_at)
    session.add(row)
    return row


def test_a_moment_comes_back_in_utc_whatever_zone_it_was_written_in(session: Session) -> None:
    moment = datetime(2026, 11, 1, 2, 30, 15, 123456, timezone(timedelta(hours=4)))
    row = _token(session, moment)
    session.flush()
    session.expire(row)
    assert row.expires_at == moment
    assert row.expires_at.tzinfo is UTC
    assert row.expires_at.microsecond == 123456
    earlier, later = moment - timedelta(microseconds=1), moment + timedelta(microseconds=1)
    found = select(ApiToken.id).where(ApiToken.expires_at > earlier, ApiToken.expires_at < later)
    assert session.scalars(found).all() == [row.id]


def test_a_moment_without_a_zone_is_refused(session: Session) -> None:
    _token(session, datetime(2026, 11, 1, 2, 30))  # noqa: DTZ001 - it is the point
    with pytest.raises(StatementError, match="time zone"):
        session.flush()


def test_now_is_in_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_a_transaction_counts_when_its_block_ends_well_and_not_otherwise(database: Database) -> None:
    with database.session(writes=True) as session:
        factories.kin_group(session)
    with pytest.raises(ZeroDivisionError):
        _write(database, lambda: 1 // 0)
    with pytest.raises(IntegrityError):
        _write(database, lambda: [KinGroup(key="KIN-1"), KinGroup(key="KIN-1")])
    assert _count(database) == 1
    with database.session(writes=True) as session:
        factories.kin_group(session)
    assert _count(database) == 2


def test_writers_at_the_same_moment_all_get_through(database: Database) -> None:
    def write() -> None:
        with database.session(writes=True) as session:
            session.scalar(select(func.count()).select_from(KinGroup))
            factories.kin_group(session)

    at_once(*[write] * 12)
    assert _count(database) == 12


def test_a_reader_sees_what_was_committed_while_a_writer_is_busy(database: Database) -> None:
    wrote, read = threading.Event(), threading.Event()

    def write() -> int:
        with database.session(writes=True) as session:
            factories.kin_group(session)
            wrote.set()
            assert read.wait(30)
        return _count(database)

    def look() -> int:
        assert wrote.wait(30)
        count = _count(database)
        read.set()
        return count

    assert at_once(write, look) == [1, 0]


def test_a_change_is_committed_before_the_first_byte_of_its_answer(
    service: TestClient, acting_as: ActingAs, database: Database
) -> None:
    """Whoever hears of it and looks at once, over another connection, sees it."""
    seen: list[tuple[int, int]] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def look(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append((message["status"], await run_sync(_count, database)))
            await send(message)

        await service.app(scope, receive, look)

    client = TestClient(watched, headers=dict(acting_as(Role.CASEWORKER).headers))
    for _ in range(2):
        client.post("/api/v1/kin-groups", json={"key": "KIN-1"})
    assert seen == [(201, 1), (409, 1)]


def test_a_refused_request_leaves_nothing_behind(acting_as: ActingAs, database: Database) -> None:
    client = acting_as(Role.PLANNER)
    settlement = {"name": "A", "district": "N", "latitude": 0, "longitude": 0, "school_places": 1, "clinic_patients": 1}
    body = settlement | {"status": "open", "merged_from": ["OR-00000000"]}  # refused after the settlement was written
    assert client.post("/settlements", json=body).status_code == 422
    assert client.get("/settlements").json()["items"] == []


def test_far_more_requests_at_once_than_connections_are_all_answered(acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER)
    acts = [lambda: client.post("/origins", json=ORIGIN).status_code] * 15
    acts += [lambda: client.get("/origins").status_code] * 15
    assert at_once(*acts) == [201] * 15 + [200] * 15
    assert len(client.get("/origins").json()["items"]) == 15


def test_nobody_waits_to_read_for_those_who_wait_to_write(database: Database) -> None:
    async def write() -> None:
        async with database.request_session(writes=True) as session:
            await run_sync(factories.kin_group, session)

    async def read_beside_writers() -> None:
        async with anyio.create_task_group() as group, database.request_session(writes=database.is_sqlite):
            for _ in range(15):
                group.start_soon(write)
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(60):
                async with database.request_session(writes=False) as session:
                    await run_sync(session.scalars, select(KinGroup))

    anyio.run(read_beside_writers)
    assert _count(database) == 15


@pytest.mark.parametrize("writes", [True, False])
def test_a_task_that_is_cancelled_leaves_no_transaction_open(database: Database, writes: bool) -> None:
    """As when a client goes away: what it wrote is undone, and whoever comes next isn't kept waiting."""

    async def cancelled() -> None:
        with anyio.CancelScope() as scope:
            async with database.request_session(writes=writes) as session:
                await run_sync(factories.kin_group, session)
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a queue pool on both databases

    for _ in range(3):
        anyio.run(cancelled)
    assert _count(database) == 0
    with database.session(writes=True) as session:
        factories.kin_group(session)
    assert _count(database) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_checks_foreign_keys_and_does_not_lose_what_it_confirmed(session: Session) -> None:
    connection = session.connection()
    assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_logged_error_names_no_parameter(session: Session) -> None:
    session.add_all([KinGroup(key="Kovalenko"), KinGroup(key="Kovalenko")])
    with pytest.raises(IntegrityError) as caught:
        session.flush()
    assert "INSERT" in str(caught.value)
    assert "hidden" in str(caught.value)


def test_what_was_deleted_leaves_the_log_unless_somebody_reads_it(database: Database) -> None:
    with database.session(writes=True) as session:
        factories.kin_group(session)
    if database.is_sqlite:
        with database.session(writes=False) as session:
            session.scalar(select(func.count()).select_from(KinGroup))
            with database.session(writes=True) as writing:
                factories.kin_group(writing)
            assert not database.scrub()
    assert database.scrub()
    assert _count(database) >= 1
