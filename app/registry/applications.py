"""Applications: made, changed, submitted, withdrawn."""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid
from app.housing.models import Settlement
from app.lifecycles import require_transition
from app.registry import corrections, duplicates
from app.registry.checks import CHECKED, corrected, lock, lock_household, unchecked
from app.registry.households import require
from app.registry.models import Application, ApplicationState, Household, Preference

TRANSITIONS: Mapping[ApplicationState, frozenset[ApplicationState]] = {
    ApplicationState.DRAFT: frozenset({ApplicationState.SUBMITTED, ApplicationState.WITHDRAWN}),
    ApplicationState.SUBMITTED: frozenset(
        {ApplicationState.RETURNED, ApplicationState.VERIFIED, ApplicationState.WITHDRAWN}
    ),
    ApplicationState.RETURNED: frozenset({ApplicationState.SUBMITTED, ApplicationState.WITHDRAWN}),
    ApplicationState.VERIFIED: frozenset(
        {
            ApplicationState.ELIGIBLE,
            ApplicationState.INELIGIBLE,
            ApplicationState.SUBMITTED,
            ApplicationState.WITHDRAWN,
        }
    ),
    ApplicationState.ELIGIBLE: frozenset(
        {ApplicationState.ALLOCATED, ApplicationState.SUBMITTED, ApplicationState.WITHDRAWN}
    ),
    ApplicationState.INELIGIBLE: frozenset({ApplicationState.SUBMITTED, ApplicationState.WITHDRAWN}),
    ApplicationState.ALLOCATED: frozenset(
        {ApplicationState.HOUSED, ApplicationState.ELIGIBLE, ApplicationState.WITHDRAWN}
    ),
    ApplicationState.HOUSED: frozenset({ApplicationState.WITHDRAWN}),
}
WRITTEN = (ApplicationState.DRAFT, ApplicationState.RETURNED)
"""With the family and its caseworker: to be submitted."""
OPEN = (*WRITTEN, ApplicationState.SUBMITTED, *CHECKED)
SETTLED_ADVICE = {
    ApplicationState.ALLOCATED: "A house is reserved for it: release the reservation first, then correct it.",
    ApplicationState.HOUSED: "The family has moved in.",
    ApplicationState.WITHDRAWN: "Begin another one.",
}


def by_client_id(session: Session, client_id: uuid.UUID | None) -> str | None:
    """Return the reference of the application that a client created under this id before."""
    if client_id is None:
        return None
    return session.scalar(select(Application.reference).where(Application.client_id == client_id))


def create(
    session: Session,
    household: Household,
    *,
    client_id: uuid.UUID | None,
    wishes: Sequence[Settlement],
    anywhere: bool,
    actor: Principal,
) -> Application:
    """Begin an application, with the settlements wished for, best first. Raises Conflict for a second live one."""
    application = make(session, household, client_id=client_id, wishes=wishes, anywhere=anywhere, actor=actor)
    audit.record(session, actor, Act.APPLICATION_BEGIN, application)
    return application


def make(
    session: Session,
    household: Household,
    *,
    client_id: uuid.UUID | None,
    wishes: Sequence[Settlement],
    anywhere: bool,
    actor: Principal,
) -> Application:
    """Begin an application as `create` does, and record nothing."""
    require(actor, household.origin)
    lock_household(session, household)
    live = session.scalar(
        select(Application.reference).where(
            Application.household_id == household.id, Application.state != ApplicationState.WITHDRAWN
        )
    )
    if live is not None:
        raise Conflict(f"The household has an application already: {live}. Change it, or withdraw it first.")
    application = Application(
        household=household,
        client_id=client_id,
        state=ApplicationState.DRAFT,
        anywhere=anywhere,
        preferences=_ranked(wishes),
        created_by_id=actor.user_id,
        written_by=[],
    )
    session.add(application)
    return application


def _ranked(wishes: Sequence[Settlement]) -> list[Preference]:
    twice = [number for number, each in enumerate(wishes) if each in wishes[:number]]
    if twice:
        raise Invalid(
            "A settlement is wished for twice.",
            [FieldError(f"#/body/preferences/{number}", "Name each settlement once.") for number in twice],
        )
    return [Preference(rank=rank, settlement=settlement) for rank, settlement in enumerate(wishes, 1)]


