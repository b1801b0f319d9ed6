"""Reading wishes to swap, and cycles."""

from dataclasses import replace

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import PERMISSIONS, Permission, Principal
from app.errors import FieldError, Invalid, NotFound
from app.housing.models import House, Origin, Settlement
from app.housing.queries import houses, within
from app.registry.models import Household
from app.registry.queries import visible_to
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapMove, SwapOption, SwapWish
from app.tenancy.swaps import Wanted


def _reader(principal: Principal, permission: Permission) -> Principal:
    having = PERMISSIONS[permission]
    return replace(principal, roles=tuple(role for role in principal.roles if role.role in having))


def wishes(principal: Principal, permission: Permission = Permission.SWAP_READ) -> Select[SwapWish]:
    """Select the wishes of families that live where `principal` has `permission`, or whom it may see, loaded."""
    reader = _reader(principal, permission)
    return (
        select(SwapWish)
        .join(SwapWish.tenancy)
        .join(Tenancy.house)
        .join(House.settlement)
        .join(Household, SwapWish.household_id == Household.id)
        .where(or_(within(reader.scope(permission)), visible_to(reader)))
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
    reader = _reader(principal, permission)
    here = (
        exists()
        .where(
            SwapMove.cycle_id == SwapCycle.id,
            SwapMove.from_house_id == House.id,
            House.settlement_id == Settlement.id,
            within(reader.scope(permission)),
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
