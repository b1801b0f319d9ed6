"""Registering and changing households and their people."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import latest_today, utc_now
from app.errors import Conflict, FieldError, Invalid
from app.housing.models import Origin
from app.policy.facts import Relationship
from app.registry import corrections, duplicates, match_keys
from app.registry.checks import household_changed
from app.registry.models import Household, KinGroup, Person

OLDEST_YEARS = 125
# What the former head is to the member who becomes the head; any other relative is no closer than that.
FORMER_HEAD = {
    Relationship.SPOUSE: Relationship.SPOUSE,
    Relationship.CHILD: Relationship.PARENT,
    Relationship.PARENT: Relationship.CHILD,
    Relationship.SIBLING: Relationship.SIBLING,
    Relationship.NON_RELATIVE: Relationship.NON_RELATIVE,
}


def require(actor: Principal, origin: Origin | None, permission: Permission = Permission.HOUSEHOLD_WRITE) -> None:
    """Raise Forbidden unless `actor` has `permission` for the household that came from `origin`."""
    settlement = origin.settlement if origin is not None else None
    actor.require(
        permission,
        district=settlement.district if settlement else None,
        settlement=settlement.reference if settlement else None,
    )


def by_client_id(session: Session, client_id: uuid.UUID | None) -> str | None:
    """Return the reference of the household that a client created under this id before."""
    if client_id is None:
        return None
    return session.scalar(select(Household.reference).where(Household.client_id == client_id))


def register(
    session: Session,
    fields: Mapping[str, Any],
    people: Sequence[Mapping[str, Any]],
    *,
    origin: Origin | None,
    kin_group: KinGroup | None,
    actor: Principal,
) -> Household:
    """Register a household with its people.

    A person's `partner` is the position, from 0, of another of `people`. Raises Invalid for what contradicts itself.
    """
    household = make(session, fields, people, origin=origin, kin_group=kin_group, actor=actor)
    audit.record(session, actor, Act.HOUSEHOLD_REGISTER, household)
    return household


def make(
    session: Session,
    fields: Mapping[str, Any],
    people: Sequence[Mapping[str, Any]],
    *,
    origin: Origin | None,
    kin_group: KinGroup | None,
    actor: Principal,
) -> Household:
    """Register a household as `register` does, and record nothing."""
    require(actor, origin)
    household = Household(**fields, origin=origin, kin_group=kin_group, people=[])
    partners = [person.get("partner") for person in people]
    household.people = [
        Person(**{name: value for name, value in person.items() if name != "partner"}) for person in people
    ]
    _check(household, partners)
    _require_own_numbers(session, household, household.people)
    session.add(household)
    session.flush()
    for person, partner in zip(household.people, partners, strict=True):
        if partner is not None:
            person.partner_id = household.people[partner].id
    match_keys.refresh(session, [household.id])
    return household


def change(session: Session, household: Household, fields: Mapping[str, Any], actor: Principal) -> Household:
    """Change fields of a household, whose people, origin and kin group must be loaded.

    Its application is checked anew, unless only how to reach it changes.
    """
    require(actor, household.origin)
    before = corrections.household(household)
    for name, value in fields.items():
        setattr(household, name, value)
    require(actor, household.origin)
    _check(household)
    _touch(household)
    household_changed(session, household, before, actor)
    duplicates.look_again(session, household)
    audit.record(session, actor, Act.HOUSEHOLD_CHANGE, household)
    return household


def add_kin_group(session: Session, key: str | None, actor: Principal) -> KinGroup:
    """Make a kin group, without households yet. Who may write some household may make one."""
    group = KinGroup(key=key)
    session.add(group)
    audit.record(session, actor, Act.KIN_GROUP_ADD, group)
    return group


def add_person(session: Session, household: Household, fields: Mapping[str, Any], actor: Principal) -> Person:
    """Add a member. `partner` is the reference of another member. The household's application is checked anew."""
    require(actor, household.origin)
    before = corrections.household(household)
    values = dict(fields)
    partner = values.pop("partner", None)
    person = Person(**values, household_id=household.id)
    household.people.append(person)
    _check(household, sent=person)
    _require_own_numbers(session, household, [person], sent=person)
    session.flush()
    link(session, person, household, partner)
    _touch(household)
    household_changed(session, household, before, actor)
    duplicates.look_again(session, household)
    audit.record(session, actor, Act.PERSON_ADD, person)
    return person


