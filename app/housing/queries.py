"""Reading the stock: settlements are known to all who plan or help; houses are seen within scope."""

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import EVERYWHERE, Permission, Principal, Scope
from app.errors import FieldError, Invalid, NotFound
from app.housing.models import House, HouseState, LandReleaseArea, Origin, Settlement
from app.housing.readiness import loaded_for_gates, shown_state


def within(scope: Scope) -> ColumnElement[bool]:
    """Return the SQL condition, over Settlement, that it lies in `scope`."""
    return or_(
        Settlement.id.is_not(None) if scope.everywhere else Settlement.id.is_(None),
        Settlement.district.in_(scope.districts),
        Settlement.reference.in_(scope.settlements),
    )


def settlements() -> Select[Settlement]:
    """Select settlements with origins, milestones and land-release areas."""
    return select(Settlement).options(selectinload(Settlement.origins), *loaded_for_gates())


def settlement(session: Session, reference: str, scope: Scope = EVERYWHERE) -> Settlement:
    """Return one settlement in `scope`, loaded. Raises NotFound, the same for one that lies elsewhere."""
    found = session.scalar(settlements().where(Settlement.reference == reference, within(scope)))
    if found is None:
        raise NotFound("There is no such settlement.")
    return found


def named_settlement(session: Session, reference: str, pointer: str, scope: Scope = EVERYWHERE) -> Settlement:
    """Return the settlement in `scope` that a payload names. Raises Invalid, pointing at the field."""
    found = session.scalar(select(Settlement).where(Settlement.reference == reference, within(scope)))
    if found is None:
        raise Invalid("A settlement is unknown.", [FieldError(pointer, f"There is no settlement {reference}.")])
    return found


def named_house(session: Session, reference: str, pointer: str, scope: Scope = EVERYWHERE) -> House:
    """Return the house in `scope` that a payload names, with its settlement. Raises Invalid, pointing at the field."""
    query = select(House).join(House.settlement).options(joinedload(House.settlement))
    found = session.scalar(query.where(House.reference == reference, within(scope)))
    if found is None:
        raise Invalid("A house is unknown.", [FieldError(pointer, f"There is no house {reference}.")])
    return found


def named_origin(session: Session, reference: str, pointer: str, scope: Scope) -> Origin:
    """Return the origin in `scope` that a payload names, with its settlement. Raises Invalid, pointing at the field."""
    query = select(Origin).where(Origin.reference == reference).options(joinedload(Origin.settlement))
    if not scope.everywhere:
        query = query.join(Origin.settlement).where(within(scope))
    found = session.scalar(query)
    if found is None:
        raise Invalid("An origin is unknown.", [FieldError(pointer, f"There is no origin {reference}.")])
    return found


def houses(principal: Principal) -> Select[House, str]:
    """Select the houses that `principal` sees, with their settlements, and the state that people see."""
    principal.require_somewhere(Permission.STOCK_READ)
    return (
        select(House, shown_state().label("shown_state"))
        .join(House.settlement)
        .options(joinedload(House.settlement))
        .where(within(principal.scope(Permission.STOCK_READ)))
    )


def house(
    session: Session,
    principal: Principal,
    reference: str,
    permission: Permission = Permission.STOCK_READ,
    *,
    lock: bool = False,
) -> House:
    """Return one house over which `principal` has `permission`, with its settlement. Raises NotFound and Forbidden."""
    principal.require_somewhere(permission)
    query = (
        select(House)
        .join(House.settlement)
        .options(joinedload(House.settlement))
        .where(House.reference == reference, within(principal.scope(permission)))
    )
    found = session.scalar(query.with_for_update(of=House) if lock else query)
    if found is None:
        raise NotFound("There is no such house that you may see.")
    return found


def state_shown(session: Session, house: House) -> HouseState:
    """Return the state of `house` as people see it."""
    return HouseState(session.execute(select(shown_state()).where(House.id == house.id)).scalar_one())


def land_release_areas() -> Select[LandReleaseArea]:
    """Select land-release areas with their settlements."""
    return select(LandReleaseArea).options(joinedload(LandReleaseArea.settlement))


def land_release_area(session: Session, reference: str, scope: Scope = EVERYWHERE) -> LandReleaseArea:
    """Return one land-release area in `scope`. Raises NotFound, the same for one that lies elsewhere."""
    here = LandReleaseArea.settlement.has(within(scope))
    found = session.scalar(land_release_areas().where(LandReleaseArea.reference == reference, here))
    if found is None:
        raise NotFound("There is no such land-release area.")
    return found
