"""Changes that can be taken back: each is written down with what was before, and undone only where that still holds."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Base
from app.errors import Conflict
from app.policy.facts import Relationship
from app.registry.models import Application, ApplicationState, Household, Person
from app.sealed import sealed_of

Step = dict[str, Any]
MODELS: dict[str, type[Household | Person | Application]] = {
    "household": Household,
    "person": Person,
    "application": Application,
}
NAMES = {model: name for name, model in MODELS.items()}
READ_BACK: dict[str, Any] = {
    "registered_on": date.fromisoformat,
    "displaced_on": date.fromisoformat,
    "consent_on": date.fromisoformat,
    "withdrawn_at": datetime.fromisoformat,
    "submitted_at": datetime.fromisoformat,
    "precedence_since": datetime.fromisoformat,
    "verified_at": datetime.fromisoformat,
    "decided_at": datetime.fromisoformat,
    "state": ApplicationState,
    "relationship": Relationship,
}


class Steps:
    """Changes rows one by one, and remembers how each was."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.taken: list[Step] = []

    def set(self, row: Household | Person | Application, name: str, value: Any) -> None:
        """Set one column, or fill a sealed text that was empty, and flush: what is unique is free when it is asked."""
        stored = _stored_name(row, name)
        was, before = getattr(row, name), _plain(getattr(row, stored))
        setattr(row, name, value)
        after = _plain(getattr(row, stored))
        if getattr(row, name) == was:  # nothing of a sealed text may count, and its index says nothing then
            return
        self._session.flush()
        thing = NAMES[type(row)]
        step = {"thing": thing, "reference": row.reference, "name": name, "before": before, "after": after}
        self.taken.append(step)

    def add(self, household: Household) -> Household:
        """Add a household that keeps second records, which is deleted when all is undone."""
        self._session.add(household)
        self._session.flush()
        return household


def undo(session: Session, taken: Sequence[Step]) -> None:
    """Take the steps back, the last one first. Raises Conflict where something has changed again since."""
    rows = _rows(session, taken)
    for step in reversed(taken):
        row = rows.get(step["reference"])
        if row is None:
            raise Conflict(f"The {step['thing']} {step['reference']} is not there any more, so this cannot be undone.")
        name = step["name"]
        if _plain(getattr(row, _stored_name(row, name))) != step["after"]:
            raise Conflict(
                f"{name} of {step['thing']} {step['reference']} has been changed since, so this cannot be undone. "
                "Change it back first, or correct both households by hand."
            )
        before = step["before"]
        setattr(row, name, READ_BACK[name](before) if before is not None and name in READ_BACK else before)
        session.flush()


def _rows(session: Session, taken: Sequence[Step]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    model: Any
    for thing, model in MODELS.items():
        wanted = {step["reference"] for step in taken if step["thing"] == thing}
        query = select(model).where(model.reference.in_(wanted)).execution_options(populate_existing=True)
        found |= {row.reference: row for row in session.scalars(query)}
    return found


def _stored_name(row: Base, name: str) -> str:
    """Return the column by which one sees whether `name` has changed: a sealed text's blind index."""
    return next((str(each.index_name) for each in sealed_of(type(row)) if each.name == name), name)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value
