"""Appeals as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, status
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, Today, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import FieldError, Invalid
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, READ
from app.references import normalised
from app.registry.models import Application
from app.registry.queries import applications
from app.tenancy import appeal_queries, appeals
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealState
from app.tenancy.appeal_schemas import AppealDecision, AppealNew, AppealRead

router = APIRouter(tags=["appeals"])
MayRead = Annotated[Principal, requires(Permission.APPEAL_READ)]
MayDecide = Annotated[Principal, requires(Permission.APPEAL_DECIDE)]
MayLodge = Annotated[Principal, requires(Permission.APPEAL_LODGE)]


def _read(session: Session, principal: Principal, reference: str) -> AppealRead:
    session.flush()
    query = appeal_queries.appeals(principal).where(Appeal.reference == reference)
    return AppealRead.of(session.scalars(query.execution_options(populate_existing=True)).one())


@router.post(
    "/appeals",
    status_code=status.HTTP_201_CREATED,
    operation_id="lodge_appeal",
    summary="Lodge an appeal",
    responses=ACT,
)
def lodge_appeal(
    body: AppealNew, request: Request, session: DbSession, principal: MayLodge, request_once: RequestOnce
) -> AppealRead:
    """For a family, against the last decision of a kind on its application; what it would have given is worked out."""
    made = request_once.made(session, principal.reference)
    if made is None:
        reference = normalised(body.application)
        application = session.scalar(applications(principal).where(Application.reference == reference))
        if application is None:
            raise Invalid(
                "The application is unknown.",
                [FieldError("#/body/application", f"There is no application {body.application} that you may see.")],
            )
        made = appeals.lodge(
            session,
            application,
            against=body.against,
            ground=body.ground,
            statement=body.statement,
            correction=body.corrections.stated(),
            zone=request.app.state.settings.zone,
            actor=principal,
        ).reference
        request_once.remember(session, principal.reference, made)
    else:
        audit.record(session, principal, Act.APPEAL_READ, appeal_queries.appeal(session, principal, made))
    return _read(session, principal, made)


@router.get("/appeals", operation_id="list_appeals", summary="List appeals", responses=LIST)
def list_appeals(
    today: Today,
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[AppealState | None, Query(description="Only those in this state.")] = None,
    against: Annotated[AppealAgainst | None, Query(description="Only those against this.")] = None,
    overdue: Annotated[bool, Query(description="Only those that should have been decided by now.")] = False,
) -> Page[AppealRead]:
    """Of the families that you may see."""
    seen = query = appeal_queries.appeals(principal)
    if state is not None:
        query = query.where(Appeal.state == state)
    if against is not None:
        query = query.where(Appeal.against == against)
    if overdue:
        query = query.where(Appeal.state == AppealState.LODGED, Appeal.decide_by < today)
    rows, following = page(session, query, Appeal, paging, seen)
    audit.record(session, principal, Act.APPEAL_LIST, details=audit.listed(rows, (row.household for row in rows)))
    return Page(items=[AppealRead.of(row) for row in rows], next=following)


@router.get("/appeals/{reference}", operation_id="read_appeal", summary="Read an appeal", responses=READ)
def read_appeal(reference: str, session: DbSession, principal: MayRead) -> AppealRead:
    """One appeal, with what the run would have given."""
    appeal = appeal_queries.appeal(session, principal, normalised(reference))
    audit.record(session, principal, Act.APPEAL_READ, appeal)
    return AppealRead.of(appeal)


@router.post("/appeals/{reference}/decide", operation_id="decide_appeal", summary="Decide an appeal", responses=ACT)
def decide_appeal(reference: str, body: AppealDecision, session: DbSession, principal: MayDecide) -> AppealRead:
    """By somebody who took no part. Upheld, what it is against is open again; a lost house puts first in line.

    Verifiers decide on ineligibility and priority, approvers on what a run or an offer gave.
    """
    appeal = appeal_queries.appeal(session, principal, normalised(reference))
    appeals.decide(
        session,
        appeal,
        upheld=body.upheld,
        reason=body.reason,
        first_in_line=body.first_in_line,
        actor=principal,
    )
    return _read(session, principal, appeal.reference)


@router.post(
    "/appeals/{reference}/withdraw", operation_id="withdraw_appeal", summary="Withdraw an appeal", responses=ACT
)
def withdraw_appeal(reference: str, session: DbSession, principal: MayLodge) -> AppealRead:
    """At the family's wish."""
    appeal = appeal_queries.appeal(session, principal, normalised(reference))
    appeals.withdraw(session, appeal, principal)
    return _read(session, principal, appeal.reference)
