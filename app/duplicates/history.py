"""What a merge, or undoing one, changes of what applications rest on: kept in their history, and checked anew."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.database import utc_now
from app.duplicates.merging import live_application
from app.duplicates.steps import Steps
from app.registry import corrections
from app.registry.checks import DECIDED, HANDED_IN, RECORDED
from app.registry.corrections import Picture
from app.registry.models import Application, ApplicationState, Household

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
    session: Session, household: Household, was: Before, steps: Steps | None, reason: str, actor: Principal
) -> None:
    """Keep what has changed of `household` in the history of its application that goes on.

    Where `steps` are taken, and a verifier puts their name to what has changed, it is verified and decided on anew: who
    merged has handed in what stands there now, and so does not verify it. An application that was the other household's
    rested on that one. A draft has no history.
    """
    application = live_application(session, household)
    if application is None or application.state is ApplicationState.DRAFT:
        return
    was_of, state = was.applications[application.id]
    found = corrections.changes(was.pictures[was_of], _picture(session, household))
    if not found:
        return
    recorded = {}
    if steps is not None and application.state in HANDED_IN and corrections.is_checked(found):
        recorded = {name: getattr(application, name) for name in CHECKED_BEFORE}
        steps.set(application, "state", ApplicationState.SUBMITTED)
        steps.set(application, "submitted_by_id", actor.user_id)
        for name in RECORDED:
            steps.set(application, name, None)
    application.updated_at = utc_now()  # counts the version up: whoever was about to check it has seen something else
    corrections.keep(session, application, state, found, recorded, actor, reason)
    session.flush()
