"""Wishes to swap, and cycles of swaps, as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, status
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.housing.queries import named_settlement
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST
from app.references import normalised
from app.registry.queries import visible_household
from app.tenancy import swap_queries, swaps, transfers
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapWish, SwapWishState
from app.tenancy.swap_schemas import CycleRead, CyclesProposed, SwapConfirmed, SwapRefused, WishNew, WishRead

router = APIRouter(tags=["swaps"])
MayRead = Annotated[Principal, requires(Permission.SWAP_READ)]
MayWrite = Annotated[Principal, requires(Permission.SWAP_WRITE)]
MayPropose = Annotated[Principal, requires(Permission.SWAP_PROPOSE)]
MayDecide = Annotated[Principal, requires(Permission.SWAP_DECIDE)]


def _wish(session: Session, principal: Principal, reference: str) -> SwapWish:
    query = swap_queries.wishes(principal).where(SwapWish.reference == reference)
    return session.scalars(query.execution_options(populate_existing=True)).one()


@router.post(
    "/swap-wishes",
    status_code=status.HTTP_201_CREATED,
    operation_id="register_swap_wish",
    summary="Register a wish to swap houses",
    responses=ACT,
)
def register_swap_wish(body: WishNew, session: DbSession, principal: MayWrite, request_once: RequestOnce) -> WishRead:
    """Of a family that lives in a house: which others it would take for it, the best first."""
    made = request_once.made(session, principal.reference)
    if made is None:
        household = visible_household(session, principal, normalised(body.household))
        wanted = []
        for number, option in enumerate(body.options):
            pointer = f"#/body/options/{number}"
            if option.house is not None:
                wanted.append(swap_queries.named_house(session, principal, normalised(option.house), pointer))
            elif option.settlement is not None:
                place = named_settlement(session, normalised(option.settlement), pointer)
                wanted.append(swaps.Wanted(None, place, pointer))
        made = swaps.register(session, household, wanted, principal).reference
        request_once.remember(session, principal.reference, made)
    else:
        again = swap_queries.wish(session, principal, Permission.SWAP_READ, made)
        audit.record(session, principal, Act.SWAP_WISH_LIST, details=audit.listed([again]))
    return WishRead.of(_wish(session, principal, made))


@router.get("/swap-wishes", operation_id="list_swap_wishes", summary="List wishes to swap houses", responses=LIST)
def list_swap_wishes(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[SwapWishState | None, Query(description="Only those in this state.")] = None,
) -> Page[WishRead]:
    """Of families where you may see them."""
    seen = query = swap_queries.wishes(principal)
    if state is not None:
        query = query.where(SwapWish.state == state)
    rows, following = page(session, query, SwapWish, paging, seen)
    audit.record(session, principal, Act.SWAP_WISH_LIST, details=audit.listed(rows, (row.household for row in rows)))
    return Page(items=[WishRead.of(row) for row in rows], next=following)


@router.post(
    "/swap-wishes/{reference}/withdraw",
    operation_id="withdraw_swap_wish",
    summary="Withdraw a wish to swap houses",
    responses=ACT,
)
def withdraw_swap_wish(reference: str, session: DbSession, principal: MayWrite) -> WishRead:
    """At the family's word. A cycle that it is part of falls apart."""
    wish = swap_queries.wish(session, principal, Permission.SWAP_WRITE, normalised(reference))
    return WishRead.of(swaps.withdraw(session, wish, principal))


@router.post("/swap-cycles/propose", operation_id="propose_swaps", summary="Find who could swap houses", responses=LIST)
def propose_swaps(session: DbSession, principal: MayPropose) -> CyclesProposed:
    """Top trading cycles among the open wishes where you plan: each family gets a house that it named and that fits."""
    found = transfers.propose(session, principal)
    return CyclesProposed(
        cycles=[cycle.reference for cycle in found], families=sum(len(cycle.moves) for cycle in found)
    )


@router.get("/swap-cycles", operation_id="list_swap_cycles", summary="List swaps of houses", responses=LIST)
def list_swap_cycles(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[SwapCycleState | None, Query(description="Only those in this state.")] = None,
) -> Page[CycleRead]:
    """Those with a house where you may see them."""
    seen = query = swap_queries.cycles(principal)
    if state is not None:
        query = query.where(SwapCycle.state == state)
    rows, following = page(session, query, SwapCycle, paging, seen)
    households = (move.wish.household for row in rows for move in row.moves)
    audit.record(session, principal, Act.SWAP_CYCLE_LIST, details=audit.listed(rows, households))
    return Page(items=[CycleRead.of(row) for row in rows], next=following)


@router.post("/swap-cycles/{reference}/confirm", operation_id="confirm_swap", summary="Agree to a swap", responses=ACT)
def confirm_swap(
    reference: str, body: SwapConfirmed, request: Request, session: DbSession, principal: MayWrite
) -> CycleRead:
    """Recorded for one family of it."""
    cycle = swap_queries.cycle(session, principal, Permission.SWAP_WRITE, normalised(reference))
    transfers.confirm(
        session,
        cycle,
        normalised(body.household),
        answered_on=body.answered_on,
        given_how=body.given_how,
        zone=request.app.state.settings.zone,
        actor=principal,
    )
    return CycleRead.of(cycle)


@router.post("/swap-cycles/{reference}/refuse", operation_id="refuse_swap", summary="Refuse a swap", responses=ACT)
def refuse_swap(reference: str, body: SwapRefused, session: DbSession, principal: MayWrite) -> CycleRead:
    """Recorded for one family of it, whose wish ends. Nobody of the cycle moves; the others wait for another."""
    cycle = swap_queries.cycle(session, principal, Permission.SWAP_WRITE, normalised(reference))
    return CycleRead.of(transfers.refuse(session, cycle, normalised(body.household), principal))


@router.post(
    "/swap-cycles/{reference}/approve",
    operation_id="approve_swap",
    summary="Sign a swap, and have its families move",
    responses=ACT,
)
def approve_swap(reference: str, request: Request, session: DbSession, principal: MayDecide) -> CycleRead:
    """Verifies everything again. By somebody else than who proposed it, once every family has agreed."""
    cycle = swap_queries.cycle(session, principal, Permission.SWAP_DECIDE, normalised(reference))
    return CycleRead.of(transfers.approve(session, cycle, request.app.state.settings.zone, principal))
