"""Takes queued runs and solves each in a child process; in a thread of the service, alone, or for one command."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy.exc import OperationalError

from app.allocation import claims, placement_prices, previews, proposals, solving
from app.allocation.claims import Claim, ClaimLost
from app.allocation.snapshot import Snapshot
from app.allocation.solving import Asked, ChildFailed, Progress
from app.answering import answer_one
from app.audit import heads
from app.database import Database
from app.documents import attachments
from app.documents.store import Store
from app.errors import HearthError
from app.queue import BELL, POLL_SECONDS
from app.settings import Settings
from app.tenancy import offers

SILENT_FOR = timedelta(seconds=30)
"""A worker says every half second that it lives; after so long it doesn't."""
SOLVER_SEED = 0
HEAD_SECONDS = 30.0
"""How often a worker looks whether the head of the audit trail is to be signed."""

EXPIRY_SECONDS = 30.0
"""How often a worker looks whether an offer has run out."""

SWEEP_SECONDS = 3600.0
"""How often a worker sweeps files that no document has."""

log = structlog.get_logger()


class _Stopped(Exception):  # noqa: N818 - an order
    """The worker was told to stop while it was solving."""


def work_one(
    database: Database,
    settings: Settings,
    *,
    stopping: threading.Event | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> str | None:
    """Solve the run that has waited longest. Returns its reference, or None where none waited.

    `stopping`: once set, the run is given back to the queue. `watch` is called with the progress twice a second.
    """
    with database.session(writes=True) as session:
        for reference in claims.recover(session, SILENT_FOR):
            log.warning("run_recovered", run=reference)
        claim = claims.take(session)
    if claim is None:
        return None
    with structlog.contextvars.bound_contextvars(run=claim.reference):
        log.info("run_claimed")
        try:
            _work(database, settings, claim, stopping or threading.Event(), watch or (lambda _progress: None))
        except ClaimLost:
            log.info("run_claim_lost")
    return claim.reference


def preview_one(database: Database, settings: Settings, *, stopping: threading.Event | None = None) -> str | None:
    """Solve the preview of a policy that has waited longest, under both. Returns its reference, or None."""
    with database.session(writes=True) as session:
        claim = previews.take(session, SILENT_FOR)
    if claim is None:
        return None

    def beat(progress: Progress) -> None:
        if stopping is not None and stopping.is_set():
            raise _Stopped
        with database.session(writes=True) as session:
            previews.beat(session, claim, progress)

    try:
        solutions = [
            solving.solve(
                problem,
                time_limit_seconds=claim.time_limit_seconds,
                threads=settings.solver_threads,
                seed=SOLVER_SEED,
                beat=beat,
                asked=Asked(stages),
            )
            for problem, stages in zip(claim.problems, claim.stages, strict=True)
        ]
        with database.session(writes=True) as session:
            previews.finish(session, claim, solutions)
    except ClaimLost:
        log.info("preview_claim_lost", preview=claim.reference)
    except OperationalError:
        raise
    except _Stopped:
        with database.session(writes=True) as session:
            previews.give_back(session, claim)
    except Exception as error:
        log.error("preview_broke", preview=claim.reference, error=type(error).__name__, exc_info=error)
        sentence = str(error) if isinstance(error, ChildFailed) else "A fault of the service, logged."
        with database.session(writes=True) as session:
            previews.fail(session, claim, sentence)
    return claim.reference


def _work(
    database: Database,
    settings: Settings,
    claim: Claim,
    stopping: threading.Event,
    watch: Callable[[Progress], None],
) -> None:
    latest: Progress = []

    def beat(progress: Progress) -> None:
        nonlocal latest
        if stopping.is_set():
            raise _Stopped
        latest = progress
        with database.session(writes=True) as session:
            claims.beat(session, claim, progress)
        watch(progress)

    def beat_on(_progress: Progress) -> None:
        beat(latest)  # what is solved beside the run is no progress of it

    def solve(problem: str, time_limit_seconds: int, heard: Callable[[Progress], None] = beat) -> str:
        frozen = Snapshot.model_validate_json(claim.snapshot)
        return solving.solve(
            problem,
            time_limit_seconds=time_limit_seconds,
            threads=settings.solver_threads,
            seed=SOLVER_SEED,
            beat=heard,
            asked=Asked(frozen.stages, frozen.homes, claim.previous),
        )

    try:
        solution = solve(claim.problem, claim.time_limit_seconds)
        outcome = proposals.outcome_of(claim.snapshot, claim.problem, solution)
        prices = placement_prices.measure(
            outcome.snapshot,
            claim.problem,
            solution,
            claim.time_limit_seconds,
            lambda problem, seconds: solve(problem, seconds, beat_on),
        )
        outcome = replace(outcome, placement_prices=prices or None)
        with database.session(writes=True) as session:
            proposals.record(session, claim, outcome)
        log.info("run_proposed")
    except (ClaimLost, OperationalError):
        raise  # nobody's claim to end; or the database is gone, and the run will be recovered when it is back
    except _Stopped:
        log.info("run_given_back")
        with database.session(writes=True) as session:
            claims.give_back(session, claim)
    except ChildFailed as failure:
        log.warning("solver_failed", failure=str(failure), killed=failure.killed)
        end = claims.try_again if failure.killed else claims.fail
        with database.session(writes=True) as session:
            end(session, claim, str(failure))
    except proposals.NoOutcome as refused:
        log.error("solution_refused", reason=str(refused))
        with database.session(writes=True) as session:
            claims.fail(session, claim, str(refused))
    except Exception as error:
        # Whatever it was, the run must not stay claimed, and the next one must be worked.
        log.error("run_broke", error=type(error).__name__, exc_info=error)
        with database.session(writes=True) as session:
            claims.fail(session, claim, "A fault of the service, logged under the run's reference.")


def expire_offers(database: Database, settings: Settings) -> list[str]:
    """End every offer whose deadline is over, each in a transaction of its own. Returns their references.

    One that cannot be ended is logged, and keeps no other from its end.
    """
    with database.session(writes=False) as session:
        overdue = offers.overdue(session, settings.zone)
    expired = []
    for reference in overdue:
        try:
            with database.session(writes=True) as session:
                is_over = offers.expire(session, reference, settings.zone)
        except Exception as error:
            log.error("offer_not_expired", offer=reference, error=type(error).__name__, exc_info=error)
        else:
            if is_over:
                expired.append(reference)
    return expired


class Worker:
    """Works the queue until it is stopped."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._looks_next = 0.0
        self._expires_next = 0.0
        self._sweeps_next = 0.0

    def run(self) -> None:
        """Work in the calling thread, until `ask_to_stop`."""
        while not self._stopping.is_set():
            heard = BELL.rings
            try:
                worked = work_one(self._database, self._settings, stopping=self._stopping, watch=self._look)
                worked = worked or preview_one(self._database, self._settings, stopping=self._stopping)
                worked = worked or answer_one(self._database, self._settings, stopping=self._stopping)
                self._look()
            except OperationalError as error:
                log.error("database_unreachable", error=type(error.orig).__name__)
                worked = None
            except Exception as error:
                log.error("run_broke", error=type(error).__name__, exc_info=error)
                worked = None  # what broke it may go on breaking the next, as a database that takes no writes does
            if worked is None and not self._stopping.is_set():
                BELL.wait(heard, POLL_SECONDS)

    def _look(self, _progress: Progress | None = None) -> None:
        """Do what is due by the clock; also now and then while a run is being solved, which no fault in it ends."""
        for look in (self._sign_head, self._expire_offers, self._sweep_documents):
            try:
                look()
            except Exception as error:
                log.error("look_broke", look=look.__name__, error=type(error).__name__, exc_info=error)

    def _sign_head(self) -> None:
        """Sign the head of the audit trail when that is due."""
        every = timedelta(minutes=self._settings.audit_head_minutes)
        if not every or time.monotonic() < self._looks_next:
            return
        self._looks_next = time.monotonic() + HEAD_SECONDS
        try:
            with self._database.session(writes=False) as session:
                is_due = heads.is_due(session, every)
            if is_due:
                with self._database.session(writes=True) as session:
                    key = heads.signing_key(session, self._settings)
                    log.info("audit_head_signed", sequence=heads.sign(session, key).sequence)
        except HearthError as error:
            log.warning("audit_head_not_signed", reason=error.detail)

    def _expire_offers(self) -> None:
        """End the offers that have run out, when it is time to look for them."""
        if time.monotonic() < self._expires_next:
            return
        self._expires_next = time.monotonic() + EXPIRY_SECONDS
        for reference in expire_offers(self._database, self._settings):
            log.info("offer_expired", offer=reference)

    def _sweep_documents(self) -> None:
        """Sweep the files that no document has, when that is due."""
        if time.monotonic() < self._sweeps_next:
            return
        self._sweeps_next = time.monotonic() + SWEEP_SECONDS
        if swept := attachments.sweep(self._database, Store.under(self._settings.data_dir)):
            log.info("documents_swept", files=swept)

    def start(self) -> None:
        """Work in a thread of this process."""
        self._thread = threading.Thread(target=self.run, name="worker")
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Give a run in hand back to the queue and end; safe to call from a signal handler."""
        self._stopping.set()
        BELL.ring()

    def stop(self) -> None:
        """Ask to stop, and wait until the thread has."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join()
