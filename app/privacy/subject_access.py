"""Everything that is held of one household, and of records that were merged into it, for the family itself."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from app import audit
from app.access.models import User
from app.access.permissions import Permission, Principal
from app.allocation import placements
from app.allocation.models import Proposal
from app.allocation.offer_models import Offer
from app.allocation.placement_models import Placement
from app.allocation.placement_schemas import PlacementRead
from app.allocation.preview_models import PolicyPreview
from app.allocation.what_if_models import WhatIf
from app.audit import Act
from app.audit.models import AuditEntry
from app.break_glass.models import BreakGlassGrant
from app.database import utc_now
from app.documents.models import Document
from app.documents.schemas import DocumentRead
from app.housing.models import House, Settlement
from app.privacy import decisions, histories
from app.privacy.schemas import (
    ActHeld,
    AppealHeld,
    ApplicationHeld,
    CheckHeld,
    EstimateHeld,
    HolderHeld,
    OfferHeld,
    OpeningHeld,
    PlacementHeld,
    PreviewHeld,
    QuestionHeld,
    SubjectAccess,
    SuspicionHeld,
    SwapHeld,
    TenancyHeld,
)
from app.registry.duplicate_models import DuplicateCandidate
from app.registry.households import require
from app.registry.matching import EvidenceCode
from app.registry.models import Application, Correction, Household, Preference, Suitability
from app.registry.queries import visible_household
from app.registry.schemas import ApplicationRead, CorrectionRead, HouseholdRead
from app.tenancy.appeal_models import Appeal
from app.tenancy.models import OccupancyCheck, Tenancy, TenancyHolder
from app.tenancy.swap_models import SwapCycle, SwapMove, SwapOption, SwapWish


def give(session: Session, reference: str, actor: Principal) -> SubjectAccess:
    """Return everything that is held of a household, and record that. Raises NotFound and Forbidden.

    What a run proposes and nobody has decided on is left out: it would be a promise.
    """
    household = visible_household(session, actor, reference, Permission.SUBJECT_ACCESS_READ)
    require(actor, household.origin, Permission.SUBJECT_ACCESS_READ)
    audit.record(session, actor, Act.SUBJECT_ACCESS_GIVE, household)
    merged = _merged_into(session, household)
    every = [household, *merged]
    ids = [each.id for each in every]
    trail = _trail(session, every)
    return SubjectAccess(
        prepared_at=utc_now(),
        household=HouseholdRead.of(household),
        origin_name=household.origin.name if household.origin else None,
        applications=_applications(session, ids),
        estimates=[
            EstimateHeld(settlement=name, score=score)
            for name, score in session.execute(
                select(Settlement.name, Suitability.score)
                .join(Suitability, Suitability.settlement_id == Settlement.id)
                .where(Suitability.household_id.in_(ids))
                .order_by(Settlement.name)
            )
        ],
        decisions=decisions.of_households(session, every),
        offers=_offers(session, ids),
        placements=_placements(session, ids),
        previews=_previews(session, every),
        appeals=[
            AppealHeld.model_validate(each)
            for each in session.scalars(select(Appeal).where(Appeal.household_id.in_(ids)).order_by(Appeal.id))
        ],
        questions=[
            QuestionHeld.model_validate(each)
            for each in session.scalars(select(WhatIf).where(WhatIf.household_id.in_(ids)).order_by(WhatIf.id))
        ],
        tenancies=_tenancies(session, ids),
        merged=[HouseholdRead.of(each) for each in merged],
        suspicions=_suspicions(session, ids),
        swaps=_swaps(session, ids),
        openings=[
            OpeningHeld(user=user, granted_at=each.granted_at, reads=each.reads, reason=each.reason, remark=each.remark)
            for each, user in session.execute(
                select(BreakGlassGrant, User.reference)
                .join(BreakGlassGrant.user)
                .where(BreakGlassGrant.household.in_([each.reference for each in every]))
                .order_by(BreakGlassGrant.id)
            )
        ],
        trail=trail,
    )


def _merged_into(session: Session, household: Household) -> list[Household]:
    query = select(Household).where(Household.merged_into_id == household.id).order_by(Household.id)
    options = joinedload(Household.origin), joinedload(Household.kin_group), selectinload(Household.people)
    found = session.scalars(query.options(*options)).all()
    return [each for merged in found for each in (merged, *_merged_into(session, merged))]


def _suspicions(session: Session, ids: Sequence[int]) -> list[SuspicionHeld]:
    """Return when the household was suspected to be there twice; what is said of the other household is not its."""
    query = select(DuplicateCandidate).where(
        or_(DuplicateCandidate.first_id.in_(ids), DuplicateCandidate.second_id.in_(ids))
    )
    return [
        SuspicionHeld(
            reference=each.reference,
            state=each.state,
            found_at=each.found_at,
            evidence=sorted({EvidenceCode(evidence["code"]) for evidence in each.evidence}),
            decided_at=each.decided_at,
            reason=each.decision_reason,
        )
        for each in session.scalars(query.order_by(DuplicateCandidate.id))
    ]


def _applications(session: Session, ids: Sequence[int]) -> list[ApplicationHeld]:
    found = session.scalars(
        select(Application)
        .where(Application.household_id.in_(ids))
        .options(
            joinedload(Application.household),
            selectinload(Application.preferences).joinedload(Preference.settlement),
        )
        .order_by(Application.id)
    )
    documents: dict[int, list[DocumentRead]] = defaultdict(list)
    for document in session.scalars(
        select(Document)
        .join(Application, Application.id == Document.application_id)
        .where(Application.household_id.in_(ids))
        .order_by(Document.id)
    ):
        documents[document.application_id].append(DocumentRead.model_validate(document))
    history: dict[int, list[CorrectionRead]] = defaultdict(list)
    of_others = histories.of_others(session, ids)
    for correction in session.scalars(
        select(Correction)
        .join(Application, Application.id == Correction.application_id)
        .where(Application.household_id.in_(ids))
        .options(joinedload(Correction.corrected_by))
        .order_by(Correction.id)
    ):
        told = CorrectionRead.of(correction)
        told.changes = [change for change in told.changes if change.thing not in of_others]
        history[correction.application_id].append(told)
    return [
        ApplicationHeld(
            **ApplicationRead.of(each).model_dump(),
            preferred_names=[preference.settlement.name for preference in each.preferences],
            begun_at=each.created_at,
            changed_at=each.updated_at,
            precedence_since=each.precedence_since,
            corrections=history[each.id],
            documents=documents[each.id],
        )
        for each in found
    ]


def _offers(session: Session, ids: Sequence[int]) -> list[OfferHeld]:
    found = session.scalars(
        select(Offer)
        .where(Offer.household_id.in_(ids))
        .options(joinedload(Offer.house).joinedload(House.settlement))
        .order_by(Offer.id)
    )
    own = set(OfferHeld.model_fields) - {"settlement", "house", "address"}
    return [
        OfferHeld(
            **{name: getattr(each, name) for name in own},
            settlement=each.house.settlement.name,
            house=each.house.reference,
            address=each.house.address,
        )
        for each in found
    ]


def _previews(session: Session, every: Sequence[Household]) -> list[PreviewHeld]:
    """Return what previews of a policy compared for the household; they name it by its reference."""
    references = {each.reference for each in every}
    found = session.scalars(
        select(PolicyPreview)
        .where(or_(*(PolicyPreview.households.contains(f'"{each}"', autoescape=True) for each in references)))
        .options(undefer(PolicyPreview.households), joinedload(PolicyPreview.draft))
        .order_by(PolicyPreview.id)
    )
    return [
        PreviewHeld(
            reference=each.reference,
            requested_at=each.requested_at,
            draft=each.draft.name,
            known=known,
        )
        for each in found
        for known in json.loads(each.households)
        if known["household"] in references
    ]


def _placements(session: Session, ids: Sequence[int]) -> list[PlacementHeld]:
    query = select(Placement).where(Placement.household_id.in_(ids)).order_by(Placement.id)
    return [
        PlacementHeld(
            **PlacementRead.of(each).model_dump(exclude={"household", "settlement"}), settlement=each.settlement.name
        )
        for each in session.scalars(placements.loaded(query))
    ]


def _tenancies(session: Session, ids: Sequence[int]) -> list[TenancyHeld]:
    found = session.scalars(
        select(Tenancy)
        .where(Tenancy.household_id.in_(ids))
        .options(
            joinedload(Tenancy.house).joinedload(House.settlement),
            joinedload(Tenancy.received_by),
            selectinload(Tenancy.holders).joinedload(TenancyHolder.person),
        )
        .order_by(Tenancy.id)
    ).all()
    checks = session.scalars(
        select(OccupancyCheck)
        .where(OccupancyCheck.tenancy_id.in_([each.id for each in found]))
        .order_by(OccupancyCheck.id)
    ).all()
    return [
        TenancyHeld(
            reference=each.reference,
            settlement=each.house.settlement.name,
            house=each.house.reference,
            address=each.house.address,
            keys_given_on=each.keys_given_on,
            received_by=each.received_by.reference if each.received_by else None,
            representative=each.representative,
            holders=[
                HolderHeld(
                    name=f"{holder.person.given_name} {holder.person.family_name}",
                    opted_out_reason=holder.opted_out_reason,
                )
                for holder in each.holders
            ],
            moved_in_on=each.moved_in_on,
            moved_out_on=each.moved_out_on,
            ended_for=each.ended_for,
            end_reason=each.end_reason,
            recorded_at=each.recorded_at,
            checks=[CheckHeld.model_validate(check) for check in checks if check.tenancy_id == each.id],
        )
        for each in found
    ]


def _swaps(session: Session, ids: Sequence[int]) -> list[SwapHeld]:
    wishes = session.scalars(
        select(SwapWish)
        .where(SwapWish.household_id.in_(ids))
        .options(
            selectinload(SwapWish.options).options(joinedload(SwapOption.house), joinedload(SwapOption.settlement))
        )
        .order_by(SwapWish.id)
    )
    cycles = select(SwapCycle.reference).join(SwapCycle.moves).order_by(SwapCycle.id)
    return [
        SwapHeld(
            reference=wish.reference,
            state=wish.state,
            registered_at=wish.registered_at,
            ended_at=wish.ended_at,
            options=[
                each.house.address if each.house else each.settlement.name if each.settlement else ""
                for each in wish.options
            ],
            swaps=list(session.scalars(cycles.where(SwapMove.wish_id == wish.id))),
        )
        for wish in wishes
    ]


def _trail(session: Session, every: Sequence[Household]) -> list[ActHeld]:
    """Return the entries about the household or anything of it, and those of many things that name it."""
    of_household = [each.reference for each in every]
    of_household += [person.reference for each in every for person in each.people]
    ids = [each.id for each in every]
    for model in (Application, Proposal, Offer, Placement, WhatIf, Appeal, Tenancy, SwapWish):
        of_household += session.scalars(select(model.reference).where(model.household_id.in_(ids)))
    opened = BreakGlassGrant.household.in_([each.reference for each in every])
    of_household += session.scalars(select(BreakGlassGrant.reference).where(opened))
    suspected = or_(DuplicateCandidate.first_id.in_(ids), DuplicateCandidate.second_id.in_(ids))
    of_household += session.scalars(select(DuplicateCandidate.reference).where(suspected))
    of_household += session.scalars(
        select(Document.reference)
        .join(Application, Application.id == Document.application_id)
        .where(Application.household_id.in_(ids))
    )
    found = session.scalars(
        select(AuditEntry)
        .where(
            or_(
                AuditEntry.subject.in_(of_household),
                *(AuditEntry.details.contains(f'"{each.reference}"', autoescape=True) for each in every),
            )
        )
        .order_by(AuditEntry.id)
    )
    return [
        ActHeld(
            recorded_at=datetime.fromisoformat(each.recorded_at), act=each.act, subject=each.subject, actor=each.actor
        )
        for each in found
    ]


_pages = Environment(
    loader=PackageLoader("app"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def page(held: SubjectAccess) -> str:
    """Return what is held as one HTML page that needs nothing else, for reading and printing."""
    return _pages.get_template("privacy/subject_access.html").render(held=held.model_dump(mode="json"))
