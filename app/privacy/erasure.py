"""Erasing a household: nothing that says who it was stays, and what was decided stays by reference."""

from collections.abc import Sequence

from sqlalchemy import delete, event, exists, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import placements
from app.allocation.models import Proposal, ProposalState
from app.allocation.offer_models import Offer
from app.allocation.placement_models import Placement, PlacementState
from app.allocation.what_if_models import WhatIf
from app.audit import Act
from app.break_glass.models import BreakGlassGrant
from app.database import Database, utc_now
from app.documents import attachments
from app.documents.store import Store
from app.errors import Conflict, NotFound
from app.idempotency import IdempotencyKey
from app.policy.facts import Accommodation, DeclineReason
from app.privacy import histories
from app.registry import duplicates
from app.registry.households import require
from app.registry.models import Application, ApplicationState, Correction, Household, KinGroup, Suitability
from app.registry.queries import households
from app.settings import Settings
from app.tenancy.appeal_models import Appeal, AppealGround, AppealState
from app.tenancy.models import OccupancyCheck, Tenancy
from app.tenancy.swap_models import SwapOption, SwapWish

ERASED = "Erased."
SETTLED = (ApplicationState.ALLOCATED, ApplicationState.HOUSED)


def erase(session: Session, reference: str, reason: str, actor: Principal) -> Household:
    """Erase what is held of a household but its decisions, which name it by reference alone.

    Its people, contacts, wishes, documents and every text that somebody wrote about it are deleted, and those of
    households that were merged into it; an application that goes on is withdrawn. `reason` names nobody: it is kept.
    Raises NotFound, Forbidden, and Conflict while a house is reserved for the household or it lives in one.
    """
    household = _locked(session, reference, actor)
    require(actor, household.origin, Permission.HOUSEHOLD_ERASE)
    for merged in _merged_into(session, household):
        _erase(session, merged, reason, actor)
    _erase(session, household, reason, actor)
    audit.record(session, actor, Act.HOUSEHOLD_ERASE, household, reason=reason)
    return household


def _merged_into(session: Session, household: Household) -> list[Household]:
    """Return the households that were merged into this one, locked, and those that were merged into them before."""
    query = select(Household).where(Household.merged_into_id == household.id).order_by(Household.id)
    options = joinedload(Household.origin), joinedload(Household.kin_group), selectinload(Household.people)
    found = session.scalars(query.options(*options).with_for_update(of=Household)).all()
    return [each for merged in found for each in (*_merged_into(session, merged), merged)]


def _erase(session: Session, household: Household, reason: str, actor: Principal) -> None:
    """Erase one household, locked, with people, origin and kin group loaded."""
    applications = session.scalars(
        select(Application)
        .where(Application.household_id == household.id)
        .options(selectinload(Application.preferences))
        .order_by(Application.id)
        .with_for_update(of=Application)
        .execution_options(populate_existing=True)
    ).all()
    _refuse_while_housed(session, household, applications)
    made = [household.reference]
    made += [person.reference for person in household.people]
    made += [application.reference for application in applications]
    made += attachments.discard(session, household)
    for model in (Appeal, Placement, SwapWish, Tenancy):
        made += session.scalars(select(model.reference).where(model.household_id == household.id))
    made += session.scalars(
        select(OccupancyCheck.reference).join(OccupancyCheck.tenancy).where(Tenancy.household_id == household.id)
    )
    made += session.scalars(select(BreakGlassGrant.reference).where(BreakGlassGrant.household == household.reference))
    histories.forget(session, household)
    kin_group = household.kin_group
    _erase_people(session, household)
    _erase_household(household, reason)
    for application in applications:
        _erase_application(application)
    session.flush()
    session.execute(delete(Correction).where(Correction.application_id.in_([each.id for each in applications])))
    _erase_texts(session, household)
    _lift_placements(session, household, actor)
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.made_reference.in_(made)))
    session.execute(delete(Suitability).where(Suitability.household_id == household.id))
    duplicates.erase(session, [household.id], ERASED)
    if kin_group is not None:
        empty = ~exists().where(Household.kin_group_id == KinGroup.id)
        session.execute(delete(KinGroup).where(KinGroup.id == kin_group.id, empty))


def scrub_after_commit(session: Session, database: Database, settings: Settings) -> None:
    """Have database and folder of documents forget what `session` deleted, as soon as that is committed."""
    event.listen(session, "after_commit", lambda _session: database.scrub(), once=True)
    attachments.unlink_after_commit(session, Store.under(settings.data_dir))


