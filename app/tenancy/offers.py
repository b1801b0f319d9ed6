"""Offering reserved houses to their families, and ending offers that nobody answered or that were a mistake."""

from dataclasses import dataclass
from datetime import timedelta, tzinfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.permissions import SERVICE, Permission, Principal
from app.allocation import policies, reservations, runs
from app.allocation.models import APPROVED, PolicyVersion, Proposal, ProposalState, Run, RunState
from app.allocation.offer_models import Offer, OfferState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict
from app.housing.closures import kept_open
from app.housing.models import House, HouseState
from app.tenancy.deadlines import deadlines

LOCKED = ("state", "ended_at", "asked_again_at")
UNANSWERED = "The offer ran out unanswered."


@dataclass(frozen=True)
class Issued:
    """What was issued now, how many offers of the run there were before, and the settlements whose gates are closed."""

    offers: list[Offer]
    before: int
    held_back: list[str]


def issue(session: Session, run: Run, zone: tzinfo, actor: Principal) -> Issued:
    """Offer every house that `run` reserves to its family; what was offered before is not offered twice.

    Houses in settlements that have closed since are held back until the same is asked again. Raises Forbidden, and
    Conflict unless the run is drawn.
    """
    run = runs.locked(session, run)
    for part in run.settlements:
        place = part.settlement
        actor.require(Permission.OFFER_WRITE, district=place.district, settlement=place.reference)
    if run.state not in APPROVED:
        raise Conflict(
            f"The run is {run.state.value}; houses are offered once it is drawn.",
            state=run.state.value,
            wanted=RunState.OFFERS_ISSUED.value,
        )
    version = session.get_one(PolicyVersion, run.policy_version_id)
    now = utc_now()
    answer_by = now.astimezone(zone).date() + timedelta(days=policies.policy_of(version).offers.days_to_answer)
    before = len(session.scalars(select(Offer.id).where(Offer.run_id == run.id)).all())
    waiting = _waiting(session, run)
    # Locked in the order of all who lock houses, so that none is given back meanwhile.
    houses = {
        house.id: house
        for house in session.scalars(
            select(House)
            .where(House.id.in_([proposal.house_id for proposal in waiting]), House.state == HouseState.RESERVED)
            .order_by(House.reference)
            .with_for_update()
        )
    }
    open_places = kept_open(session, {house.settlement_id for house in houses.values()})
    open_houses = {house.id for house in houses.values() if house.settlement_id in open_places}
    offers = [
        Offer(
            proposal=proposal,
            run_id=run.id,
            household_id=proposal.household_id,
            house_id=proposal.house_id,
            state=OfferState.ISSUED,
            issued_at=now,
            issued_by_id=actor.user_id,
            answer_by=answer_by,
        )
        for proposal in _waiting(session, run)  # anew: one may have been released before its house was locked
        if proposal.house_id in open_houses
    ]
    session.add_all(offers)
    if run.state is RunState.DRAWN:
        runs.move(run, RunState.OFFERS_ISSUED)
    places = {part.settlement_id: part.settlement.reference for part in run.settlements}
    held_back = {places[house.settlement_id] for house in houses.values() if house.id not in open_houses}
    audit.record(session, actor, Act.OFFER_ISSUE, run)
    return Issued(offers, before, sorted(held_back))


def _waiting(session: Session, run: Run) -> list[Proposal]:
    offered = exists().where(Offer.proposal_id == Proposal.id)
    query = (
        select(Proposal)
        .where(Proposal.run_id == run.id, Proposal.state == ProposalState.RESERVED, ~offered)
        .order_by(Proposal.id)
    )
    return list(session.scalars(query.execution_options(populate_existing=True)))


def lock(session: Session, offer: Offer) -> House:
    """Lock the house that is offered, then its proposal and the offer; return the house with its settlement.

    Raises Conflict when the offer has ended.
    """
    proposal = session.get_one(Proposal, offer.proposal_id)
    try:
        house = reservations.lock(session, proposal)
    except Conflict:
        session.refresh(offer, LOCKED)
        require_going_on(offer)
        raise
    session.refresh(offer, LOCKED, with_for_update=True)
    require_going_on(offer)
    return house


def require_going_on(offer: Offer) -> None:
    """Raise Conflict, naming its state, when the offer has ended."""
    if offer.ended_at is not None:
        raise Conflict(f"The offer is {offer.state.value} and has ended.", state=offer.state.value)


def withdraw(session: Session, offer: Offer, reason: str, actor: Principal) -> Offer:
    """Take an offer back that should not have been made: the house is free, and the household waits as before.

    Raises Forbidden, and Conflict when the offer has ended.
    """
    house = lock(session, offer)
    place = house.settlement
    actor.require(Permission.OFFER_WRITE, district=place.district, settlement=place.reference)
    proposal, why = session.get_one(Proposal, offer.proposal_id), f"Offer withdrawn: {reason}"
    reservations.give_back(session, proposal, house, why, [actor.user_id])
    why = audit.digest("offer", offer.reference, "end_reason", offer.end_reason)
    audit.record(session, actor, Act.OFFER_WITHDRAW, offer, reason=why)
    return offer


def overdue(session: Session, zone: tzinfo) -> list[str]:
    """Return the references of offers whose deadline is over and that nobody has answered."""
    today = utc_now().astimezone(zone).date()
    query = select(Offer).where(Offer.state == OfferState.ISSUED, Offer.answer_by < today).order_by(Offer.id)
    offers = session.scalars(query.options(joinedload(Offer.house))).all()
    ends = deadlines(session, offers, zone)
    return [offer.reference for offer in offers if ends[offer.id].is_over(today)]


def expire(session: Session, reference: str, zone: tzinfo) -> bool:
    """End an overdue offer; its house is free at once. False where it was answered or ended meanwhile."""
    offer = session.scalar(select(Offer).where(Offer.reference == reference).options(joinedload(Offer.house)))
    if offer is None:
        return False
    try:
        house = lock(session, offer)
    except Conflict:
        return False
    is_over = deadlines(session, [offer], zone)[offer.id].is_over(utc_now().astimezone(zone).date())
    if offer.state is not OfferState.ISSUED or not is_over:
        return False
    offer.state, offer.ended_at = OfferState.EXPIRED, utc_now()
    session.flush()
    reservations.give_back(session, session.get_one(Proposal, offer.proposal_id), house, UNANSWERED, [])
    audit.record(session, SERVICE, Act.OFFER_EXPIRE, offer)
    return True
