"""Looking who lives in a house: what a village administrator found there, and on which day."""

from datetime import date

from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import Conflict
from app.housing.houses import BEING_BUILT
from app.housing.models import House
from app.tenancy.models import Finding, OccupancyCheck
from app.tenancy.moves import check_day, current_tenancy


def record(
    session: Session, house: House, *, finding: Finding, checked_on: date, note: str | None, actor: Principal
) -> OccupancyCheck:
    """Record what was found at `house`, which must be loaded with its settlement. It changes nothing by itself.

    Raises Forbidden, Invalid for a day in the future, and Conflict for a house that is not built yet, or where a family
    was found that nobody expected.
    """
    place = house.settlement
    actor.require(Permission.TENANCY_WRITE, district=place.district, settlement=place.reference)
    check_day("checked_on", checked_on)
    if house.state in BEING_BUILT:
        raise Conflict(f"The house is {house.state.value.replace('_', ' ')}: nobody can live there yet.")
    tenancy = current_tenancy(session, house)
    if tenancy is None and finding is Finding.EXPECTED_FAMILY:
        raise Conflict(f"The house is {house.state.value} and no family is expected to live there.")
    check = OccupancyCheck(
        house=house,
        tenancy=tenancy,
        checked_on=checked_on,
        finding=finding,
        note=note,
        recorded_by_id=actor.user_id,
    )
    session.add(check)
    audit.record(session, actor, Act.OCCUPANCY_CHECK, check)
    return check
