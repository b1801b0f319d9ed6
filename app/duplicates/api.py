"""The queue of possible duplicates, decisions and merges as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.duplicates import candidates, decisions
from app.duplicates.decisions import Decision
from app.duplicates.schemas import CandidateRead, CandidateSummary, DecisionNew, MergeRead, UndoNew, side_of
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, READ
from app.references import normalised
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.schemas import ApplicationRead

router = APIRouter(tags=["duplicates"])
MayRead = Annotated[Principal, requires(Permission.DUPLICATE_READ)]
MayDecide = Annotated[Principal, requires(Permission.DUPLICATE_DECIDE)]


@router.get("/duplicates", operation_id="list_duplicates", summary="List possible duplicates", responses=LIST)
def list_duplicates(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[CandidateState | None, Query(description="Only in this state.")] = None,
) -> Page[CandidateSummary]:
    """Pairs of households, both within your scope, that may be one, or have somebody in common."""
    query = candidates.with_references(candidates.visible(principal))
    if state is not None:
        query = query.where(DuplicateCandidate.state == state)
    rows, following = page(session, query, DuplicateCandidate, paging, candidates.visible(principal, also_erased=True))
    about = [household for row in rows for household in (row.first, row.second)]
    audit.record(session, principal, Act.DUPLICATE_LIST, details=audit.listed(rows, about))
    return Page(items=[CandidateSummary.of(row) for row in rows], next=following)


@router.get(
    "/duplicates/{reference}", operation_id="read_duplicate", summary="Read a possible duplicate", responses=READ
)
def read_duplicate(reference: str, session: DbSession, principal: MayRead) -> CandidateRead:
    """Both households beside each other, and what speaks for and against."""
    candidate = candidates.find(session, normalised(reference), principal)
    about = [candidate.first.reference, candidate.second.reference]
    audit.record(session, principal, Act.DUPLICATE_READ, candidate, details={"households": about})
    return _read(session, candidate)


def _read(session: Session, candidate: DuplicateCandidate) -> CandidateRead:
    households = candidates.both(session, candidate)
    applications = [candidates.application_of(session, household) for household in households]
    sides = [
        side_of(household, ApplicationRead.of(application) if application else None)
        for household, application in zip(households, applications, strict=True)
    ]
    is_open = candidate.state is CandidateState.OPEN
    suggestion = candidates.suggestion(session, candidate, *households) if is_open else None
    people = candidates.names(session, candidate)
    return CandidateRead.read(candidate, sides, people, suggestion, candidates.merge_of(session, candidate))


@router.post(
    "/duplicates/{reference}/decide",
    operation_id="decide_duplicate",
    summary="Decide on a possible duplicate",
    responses=ACT,
)
def decide_duplicate(reference: str, body: DecisionNew, session: DbSession, principal: MayDecide) -> CandidateRead:
    """One household in two records, two households, or somebody who moved. A merge can be undone."""
    decision = Decision(
        state=CandidateState(body.decision),
        reason=body.reason,
        survivor=normalised(body.survivor) if body.survivor else None,
        people=tuple(map(normalised, body.people)),
    )
    decisions.decide(session, normalised(reference), decision, principal)
    candidate = session.scalars(
        candidates.with_references(
            select(DuplicateCandidate).where(DuplicateCandidate.reference == normalised(reference))
        ).options(joinedload(DuplicateCandidate.decided_by))
    ).one()
    return _read(session, candidate)


@router.post("/merges/{reference}/undo", operation_id="undo_merge", summary="Undo a merge", responses=ACT)
def undo_merge(reference: str, body: UndoNew, session: DbSession, principal: MayDecide) -> MergeRead:
    """Both households are as before, and the candidate waits for a decision again."""
    merge = decisions.undo(session, normalised(reference), body.reason, principal)
    loaded = select(Merge).where(Merge.id == merge.id)
    options = joinedload(Merge.candidate), joinedload(Merge.source), joinedload(Merge.into)
    return MergeRead.of(session.scalars(loaded.options(*options)).one())