def change(
    session: Session,
    application: Application,
    *,
    wishes: Sequence[Settlement] | None,
    anywhere: bool | None,
    size_override: tuple[int | None, str | None] | None,
    actor: Principal,
) -> Application:
    """Change what an application asks for, until it is allocated. None leaves a thing as it is.

    What was verified or decided is to be so anew, where anything is another than before. Raises Forbidden, Invalid, and
    Conflict once it is allocated.
    """
    require(actor, application.household.origin)
    lock(session, application)
    if application.state not in OPEN:
        raise Conflict(
            f"The application is {application.state.value} and cannot be changed any more. "
            f"{SETTLED_ADVICE[application.state]}"
        )
    before = corrections.asked(application)
    if wishes is not None:
        ranked = _ranked(wishes)
        application.preferences.clear()
        session.flush()  # the old ranks go before the new ones come
        application.preferences.extend(ranked)
    if anywhere is not None:
        application.anywhere = anywhere
    if size_override is not None:
        application.size_override, application.size_override_reason = size_override
        if (application.size_override is None) != (application.size_override_reason is None):
            raise Invalid(
                "A need set by hand comes with its reason.",
                [FieldError("#/body/size_override_reason", "Give both size_override and its reason, or neither.")],
            )
    if application.state not in WRITTEN:
        _check_complete(application)
    corrected(session, application, corrections.changes(before, corrections.asked(application)), actor)
    application.updated_at = utc_now()
    audit.record(session, actor, Act.APPLICATION_CHANGE, application)
    return application


def submit(session: Session, application: Application, actor: Principal) -> Application:
    """Hand in a draft, or one that was returned. Raises Invalid when it asks for nothing, Conflict from elsewhere."""
    require(actor, application.household.origin, Permission.APPLICATION_SUBMIT)
    lock(session, application)
    if application.state not in WRITTEN:
        raise Conflict(
            f"The application is {application.state.value}; only a draft, or one that was returned, can be submitted."
        )
    hand_in(session, application, actor)
    audit.record(session, actor, Act.APPLICATION_SUBMIT, application)
    return application


def hand_in(session: Session, application: Application, actor: Principal) -> None:
    """Submit an application that is new, or locked, as `submit` does, and record nothing. Raises Invalid as it does."""
    _check_complete(application)
    application.state = ApplicationState.SUBMITTED
    application.submitted_at = utc_now()
    application.submitted_by_id = actor.user_id
    application.note_writer(actor.user_id)
    duplicates.look(session, [application.household_id])


def _check_complete(application: Application) -> None:
    if not application.preferences and not application.anywhere:
        raise Invalid(
            "The application asks for no settlement.",
            [FieldError("#/body/preferences", "Name at least one settlement, or set anywhere.")],
        )


def reopen(session: Session, application: Application, reason: str, actor: Principal) -> Application:
    """Bring what was verified or decided on back to be verified and decided on anew, such as after an appeal.

    Who calls this has checked that `actor` may decide so, and records the act. `reason` is kept in the application's
    history, where it is erased with the family. Raises Conflict, naming
    both states, where nothing was verified, or a house is reserved already.
    """
    lock(session, application)
    if application.state not in CHECKED:
        raise Conflict(
            f"The application is {application.state.value} and cannot be reopened. "
            f"{SETTLED_ADVICE.get(application.state, 'Nobody has decided on it yet.')}"
        )
    before = application.state
    corrections.keep(session, application, before, [], unchecked(application), actor, reason)
    session.flush()
    return application


def withdraw(session: Session, application: Application, reason: str, actor: Principal) -> Application:
    """End an application at the family's wish. A reservation must be released, and a tenancy ended, first."""
    require(actor, application.household.origin)
    require_transition("application", TRANSITIONS, application.state, ApplicationState.WITHDRAWN)
    application.state = ApplicationState.WITHDRAWN
    application.settlement_id = None
    application.withdrawn_at = utc_now()
    application.withdrawn_reason = reason
    why = audit.digest("application", application.reference, "withdrawn_reason", reason)  # the family's own words
    audit.record(session, actor, Act.APPLICATION_WITHDRAW, application, reason=why)
    return application
