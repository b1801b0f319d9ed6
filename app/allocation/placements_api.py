"""Placements: where one household is to live, or not, beside what the policy gives."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import placements
from app.allocation.placement_models import Placement, PlacementKind, PlacementState
from app.allocation.placement_schemas import Lifting, PlacementNew, PlacementRead
from app.audit import Act
from app.housing.queries import named_house, named_settlement
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST
from app.references import normalised
from app.registry.models import Household
from app.registry.queries import visible_household

router = APIRouter(tags=["runs"])
MayRead = Annotated[Principal, requires(Permission.PLACEMENT_READ)]
MayWrite = Annotated[Principal, requires(Permission.PLACEMENT_WRITE)]
MayDecide = Annotated[Principal, requires(Permission.PLACEMENT_DECIDE)]
MayLift = MayRead


@router.get("/placements", operation_id="list_placements", summary="List placements", responses=LIST)
def list_placements(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[PlacementState | None, Query(description="Only those in this state.")] = None,
    household: Annotated[str | None, Query(description="Only of this household.", max_length=40)] = None,
) -> Page[PlacementRead]:
    """In the settlements where you may see them, in the order they were requested."""
    seen = query = placements.visible(principal)
    if state is not None:
        query = query.where(Placement.state == state)
    if household is not None:
        query = query.join(Placement.household).where(Household.reference == normalised(household))
    rows, following = page(session, query, Placement, paging, seen)
    found = audit.listed(rows, (row.household for row in rows))
    audit.record(session, principal, Act.PLACEMENT_LIST, details=found)
    return Page(items=[PlacementRead.of(row) for row in rows], next=following)


@router.post(
    "/placements",
    status_code=status.HTTP_201_CREATED,
    operation_id="request_placement",
    summary="Ask for a placement",
    responses=ACT,
)
def request_placement(
    body: PlacementNew, session: DbSession, principal: MayWrite, request_once: RequestOnce
) -> PlacementRead:
    """It counts once somebody else has confirmed it, in runs that are requested from then on."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        return PlacementRead.of(placements.actable(session, principal, Permission.PLACEMENT_WRITE, made))
    household = visible_household(session, principal, normalised(body.household), Permission.PLACEMENT_WRITE)
    placement = placements.request(
        session, household, _where(session, body, principal), body.reason, body.note, principal
    )
    request_once.remember(session, principal.reference, placement.reference)
    return PlacementRead.of(placement)


def _where(session: Session, body: PlacementNew, principal: Principal) -> placements.Where:
    scope = principal.scope(Permission.PLACEMENT_WRITE)
    if body.house is not None:
        house = named_house(session, normalised(body.house), "#/body/house", scope)
        return placements.Where(house.settlement, house=house)
    place = named_settlement(session, normalised(body.settlement or ""), "#/body/settlement", scope)
    return placements.Where(
        place, size=body.size, step_free=body.step_free, is_forbidden=body.kind is PlacementKind.FORBID
    )


@router.post(
    "/placements/{reference}/confirm",
    operation_id="confirm_placement",
    summary="Confirm a placement",
    responses=ACT,
)
def confirm_placement(reference: str, session: DbSession, principal: MayDecide) -> PlacementRead:
    """By somebody else than who requested it."""
    placement = placements.actable(session, principal, Permission.PLACEMENT_DECIDE, normalised(reference))
    return PlacementRead.of(placements.confirm(session, placement, principal))


@router.post("/placements/{reference}/lift", operation_id="lift_placement", summary="Lift a placement", responses=ACT)
def lift_placement(reference: str, body: Lifting, session: DbSession, principal: MayLift) -> PlacementRead:
    """It counts no more; a run that rests on it cannot be approved. One that was requested only is refused so."""
    placement = placements.actable(session, principal, Permission.PLACEMENT_READ, normalised(reference))
    return PlacementRead.of(placements.lift(session, placement, body.reason, principal))
