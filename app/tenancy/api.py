"""Moving in and out, expected families and occupancy as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation.models import Proposal
from app.audit import Act
from app.housing.models import House, Settlement
from app.housing.queries import house as visible_house
from app.housing.queries import state_shown
from app.housing.schemas import HouseRead, Reasoned
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.preconditions import tag
from app.problems import ACT, LIST
from app.references import normalised
from app.tenancy import moves, queries
from app.tenancy.models import Tenancy
from app.tenancy.schemas import MoveIn, MoveOut, OccupancyRow, ReservationRead, TenancyRead

router = APIRouter(tags=["occupancy"])
MayRead = Annotated[Principal, requires(Permission.TENANCY_READ)]
MayWrite = Annotated[Principal, requires(Permission.TENANCY_WRITE)]
MayReadOccupancy = Annotated[Principal, requires(Permission.OCCUPANCY_READ)]
Place = Annotated[str | None, Query(description="Only in this settlement.", max_length=40)]


@router.get("/tenancies", operation_id="list_tenancies", summary="List who lives where", responses=LIST)
def list_tenancies(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    settlement: Place = None,
    current: Annotated[bool | None, Query(description="Only those that go on, or only those that ended.")] = None,
) -> Page[TenancyRead]:
    """In the settlements where you may see it."""
    query = queries.tenancies(principal)
    if settlement is not None:
        query = query.where(Settlement.reference == normalised(settlement))
    if current is not None:
        ongoing = Tenancy.moved_out_on.is_(None)
        query = query.where(ongoing if current else ~ongoing)
    rows, following = page(session, query, Tenancy, paging)
    found = audit.listed(rows, (row.household for row in rows))
    audit.record(session, principal, Act.TENANCY_LIST, details=found)
    return Page(items=[TenancyRead.of(row) for row in rows], next=following)


@router.get("/reservations", operation_id="list_reservations", summary="List the families expected", responses=LIST)
def list_reservations(
    session: DbSession, principal: MayRead, paging: Paging, settlement: Place = None
) -> Page[ReservationRead]:
    """Houses reserved for families, in the settlements where you may see it."""
    query = queries.reservations(principal)
    if settlement is not None:
        query = query.where(Settlement.reference == normalised(settlement))
    rows, following = page(session, query, Proposal, paging)
    found = audit.listed(rows, (row.household for row in rows))
    audit.record(session, principal, Act.RESERVATION_LIST, details=found)
    return Page(items=[ReservationRead.of(row) for row in rows], next=following)


@router.get("/occupancy", operation_id="read_occupancy", summary="How full each settlement is", responses=LIST)
def read_occupancy(session: DbSession, principal: MayReadOccupancy, settlement: Place = None) -> list[OccupancyRow]:
    """Houses by settlement, size and state, and the people who live there."""
    return queries.occupancy(session, principal, normalised(settlement) if settlement is not None else None)


def _tenancy(session: Session, principal: Principal, reference: str, *, looks: bool = False) -> TenancyRead:
    tenancy = session.scalars(queries.tenancies(principal).where(Tenancy.reference == reference)).one()
    if looks:
        audit.record(session, principal, Act.TENANCY_READ, tenancy)
    return TenancyRead.of(tenancy)


def _house(session: Session, house: House, response: Response) -> HouseRead:
    tag(response, house)
    return HouseRead.of(house, state_shown(session, house))


@router.post(
    "/houses/{reference}/move-in",
    status_code=status.HTTP_201_CREATED,
    operation_id="move_in",
    summary="Mark a family as moved in",
    responses=ACT,
)
def move_in(
    reference: str, body: MoveIn, session: DbSession, principal: MayWrite, request_once: RequestOnce
) -> TenancyRead:
    """The house must be reserved for that family, and every gate of its settlement met."""
    made = request_once.made(session, principal.reference)
    if made is None:
        house = visible_house(session, principal, normalised(reference), lock=True)
        tenancy = moves.move_in(session, house, normalised(body.household), body.moved_in_on, principal)
        made = tenancy.reference
        request_once.remember(session, principal.reference, made)
        return _tenancy(session, principal, made)
    return _tenancy(session, principal, made, looks=True)


@router.post(
    "/houses/{reference}/move-out", operation_id="move_out", summary="Mark a family as moved out", responses=ACT
)
def move_out(reference: str, body: MoveOut, session: DbSession, principal: MayWrite) -> TenancyRead:
    """The house is free for another family at once, unless it is unfit."""
    house = visible_house(session, principal, normalised(reference), lock=True)
    tenancy = moves.move_out(session, house, body.moved_out_on, body.reason, principal)
    return _tenancy(session, principal, tenancy.reference)


@router.post(
    "/houses/{reference}/unfit",
    operation_id="declare_house_unfit",
    summary="Say that nobody should live in a house",
    responses=ACT,
)
def declare_house_unfit(
    reference: str, body: Reasoned, session: DbSession, principal: MayWrite, response: Response
) -> HouseRead:
    """A reservation of it is released; a family living there stays on record until it moves out."""
    house = visible_house(session, principal, normalised(reference), lock=True)
    moves.declare_unfit(session, house, body.reason, principal)
    return _house(session, house, response)


@router.post(
    "/houses/{reference}/fit",
    operation_id="declare_house_fit",
    summary="Say that a house can be lived in again",
    responses=ACT,
)
def declare_house_fit(reference: str, session: DbSession, principal: MayWrite, response: Response) -> HouseRead:
    """It is as it was: lived in by whoever lives there, or free."""
    house = visible_house(session, principal, normalised(reference), lock=True)
    moves.declare_fit(session, house, principal)
    return _house(session, house, response)
