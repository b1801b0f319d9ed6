"""Ending wishes to swap, and cycles of which one part has fallen away: all of a cycle, or none of it."""

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.database import utc_now
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapMove, SwapWish, SwapWishState


def end_wish(session: Session, tenancy: Tenancy, reason: str) -> None:
    """End the open wish of a tenancy, if there is one, with the cycle that it is part of.

    `reason` names nobody: the other families of the cycle are told it.
    """
    wish = session.scalar(
        select(SwapWish)
        .where(SwapWish.tenancy_id == tenancy.id, SwapWish.state == SwapWishState.OPEN)
        .with_for_update()
    )
    if wish is not None:
        withdraw(session, wish, reason)


def withdraw(session: Session, wish: SwapWish, reason: str) -> None:
    """End a wish, locked, with the cycle that it is part of."""
    cycle = live_cycle(session, wish)
    if cycle is not None:
        fall_apart(session, cycle, reason)
    wish.state, wish.ended_at = SwapWishState.WITHDRAWN, utc_now()
    session.flush()


def live_cycle(session: Session, wish: SwapWish) -> SwapCycle | None:
    """Return the proposed cycle that a wish is part of, locked, with its moves."""
    return session.scalar(
        select(SwapCycle)
        .join(SwapCycle.moves)
        .where(SwapMove.wish_id == wish.id, SwapMove.is_live, SwapCycle.state == SwapCycleState.PROPOSED)
        .options(selectinload(SwapCycle.moves))
        .with_for_update(of=SwapCycle)
    )


def fall_apart(session: Session, cycle: SwapCycle, reason: str) -> None:
    """End a proposed cycle, loaded with its moves and locked: nobody moves, and the wishes wait for others."""
    cycle.state, cycle.end_reason, cycle.decided_at = SwapCycleState.FELL_APART, reason, utc_now()
    for move in cycle.moves:
        move.is_live = False
    session.flush()
