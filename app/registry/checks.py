"""What somebody checked of an application, and when that is void."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.database import utc_now
from app.errors import Conflict, PreconditionFailed
from app.registry import corrections
from app.registry.corrections import Picture
from app.registry.models import Application, ApplicationState, Household

CHECKED = (ApplicationState.VERIFIED, ApplicationState.ELIGIBLE, ApplicationState.INELIGIBLE)
"""Somebody has put their name to what stands there: once it changes, that is void."""
HANDED_IN = (ApplicationState.SUBMITTED, *CHECKED)
DECIDED = ("decided_at", "decided_policy", "ineligible_for")
RECORDED = ("verified_at", "verified_by_id", "decided_by_id", *DECIDED, "facts_hash")
"""What is recorded of a verification and a decision."""
LOCKED = ("state", "settlement_id", "submitted_by_id", "written_by", "version")
"""What is read anew of an application when it is locked."""


def lock(session: Session, application: Application) -> None:
    """Lock `application` until the transaction ends. Raises PreconditionFailed where it is another than was read."""
    read = application.version
    session.refresh(application, LOCKED, with_for_update=True)
    if application.version != read:
        raise PreconditionFailed("Somebody changed the application at this moment. Read it again.")


def lock_household(session: Session, household: Household) -> None:
    """Keep a household that was read before from being merged or erased until the transaction ends.

    What is written of it would be that of a household that nobody sees any more. Raises Conflict where it is one.
    """
    session.refresh(household, ["merged_into_id", "erased_at", "version"], with_for_update={"read": True})
    if household.merged_into_id is not None:
        raise Conflict(f"{household.reference} was merged into another household at this moment. Read that one.")
    if household.erased_at is not None:
        raise Conflict(f"{household.reference} was erased at this moment.")


def unchecked(application: Application) -> dict[str, Any]:
    """Have `application`, which is locked and was handed in, verified and decided on anew.

    Return what had been recorded of that.
    """
    recorded = {name: getattr(application, name) for name in ("verified_at", *DECIDED)}
    application.state = ApplicationState.SUBMITTED
    for name in RECORDED:
        setattr(application, name, None)
    return recorded


def corrected(session: Session, application: Application, found: Sequence[Mapping[str, Any]], actor: Principal) -> None:
    """Keep what `actor` changed of `application`, which is locked, or of its household, and have it checked anew.

    Who changed it has handed in what stands there now, and so does not verify it, as little as who did so before. Its
    version counts up also where it was not checked yet: whoever is about to has seen something else. A draft has no
    history, only its writers, and a household that a house is reserved for keeps it.
    """
    is_checked = corrections.is_checked(found)
    if is_checked:
        application.note_writer(actor.user_id)
    if not found or application.state is ApplicationState.DRAFT:
        return
    before, recorded = application.state, {}
    if is_checked and application.state in HANDED_IN:
        recorded = unchecked(application)
        application.submitted_by_id, application.updated_at = actor.user_id, utc_now()
    corrections.keep(session, application, before, found, recorded, actor)


def household_changed(session: Session, household: Household, before: Picture, actor: Principal) -> None:
    """Keep what has changed of `household` since `before`, and have its application checked anew: it rests on that.

    Flushes, so that the household is locked before its application, as everywhere.
    """
    session.flush()
    found = corrections.changes(before, corrections.household(household))
    application = session.scalar(
        select(Application)
        .where(Application.household_id == household.id, Application.state != ApplicationState.WITHDRAWN)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if application is not None:
        corrected(session, application, found, actor)


def put_right(
    session: Session, application: Application, found: Sequence[Mapping[str, Any]], reason: str, actor: Principal
) -> None:
    """Keep what was put right of `application`, which is locked, or of its household, by a decision with a reason.

    Who decided has put their name to it, so that nothing is checked anew.
    """
    if found:
        application.updated_at = utc_now()
        corrections.keep(session, application, application.state, found, {}, actor, reason)
