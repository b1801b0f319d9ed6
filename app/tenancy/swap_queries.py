"""Reading wishes to swap, and cycles."""

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import Permission, Principal
from app.errors import FieldError, Invalid, NotFound
from app.housing.models import House, Origin, Settlement
from app.housing.queries import houses, within
from app.registry.models import Household
from app.registry.queries import visible_to
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapMove, SwapOption, SwapWish
from app.tenancy.swaps import Wanted


def wishes(principal: Principal, permission: Permission = Permission.SWAP_READ) -> Select[SwapWish]:
    """Select the wishes of families over whom `principal` has `permission`, or that live where it does, loaded."""
    return (
        select(SwapWish)
        .join(SwapWish.tenancy)
        .join(Tenancy.house)
        .join(House.settlement)
        .join(Household, SwapWish.household_id == Household.id)
        .where(or_(within(principal.scope(permission)), visible_to(principal, permission)))
        .options(
            joinedload(SwapWish.tenancy).options(
                joinedload(Tenancy.house).joinedload(House.settlement),
                joinedload(Tenancy.household).joinedload(Household.origin).joinedload(Origin.settlement),
            ),
            joinedload(SwapWish.household).selectinload(Household.people),
            selectinload(SwapWish.options).options(joinedload(SwapOption.house), joinedload(SwapOption.settlement)),
        )
    )


def wish(session: Session, principal: Principal, permission: Permission, reference: str) -> SwapWish:
    """Return one wish. Raises NotFound."""
    found = session.scalar(wishes(principal, permission).where(SwapWish.reference == reference))
    if found is None:
        raise NotFound("There is no such wish that you may see.")
    return found


def cycles(principal: Principal, permission: Permission = Permission.SWAP_READ) -> Select[SwapCycle]:
    """Select the cycles with a house where `principal` has `permission`, with everything that they name."""
    here = (
        exists()
        .where(
            SwapMove.cycle_id == SwapCycle.id,
            SwapMove.from_house_id == House.id,
            House.settlement_id == Settlement.id,
            within(principal.scope(permission)),
        )
        .correlate(SwapCycle)
    )
    moves = selectinload(SwapCycle.moves)
    return (
        select(SwapCycle)
        .where(here)
        .options(
            moves.joinedload(SwapMove.from_house).joinedload(House.settlement),
            moves.joinedload(SwapMove.to_house).joinedload(House.settlement),
            moves.joinedload(SwapMove.wish).options(
                selectinload(SwapWish.options),
                joinedload(SwapWish.tenancy).options(
                    joinedload(Tenancy.house).joinedload(House.settlement),
                    joinedload(Tenancy.household).joinedload(Household.origin).joinedload(Origin.settlement),
                ),
                joinedload(SwapWish.household).options(
                    selectinload(Household.people), joinedload(Household.origin).joinedload(Origin.settlement)
                ),
            ),
        )
    )


def cycle(session: Session, principal: Principal, permission: Permission, reference: str) -> SwapCycle:
    """Return one cycle. Raises NotFound."""
    found = session.scalar(cycles(principal, permission).where(SwapCycle.reference == reference))
    if found is None:
        raise NotFound("There is no such swap that you may see.")
    return found


def named_house(session: Session, principal: Principal, reference: str, pointer: str) -> Wanted:
    """Return the house, among those that `principal` sees, that a payload names. Raises Invalid."""
    found = session.scalar(houses(principal).where(House.reference == reference))
    if found is None:
        raise Invalid("A house is unknown.", [FieldError(pointer, f"There is no house {reference}.")])
    return Wanted(found, None, pointer)
