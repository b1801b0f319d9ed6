"""What somebody checked of an application, and when that is void."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.database import utc_now
from app.errors import PreconditionFailed
from app.registry.models import Application, ApplicationState, Household

CHECKED = (ApplicationState.VERIFIED, ApplicationState.ELIGIBLE, ApplicationState.INELIGIBLE)
"""Somebody has put their name to what stands there: once it changes, that is void."""
HANDED_IN = (ApplicationState.SUBMITTED, *CHECKED)
RECORDED = (
    "verified_at",
    "verified_by_id",
    "decided_at",
    "decided_by_id",
    "decided_policy",
    "ineligible_for",
    "facts_hash",
)
"""What is recorded of a verification and a decision."""
LOCKED = ("state", "settlement_id", "submitted_by_id", "version")
"""What is read anew of an application when it is locked."""


def lock(session: Session, application: Application) -> None:
    """Lock `application` until the transaction ends. Raises PreconditionFailed where it is another than was read."""
    read = application.version
    session.refresh(application, LOCKED, with_for_update=True)
    if application.version != read:
        raise PreconditionFailed("Somebody changed the application at this moment. Read it again.")


def unchecked(application: Application) -> None:
    """Have `application`, which is locked and was handed in, verified and decided on anew."""
    application.state = ApplicationState.SUBMITTED
    for name in RECORDED:
        setattr(application, name, None)


def void(application: Application, actor: Principal) -> None:
    """Have `application`, which is locked and was handed in, checked anew after a change by `actor`.

    Who changed it has handed in what stands there now, and so does not verify it. Its version counts up also where it
    was not checked yet: whoever is about to has seen something else.
    """
    unchecked(application)
    application.submitted_by_id, application.updated_at = actor.user_id, utc_now()


def household_changed(session: Session, household: Household, actor: Principal) -> None:
    """Have the application of `household` checked anew, where it was handed in: it rests on what has changed.

    A household that a house is reserved for keeps it. Flushes, so that the household is locked before its application,
    as everywhere.
    """
    session.flush()
    application = session.scalar(
        select(Application)
        .where(Application.household_id == household.id, Application.state != ApplicationState.WITHDRAWN)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if application is not None and application.state in HANDED_IN:
        void(application, actor)
