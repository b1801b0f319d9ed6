"""What families answer to an offer: they accept it, or decline it for a reason, or would look at it again."""

from datetime import date, tzinfo

from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import reservations
from app.allocation.models import Proposal
from app.allocation.offer_models import GivenHow, Offer, OfferState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.housing.closures import require_open
from app.policy.facts import DeclineReason
from app.tenancy import offers
from app.tenancy.deadlines import deadlines


def _require(actor: Principal, offer: Offer) -> None:
    """Whoever answers for the families of the house's settlement, or of where the family comes from, records it."""
    actor.require_somewhere(Permission.OFFER_ANSWER)
    origin = offer.household.origin
    places = [offer.house.settlement, *([origin.settlement] if origin and origin.settlement else [])]
    scope = actor.scope(Permission.OFFER_ANSWER)
    if not any(scope.covers(district=place.district, settlement=place.reference) for place in places):
        raise Forbidden("Neither the house nor the family's origin lies where you record answers.")


def _check_day(offer: Offer, answered_on: date, zone: tzinfo) -> None:
    issued_on, today = offer.issued_at.astimezone(zone).date(), utc_now().astimezone(zone).date()
    if not issued_on <= answered_on <= today:
        raise Invalid(
            "The family cannot have answered on that day.",
            [FieldError("#/body/answered_on", f"Give a day from {issued_on} to {today}.")],
        )


def accept(
    session: Session, offer: Offer, *, answered_on: date, given_how: GivenHow, zone: tzinfo, actor: Principal
) -> Offer:
    """Record that the family takes the house: no run moves it any more.

    `offer` must be loaded with house, settlement, household and origin. Raises Forbidden, Invalid for a day that
    cannot be, and Conflict when the offer has ended, is accepted already or overdue, or a gate has closed.
    """
    _require(actor, offer)
    _check_day(offer, answered_on, zone)
    offers.lock(session, offer)
    require_open(session, offer.house.settlement)
    if offer.state is OfferState.ACCEPTED:
        raise Conflict("The offer is accepted already.", state=offer.state.value)
    deadline = deadlines(session, [offer], zone)[offer.id]
    if deadline.is_over(utc_now().astimezone(zone).date()):
        raise Conflict(f"The offer ran out: the last day for an answer was {deadline.last_day}.")
    offer.state, offer.answered_on, offer.given_how = OfferState.ACCEPTED, answered_on, given_how
    offer.answered_by_id = actor.user_id
    session.get_one(Proposal, offer.proposal_id).is_firm = True
    audit.record(session, actor, Act.OFFER_ACCEPT, offer)
    return offer


def decline(
    session: Session,
    offer: Offer,
    *,
    reason: DeclineReason,
    note: str | None,
    answered_on: date,
    given_how: GivenHow,
    zone: tzinfo,
    actor: Principal,
) -> Offer:
    """Record that the family does not take the house, also after it had accepted it: the house is free at once.

    What follows for the family is the policy's to say. Raises Forbidden, Invalid for a day that cannot be, and Conflict
    when the offer has ended or is overdue.
    """
    _require(actor, offer)
    _check_day(offer, answered_on, zone)
    house = offers.lock(session, offer)
    deadline = deadlines(session, [offer], zone)[offer.id]
    if offer.state is OfferState.ISSUED and deadline.is_over(utc_now().astimezone(zone).date()):
        raise Conflict(f"The offer ran out: the last day for an answer was {deadline.last_day}.")
    offer.state, offer.decline_reason, offer.note = OfferState.DECLINED, reason, note
    offer.answered_on, offer.given_how, offer.answered_by_id = answered_on, given_how, actor.user_id
    offer.ended_at = utc_now()
    session.flush()
    proposal = session.get_one(Proposal, offer.proposal_id)
    reservations.give_back(session, proposal, house, "The family declined.", [])
    audit.record(session, actor, Act.OFFER_DECLINE, offer)
    return offer


def ask_again(session: Session, offer: Offer, actor: Principal) -> Offer:
    """Record that a family that declined would be offered the same settlement again.

    Raises Forbidden, and Conflict where the offer was not declined, or the family has asked already.
    """
    _require(actor, offer)
    session.refresh(offer, offers.LOCKED, with_for_update=True)
    if offer.state is not OfferState.DECLINED:
        raise Conflict(f"The offer is {offer.state.value}; only one that was declined can be asked for again.")
    if offer.asked_again_at is not None:
        raise Conflict("The family has asked for it again already.")
    offer.asked_again_at = utc_now()
    audit.record(session, actor, Act.OFFER_ASK_AGAIN, offer)
    return offer
