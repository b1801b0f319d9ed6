"""What merging two households and moving people between them changes, step by step. Nothing is deleted."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import utc_now
from app.duplicates.steps import Steps
from app.errors import Conflict, FieldError, Invalid
from app.policy.facts import Relationship
from app.registry.models import Application, ApplicationState, Household, Person

PROGRESS = (
    "withdrawn",
    "draft",
    "returned",
    "ineligible",
    "submitted",
    "verified",
    "eligible",
    "allocated",
    "housed",
)
"""States of an application, the nearer to a house the later."""
FILLED = ("origin_id", "displaced_on", "kin_group_id", "phone", "language", "consent_on")
"""What of a household is taken from the one that is merged into it, where it has none."""
KEY_LENGTH = 80


def live_application(session: Session, household: Household) -> Application | None:
    """Return the application of a household that goes on, locked."""
    query = select(Application).where(
        Application.household_id == household.id, Application.state != ApplicationState.WITHDRAWN
    )
    return session.scalar(query.with_for_update(of=Application).execution_options(populate_existing=True))


def unite(session: Session, into: Household, merged: Household, who_is_who: Mapping[str, str], steps: Steps) -> None:
    """Merge `merged` into `into`: both locked, with their people loaded.

    `who_is_who`: reference of a person of `merged` → of the same person of `into`. Whoever is in both keeps the record
    of `into`, filled from the other; everybody else moves. The application nearer to a house goes on, and the earlier
    registration counts.
    """
    same_people = {person.reference: person for person in into.people}
    twins = {each: same_people[who_is_who[each.reference]] for each in merged.people if each.reference in who_is_who}
    _applications(session, into, merged, steps)
    steps.set(into, "registered_on", min(into.registered_on, merged.registered_on))
    for name in FILLED:
        if getattr(into, name) is None and (value := getattr(merged, name)) is not None:
            steps.set(into, name, value)
    head = next((person for person in merged.people if person.relationship is Relationship.HEAD), None)
    same_head = head in twins and twins[head].relationship is Relationship.HEAD
    _free_partners(merged.people, twins, steps)
    for twin, person in twins.items():
        _fill(twin, person, steps)
    for person in merged.people:
        if person not in twins:
            _move(person, merged, into, steps, keeps_relationship=same_head)
    steps.set(merged, "merged_into_id", into.id)


def _applications(session: Session, into: Household, merged: Household, steps: Steps) -> None:
    kept, other = live_application(session, into), live_application(session, merged)
    if other is None:
        return
    if kept is not None and PROGRESS.index(kept.state.value) >= PROGRESS.index(other.state.value):
        _withdraw(other, f"Merged into {into.reference}.", steps)
        _keep_place(kept, other, steps)
        return
    if kept is not None:
        _withdraw(kept, f"The application of {merged.reference}, which was merged into this household, goes on.", steps)
        _keep_place(other, kept, steps)
    steps.set(other, "household_id", into.id)


def _withdraw(application: Application, reason: str, steps: Steps) -> None:
    steps.set(application, "state", ApplicationState.WITHDRAWN)
    steps.set(application, "withdrawn_at", utc_now())
    steps.set(application, "withdrawn_reason", reason)


def _keep_place(kept: Application, other: Application, steps: Steps) -> None:
    """Let the earlier day of submission count, and the earlier place before all others, where either has one."""
    if kept.submitted_at is not None and other.submitted_at is not None:
        steps.set(kept, "submitted_at", min(kept.submitted_at, other.submitted_at))
    if other.precedence_since is not None:
        steps.set(
            kept, "precedence_since", min(kept.precedence_since or other.precedence_since, other.precedence_since)
        )


def _free_partners(people: Sequence[Person], twins: Mapping[Person, Person], steps: Steps) -> None:
    """End partnerships between who moves and who is recorded twice; the other record has that partner instead."""
    by_id = {person.id: person for person in people}
    taken_over = []
    for person in people:
        partner = by_id.get(person.partner_id) if person.partner_id is not None else None
        if partner is None or (person in twins) == (partner in twins):
            continue
        steps.set(person, "partner_id", None)
        if person in twins:
            taken_over.append((twins[person], partner))
    for person, partner in taken_over:
        if person.partner_id is None:
            steps.set(person, "partner_id", partner.id)
            steps.set(partner, "partner_id", person.id)


def _fill(twin: Person, person: Person, steps: Steps) -> None:
    """Give a person what only the second record says. Whoever needs step-free access in one of them needs it."""
    if person.occupation is None:
        steps.set(person, "occupation", twin.occupation)
    if twin.needs_step_free:
        steps.set(person, "needs_step_free", True)
    number = twin.national_id
    if person.national_id is None and number is not None:
        steps.set(twin, "national_id_index", None)  # one person has it, and that is another record now
        steps.set(person, "national_id", number)


def _move(person: Person, source: Household, target: Household, steps: Steps, *, keeps_relationship: bool) -> None:
    """Move a person to another household. What somebody was to another head stays to be corrected."""
    if person.relationship is Relationship.HEAD or not (
        keeps_relationship or person.relationship is Relationship.NON_RELATIVE
    ):
        steps.set(person, "relationship", Relationship.OTHER_RELATIVE)
    _rename(person, source, steps)
    steps.set(person, "household_id", target.id)


def _rename(person: Person, source: Household, steps: Steps) -> None:
    """Let a sender's key of a person tell the household that it was given in: there it is looked for again."""
    if person.key is not None:
        key = f"{source.key or source.reference}/{person.key}"
        steps.set(person, "key", key if len(key) <= KEY_LENGTH else None)


def move_people(
    source: Household, target: Household, people: Sequence[Person], twins: Mapping[str, str], steps: Steps
) -> Household | None:
    """Move `people` from one household to the other, both locked, with their people loaded.

    `twins`: reference of somebody who moves → of the same person of `target`. Second records of those are set aside in
    a household of their own, which is returned. Raises Invalid and Conflict.
    """
    staying = [person for person in source.people if person not in people]
    if not staying:
        raise Invalid(
            "Everybody would leave the household.",
            [FieldError("#/body/people", "Decide `same` where the two households are one.")],
        )
    if any(person.relationship is Relationship.HEAD for person in people):
        raise Conflict(f"The head of {source.reference} cannot leave it. Make another member the head first.")
    for person in source.people:
        partner = next((each for each in source.people if each.id == person.partner_id), None)
        if partner is not None and (person in people) != (partner in people):
            steps.set(person, "partner_id", None)
    same_people = {person.reference: person for person in target.people}
    set_aside = None
    for person in people:
        if person.reference not in twins:
            _move(person, source, target, steps, keeps_relationship=False)
            continue
        set_aside = set_aside or _set_aside(source, target, steps)
        _fill(person, same_people[twins[person.reference]], steps)
        _rename(person, source, steps)
        steps.set(person, "household_id", set_aside.id)
    return set_aside


def _set_aside(source: Household, target: Household, steps: Steps) -> Household:
    return steps.add(
        Household(
            registered_on=source.registered_on,
            current_accommodation=source.current_accommodation,
            people=[],
            merged_into_id=target.id,
        )
    )
