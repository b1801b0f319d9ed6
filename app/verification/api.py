"""Verifying applications and signing their eligibility, one by one and many at once, as JSON."""

from typing import Annotated

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import policies
from app.audit import Act
from app.errors import FieldError, Invalid
from app.housing.queries import named_origin, named_settlement
from app.pagination import Page, Paging, page
from app.preconditions import TAGGED, IfMatch, require_version, tag
from app.problems import ACT, CHANGE, READ
from app.references import normalised
from app.registry import queries
from app.registry.models import Correction
from app.registry.schemas import ApplicationRead, CorrectionRead
from app.verification import bulk, verdicts, verifications
from app.verification.bulk import Selection
from app.verification.schemas import Chosen, ChosenVerdict, EligibilityRead, OutcomeRead, Return, Signature
from app.verification.verdicts import Stated

router = APIRouter(tags=["verification"])
MayRead = Annotated[Principal, requires(Permission.HOUSEHOLD_READ)]
MayReadCorrections = Annotated[Principal, requires(Permission.CORRECTION_READ)]
MayVerify = Annotated[Principal, requires(Permission.APPLICATION_VERIFY)]
MayDecide = Annotated[Principal, requires(Permission.APPLICATION_DECIDE)]


@router.post(
    "/applications/verify",
    operation_id="verify_applications",
    summary="Verify many applications",
    responses=ACT,
)
def verify_applications(body: Chosen, session: DbSession, principal: MayVerify) -> OutcomeRead:
    """Each for itself, up to 500 at a time. What you began, submitted, corrected or imported is for others."""
    chosen = _selection(session, body, principal, Permission.APPLICATION_VERIFY)
    return OutcomeRead.of(bulk.verify(session, chosen, principal))


@router.post(
    "/applications/decide-eligibility",
    operation_id="decide_eligibilities",
    summary="Sign the same verdict on many applications",
    responses=ACT,
)
def decide_eligibilities(body: ChosenVerdict, session: DbSession, principal: MayDecide) -> OutcomeRead:
    """Each for itself, up to 500 at a time: where the rules of the policy in force say what you state."""
    chosen = _selection(session, body, principal, Permission.APPLICATION_DECIDE)
    return OutcomeRead.of(bulk.decide(session, chosen, eligible=body.eligible, actor=principal))


def _selection(session: Session, body: Chosen, principal: Principal, permission: Permission) -> Selection:
    if (body.applications is None) != body.everything:
        message = "Name applications, or set everything: one of the two."
        raise Invalid("Which applications is not clear.", [FieldError("#/body/applications", message)])
    settlement, origin = body.settlement, body.origin
    if not body.everything:
        named = [name for name in ("settlement", "origin", "after") if getattr(body, name) is not None]
        if named:
            errors = [FieldError(f"#/body/{name}", "This goes with everything. Leave it out.") for name in named]
            raise Invalid("Which applications is not clear.", errors)
        return Selection(references=tuple(normalised(each) for each in body.applications or ()))
    return Selection(
        settlement=named_settlement(session, normalised(settlement), "#/body/settlement") if settlement else None,
        origin=(
            named_origin(session, normalised(origin), "#/body/origin", principal.scope(permission)) if origin else None
        ),
        after=normalised(body.after) if body.after else None,
    )


@router.post(
    "/applications/{reference}/verify",
    operation_id="verify_application",
    summary="Verify an application",
    responses=CHANGE | TAGGED,
)
def verify_application(
    reference: str, session: DbSession, principal: MayVerify, if_match: IfMatch, response: Response
) -> ApplicationRead:
    """By somebody else than all who began, submitted, corrected or imported it."""
    application = queries.visible_application(session, principal, normalised(reference))
    require_version(application, if_match)
    verifications.verify(session, application, principal)
    tag(response, application)
    return ApplicationRead.of(application)


@router.post(
    "/applications/{reference}/return",
    operation_id="return_application",
    summary="Give an application back",
    responses=CHANGE | TAGGED,
)
def return_application(
    reference: str, body: Return, session: DbSession, principal: MayVerify, if_match: IfMatch, response: Response
) -> ApplicationRead:
    """With what it lacks, to be corrected and submitted again. It loses no place by that."""
    application = queries.visible_application(session, principal, normalised(reference))
    require_version(application, if_match)
    verifications.send_back(session, application, list(dict.fromkeys(body.reasons)), body.note, principal)
    tag(response, application)
    return ApplicationRead.of(application)


@router.get(
    "/applications/{reference}/corrections",
    operation_id="list_corrections",
    summary="List the corrections of an application",
    responses=READ,
)
def list_corrections(
    reference: str, session: DbSession, principal: MayReadCorrections, paging: Paging
) -> Page[CorrectionRead]:
    """What was changed of it or its household after it was handed in, by whom, with before and after."""
    application = queries.visible_application(session, principal, normalised(reference), Permission.CORRECTION_READ)
    query = (
        select(Correction)
        .where(Correction.application_id == application.id)
        .options(joinedload(Correction.corrected_by))
    )
    rows, following = page(session, query, Correction, paging)
    found = {"application": application.reference, **audit.listed(rows, [application.household])}
    audit.record(session, principal, Act.CORRECTION_LIST, details=found)
    return Page(items=[CorrectionRead.of(row) for row in rows], next=following)


@router.get(
    "/applications/{reference}/eligibility",
    operation_id="read_eligibility",
    summary="Ask the rules about an application",
    responses=READ,
)
def read_eligibility(reference: str, session: DbSession, principal: MayRead) -> EligibilityRead:
    """What the policy in force says of its household today, with every reason: to be signed as it is."""
    application = queries.visible_application(session, principal, normalised(reference))
    queries.visible_household(session, principal, application.household.reference)  # with its people
    audit.record(session, principal, Act.ELIGIBILITY_READ, application)
    return EligibilityRead.of(application.reference, verdicts.verdict(application, *policies.in_force(session)))


@router.post(
    "/applications/{reference}/decide-eligibility",
    operation_id="decide_eligibility",
    summary="Sign what the rules say of an application",
    responses=ACT | TAGGED,
)
def decide_eligibility(
    reference: str, body: Signature, session: DbSession, principal: MayDecide, response: Response
) -> ApplicationRead:
    """Eligible or not, as you read it: where the household or the policy has changed since, it is refused."""
    application = queries.visible_application(session, principal, normalised(reference))
    stated = Stated(body.eligible, normalised(body.policy), body.facts_hash)
    verdicts.sign(session, application, stated, principal)
    tag(response, application)
    return ApplicationRead.of(application)
