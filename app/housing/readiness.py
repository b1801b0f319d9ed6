"""Whether a settlement can be lived in yet: its gates, and the houses and service places that they open.

A settlement's houses are available while every gate is met. The gates: the settlement is open; its land is released;
access road, electricity and drinking water are there. School and clinic are not gates but limits: until their
milestone is reached, they have no places.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, case, exists, literal, or_, select
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql.base import ExecutableOption

from app.housing.models import (
    House,
    HouseState,
    LandReleaseArea,
    LandState,
    Milestone,
    Settlement,
    SettlementStatus,
)
from app.policy.assess import Service

REQUIRED_MILESTONES = ("access_road", "electricity", "drinking_water")
RELEASED = (LandState.CANCELLED, LandState.REDUCED, LandState.CLEARED)
FREE = (HouseState.HANDED_OVER, HouseState.VACATED)


@dataclass(frozen=True)
class Gate:
    """One condition for living in a settlement, whether it is met, and why."""

    name: str
    met: bool
    reason: str


def gates(settlement: Settlement) -> list[Gate]:
    """Return every gate of `settlement`, whose milestones and land-release areas must be loaded."""
    reached = {milestone.name for milestone in settlement.milestones if milestone.achieved_on is not None}
    return [
        Gate("status", settlement.status is SettlementStatus.OPEN, f"The settlement is {settlement.status.value}."),
        _land_gate(settlement),
        *(
            Gate(
                name,
                name in reached,
                f"{name.replace('_', ' ').capitalize()}: {'' if name in reached else 'not '}there.",
            )
            for name in REQUIRED_MILESTONES
        ),
    ]


def _land_gate(settlement: Settlement) -> Gate:
    """Land is lived on when it was never suspected, or was released and not suspected again (IMAS 07.11).

    A suspected area that was never part of the released land leaves the rest of the settlement open; where houses
    stand in relation to it is a question of geometry.
    """
    areas = settlement.land_release_areas
    for area in areas:
        if area.state is LandState.CONFIRMED_HAZARDOUS:
            return Gate("land", False, f"Area {area.key or area.reference} is a confirmed hazardous area.")
        if area.state is LandState.SUSPECTED_HAZARDOUS and area.released_on is not None:
            return Gate("land", False, f"Area {area.key or area.reference} was released and is suspected again.")
    if areas and not any(area.state in RELEASED for area in areas):
        return Gate("land", False, "No area of the settlement has been released yet.")
    return Gate("land", True, "The land is released." if areas else "No hazardous area is recorded here.")


def ready() -> ColumnElement[bool]:
    """Return the SQL condition, over Settlement, that every gate is met: `gates` in the database's own words."""

    def area(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(LandReleaseArea.settlement_id == Settlement.id, *conditions)

    return and_(
        Settlement.status == SettlementStatus.OPEN,
        ~area(LandReleaseArea.state == LandState.CONFIRMED_HAZARDOUS),
        ~area(LandReleaseArea.state == LandState.SUSPECTED_HAZARDOUS, LandReleaseArea.released_on.is_not(None)),
        or_(~area(), area(LandReleaseArea.state.in_(RELEASED))),
        *(
            exists().where(
                Milestone.settlement_id == Settlement.id,
                Milestone.name == name,
                Milestone.achieved_on.is_not(None),
            )
            for name in REQUIRED_MILESTONES
        ),
    )


def settlement_is_ready() -> ColumnElement[bool]:
    """Return the SQL condition, over House, that its settlement's gates are met."""
    # Correlated by hand: the query around it may read settlements too, and this one must look at its own.
    return exists().where(Settlement.id == House.settlement_id, ready()).correlate(House)


def shown_state() -> ColumnElement[str]:
    """Return the SQL expression of a house's state as people see it: free houses are available behind met gates."""
    return case(
        (and_(House.state.in_(FREE), settlement_is_ready()), literal(HouseState.AVAILABLE.value)),
        else_=House.state,
    )


def available_houses(settlement_ids: Collection[int] | None = None) -> Select[House]:
    """Select the houses that can be allocated now, in these settlements or all, ordered by reference."""
    query = select(House).where(House.state.in_(FREE), settlement_is_ready()).order_by(House.reference)
    return query if settlement_ids is None else query.where(House.settlement_id.in_(settlement_ids))


def ready_settlements(session: Session) -> list[Settlement]:
    """Return the settlements whose gates are all met, with what `gates` and `capacities` need, by reference."""
    query = select(Settlement).where(ready()).order_by(Settlement.reference)
    return list(session.scalars(query.options(*loaded_for_gates())))


def loaded_for_gates() -> tuple[ExecutableOption, ...]:
    """Return the loader options that `gates` and `capacities` need."""
    return (selectinload(Settlement.milestones), selectinload(Settlement.land_release_areas))


def capacities(settlement: Settlement) -> Mapping[Service, int]:
    """Return the places of each service: none before its milestone is reached (a service without one is there)."""
    waiting = {milestone.name for milestone in settlement.milestones if milestone.achieved_on is None}
    stated = {Service.SCHOOL: settlement.school_places, Service.CLINIC: settlement.clinic_patients}
    return {service: 0 if service.value in waiting else places for service, places in stated.items()}
