"""What changes of an application after it was handed in: before and after, encrypted, and erased with the family."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.audit.digests import plain
from app.registry.models import Application, ApplicationState, Correction, Household

Picture = Mapping[str, Mapping[str, Any]]
"""Public reference of a thing → field → value, as JSON has it."""

HOUSEHOLD = ("registered_on", "displaced_on", "current_accommodation", "phone", "language", "consent_on")
PERSON = (
    "given_name",
    "family_name",
    "sex",
    "birth_date",
    "relationship",
    "needs_step_free",
    "occupation",
    "national_id",
)
APPLICATION = ("anywhere", "size_override", "size_override_reason")
NOT_CHECKED = ("phone", "language")
"""How to reach a household: no verifier puts their name to it."""


def household(of: Household) -> Picture:
    """Return what `of`, whose people, origin and kin group must be loaded, consists of."""
    references = {person.id: person.reference for person in of.people}
    people = {
        person.reference: {
            **{name: plain(getattr(person, name)) for name in PERSON},
            "partner": references.get(person.partner_id or 0),
        }
        for person in of.people
    }
    own = {
        **{name: plain(getattr(of, name)) for name in HOUSEHOLD},
        "origin": of.origin.reference if of.origin else None,
        "kin_group": of.kin_group.reference if of.kin_group else None,
    }
    return {of.reference: own, **people}


def asked(application: Application) -> Picture:
    """Return what `application`, whose preferences must be loaded, asks for."""
    wishes = [preference.settlement.reference for preference in application.preferences]
    return {
        application.reference: {"preferences": wishes, **{name: getattr(application, name) for name in APPLICATION}}
    }


def changes(before: Picture, after: Picture) -> list[dict[str, Any]]:
    """Return what differs: thing, field, before and after; null for all of what is new or gone."""
    found = []
    for thing in sorted(before.keys() | after.keys()):
        was, now = before.get(thing, {}), after.get(thing, {})
        found += [
            {"thing": thing, "field": name, "before": was.get(name), "after": now.get(name)}
            for name in sorted(was.keys() | now.keys())
            if was.get(name) != now.get(name)
        ]
    return found


def is_checked(found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of these changes is of something that a verifier puts their name to."""
    return any(each["field"] not in NOT_CHECKED for each in found)


def content(found: Sequence[Mapping[str, Any]], checked: Mapping[str, Any], reason: str | None = None) -> str:
    """Return what a correction holds."""
    held = {name: plain(value) for name, value in checked.items() if value is not None}
    return json.dumps({"reason": reason, "changes": found, "checked": held}, ensure_ascii=False)


def keep(
    session: Session,
    application: Application,
    state_before: ApplicationState,
    found: Sequence[Mapping[str, Any]],
    checked: Mapping[str, Any],
    actor: Principal,
    reason: str | None = None,
) -> None:
    """Keep a correction in the history of `application`."""
    correction = Correction(application_id=application.id, state_before=state_before, corrected_by_id=actor.user_id)
    correction.content = content(found, checked, reason)
    session.add(correction)


def drop(kept: Correction, is_gone: Callable[[Mapping[str, Any]], bool]) -> None:
    """Leave out of a correction what is not held of this family any more; that there was one, and why, stays."""
    held = json.loads(kept.content or "{}")
    left = [each for each in held["changes"] if not is_gone(each)]
    if len(left) < len(held["changes"]):
        kept.content = json.dumps({**held, "changes": left}, ensure_ascii=False)
