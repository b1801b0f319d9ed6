"""What a merge, or undoing one, changes of what applications rest on: kept in their history, and checked anew."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.database import utc_now
from app.duplicates.merging import live_application
from app.duplicates.steps import Steps
from app.registry import corrections
from app.registry.checks import DECIDED, HANDED_IN, RECORDED
from app.registry.corrections import Picture
from app.registry.models import Application, ApplicationState, Correction, Household

CHECKED_BEFORE = ("verified_at", *DECIDED)


@dataclass(frozen=True)
class Before:
    """Two households as they were, by id, and of each application whose it was and its state."""

    pictures: Mapping[int, Picture]
    applications: Mapping[int, tuple[int, ApplicationState]]


def before(session: Session, *households: Household) -> Before:
    """Return how these households, which are locked, and their applications are now."""
    ids = [each.id for each in households]
    rows = session.execute(
        select(Application.id, Application.household_id, Application.state).where(Application.household_id.in_(ids))
    )
    return Before(
        {each.id: _picture(session, each) for each in households},
        {application: (household, state) for application, household, state in rows},
    )


def _picture(session: Session, household: Household) -> Picture:
    session.flush()
    session.refresh(household, ["people", "origin", "kin_group"])
    return corrections.household(household)


def keep(
    session: Session,
    household: Household,
    was: Before,
    steps: Steps | None,
    reason: str,
    actor: Principal,
    *,
    undone_since: datetime | None = None,
) -> None:
    """Keep what has changed of `household` in the history of its application that goes on.

    Where `steps` are taken, and a verifier puts their name to what has changed, it is verified and decided on anew: who
    merged has handed in what stands there now, and so does not verify it, as little as who wrote what came in from the
    other household. An application that was the other household's rested on that one. A draft has no history.

    `undone_since`: when what is undone was decided. What one record was filled with from the other is not told of it.
    """
    application = live_application(session, household)
    if application is None:
        return
    was_of, state = was.applications[application.id]
    then, now = was.pictures[was_of], _picture(session, household)
    found = corrections.changes(then, now)
    is_checked = corrections.is_checked(found)
    if steps is not None and is_checked:
        _note_writers(session, application, was, found, actor)
    if not found or application.state is ApplicationState.DRAFT:
        return
    if undone_since is not None:
        found = _parted(session, application, then.keys() & now.keys(), found, undone_since)
    recorded = {}
    if steps is not None and is_checked and application.state in HANDED_IN:
        recorded = {name: getattr(application, name) for name in CHECKED_BEFORE}
        steps.set(application, "state", ApplicationState.SUBMITTED)
        steps.set(application, "submitted_by_id", actor.user_id)
        for name in RECORDED:
            steps.set(application, name, None)
    application.updated_at = utc_now()  # counts the version up: whoever was about to check it has seen something else
    corrections.keep(session, application, state, found, recorded, actor, reason)
    session.flush()


def _note_writers(
    session: Session, application: Application, was: Before, found: Sequence[Mapping[str, Any]], actor: Principal
) -> None:
    """Remember who merged and, where anything came in, who wrote the other household's. It stays, undone or not."""
    application.note_writer(actor.user_id)
    if all(each["after"] is None for each in found):
        return
    others = [
        other
        for other, (_, state) in was.applications.items()
        if other != application.id and state is not ApplicationState.WITHDRAWN
    ]
    for other in session.scalars(select(Application).where(Application.id.in_(others))):
        for user in other.handed_in_by:
            application.note_writer(user)


def _parted(
    session: Session, application: Application, stays: Collection[str], found: list[dict[str, Any]], since: datetime
) -> list[dict[str, Any]]:
    """Return what is kept of undoing a merge, without what it had filled in of things that stay, here or since then.

    Whoever had moved goes by references of their own, by which they are told apart and erased.
    """
    filled = {(each["thing"], each["field"]): each["before"] for each in found if each["thing"] in stays}

    def is_filled(change: Mapping[str, Any]) -> bool:
        value = filled.get((change["thing"], change["field"]))
        return value is not None and value in (change["before"], change["after"])

    for correction in session.scalars(
        select(Correction).where(Correction.application_id == application.id, Correction.corrected_at >= since)
    ):
        corrections.drop(correction, is_filled)
    return [each for each in found if each["thing"] not in stays]
