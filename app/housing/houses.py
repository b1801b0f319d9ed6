"""Adding and changing houses, and moving them from state to state."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import latest_today
from app.errors import Conflict, FieldError, Invalid
from app.housing.models import House, HouseState, Settlement
from app.lifecycles import require_transition

BEING_BUILT = frozenset({HouseState.PLANNED, HouseState.UNDER_CONSTRUCTION})
IN_USE = frozenset({HouseState.RESERVED, HouseState.OCCUPIED})
SIZE = frozenset({"rooms", "bedrooms", "floor_area_m2", "step_free"})

TRANSITIONS: Mapping[HouseState, frozenset[HouseState]] = {
    HouseState.PLANNED: frozenset({HouseState.UNDER_CONSTRUCTION, HouseState.HANDED_OVER, HouseState.UNFIT}),
    HouseState.UNDER_CONSTRUCTION: frozenset({HouseState.PLANNED, HouseState.HANDED_OVER, HouseState.UNFIT}),
    HouseState.HANDED_OVER: frozenset({HouseState.UNDER_CONSTRUCTION, HouseState.RESERVED, HouseState.UNFIT}),
    HouseState.RESERVED: frozenset({HouseState.HANDED_OVER, HouseState.VACATED, HouseState.OCCUPIED, HouseState.UNFIT}),
    HouseState.OCCUPIED: frozenset({HouseState.VACATED, HouseState.UNFIT}),
    HouseState.VACATED: frozenset({HouseState.RESERVED, HouseState.UNFIT}),
    HouseState.UNFIT: BEING_BUILT | {HouseState.HANDED_OVER, HouseState.OCCUPIED, HouseState.VACATED},
}


def _require(actor: Principal, settlement: Settlement) -> None:
    actor.require(Permission.HOUSE_WRITE, district=settlement.district, settlement=settlement.reference)


def add(
    session: Session,
    settlement: Settlement,
    fields: Mapping[str, Any],
    actor: Principal,
    *,
    construction_started: bool = True,
) -> House:
    """Add a house: handed over when it says on which day, else under construction, or planned before that."""
    _require(actor, settlement)
    house = House(settlement=settlement, **fields)
    unfinished = HouseState.UNDER_CONSTRUCTION if construction_started else HouseState.PLANNED
    house.state = unfinished if house.handed_over_on is None else HouseState.HANDED_OVER
    _check(house)
    session.add(house)
    audit.record(session, actor, Act.HOUSE_ADD, house)
    return house


def change(
    session: Session,
    house: House,
    fields: Mapping[str, Any],
    actor: Principal,
    *,
    construction_started: bool | None = None,
) -> House:
    """Change fields of a house, whose settlement must be loaded.

    A date of handover hands it over, and taking that away undoes it. `construction_started` moves an unfinished
    house between planned and under construction; None leaves it. Raises Conflict for a change that a family
    reserved or living there rests on, and for undoing the handover of a house that is unfit.
    """
    _require(actor, house.settlement)
    changed = {name for name, value in fields.items() if getattr(house, name) != value}
    if house.state in IN_USE and changed & (SIZE | {"handed_over_on"}):
        raise Conflict(f"The house is {house.state.value}: its size, step-free access and handover cannot change now.")
    if house.state is HouseState.UNFIT and "handed_over_on" in changed and fields["handed_over_on"] is None:
        # It would be under construction then, and fit, without anybody saying so; a family may still be inside.
        raise Conflict("The house is unfit: its handover cannot be undone before it is declared fit.")
    for name in changed:
        setattr(house, name, fields[name])
    if "handed_over_on" in changed:
        if house.handed_over_on is None:
            move(house, HouseState.UNDER_CONSTRUCTION)
        elif house.state in BEING_BUILT:
            move(house, HouseState.HANDED_OVER)
    if construction_started is not None:
        unfinished = HouseState.UNDER_CONSTRUCTION if construction_started else HouseState.PLANNED
        if house.state in BEING_BUILT and house.state is not unfinished:
            move(house, unfinished)
        elif house.state not in BEING_BUILT and not construction_started:
            raise Conflict(f"The house is {house.state.value}: its construction has started.")
    _check(house)
    audit.record(session, actor, Act.HOUSE_CHANGE, house)
    return house


def _check(house: House) -> None:
    errors = []
    if house.bedrooms > house.rooms:
        errors.append(FieldError("#/body/bedrooms", f"{house.bedrooms} bedrooms do not fit in {house.rooms} rooms."))
    if house.handed_over_on is not None and house.handed_over_on > latest_today():
        errors.append(FieldError("#/body/handed_over_on", "Give a date up to today; leave it out until then."))
    if errors:
        raise Invalid("The house cannot be so.", errors)


def move(house: House, to: HouseState) -> None:
    """Bring `house` to the state `to`. Raises Conflict, naming both, when it may not follow."""
    require_transition("house", TRANSITIONS, house.state, to)
    house.state = to
    if to is not HouseState.UNFIT:
        house.unfit_reason = None


def declare_unfit(session: Session, house: House, reason: str, actor: Principal) -> House:
    """Say that nobody should live in `house`, and why. Who may is asked before, and a reservation released."""
    move(house, HouseState.UNFIT)
    house.unfit_reason = reason
    audit.record(session, actor, Act.HOUSE_DECLARE_UNFIT, house, reason=reason)
    return house