def _locked(session: Session, reference: str, actor: Principal) -> Household:
    query = households(actor, Permission.HOUSEHOLD_ERASE).where(Household.reference == reference)
    found = session.scalar(query.with_for_update(of=Household).execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such household that you may see.")
    return found


def _refuse_while_housed(session: Session, household: Household, applications: Sequence[Application]) -> None:
    tenancy = session.scalar(
        select(Tenancy)
        .where(Tenancy.household_id == household.id, Tenancy.moved_out_on.is_(None))
        .options(joinedload(Tenancy.house))
    )
    if tenancy is not None:
        raise Conflict(
            f"The household lives in house {tenancy.house.reference}. Once it has moved out, record that; then it can "
            "be erased."
        )
    reserved = exists().where(Proposal.household_id == household.id, Proposal.state == ProposalState.RESERVED)
    settled = any(application.state in SETTLED for application in applications)
    if settled or session.scalar(select(Household.id).where(Household.id == household.id, reserved)) is not None:
        raise Conflict(
            "A house is reserved for the household. Withdraw its application, which frees the house; then it can be "
            "erased."
        )


def _erase_people(session: Session, household: Household) -> None:
    for person in household.people:
        person.partner_id = None
    session.flush()  # partners refer to each other: neither could go first
    household.people.clear()


def _erase_household(household: Household, reason: str) -> None:
    household.key = household.client_id = household.language = None
    household.phone = None
    household.origin = household.displaced_on = household.consent_on = household.kin_group = None
    household.current_accommodation = Accommodation.OTHER
    household.erased_at, household.erased_reason = utc_now(), reason


def _erase_application(application: Application) -> None:
    if application.state is not ApplicationState.WITHDRAWN:
        application.state, application.withdrawn_at = ApplicationState.WITHDRAWN, utc_now()
    application.settlement_id = application.client_id = None
    application.size_override = application.size_override_reason = None
    application.return_reasons = application.return_note = application.ineligible_for = application.facts_hash = None
    application.precedence_since = None
    application.withdrawn_reason = ERASED
    application.preferences.clear()


def _lift_placements(session: Session, household: Household, actor: Principal) -> None:
    query = select(Placement).where(Placement.household_id == household.id).order_by(Placement.id)
    for placement in session.scalars(query.with_for_update().execution_options(populate_existing=True)):
        if placement.state is not PlacementState.LIFTED:
            placements.end(placement, ERASED, actor)
        placement.note = None if placement.note is None else ERASED
        placement.lift_reason = ERASED


def _erase_texts(session: Session, household: Household) -> None:
    """Erase what people wrote beside decisions; what the rules and the solver say names nobody and stays."""
    tenancies = session.scalars(select(Tenancy).where(Tenancy.household_id == household.id)).all()
    for tenancy in tenancies:
        tenancy.end_reason = None if tenancy.end_reason is None else ERASED
        tenancy.representative = None if tenancy.representative is None else ERASED
    noted = select(OccupancyCheck).where(
        OccupancyCheck.tenancy_id.in_([tenancy.id for tenancy in tenancies]), OccupancyCheck.note.is_not(None)
    )
    for check in session.scalars(noted):
        check.note = ERASED
    wishes = select(SwapWish.id).where(SwapWish.household_id == household.id)
    session.execute(delete(SwapOption).where(SwapOption.wish_id.in_(wishes)))
    for grant in session.scalars(select(BreakGlassGrant).where(BreakGlassGrant.household == household.reference)):
        grant.reason, grant.remark = ERASED, None if grant.remark is None else ERASED
    for offer in session.scalars(select(Offer).where(Offer.household_id == household.id)):
        offer.note = None if offer.note is None else ERASED
        offer.end_reason = None if offer.end_reason is None else ERASED
        offer.decline_reason = None if offer.decline_reason is None else DeclineReason.OTHER
    for appeal in session.scalars(select(Appeal).where(Appeal.household_id == household.id)):
        if appeal.state is AppealState.LODGED:
            appeal.state, appeal.ended_at = AppealState.WITHDRAWN, utc_now()
        appeal.ground, appeal.statement, appeal.corrections = AppealGround.OTHER, None, {}
        appeal.reason, appeal.what_if_id = None, None
    session.flush()
    session.execute(delete(WhatIf).where(WhatIf.household_id == household.id))
    released = select(Proposal).where(Proposal.household_id == household.id, Proposal.state == ProposalState.RELEASED)
    for proposal in session.scalars(released):
        proposal.explanation = proposal.explanation.partition(" Released: ")[0]
