"""Verifying what was submitted, or giving it back: by somebody else than who handed it in."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import FieldError, Invalid
from app.lifecycles import require_transition
from app.registry.applications import TRANSITIONS
from app.registry.checks import lock
from app.registry.households import require
from app.registry.models import Application, ApplicationState, ReturnReason

HANDED_IN = "began, submitted, corrected or imported this application"


def verify(session: Session, application: Application, actor: Principal) -> Application:
    """Put one's name to what an application and its household say.

    Raises Forbidden, also for who handed it in, and Conflict unless it is submitted.
    """
    lock(session, application)
    mark_verified(application, actor)
    audit.record(session, actor, Act.APPLICATION_VERIFY, application)
    return application


def mark_verified(application: Application, actor: Principal) -> None:
    """Verify an application that is locked, as `verify` does, and record nothing. Raises as `verify` does."""
    _move(application, ApplicationState.VERIFIED, actor)
    application.verified_at, application.verified_by_id = utc_now(), actor.user_id


def send_back(
    session: Session, application: Application, reasons: Sequence[ReturnReason], note: str | None, actor: Principal
) -> Application:
    """Give an application back, with what it lacks, to be corrected and submitted again.

    `note` says it for this family, and is kept as personal. Raises Invalid where `other` comes without one, Forbidden,
    also for who handed it in, and Conflict unless it is submitted.
    """
    if ReturnReason.OTHER in reasons and note is None:
        raise Invalid("Nobody would know what is wrong.", [FieldError("#/body/note", "Say what the other reason is.")])
    lock(session, application)
    _move(application, ApplicationState.RETURNED, actor)
    application.returned_at, application.return_note = utc_now(), note
    application.return_reasons = [reason.value for reason in reasons]
    audit.record(session, actor, Act.APPLICATION_RETURN, application)
    return application


def _move(application: Application, to: ApplicationState, actor: Principal) -> None:
    require(actor, application.household.origin, Permission.APPLICATION_VERIFY)
    require_transition("application", TRANSITIONS, application.state, to)
    require_stranger(application, actor)
    application.state = to


def require_stranger(application: Application, actor: Principal) -> None:
    """Raise Forbidden where `actor` had a part in what the application says, whoever has handed it in since."""
    for user in application.handed_in_by:
        actor.require_another(user, HANDED_IN)
