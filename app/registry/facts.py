"""What the policy may know of a household: no names, nothing that it must not judge by."""

from datetime import date

from app.policy.facts import Decline, HouseholdFacts, Member, age_on
from app.registry.models import Household


def facts_of(household: Household, *, on: date, has_home: bool, declines: tuple[Decline, ...] = ()) -> HouseholdFacts:
    """Return the facts of `household`, whose people must be loaded, on a date.

    Someone born after `on` counts as aged 0, and a registration after it as no days of waiting.
    """
    references = {person.id: person.reference for person in household.people}
    return HouseholdFacts(
        reference=household.reference,
        members=tuple(
            Member(
                key=person.reference,
                age=age_on(min(person.birth_date, on), on),
                sex=person.sex,
                relationship=person.relationship,
                partner=references.get(person.partner_id) if person.partner_id is not None else None,
                needs_step_free=person.needs_step_free,
                occupation=person.occupation,
            )
            for person in household.people
        ),
        accommodation=household.current_accommodation,
        displaced=household.origin_id is not None and household.displaced_on is not None,
        consented=household.consent_on is not None,
        has_home=has_home,
        waiting_days=max((on - household.registered_on).days, 0),
        declines=declines,
    )
