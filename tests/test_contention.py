"""Requests that lose a race in the database, or the database itself: a problem, never a fault of ours."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import httpx2
import psycopg
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies
from app.allocation.models import PolicyVersion
from app.database import Database
from app.exchange import imports
from app.policy.parameters import DEFAULT_POLICY
from app.queue import POLL_SECONDS
from app.settings import Settings
from app.worker import Worker
from tests import factories
from tests.concurrency import at_once, until
from tests.conftest import ActingAs, CommandLine
from tests.exchange.village import VILLAGE, Files, rows, with_cell, written

PATIENCE_SECONDS = 30
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def lock(session: Session, reference: str) -> None:
    session.execute(select(PolicyVersion.id).where(PolicyVersion.reference == reference).with_for_update())


def waiting_backend(session: Session) -> int:
    """Wait until another connection waits for what this one holds; return its process."""
    blocked = "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    tick = Event()
    for _ in range(PATIENCE_SECONDS * 50):
        if found := session.scalar(text(blocked)):
            return int(found)
        tick.wait(0.02)
    raise AssertionError("nobody waits")


def while_it_waits(
    database: Database, acting_as: ActingAs, act: Callable[[Session, str], None]
) -> tuple[httpx2.Response, str]:
    """Put a draft in force, hold what it needs, and `act` while it waits; return the answer and the draft."""
    client = acting_as(Role.APPROVER)
    with database.session(writes=True) as session:
        draft = policies.draft(session, DEFAULT_POLICY, factories.user(session, Role.PLANNER)).reference
        factories.previewed(session, policies.get(session, draft))
        in_force = policies.in_force(session)[0].reference
    with ThreadPoolExecutor() as threads:
        with database.session(writes=True) as session:
            session.execute(text("SET LOCAL deadlock_timeout = '60s'"))  # so that the other notices, and gives way
            lock(session, in_force)
            answer = threads.submit(client.post, f"/policies/{draft}/put-in-force")
            waiting_backend(session)
            act(session, draft)
        return answer.result(), draft


def still_a_draft(client: httpx2.Client, draft: str) -> bool:
    return bool(client.get(f"/policies/{draft}").json()["state"] == "draft")


@on_postgresql
def test_whoever_loses_a_deadlock_is_told_to_send_it_again(database: Database, acting_as: ActingAs) -> None:
    answer, draft = while_it_waits(database, acting_as, lock)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert "Send it again" in answer.json()["detail"]
    client = acting_as(Role.APPROVER)
    assert still_a_draft(client, draft)
    assert client.post(f"/policies/{draft}/put-in-force").status_code == 200


@on_postgresql
def test_a_database_that_goes_away_in_the_middle_is_unavailable(database: Database, acting_as: ActingAs) -> None:
    def terminate(session: Session, _draft: str) -> None:
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": waiting_backend(session)})

    answer, draft = while_it_waits(database, acting_as, terminate)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert still_a_draft(acting_as(Role.APPROVER), draft)  # over a new connection


@on_postgresql
def test_a_server_that_takes_no_writes_is_unavailable_and_left_in_peace(
    database: Database, acting_as: ActingAs, tmp_path: Path
) -> None:
    client = acting_as(Role.PLANNER)
    database.dispose()

    def only_read(connection: psycopg.Connection[object], _record: object) -> None:
        connection.execute("SET default_transaction_read_only = on")
        connection.commit()

    event.listen(database.engine, "connect", only_read)
    answer = client.post("/policies", json=DEFAULT_POLICY.model_dump(mode="json"))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    worker = Worker(database, Settings(data_dir=tmp_path))
    with capture_logs() as logs:
        worker.start()
        until(lambda: logs or None)
        Event().wait(POLL_SECONDS / 2)
        worker.stop()
    assert 1 <= [each["event"] for each in logs].count("run_broke") <= 5  # hundreds, if it did not wait


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_another_process_keeps_locked_is_unavailable(database: Database, acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER)
    database.dispose()
    event.listen(database.engine, "connect", lambda connection, _record: connection.execute("PRAGMA busy_timeout = 1"))
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/policies", json=DEFAULT_POLICY.model_dump(mode="json"))
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert client.post("/policies", json=DEFAULT_POLICY.model_dump(mode="json")).status_code == 201


def test_a_command_that_reads_waits_for_nobody_who_writes(database: Database, command_line: CommandLine) -> None:
    assert command_line("run", "list")[0] == 0  # the first puts a policy in force
    with database.session(writes=True) as session:
        factories.kin_group(session)
        assert command_line("run", "list")[0] == 0


def test_two_imports_at_once_follow_each_other(database: Database) -> None:
    def load(files: Files) -> str:
        with database.session(writes=True) as session:
            return imports.run(session, files, actor=OPERATOR).sentence

    assert sorted(at_once(lambda: load(VILLAGE), lambda: load(VILLAGE))) == [
        "21 rows added, 0 changed, 0 unchanged.",
        "Nothing changed: all 21 rows are there as they are.",
    ]
    first, second = (_phones(number) for number in ("+999 50 000 00 01", "+999 50 000 00 02"))
    assert (
        at_once(lambda: load(first), lambda: load(_upside_down(second)))
        == ["0 rows added, 3 changed, 18 unchanged."] * 2
    )


def _phones(number: str) -> Files:
    files = VILLAGE
    for row in (2, 3, 4):
        files = with_cell("households.csv", row, "phone", number, files)
    return files


def _upside_down(files: Files) -> Files:
    header, *lines = rows(files["households.csv"])
    return {**files, "households.csv": written([header, *reversed(lines)])}
