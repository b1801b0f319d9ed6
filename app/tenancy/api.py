"""Moving in and out, expected families and occupancy as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation.models import Proposal
from app.audit import Act
from app.errors import NotFound
from app.housing.models import House, Settlement
from app.housing.queries import house as visible_house
from app.housing.queries import state_shown
from app.housing.schemas import HouseRead, Reasoned
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.preconditions import TAGGED, tag
from app.problems import ACT, LIST
from app.references import normalised
from app.tenancy import holders, moves, queries
from app.tenancy.models import Tenancy
from app.tenancy.schemas import (
    HolderNew,
    KeysGiven,
    MoveIn,
    MoveOut,
    OccupancyRow,
    OptOut,
    ReservationRead,
    TenancyRead,
)

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
    seen = query = queries.tenancies(principal)
    if settlement is not None:
        query = query.where(Settlement.reference == normalised(settlement))
    if current is not None:
        ongoing = Tenancy.moved_out_on.is_(None)
        query = query.where(ongoing if current else ~ongoing)
    rows, following = page(session, query, Tenancy, paging, seen)
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
    rows, following = page(session, query, Proposal, paging, queries.drawn(principal))
    found = audit.listed(rows, (row.household for row in rows))
    audit.record(session, principal, Act.RESERVATION_LIST, details=found)
    return Page(items=[ReservationRead.of(row) for row in rows], next=following)


@router.get("/occupancy", operation_id="read_occupancy", summary="How full each settlement is", responses=LIST)
def read_occupancy(session: DbSession, principal: MayReadOccupancy, settlement: Place = None) -> list[OccupancyRow]:
    """Houses by settlement, size and state, and the people who live there."""
    return queries.occupancy(session, principal, normalised(settlement) if settlement is not None else None)


def _tenancy(session: Session, principal: Principal, reference: str, *, looks: bool = False) -> TenancyRead:
    query = queries.tenancies(principal).where(Tenancy.reference == reference)
    tenancy = session.scalar(query.execution_options(populate_existing=True))
    if tenancy is None:  # a request sent again by somebody who sees less by now
        raise NotFound("There is no such tenancy that you may see.")
    if looks:
        audit.record(session, principal, Act.TENANCY_READ, tenancy)
    return TenancyRead.of(tenancy)


def _house(session: Session, house: House, response: Response) -> HouseRead:
    tag(response, house)
    return HouseRead.of(house, state_shown(session, house))


@router.post(
    "/houses/{reference}/keys",
    status_code=status.HTTP_201_CREATED,
    operation_id="give_keys",
    summary="Give a family the keys",
    responses=ACT,
)
def give_keys(
    reference: str, body: KeysGiven, session: DbSession, principal: MayWrite, request_once: RequestOnce
) -> TenancyRead:
    """The family must have accepted the house, and every gate be met. Moving in is confirmed later."""
    made = request_once.made(session, principal.reference)
    if made is None:
        house = visible_house(session, principal, normalised(reference), lock=True)
        made = moves.give_keys(
            session,
            house,
            normalised(body.household),
            body.given_on,
            principal,
            received_by=normalised(body.received_by) if body.received_by else None,
            representative=body.representative,
        ).reference
        request_once.remember(session, principal.reference, made)
        return _tenancy(session, principal, made)
    return _tenancy(session, principal, made, looks=True)


def _actable(session: Session, principal: Principal, reference: str) -> Tenancy:
    """Return one tenancy that `principal` may change, locked before its holders are read. Raises NotFound."""
    query = queries.tenancies(principal, Permission.TENANCY_WRITE).where(Tenancy.reference == normalised(reference))
    found = session.scalar(query.with_for_update(of=Tenancy))
    if found is None:
        raise NotFound("There is no such tenancy that you may see.")
    return found


@router.post(
    "/tenancies/{reference}/opt-out",
    operation_id="opt_out_of_title",
    summary="Take a member out of the title",
    responses=ACT,
)
def opt_out_of_title(reference: str, body: OptOut, session: DbSession, principal: MayWrite) -> TenancyRead:
    """Head and spouse or partner hold the title jointly; one who does not want to is taken out, with the reason."""
    tenancy = _actable(session, principal, reference)
    holders.opt_out(session, tenancy, normalised(body.person), body.reason, principal)
    return _tenancy(session, principal, tenancy.reference)


@router.post(
    "/tenancies/{reference}/holders",
    operation_id="add_title_holder",
    summary="Put a member's name to the title",
    responses=ACT,
)
def add_title_holder(reference: str, body: HolderNew, session: DbSession, principal: MayWrite) -> TenancyRead:
    """Also of one who had been taken out of it."""
    tenancy = _actable(session, principal, reference)
    holders.add(session, tenancy, normalised(body.person), principal)
    return _tenancy(session, principal, tenancy.reference)


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
    """It has the keys of the house, or gets them with this: it must have accepted it, and every gate be met."""
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
    tenancy = moves.move_out(session, house, body.moved_out_on, body.reason, principal, ended_for=body.code)
    return _tenancy(session, principal, tenancy.reference)


@router.post(
    "/houses/{reference}/unfit",
    operation_id="declare_house_unfit",
    summary="Say that nobody should live in a house",
    responses=ACT | TAGGED,
)
def declare_house_unfit(
    reference: str, body: Reasoned, session: DbSession, principal: MayWrite, response: Response
) -> HouseRead:
    """A reservation is released. A family that lives there waits for another house, and is on record until it moves."""
    house = visible_house(session, principal, normalised(reference), lock=True)
    moves.declare_unfit(session, house, body.reason, principal)
    return _house(session, house, response)


@router.post(
    "/houses/{reference}/fit",
    operation_id="declare_house_fit",
    summary="Say that a house can be lived in again",
    responses=ACT | TAGGED,
)
def declare_house_fit(reference: str, session: DbSession, principal: MayWrite, response: Response) -> HouseRead:
    """It is as it was: lived in by whoever lives there, or free."""
    house = visible_house(session, principal, normalised(reference), lock=True)
    moves.declare_fit(session, house, principal)
    return _house(session, house, response)
