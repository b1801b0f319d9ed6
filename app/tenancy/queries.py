"""Who lives where, who is expected, and how full each settlement is."""

from sqlalchemy import Function, Select, case, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import Permission, Principal
from app.allocation.models import Proposal, ProposalState
from app.housing.models import House, HouseState, Settlement
from app.housing.queries import within
from app.housing.readiness import shown_state
from app.registry.models import Household, Person
from app.tenancy.models import Tenancy, TenancyHolder
from app.tenancy.schemas import OccupancyRow


def tenancies(principal: Principal, permission: Permission = Permission.TENANCY_READ) -> Select[Tenancy]:
    """Select the tenancies in settlements where `principal` has `permission` over them, loaded."""
    principal.require_somewhere(permission)
    return (
        select(Tenancy)
        .join(Tenancy.house)
        .join(House.settlement)
        .where(within(principal.scope(permission)))
        .options(
            joinedload(Tenancy.house).joinedload(House.settlement),
            joinedload(Tenancy.household).selectinload(Household.people),
            joinedload(Tenancy.received_by),
            selectinload(Tenancy.holders).joinedload(TenancyHolder.person),
        )
    )


def drawn(principal: Principal) -> Select[Proposal]:
    """Select the houses that were ever drawn for a family, where `principal` may see who lives in them."""
    return (
        select(Proposal)
        .join(Proposal.house)
        .join(House.settlement)
        .where(within(principal.scope(Permission.TENANCY_READ)))
    )


def reservations(principal: Principal) -> Select[Proposal]:
    """Select the reserved houses, with the families expected in them, where `principal` may see them."""
    return (
        drawn(principal)
        .where(Proposal.state == ProposalState.RESERVED)
        .options(
            joinedload(Proposal.house).joinedload(House.settlement),
            joinedload(Proposal.household).options(selectinload(Household.people)),
        )
    )


def occupancy(session: Session, principal: Principal, settlement: str | None) -> list[OccupancyRow]:
    """Return how many houses of each size are in each state, and how many people live there, per settlement."""
    state = shown_state()
    living = (
        select(Tenancy.house_id, func.count(Person.id).label("people"))
        .join(Person, Person.household_id == Tenancy.household_id)
        .where(Tenancy.moved_out_on.is_(None))
        .group_by(Tenancy.house_id)
        .subquery()
    )

    def houses_that_are(*states: HouseState) -> Function[int]:
        return func.sum(case((state.in_([each.value for each in states]), 1), else_=0))

    query = (
        select(
            Settlement.reference,
            Settlement.name,
            House.bedrooms,
            func.count(House.id),
            houses_that_are(HouseState.PLANNED, HouseState.UNDER_CONSTRUCTION),
            houses_that_are(HouseState.HANDED_OVER, HouseState.VACATED),
            houses_that_are(HouseState.AVAILABLE),
            houses_that_are(HouseState.RESERVED),
            houses_that_are(HouseState.OCCUPIED),
            houses_that_are(HouseState.UNFIT),
            func.coalesce(func.sum(living.c.people), 0),
        )
        .join(House.settlement)
        .outerjoin(living, living.c.house_id == House.id)
        .where(within(principal.scope(Permission.OCCUPANCY_READ)))
        .group_by(Settlement.id, Settlement.reference, Settlement.name, House.bedrooms)
        .order_by(Settlement.name, Settlement.reference, House.bedrooms)
    )
    if settlement is not None:
        query = query.where(Settlement.reference == settlement)
    names = list(OccupancyRow.model_fields)
    return [OccupancyRow(**dict(zip(names, row, strict=True))) for row in session.execute(query).all()]
