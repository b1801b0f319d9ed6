"""Doing several things at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.database import Database

Result = TypeVar("Result")


def at_once(*acts: Callable[[], Result]) -> list[Result]:
    """Begin all of `acts` together, each in a thread of its own; return their results in the order of `acts`."""
    barrier = Barrier(len(acts))

    def begin(act: Callable[[], Result]) -> Result:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(begin, acts))


def until(look: Callable[[], Result | None], seconds: float = 60) -> Result:
    """Look again and again until something is found. Fails when it takes so long."""
    tick = Event()
    for _ in range(int(seconds * 50)):
        found = look()
        if found is not None:
            return found
        tick.wait(0.02)
    raise AssertionError(f"nothing was found in {seconds} seconds")


BLOCKED = text("SELECT true FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)) LIMIT 1")


def overtaken(database: Database, act: Callable[[Session], object], other: Callable[[], Result]) -> Result:
    """Do `act`, begin `other` in a thread before that transaction ends, and end it once `other` waits for it.

    Return what came of `other`, which never saw `act` when it began. On SQLite it waits for the one writer.
    """
    with ThreadPoolExecutor(1) as threads:
        with database.session(writes=True) as session:
            act(session)
            session.flush()
            begun = threads.submit(other)
            if database.engine.dialect.name == "postgresql":
                until(lambda: begun.done() or session.scalar(BLOCKED) or None)
        return begun.result()
