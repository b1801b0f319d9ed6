"""Asking a run what would have been, and what a worker writes of it.

One worker answers at a time, and one that lost its claim writes nothing.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, not_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload, undefer

from app import audit
from app.access.permissions import SERVICE, Permission, Principal
from app.allocation import corrections, declines, queries
from app.allocation.corrections import Correction
from app.allocation.models import APPROVED, Proposal, ProposalState, Run
from app.allocation.snapshot import Snapshot
from app.allocation.what_if_models import WhatIf, WhatIfKind, WhatIfState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict
from app.queue import ring_on_commit
from app.registry.facts import facts_of
from app.registry.models import Household

MOST_ATTEMPTS = 3
LONGEST_FAILURE = 500


class AnswerLost(Exception):  # noqa: N818 - an order to stop, not an error
    """The question is another worker's by now, or gone."""


@dataclass(frozen=True)
class Question:
    """A question in the hands of one worker, and what is needed to answer it."""

    id: int
    reference: str
    token: str
    kind: WhatIfKind
    household: str
    given: dict[str, Any]
    snapshot: str
    seed: str
    problem: str
    solution: str


def ask_smallest_change(session: Session, proposal: Proposal, actor: Principal) -> WhatIf:
    """Ask what smallest change would have housed the household of a proposal, loaded with run and household.

    Whoever calls this has found the household in the actor's scope. Asked before, the same question is returned. Raises
    Forbidden, and Conflict where the household is housed, could not
    take part, or nobody has decided on the run.
    """
    actor.require_somewhere(Permission.PROPOSAL_READ)
    if proposal.run.state not in APPROVED or proposal.state is not ProposalState.NOT_HOUSED:
        raise Conflict(
            "This is asked of a run that was decided, for a household that took part in it and got no house.",
            state=proposal.state.value,
        )
    if (asked := _asked(session, proposal)) is not None:
        return asked
    row = _question(proposal, actor)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        if (asked := _asked(session, proposal)) is None:
            raise
        return asked  # somebody else asked at the same moment
    audit.record(session, actor, Act.WHAT_IF_ASK, row)
    ring_on_commit(session)
    return row


def ask_of_run(session: Session, reference: str, most: int, actor: Principal) -> tuple[int, int]:
    """Ask what smallest change would have housed the households of a run that the actor may see and that got no house.

    Of those for whom it was not asked, `most` at a time, first those who come first. Returns for how many it was asked,
    and for how many it still is not. Raises NotFound, and Conflict where nobody has decided on the run.
    """
    proposals = queries.proposals(session, actor, reference)
    if session.scalar(select(Run.state).where(Run.reference == reference)) not in APPROVED:
        raise Conflict(f"Nobody has decided on run {reference} yet: there is nothing to ask of it.")
    asked = exists().where(
        WhatIf.proposal_id == Proposal.id,
        WhatIf.kind == WhatIfKind.SMALLEST_CHANGE,
        WhatIf.state != WhatIfState.FAILED,
    )
    waiting = proposals.where(Proposal.state == ProposalState.NOT_HOUSED, not_(asked))
    first = waiting.order_by(Proposal.tier, Proposal.points.desc(), Proposal.id).limit(most)
    rows = session.scalars(first.options(contains_eager(Proposal.run))).all()
    for row in rows:
        ask_smallest_change(session, row, actor)
    # Counted now, and not before: somebody else may have asked in between.
    left = session.scalar(select(func.count()).select_from(waiting.with_only_columns(Proposal.id).subquery())) or 0
    return len(rows), left


def _asked(session: Session, proposal: Proposal) -> WhatIf | None:
    return session.scalar(
        select(WhatIf).where(
            WhatIf.proposal_id == proposal.id,
            WhatIf.kind == WhatIfKind.SMALLEST_CHANGE,
            WhatIf.state != WhatIfState.FAILED,
        )
    )


def ask_correction(
    session: Session,
    run_id: int,
    household_id: int,
    correction: Correction,
    actor: Principal,
    *,
    proposal_id: int | None = None,
) -> WhatIf:
    """Ask what a run would have given a household with corrected facts; also one that could not take part.

    `proposal_id`: what the run said of it. Whoever calls this has checked that `actor` may, and records the act. Raises
    Invalid, and Conflict where the run knew nothing of it.
    """
    run = session.scalars(select(Run).where(Run.id == run_id).options(undefer(Run.snapshot))).one()
    snapshot = Snapshot.model_validate_json(run.snapshot)
    people = select(Household).where(Household.id == household_id).options(selectinload(Household.people))
    household = session.scalars(people).one()
    part = corrections.part_of(snapshot, household.reference)
    if part is None:
        raise Conflict(f"Run {run.reference} knew nothing of the household.")
    past = declines.before(declines.past_offers(session, snapshot.on, [household.id]), run.requested_at)
    facts = facts_of(household, on=snapshot.on, has_home=False, declines=declines.of(past, household.id))
    question = WhatIf(
        kind=WhatIfKind.CORRECTION,
        run_id=run.id,
        proposal_id=proposal_id,
        household_id=household.id,
        state=WhatIfState.QUEUED,
        given={"row": corrections.row_of(snapshot, part, correction, facts)},
        asked_by_id=actor.user_id,
    )
    session.add(question)
    session.flush()
    ring_on_commit(session)
    return question


