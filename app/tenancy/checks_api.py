"""Occupancy checks and what they contradict, as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import NotFound
from app.housing.models import House, Settlement
from app.housing.queries import house as visible_house
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST
from app.references import normalised
from app.tenancy import check_queries, checks
from app.tenancy.check_schemas import CheckNew, CheckRead, ToReconcile
from app.tenancy.models import Finding, OccupancyCheck

router = APIRouter(tags=["occupancy"])
MayRead = Annotated[Principal, requires(Permission.TENANCY_READ)]
MayWrite = Annotated[Principal, requires(Permission.TENANCY_WRITE)]
Place = Annotated[str | None, Query(description="Only in this settlement.", max_length=40)]


@router.post(
    "/houses/{reference}/checks",
    status_code=status.HTTP_201_CREATED,
    operation_id="check_occupancy",
    summary="Record what was found at a house",
    responses=ACT,
)
def check_occupancy(
    reference: str, body: CheckNew, session: DbSession, principal: MayWrite, request_once: RequestOnce
) -> CheckRead:
    """It changes nothing by itself: what contradicts the record is listed for somebody to put right."""
    made = request_once.made(session, principal.reference)
    again = made is not None
    if made is None:
        house = visible_house(session, principal, normalised(reference))
        made = checks.record(
            session, house, finding=body.finding, checked_on=body.checked_on, note=body.note, actor=principal
        ).reference
        request_once.remember(session, principal.reference, made)
    query = check_queries.checks(principal).where(OccupancyCheck.reference == made)
    check = session.scalar(query.execution_options(populate_existing=True))
    if check is None:  # a request sent again by somebody who sees less by now
        raise NotFound("There is no such check that you may see.")
    if again:
        audit.record(session, principal, Act.OCCUPANCY_CHECK_LIST, details=audit.listed([check]))
    return CheckRead.of(check)


@router.get(
    "/occupancy/checks", operation_id="list_occupancy_checks", summary="List what was found at houses", responses=LIST
)
def list_occupancy_checks(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    settlement: Place = None,
    house: Annotated[str | None, Query(description="Only at this house.", max_length=40)] = None,
    finding: Annotated[Finding | None, Query(description="Only where this was found.")] = None,
) -> Page[CheckRead]:
    """In the settlements where you may see it, in the order in which it was recorded."""
    seen = query = check_queries.checks(principal)
    if settlement is not None:
        query = query.where(Settlement.reference == normalised(settlement))
    if house is not None:
        query = query.where(House.reference == normalised(house))
    if finding is not None:
        query = query.where(OccupancyCheck.finding == finding)
    rows, following = page(session, query, OccupancyCheck, paging, seen)
    households = (row.tenancy.household for row in rows if row.tenancy)
    audit.record(session, principal, Act.OCCUPANCY_CHECK_LIST, details=audit.listed(rows, households))
    return Page(items=[CheckRead.of(row) for row in rows], next=following)


@router.get(
    "/occupancy/reconciliation",
    operation_id="reconcile_occupancy",
    summary="List houses where record and findings do not fit together",
    responses=LIST,
)
def reconcile_occupancy(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    settlement: Place = None,
    days: Annotated[int, Query(description="For so many days a house may go unchecked.", ge=1, le=3650)] = 90,
) -> Page[ToReconcile]:
    """Families not found, people nobody expected, houses unchecked or keys unused for long, people in two houses."""
    query = check_queries.to_reconcile(principal, days)
    if settlement is not None:
        query = check_queries.in_settlement(query, normalised(settlement))
    rows, following = page(session, query, House, paging, check_queries.seen_by(principal))
    found = check_queries.contradictions(session, rows, days)
    tenancies = check_queries.current_tenancies(session, rows)
    last = check_queries.last_checks(session, rows)
    households = (tenancy.household for tenancy in tenancies.values())
    audit.record(session, principal, Act.OCCUPANCY_RECONCILE, details=audit.listed(rows, households))
    items = [ToReconcile.of(row, found[row.id], tenancies.get(row.id), last.get(row.id)) for row in rows]
    return Page(items=items, next=following)
