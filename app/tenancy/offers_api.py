"""Offers as JSON: issued, answered, withdrawn."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import queries
from app.allocation.models import Run
from app.allocation.offer_models import Offer, OfferState
from app.audit import Act
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, READ
from app.references import normalised
from app.registry.models import Household
from app.tenancy import answers, offer_queries, offers
from app.tenancy.deadlines import deadlines
from app.tenancy.offer_schemas import OfferAccepted, OfferDeclined, OfferRead, OffersIssued, OfferWithdrawn

router = APIRouter(tags=["offers"])
MayRead = Annotated[Principal, requires(Permission.OFFER_READ)]
MayWrite = Annotated[Principal, requires(Permission.OFFER_WRITE)]
MayAnswer = Annotated[Principal, requires(Permission.OFFER_ANSWER)]


def _read(request: Request, session: Session, found: Sequence[Offer]) -> list[OfferRead]:
    ends = deadlines(session, found, request.app.state.settings.zone)
    return [OfferRead.of(offer, ends[offer.id]) for offer in found]


@router.post(
    "/runs/{reference}/offers", operation_id="issue_offers", summary="Offer the houses of a run", responses=ACT
)
def issue_offers(reference: str, request: Request, session: DbSession, principal: MayWrite) -> OffersIssued:
    """To every family for which the run reserves one. Asked again, it offers only what was not offered yet."""
    run = queries.actable_run(session, principal, Permission.OFFER_WRITE, normalised(reference))
    issued = offers.issue(session, run, request.app.state.settings.zone, principal)
    return OffersIssued.of(run.reference, issued)


@router.get("/offers", operation_id="list_offers", summary="List offers", responses=LIST)
def list_offers(
    request: Request,
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[OfferState | None, Query(description="Only those in this state.")] = None,
    run: Annotated[str | None, Query(description="Only those of this run.", max_length=40)] = None,
    settlement: Annotated[str | None, Query(description="Only houses in this settlement.", max_length=40)] = None,
    household: Annotated[str | None, Query(description="Only those to this household.", max_length=40)] = None,
) -> Page[OfferRead]:
    """Of houses where you may see them, and to families whom you may see."""
    seen = query = offer_queries.offers(principal)
    if state is not None:
        query = query.where(Offer.state == state)
    if run is not None:
        query = query.join(Offer.run).where(Run.reference == normalised(run))
    if settlement is not None:
        query = offer_queries.in_settlement(query, normalised(settlement))
    if household is not None:
        query = query.where(Household.reference == normalised(household))
    rows, following = page(session, query, Offer, paging, seen)
    audit.record(session, principal, Act.OFFER_LIST, details=audit.listed(rows, (row.household for row in rows)))
    return Page(items=_read(request, session, rows), next=following)


@router.get("/offers/{reference}", operation_id="read_offer", summary="Read an offer", responses=READ)
def read_offer(reference: str, request: Request, session: DbSession, principal: MayRead) -> OfferRead:
    """With its deadline, and the answer."""
    offer = offer_queries.offer(session, principal, Permission.OFFER_READ, normalised(reference))
    audit.record(session, principal, Act.OFFER_READ, offer)
    return _read(request, session, [offer])[0]


@router.post("/offers/{reference}/accept", operation_id="accept_offer", summary="Accept an offer", responses=ACT)
def accept_offer(
    reference: str, body: OfferAccepted, request: Request, session: DbSession, principal: MayAnswer
) -> OfferRead:
    """Recorded for the family, in time and while every gate of the settlement is met. No run moves it any more."""
    offer = offer_queries.offer(session, principal, Permission.OFFER_ANSWER, normalised(reference))
    zone = request.app.state.settings.zone
    answers.accept(session, offer, answered_on=body.answered_on, given_how=body.given_how, zone=zone, actor=principal)
    return _read(request, session, [offer])[0]


@router.post("/offers/{reference}/decline", operation_id="decline_offer", summary="Decline an offer", responses=ACT)
def decline_offer(
    reference: str, body: OfferDeclined, request: Request, session: DbSession, principal: MayAnswer
) -> OfferRead:
    """Recorded for the family, which waits as before: its place is lower only where the policy says so."""
    offer = offer_queries.offer(session, principal, Permission.OFFER_ANSWER, normalised(reference))
    answers.decline(
        session,
        offer,
        reason=body.reason,
        note=body.note,
        answered_on=body.answered_on,
        given_how=body.given_how,
        zone=request.app.state.settings.zone,
        actor=principal,
    )
    return _read(request, session, [offer])[0]


@router.post(
    "/offers/{reference}/ask-again",
    operation_id="ask_for_offer_again",
    summary="Ask for a declined settlement again",
    responses=ACT,
)
def ask_for_offer_again(reference: str, request: Request, session: DbSession, principal: MayAnswer) -> OfferRead:
    """The family that declined may be offered a house in the same settlement again, from the next run on."""
    offer = offer_queries.offer(session, principal, Permission.OFFER_ANSWER, normalised(reference))
    answers.ask_again(session, offer, principal)
    return _read(request, session, [offer])[0]


@router.post("/offers/{reference}/withdraw", operation_id="withdraw_offer", summary="Withdraw an offer", responses=ACT)
def withdraw_offer(
    reference: str, body: OfferWithdrawn, request: Request, session: DbSession, principal: MayWrite
) -> OfferRead:
    """One that was a mistake. The house is free at once, and the family waits as before."""
    offer = offer_queries.offer(session, principal, Permission.OFFER_WRITE, normalised(reference))
    offers.withdraw(session, offer, body.reason, principal)
    return _read(request, session, [offer])[0]