def change_person(
    session: Session, household: Household, person: Person, fields: Mapping[str, Any], actor: Principal
) -> Person:
    """Change fields of a member. `partner`, when given, is the reference of another member or null.

    Who becomes the head changes places with the head until now; what the others are to the new head stays to be
    corrected. The household's application is checked anew, where anything is another than before.
    """
    require(actor, household.origin)
    values = dict(fields)
    before = corrections.household(household)
    if "partner" in values:
        link(session, person, household, values.pop("partner"))
    if values.get("relationship") is Relationship.HEAD and person.relationship is not Relationship.HEAD:
        former = next(member for member in household.people if member.relationship is Relationship.HEAD)
        former.relationship = FORMER_HEAD.get(person.relationship, Relationship.OTHER_RELATIVE)
        session.flush()  # one head at a time
    for name, value in values.items():
        setattr(person, name, value)
    _check(household, sent=person)
    _require_own_numbers(session, household, [person], sent=person)
    _touch(household)
    household_changed(session, household, before, actor)
    duplicates.look_again(session, household)
    audit.record(session, actor, Act.PERSON_CHANGE, person)
    return person


def remove_person(session: Session, household: Household, person: Person, actor: Principal) -> None:
    """Remove a member who no longer belongs to the household, whose application is checked anew.

    Raises Conflict for the head.
    """
    require(actor, household.origin)
    if person.relationship is Relationship.HEAD:
        raise Conflict("The head of household cannot be removed. Make another member the head first.")
    before = corrections.household(household)
    link(session, person, household, None)
    household.people.remove(person)
    _touch(household)
    household_changed(session, household, before, actor)
    duplicates.look_again(session, household)
    audit.record(session, actor, Act.PERSON_REMOVE, person)


def link(session: Session, person: Person, household: Household, partner: str | None) -> None:
    """Make two members of a household partners, or end a partnership; both sides always agree."""
    members = {member.reference: member for member in household.people}
    if partner is not None and (partner not in members or partner == person.reference):
        raise Invalid(
            "The partner is not another member of the household.",
            [FieldError("#/body/partner", "Name another member of the same household.")],
        )
    for member in household.people:
        if person.id in (member.partner_id, member.id):
            member.partner_id = None
    session.flush()  # the old link goes before the new one comes
    if partner is None:
        return
    other = members[partner]
    if other.partner_id is not None:
        raise Conflict(f"The member {partner} has a partner already. End that link first.")
    person.partner_id, other.partner_id = other.id, person.id


def _touch(household: Household) -> None:
    household.updated_at = utc_now()  # counts the version up also when only a member changed


def _check(household: Household, partners: Sequence[int | None] = (), sent: Person | None = None) -> None:
    """Raise Invalid unless the household makes sense as a whole; `sent` is the member whom the request is about."""
    today = latest_today()
    errors = [
        FieldError(f"#/body/{name}", "Give a date up to today.")
        for name in ("registered_on", "displaced_on", "consent_on")
        if (value := getattr(household, name)) is not None and value > today
    ]
    heads = [number for number, person in enumerate(household.people) if person.relationship is Relationship.HEAD]
    if len(heads) != 1:
        pointer = "#/body/people" if sent is None else "#/body/relationship"
        errors.append(FieldError(pointer, f"A household has one head; there are {len(heads)} here."))
    for number, person in enumerate(household.people):
        message = birth_date_error(person.birth_date, today)
        if message:
            pointer = f"#/body/people/{number}/birth_date" if sent is None else "#/body/birth_date"
            errors.append(FieldError(pointer, message))
    for number, partner in enumerate(partners):
        if partner is None:
            continue
        if partner >= len(partners) or partner == number or partners[partner] != number:
            errors.append(
                FieldError(f"#/body/people/{number}/partner", "Partners name each other by position, from 0.")
            )
    if errors:
        raise Invalid("The household cannot be so.", errors)


def _require_own_numbers(
    session: Session, household: Household, people: Sequence[Person], sent: Person | None = None
) -> None:
    """Raise Conflict when somebody else has the number of one of these people's identity documents."""
    holders = [member for member in household.people if member.national_id_index is not None]
    held = Counter(member.national_id_index for member in holders)
    with session.no_autoflush:
        elsewhere = session.scalars(
            select(Person.national_id_index).where(
                Person.national_id_index.in_(held), Person.reference.not_in([member.reference for member in holders])
            )
        ).all()
    taken = {index for index, count in held.items() if count > 1} | set(elsewhere)
    errors = [
        FieldError(
            f"#/body/people/{number}/national_id" if sent is None else "#/body/national_id",
            "Another person in the register has this number. Search for it, and correct one of the two.",
        )
        for number, person in enumerate(people)
        if person.national_id_index in taken
    ]
    if errors:
        raise Conflict("The number of an identity document belongs to one person.", errors)


def birth_date_error(birth_date: date, today: date) -> str | None:
    """Return what is wrong with a birth date, if anything."""
    if birth_date > today:
        return "The birth date lies in the future."
    if birth_date.year < today.year - OLDEST_YEARS:
        return f"Nobody is over {OLDEST_YEARS}; check the year."
    return None
