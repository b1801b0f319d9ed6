"""Looking who lives in a house: what a village administrator found there, and on which day."""

from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import Conflict
from app.housing.houses import BEING_BUILT
from app.housing.models import House
from app.tenancy.models import Finding, OccupancyCheck, Tenancy
from app.tenancy.moves import check_day


def record(
    session: Session, house: House, *, finding: Finding, checked_on: date, note: str | None, actor: Principal
) -> OccupancyCheck:
    """Record what was found at `house`, which must be loaded with its settlement. It changes nothing by itself.

    It is about the family that had the keys on the day of looking, also where that is typed in late. Raises Forbidden,
    Invalid for a day in the future, and Conflict for a house that is not built yet, or where a family was found that
    nobody expected.
    """
    place = house.settlement
    actor.require(Permission.TENANCY_WRITE, district=place.district, settlement=place.reference)
    check_day("checked_on", checked_on)
    if house.state in BEING_BUILT:
        raise Conflict(f"The house is {house.state.value.replace('_', ' ')}: nobody can live there yet.")
    tenancy = _tenancy_on(session, house, checked_on)
    if tenancy is None and finding is Finding.EXPECTED_FAMILY:
        raise Conflict(f"On {checked_on} nobody had the keys of the house: no family is expected to live there.")
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


def _tenancy_on(session: Session, house: House, day: date) -> Tenancy | None:
    """Return who had the keys of `house` at the end of a day, if anyone."""
    return session.scalar(
        select(Tenancy)
        .where(
            Tenancy.house_id == house.id,
            Tenancy.keys_given_on <= day,
            or_(Tenancy.moved_out_on.is_(None), Tenancy.moved_out_on > day),
        )
        .order_by(Tenancy.keys_given_on.desc())
        .limit(1)
    )
