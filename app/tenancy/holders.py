"""Who holds the title to a house: head and spouse or partner, jointly, unless one of them wants otherwise."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import Conflict, FieldError, Invalid
from app.policy.facts import Relationship
from app.registry import households
from app.registry.models import Household, Person
from app.tenancy.models import Tenancy, TenancyHolder

LAST = "Nobody else holds the title. Put another member's name to it first."


def joint(household: Household) -> list[Person]:
    """Return who of a household, with its people loaded, holds the title by default: head, and spouse or partner."""
    heads = [person for person in household.people if person.relationship is Relationship.HEAD]
    partners = {person.partner_id for person in heads}
    return [
        *heads,
        *(
            person
            for person in household.people
            if person not in heads and (person.id in partners or person.relationship is Relationship.SPOUSE)
        ),
    ]


def begin(tenancy: Tenancy, household: Household) -> None:
    """Put the title of a new tenancy in the names of those who hold it by default."""
    tenancy.holders = [TenancyHolder(person=person) for person in joint(household)]


def _require(tenancy: Tenancy, actor: Principal) -> None:
    place = tenancy.house.settlement
    actor.require(Permission.TENANCY_WRITE, district=place.district, settlement=place.reference)
    if tenancy.moved_out_on is not None:
        raise Conflict(f"The tenancy ended on {tenancy.moved_out_on}; its title stays as it was.")


def _member(tenancy: Tenancy, reference: str) -> Person:
    for person in tenancy.household.people:
        if person.reference == reference:
            return person
    raise Invalid(
        "The title is held by members of the household.",
        [FieldError("#/body/person", f"There is no person {reference} in this household.")],
    )


def _hold(tenancy: Tenancy, people: Iterable[Person]) -> bool:
    """Whether any of these people holds the title."""
    holding = {holder.person_id for holder in tenancy.holders if holder.opted_out_reason is None}
    return any(person.id in holding for person in people)


def opt_out(session: Session, tenancy: Tenancy, person: str, reason: str, actor: Principal) -> Tenancy:
    """Take a member, or somebody who was one, out of the title, for a reason that stays on record.

    `tenancy` must be locked, and loaded with house, settlement, people and holders. Raises Forbidden, Invalid for
    somebody who is neither, and Conflict for who holds no title, or is the only member who does.
    """
    _require(tenancy, actor)
    found = next((holder for holder in tenancy.holders if holder.person.reference == person), None)
    if found is None:
        _member(tenancy, person)
    if found is None or found.opted_out_reason is not None:
        raise Conflict("This person does not hold the title.")
    if not _hold(tenancy, (member for member in tenancy.household.people if member.id != found.person_id)):
        raise Conflict(LAST)
    found.opted_out_reason = reason
    audit.record(session, actor, Act.TENANCY_CHANGE_HOLDERS, tenancy)
    return tenancy


def add(session: Session, tenancy: Tenancy, person: str, actor: Principal) -> Tenancy:
    """Put a member's name to the title, also of one who had been taken out of it.

    `tenancy` must be locked and loaded as for `opt_out`. Raises Forbidden, Invalid for somebody who is no member, and
    Conflict for who holds the title already.
    """
    _require(tenancy, actor)
    member = _member(tenancy, person)
    found = next((holder for holder in tenancy.holders if holder.person_id == member.id), None)
    if found is None:
        tenancy.holders.append(TenancyHolder(person=member))
    elif found.opted_out_reason is None:
        raise Conflict("This person holds the title already.")
    else:
        found.opted_out_reason = None
    audit.record(session, actor, Act.TENANCY_CHANGE_HOLDERS, tenancy)
    return tenancy


def require_left(session: Session, household: Household, leaving: Sequence[Person]) -> None:
    """Raise Conflict where none of a household would hold the title to its house once these members have left it.

    People must be loaded. Locks the tenancy: whoever is taken out of the title at this moment comes before or after.
    """
    tenancy = session.scalar(
        select(Tenancy)
        .where(Tenancy.household_id == household.id, Tenancy.moved_out_on.is_(None))
        .options(selectinload(Tenancy.holders))
        .with_for_update(of=Tenancy)
    )
    staying = (person for person in household.people if person not in leaving)
    if tenancy is not None and _hold(tenancy, leaving) and not _hold(tenancy, staying):
        raise Conflict(LAST)


def remove_person(session: Session, household: Household, person: Person, actor: Principal) -> None:
    """Remove a member who no longer belongs to the household, as `households.remove_person` does.

    Raises Conflict also for the only member who holds the title to its house.
    """
    households.require(actor, household.origin)
    require_left(session, household, [person])
    households.remove_person(session, household, person, actor)
