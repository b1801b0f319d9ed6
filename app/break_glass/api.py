"""Reading beyond one's scope, and its review, as JSON."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, status
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.break_glass import grants
from app.break_glass.models import BreakGlassGrant
from app.break_glass.schemas import BreakGlassNew, BreakGlassRead, BreakGlassReading, Review
from app.database import utc_now
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, READ
from app.references import normalised
from app.registry.schemas import ApplicationRead, HouseholdRead

router = APIRouter(tags=["break glass"], prefix="/break-glass-grants")
MayBreakGlass = Annotated[Principal, requires(Permission.HOUSEHOLD_BREAK_GLASS)]
MayReview = Annotated[Principal, requires(Permission.BREAK_GLASS_REVIEW)]


def _read(session: Session, reference: str) -> BreakGlassRead:
    query = grants.loaded(select(BreakGlassGrant).where(BreakGlassGrant.reference == reference))
    return BreakGlassRead.of(session.scalars(query).one())


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    operation_id="open_household",
    summary="Open a household beyond your scope",
    responses=ACT,
)
def open_household(
    body: BreakGlassNew, request: Request, session: DbSession, principal: MayBreakGlass, request_once: RequestOnce
) -> BreakGlassRead:
    """For some hours you may read this one household. Every reading is on record, and an auditor reviews it."""
    made = request_once.made(session, principal.reference)
    if made is None:
        lifetime = timedelta(hours=request.app.state.settings.break_glass_hours)
        made = grants.open_household(session, normalised(body.household), body.reason, lifetime, principal).reference
        request_once.remember(session, principal.reference, made)
    return _read(session, made)


@router.get("", operation_id="list_break_glass_grants", summary="List who opened what", responses=LIST)
def list_break_glass_grants(
    session: DbSession,
    principal: MayReview,
    paging: Paging,
    open: Annotated[bool | None, Query(description="Only those that go on, or only those that ended.")] = None,  # noqa: A002 - the parameter's name on the wire
    reviewed: Annotated[bool | None, Query(description="Only those reviewed, or only others.")] = None,
) -> Page[BreakGlassRead]:
    """Every grant with its reason, in the order they were given."""
    seen = query = grants.reviewable(principal)
    if open is not None:
        goes_on = BreakGlassGrant.expires_at > utc_now()
        query = query.where(goes_on if open else ~goes_on)
    if reviewed is not None:
        done = BreakGlassGrant.reviewed_at.is_not(None)
        query = query.where(done if reviewed else ~done)
    rows, following = page(session, query, BreakGlassGrant, paging, seen)
    return Page(items=[BreakGlassRead.of(row) for row in rows], next=following)


@router.post(
    "/{reference}/read",
    operation_id="read_opened_household",
    summary="Read a household that you have opened",
    responses=READ,
)
def read_opened_household(reference: str, session: DbSession, principal: MayBreakGlass) -> BreakGlassReading:
    """With its people and applications. A POST, since it leaves an entry in the trail."""
    household, applications = grants.read(session, normalised(reference), principal)
    return BreakGlassReading(
        household=HouseholdRead.of(household), applications=[ApplicationRead.of(each) for each in applications]
    )


@router.post(
    "/{reference}/review",
    operation_id="review_break_glass_grant",
    summary="Review a grant",
    responses=ACT,
)
def review_break_glass_grant(reference: str, body: Review, session: DbSession, principal: MayReview) -> BreakGlassRead:
    """Once, with a remark. A grant that goes on ends with it."""
    return BreakGlassRead.of(grants.review(session, normalised(reference), body.remark, principal))
