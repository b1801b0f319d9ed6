"""Who is solving a run: one worker at a time, and one that lost its claim changes nothing."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload, undefer

from app import audit
from app.access.permissions import SERVICE
from app.allocation import queries
from app.allocation.models import Run, RunState
from app.allocation.runs import move
from app.audit import Act
from app.database import utc_now
from app.queue import ring_on_commit

MOST_ATTEMPTS = 3
LONGEST_FAILURE = 1000


class ClaimLost(Exception):  # noqa: N818 - an order to stop, not an error
    """The run was cancelled, or is another worker's by now."""


@dataclass(frozen=True)
class Claim:
    """A run in the hands of one worker, and what is needed to solve it."""

    run_id: int
    reference: str
    token: str
    snapshot: str
    problem: str
    time_limit_seconds: int
    previous: str | None = None
    """The solution of the run that the solver starts from."""


def take(session: Session) -> Claim | None:
    """Claim the run that has waited longest; None where none waits."""
    run = session.scalar(
        select(Run)
        .where(Run.state == RunState.QUEUED)
        .order_by(Run.requested_at, Run.id)
        .limit(1)
        .options(undefer(Run.snapshot), undefer(Run.problem), selectinload(Run.settlements))
        .with_for_update(skip_locked=True, of=Run)
    )
    if run is None:
        return None
    move(run, RunState.SOLVING)
    run.claim, run.attempts, run.progress = secrets.token_hex(16), run.attempts + 1, []
    run.started_at = run.heartbeat_at = utc_now()
    audit.record(session, SERVICE, Act.RUN_CLAIM, run)
    # A run that is queued has its seed, and so its problem.
    previous = queries.solution_of(session, run.previous_run_id)
    problem = run.problem or ""
    return Claim(run.id, run.reference, run.claim, run.snapshot, problem, run.time_limit_seconds, previous)


def beat(session: Session, claim: Claim, progress: Sequence[Mapping[str, Any]]) -> None:
    """Say that the worker lives, and how far it is. Raises ClaimLost."""
    alive = session.scalar(
        update(Run)
        .where(Run.id == claim.run_id, Run.claim == claim.token, Run.state == RunState.SOLVING)
        .values(heartbeat_at=utc_now(), progress=list(progress), version=Run.version + 1)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    if alive is None:
        raise ClaimLost(claim.reference)


def fenced(session: Session, claim: Claim) -> Run:
    """Return the claimed run, locked, so that nobody takes the claim before this transaction ends.

    Raises ClaimLost.
    """
    run = session.scalar(
        select(Run)
        .where(Run.id == claim.run_id, Run.claim == claim.token, Run.state == RunState.SOLVING)
        .options(selectinload(Run.settlements))
        .with_for_update(of=Run)
    )
    if run is None:
        raise ClaimLost(claim.reference)
    return run


def give_back(session: Session, claim: Claim) -> None:
    """Queue the run again as if it had not been tried, for a worker that is told to stop. Raises ClaimLost."""
    run = fenced(session, claim)
    run.attempts -= 1
    _queue(session, run, "The worker was told to stop.")


def try_again(session: Session, claim: Claim, failure: str) -> None:
    """Queue the run again, or fail it with `failure` once it was tried often enough. Raises ClaimLost."""
    _try_again(session, fenced(session, claim), failure)


def fail(session: Session, claim: Claim, failure: str) -> None:
    """End the run with a sentence that says why. Raises ClaimLost."""
    _fail(session, fenced(session, claim), failure)


def recover(session: Session, silent_for: timedelta) -> list[str]:
    """Take back the runs whose workers have been silent for so long. Returns their references."""
    runs = session.scalars(
        select(Run)
        .where(Run.state == RunState.SOLVING, Run.heartbeat_at < utc_now() - silent_for)
        .options(selectinload(Run.settlements))
        .with_for_update(skip_locked=True, of=Run)
    ).all()
    for run in runs:
        _try_again(session, run, "Its worker stopped without a word.")
    return [run.reference for run in runs]


def _try_again(session: Session, run: Run, failure: str) -> None:
    if run.attempts < MOST_ATTEMPTS:
        _queue(session, run, failure)
    else:
        _fail(session, run, f"Tried {run.attempts} times. {failure}")


def _queue(session: Session, run: Run, reason: str) -> None:
    move(run, RunState.QUEUED)
    run.claim, run.heartbeat_at, run.progress = None, None, []
    audit.record(session, SERVICE, Act.RUN_QUEUE_AGAIN, run, reason=reason)
    ring_on_commit(session)


def _fail(session: Session, run: Run, failure: str) -> None:
    move(run, RunState.FAILED)
    run.failure, run.claim, run.finished_at = failure[:LONGEST_FAILURE], None, utc_now()
    audit.record(session, SERVICE, Act.RUN_FAIL, run, reason=run.failure)
