"""Answers what would have been: a worker's second task, for when no run waits."""

import threading
import time
from datetime import timedelta

import structlog
from sqlalchemy.exc import OperationalError

from app.allocation import recounting, solving, what_ifs
from app.allocation.order import known
from app.allocation.recounting import NoAnswer
from app.allocation.snapshot import Snapshot
from app.allocation.solving import Asked, ChildFailed
from app.allocation.what_if_models import WhatIfKind
from app.allocation.what_ifs import AnswerLost, Question
from app.database import Database
from app.settings import Settings

SILENT_FOR = timedelta(seconds=30)
SOLVER_SEED = 0
EACH_SHARE = 6
"""A smallest change takes several solves: each may take so much of the whole time."""

log = structlog.get_logger()


class _Stopped(Exception):  # noqa: N818 - an order
    """The worker was told to stop."""


class _TooLong(Exception):  # noqa: N818 - a result
    """The whole time that an answer may take is over."""


def answer_one(database: Database, settings: Settings, *, stopping: threading.Event | None = None) -> str | None:
    """Answer the question that has waited longest. Returns its reference, or None where none waited.

    All its solves together take no longer than the settings say. `stopping`: once set, it is given back.
    """
    with database.session(writes=True) as session:
        question = what_ifs.take(session, SILENT_FOR)
    if question is None:
        return None
    with structlog.contextvars.bound_contextvars(what_if=question.reference):
        try:
            _answer(database, settings, question, stopping or threading.Event())
        except AnswerLost:
            log.info("what_if_lost")
    return question.reference


def _answer(database: Database, settings: Settings, question: Question, stopping: threading.Event) -> None:
    ends = time.monotonic() + settings.what_if_seconds

    def beat(_progress: object = None) -> None:
        if stopping.is_set():
            raise _Stopped
        if time.monotonic() > ends:
            raise _TooLong
        with database.session(writes=True) as session:
            what_ifs.beat(session, question)

    def solve(problem: str, seconds: int) -> str:
        frozen = Snapshot.model_validate_json(question.snapshot)
        return solving.solve(
            problem,
            time_limit_seconds=seconds,
            threads=settings.solver_threads,
            seed=SOLVER_SEED,
            beat=beat,
            asked=Asked(known(frozen.stages, problem), frozen.homes),
        )

    try:
        snapshot = Snapshot.model_validate_json(question.snapshot)
        if question.kind is WhatIfKind.SMALLEST_CHANGE:
            each = max(settings.what_if_seconds // EACH_SHARE, 1)
            solved = solving.smallest_change(
                question.problem, question.solution, question.household, seconds_each=each, beat=beat
            )
            found = recounting.smallest_change(snapshot, question.household, solved)
        else:
            row, seconds = question.given["row"], settings.what_if_seconds
            found = recounting.with_correction(snapshot, question.seed, question.solution, row, seconds, solve)
        with database.session(writes=True) as session:
            what_ifs.answer(session, question, found)
        log.info("what_if_answered")
    except (AnswerLost, OperationalError):
        raise
    except _Stopped:
        with database.session(writes=True) as session:
            what_ifs.give_back(session, question)
    except (_TooLong, NoAnswer, ChildFailed) as failure:
        sentence = f"{failure}" or f"No answer was found in {settings.what_if_seconds} seconds."
        log.warning("what_if_failed", failure=sentence)
        with database.session(writes=True) as session:
            what_ifs.fail(session, question, sentence)
    except Exception as error:
        # Whatever it was, the question must not stay claimed, and the next one must be answered.
        log.error("what_if_broke", error=type(error).__name__, exc_info=error)
        with database.session(writes=True) as session:
            what_ifs.fail(session, question, "A fault of the service, logged under the question's reference.")
