"""Appeals: lodged for a family, decided by somebody who took no part, and what follows."""

from collections.abc import Mapping
from datetime import date, tzinfo

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import what_ifs
from app.allocation.corrections import Correction
from app.allocation.models import Proposal
from app.allocation.offer_models import Offer, OfferState
from app.allocation.what_if_models import WhatIf, WhatIfState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid
from app.lifecycles import require_transition
from app.registry import applications, checks, corrections
from app.registry.corrections import Picture
from app.registry.households import require
from app.registry.models import PLACED, Application, ApplicationState
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealGround, AppealState
from app.tenancy.appeal_subjects import subject_of

TRANSITIONS: Mapping[AppealState, frozenset[AppealState]] = {
    AppealState.LODGED: frozenset({AppealState.UPHELD, AppealState.DISMISSED, AppealState.WITHDRAWN}),
}
DECIDED_WITH: Mapping[AppealAgainst, Permission] = {
    AppealAgainst.INELIGIBILITY: Permission.APPEAL_DECIDE_CASE,
    AppealAgainst.PRIORITY: Permission.APPEAL_DECIDE_CASE,
    AppealAgainst.PROPOSAL: Permission.APPEAL_DECIDE_ALLOCATION,
    AppealAgainst.OFFER: Permission.APPEAL_DECIDE_ALLOCATION,
}
"""Verifiers judge the facts of a case, approvers what was made of them."""
TOOK_PART = "took part in what this appeal is against"
PENDING = (WhatIfState.QUEUED, WhatIfState.SOLVING)
LOST = (OfferState.DECLINED, OfferState.EXPIRED, OfferState.WITHDRAWN)
LOCKED = ("state", "version")
OF_APPLICATION = (*LOCKED, "size_override", "size_override_reason")


def lodge(
    session: Session,
    application: Application,
    *,
    against: AppealAgainst,
    ground: AppealGround,
    statement: str,
    correction: Correction,
    zone: tzinfo,
    actor: Principal,
) -> Appeal:
    """Lodge an appeal of a family, against the last decision of a kind on its application, loaded with the household.

    Where facts are said to be otherwise and a run had a part in it, a worker calculates what that would have given.
    Raises Forbidden, Conflict where there is nothing to appeal against, the time is over or another appeal goes on, and
    Invalid.
    """
    household = application.household
    require(actor, household.origin, Permission.APPEAL_LODGE)
    _lock_of_household(session, application)
    subject = subject_of(session, application, against, zone)
    today = utc_now().astimezone(zone).date()
    if today > subject.lodged_by:
        raise Conflict(f"An appeal against this could be lodged until {subject.lodged_by}.")
    appeal = Appeal(
        household=household,
        application=application,
        against=against,
        subject=subject.reference,
        ground=ground,
        corrections=correction.model_dump(mode="json", exclude_none=True),
        took_part=sorted(set(subject.took_part), key=lambda user: user or 0),
        state=AppealState.LODGED,
        lodged_by_id=actor.user_id,
        decide_by=subject.policy.appeals.decided_by(today),
    )
    appeal.statement = statement
    if subject.run_id is not None and not correction.says_nothing:
        about = subject.proposal.id if subject.proposal is not None else None
        appeal.what_if = what_ifs.ask_correction(
            session, subject.run_id, household.id, correction, actor, proposal_id=about
        )
    try:
        with session.begin_nested():
            session.add(appeal)
    except IntegrityError as error:
        raise Conflict(
            f"An appeal about application {application.reference} goes on already. First it has to be decided, or "
            "withdrawn."
        ) from error
    audit.record(session, actor, Act.APPEAL_LODGE, appeal)
    return appeal


def _lock_of_household(session: Session, application: Application) -> None:
    """Lock an application, and its household before it. Raises Conflict where that is another since it was read."""
    household = application.household
    checks.lock_household(session, household)
    session.refresh(application, (*LOCKED, "household_id"), with_for_update=True)
    if application.household_id != household.id:
        raise Conflict(
            f"The application went to another household at this moment: {household.reference} has it no more."
        )


def _locked(session: Session, appeal: Appeal, to: AppealState) -> Application:
    """Lock household, application and appeal: the order in which everything here is locked. Raises Conflict."""
    application = appeal.application
    session.refresh(appeal.household, ["current_accommodation", "version"], with_for_update=True)
    session.refresh(application, OF_APPLICATION, with_for_update=True)
    session.refresh(appeal, LOCKED, with_for_update=True)
    require_transition("appeal", TRANSITIONS, appeal.state, to)
    return application