def first_run_without(session: Session, household: str, since: datetime) -> int | None:
    """Return the id of the first run, of those requested since and decided on, that set a household aside."""
    runs = queries.runs_naming(session, [household], Run.state.in_(APPROVED), Run.requested_at >= since)
    for run in runs:
        if corrections.aside(Snapshot.model_validate_json(run.snapshot), household) is not None:
            return run.id
    return None


def _question(proposal: Proposal, actor: Principal) -> WhatIf:
    return WhatIf(
        kind=WhatIfKind.SMALLEST_CHANGE,
        run_id=proposal.run_id,
        proposal_id=proposal.id,
        household_id=proposal.household_id,
        state=WhatIfState.QUEUED,
        given={},
        asked_by_id=actor.user_id,
    )


def answered(session: Session, proposals: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return proposal → the smallest change for its household, of those for whom it was asked and found."""
    query = select(WhatIf.proposal_id, WhatIf.found).where(
        WhatIf.proposal_id.in_(proposals),
        WhatIf.kind == WhatIfKind.SMALLEST_CHANGE,
        WhatIf.state == WhatIfState.DONE,
    )
    return {proposal: found for proposal, found in session.execute(query) if proposal is not None and found is not None}


def take(session: Session, silent_for: timedelta) -> Question | None:
    """Claim the question that has waited longest, also one whose worker has been silent for so long.

    Corrections come first: a decision on an appeal waits for them, and many smallest changes may be asked for at once.
    """
    found = session.scalar(
        select(WhatIf)
        .where(
            (WhatIf.state == WhatIfState.QUEUED)
            | ((WhatIf.state == WhatIfState.SOLVING) & (WhatIf.heartbeat_at < utc_now() - silent_for))
        )
        .order_by(WhatIf.kind != WhatIfKind.CORRECTION, WhatIf.id)
        .limit(1)
        .options(joinedload(WhatIf.household))
        .with_for_update(skip_locked=True, of=WhatIf)
    )
    if found is None:
        return None
    if found.attempts >= MOST_ATTEMPTS:
        _end(session, found, "Its worker stopped without a word, several times.")
        return None
    documents = (undefer(Run.snapshot), undefer(Run.problem), undefer(Run.solution))
    run = session.scalars(select(Run).where(Run.id == found.run_id).options(*documents)).one()
    found.state, found.claim, found.attempts = WhatIfState.SOLVING, secrets.token_hex(16), found.attempts + 1
    found.heartbeat_at = utc_now()
    session.flush()
    return Question(
        found.id,
        found.reference,
        found.claim,
        found.kind,
        found.household.reference,
        found.given,
        run.snapshot,
        run.seed or "",
        run.problem or "",
        run.solution or "",
    )


def beat(session: Session, question: Question) -> None:
    """Say that the worker lives. Raises AnswerLost."""
    alive = session.scalar(
        update(WhatIf)
        .where(WhatIf.id == question.id, WhatIf.claim == question.token, WhatIf.state == WhatIfState.SOLVING)
        .values(heartbeat_at=utc_now())
        .returning(WhatIf.id)
        .execution_options(synchronize_session=False)
    )
    if alive is None:
        raise AnswerLost(question.reference)


def _fenced(session: Session, question: Question) -> WhatIf:
    row = session.scalar(
        select(WhatIf)
        .where(WhatIf.id == question.id, WhatIf.claim == question.token, WhatIf.state == WhatIfState.SOLVING)
        .with_for_update()
    )
    if row is None:
        raise AnswerLost(question.reference)
    return row


def answer(session: Session, question: Question, found: dict[str, Any]) -> None:
    """Write the answer. Raises AnswerLost."""
    row = _fenced(session, question)
    row.state, row.found, row.claim, row.answered_at = WhatIfState.DONE, found, None, utc_now()
    audit.record(session, SERVICE, Act.WHAT_IF_ANSWER, row)


def give_back(session: Session, question: Question) -> None:
    """Queue the question again as if it had not been tried. Raises AnswerLost."""
    row = _fenced(session, question)
    row.state, row.claim, row.attempts = WhatIfState.QUEUED, None, row.attempts - 1


def fail(session: Session, question: Question, failure: str) -> None:
    """End the question with a sentence that says why there is no answer. Raises AnswerLost."""
    _end(session, _fenced(session, question), failure)


def _end(session: Session, row: WhatIf, failure: str) -> None:
    row.state, row.failure, row.claim = WhatIfState.FAILED, failure[:LONGEST_FAILURE], None
    row.answered_at = utc_now()
    audit.record(session, SERVICE, Act.WHAT_IF_FAIL, row, reason=row.failure)
