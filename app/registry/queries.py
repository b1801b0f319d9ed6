"""Reading the register: every query of personal data starts from what the reader may see."""

from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import Permission, Principal
from app.errors import FieldError, Invalid, NotFound
from app.housing.models import Origin, Settlement
from app.housing.queries import within
from app.registry.models import Application, Household, KinGroup, Person, Preference


def visible_to(principal: Principal, permission: Permission = Permission.HOUSEHOLD_READ) -> ColumnElement[bool]:
    """Return the SQL condition, over Household, of the households over which `principal` has `permission`.

    Within a district or settlement: those whose origin was merged into a settlement there, and those who were
    allocated a house there. Raises Forbidden where `principal` has it nowhere, as a token may that was made for acts.
    """
    principal.require_somewhere(permission)
    scope = principal.scope(permission)
    if scope.everywhere:
        return Household.id.is_not(None)
    merged_here = exists().where(Origin.id == Household.origin_id, Origin.settlement_id == Settlement.id, within(scope))
    allocated_here = exists().where(
        Application.household_id == Household.id, Application.settlement_id == Settlement.id, within(scope)
    )
    # Correlated by hand: the query around it may read settlements and applications too, which are not these.
    return or_(merged_here.correlate(Household), allocated_here.correlate(Household))


def households(principal: Principal, permission: Permission = Permission.HOUSEHOLD_READ) -> Select[Household]:
    """Select the households over which `principal` has `permission`, with people, origin and kin group.

    None erased or merged.
    """
    return (
        select(Household)
        .where(visible_to(principal, permission), Household.erased_at.is_(None), Household.merged_into_id.is_(None))
        .options(
            joinedload(Household.origin).joinedload(Origin.settlement),
            joinedload(Household.kin_group),
            selectinload(Household.people),
        )
    )


def visible_household(
    session: Session, principal: Principal, reference: str, permission: Permission = Permission.HOUSEHOLD_READ
) -> Household:
    """Return one household with its people; of one that was merged, the one it is now, for papers name the old one.

    Raises NotFound, also for one out of scope.
    """
    seen = households(principal, permission)
    found = session.scalar(seen.where(Household.reference == reference))
    if found is None:
        now = _merged_into(session, reference)
        found = session.scalar(seen.where(Household.id == now)) if now is not None else None
    if found is None:
        raise NotFound("There is no such household that you may see.")
    return found


def _merged_into(session: Session, reference: str) -> int | None:
    """Return the household that the one of this reference was merged into, at last; None where it was not."""
    now = session.scalar(select(Household.merged_into_id).where(Household.reference == reference))
    further = now
    while further is not None:
        now, further = further, session.scalar(select(Household.merged_into_id).where(Household.id == further))
    return now


def with_merged(household_id: int) -> Select[int]:
    """Select the ids of a household and of those that were merged into it, or into them before."""
    found = select(Household.id).where(Household.id == household_id).cte(recursive=True)
    found = found.union_all(select(Household.id).join(found, Household.merged_into_id == found.c.id))
    return select(found.c.id)


def visible_member(session: Session, principal: Principal, reference: str) -> tuple[Household, Person]:
    """Return one person, after the household. Raises NotFound, also for one out of scope."""
    of_person = select(Person.household_id).where(Person.reference == reference).scalar_subquery()
    household = session.scalar(households(principal).where(Household.id == of_person))
    if household is None:
        raise NotFound("There is no such person whom you may see.")
    return household, next(person for person in household.people if person.reference == reference)


def applications(principal: Principal, permission: Permission = Permission.HOUSEHOLD_READ) -> Select[Application]:
    """Select the applications over which `principal` has `permission`, with household and wishes.

    None of erased or merged ones.
    """
    return (
        select(Application)
        .join(Application.household)
        .where(visible_to(principal, permission), Household.erased_at.is_(None), Household.merged_into_id.is_(None))
        .options(
            joinedload(Application.household).joinedload(Household.origin).joinedload(Origin.settlement),
            selectinload(Application.preferences).joinedload(Preference.settlement),
        )
    )


def visible_application(
    session: Session, principal: Principal, reference: str, permission: Permission = Permission.HOUSEHOLD_READ
) -> Application:
    """Return one application. Raises NotFound, also for one out of scope."""
    found = session.scalar(applications(principal, permission).where(Application.reference == reference))
    if found is None:
        raise NotFound("There is no such application that you may see.")
    return found


def kin_groups(principal: Principal) -> Select[KinGroup]:
    """Select the kin groups of households that `principal` may see, and those that have none yet."""
    of_this = Household.kin_group_id == KinGroup.id
    return select(KinGroup).where(or_(exists().where(of_this, visible_to(principal)), ~exists().where(of_this)))


def named_kin_group(session: Session, principal: Principal, reference: str, pointer: str) -> KinGroup:
    """Return the kin group that a payload names. Raises Invalid, pointing at the field, also for one out of scope."""
    found = session.scalar(kin_groups(principal).where(KinGroup.reference == reference))
    if found is None:
        raise Invalid("A kin group is unknown.", [FieldError(pointer, f"There is no kin group {reference}.")])
    return found