def decide(
    session: Session, appeal: Appeal, *, upheld: bool, reason: str, first_in_line: bool | None, actor: Principal
) -> Appeal:
    """Decide on an appeal, loaded with application and household, with the reason that is given to the family.

    Upheld, what it is against is open again; where a house was lost, the household comes before all others in the next
    run. `first_in_line` None: as the calculation says. Raises Forbidden, also for who took part or lodged it, and
    Conflict where it is decided already, or the calculation is not done yet and `first_in_line` not stated.
    """
    application = _locked(session, appeal, AppealState.UPHELD if upheld else AppealState.DISMISSED)
    require(actor, appeal.household.origin, DECIDED_WITH[appeal.against])
    for user in (*appeal.took_part, *_ended_since(session, appeal), appeal.lodged_by_id):
        actor.require_another(user, TOOK_PART)
    if first_in_line and not upheld:
        raise Invalid(
            "Nobody comes first in line by an appeal that is dismissed.",
            [FieldError("#/body/first_in_line", "Leave it out, or uphold the appeal.")],
        )
    appeal.state = AppealState.UPHELD if upheld else AppealState.DISMISSED
    appeal.reason, appeal.ended_at, appeal.decided_by_id = reason, utc_now(), actor.user_id
    if upheld:
        first = _lost_a_house(session, appeal) if first_in_line is None else first_in_line
        _correct(session, appeal, application, actor)
        if appeal.against is AppealAgainst.INELIGIBILITY and application.state is ApplicationState.INELIGIBLE:
            applications.reopen(session, application, f"Appeal {appeal.reference} was upheld.", actor)
        if first and application.state is not ApplicationState.WITHDRAWN:
            application.precedence_since, appeal.gives_precedence = appeal.ended_at, True
    why = audit.digest("appeal", appeal.reference, "reason", reason)
    audit.record(session, actor, Act.APPEAL_DECIDE, appeal, reason=why)
    return appeal


def _ended_since(session: Session, appeal: Appeal) -> list[int | None]:
    """Return who has taken the house away that the appeal is about, where it was lodged before."""
    ended_by = select(Proposal.ended_by)
    if appeal.against is AppealAgainst.OFFER:
        ended_by = ended_by.join(Offer, Offer.proposal_id == Proposal.id).where(Offer.reference == appeal.subject)
    elif appeal.against is AppealAgainst.PROPOSAL:
        ended_by = ended_by.where(Proposal.reference == appeal.subject)
    else:  # what a family is told of its case has no house in it
        return []
    return session.scalar(ended_by) or []


def _lost_a_house(session: Session, appeal: Appeal) -> bool:
    """Whether the household would have a house: as calculated, or because its offer ended wrongly."""
    if appeal.application.state in PLACED:
        return False
    if appeal.against is AppealAgainst.OFFER:
        state = session.scalar(select(Offer.state).where(Offer.reference == appeal.subject))
        if state in LOST:
            return True
    asked = session.get(WhatIf, appeal.what_if_id) if appeal.what_if_id is not None else None
    if asked is None:
        return False
    if asked.state in PENDING:
        raise Conflict("What the run would have given is not calculated yet. Wait for it, or state first_in_line.")
    return asked.found is not None and bool(asked.found["housed"])


def _correct(session: Session, appeal: Appeal, application: Application, actor: Principal) -> None:
    """Enter what the appeal has shown; what people of the household need is for a caseworker to enter."""
    correction, household = Correction.model_validate(appeal.corrections), appeal.household
    why = f"Appeal {appeal.reference} was upheld."
    before = _picture(appeal)
    if correction.accommodation is not None:
        household.current_accommodation = correction.accommodation
        household.updated_at = utc_now()
    if correction.size is not None:
        application.size_override, application.size_override_reason = correction.size, why
    checks.put_right(session, application, corrections.changes(before, _picture(appeal)), why, actor)


def _picture(appeal: Appeal) -> Picture:
    """Return what may be put right by an appeal."""
    household, application = appeal.household, appeal.application
    return {
        household.reference: {"current_accommodation": household.current_accommodation.value},
        application.reference: {
            "size_override": application.size_override,
            "size_override_reason": application.size_override_reason,
        },
    }


def withdraw(session: Session, appeal: Appeal, actor: Principal) -> Appeal:
    """End an appeal, loaded with application and household, at the family's wish. Raises Forbidden and Conflict."""
    _locked(session, appeal, AppealState.WITHDRAWN)
    require(actor, appeal.household.origin, Permission.APPEAL_LODGE)
    appeal.state, appeal.ended_at = AppealState.WITHDRAWN, utc_now()
    audit.record(session, actor, Act.APPEAL_WITHDRAW, appeal)
    return appeal


def overdue(session: Session, today: date) -> list[Appeal]:
    """Return the appeals that should have been decided by now, the oldest first."""
    query = select(Appeal).where(Appeal.state == AppealState.LODGED, Appeal.decide_by < today)
    return list(session.scalars(query.options(joinedload(Appeal.application)).order_by(Appeal.decide_by, Appeal.id)))
