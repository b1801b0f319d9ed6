"""Offers that were declined or ran out, as the next run knows them."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.allocation.offer_models import Offer, OfferState
from app.housing.models import House
from app.policy.facts import Decline
from app.policy.offers import OfferRules, is_offered_again
from app.registry.models import Application, Household


@dataclass(frozen=True)
class PastOffer:
    """A declined or expired offer of a house in a settlement."""

    settlement_id: int
    decline: Decline
    ended_at: datetime
    asked_again: bool


PastOffers = Mapping[int, tuple[PastOffer, ...]]
"""Household → its declined and expired offers."""


def past_offers(session: Session, on: date, households: Collection[int] | None = None) -> PastOffers:
    """Return what these households, or all, declined or left unanswered, as of a day.

    What was offered to one that was merged into another was offered to that one.
    """
    goes_on = _merged(session)
    query = (
        select(Offer.household_id, House.settlement_id, Offer.decline_reason, Offer.ended_at, Offer.asked_again_at)
        .join(Offer.house)
        .where(Offer.state.in_((OfferState.DECLINED, OfferState.EXPIRED)), Offer.ended_at.is_not(None))
        .order_by(Offer.id)
    )
    if households is not None:
        wanted = set(households)
        merged = {each for each in goes_on if _last(goes_on, each) in wanted}
        query = query.where(Offer.household_id.in_(wanted | merged))
    found: dict[int, list[PastOffer]] = defaultdict(list)
    for household, settlement, reason, ended_at, asked_again_at in session.execute(query):
        if ended_at is not None:
            decline = Decline(reason, max((on - ended_at.date()).days, 0))
            found[_last(goes_on, household)].append(
                PastOffer(settlement, decline, ended_at, asked_again_at is not None)
            )
    return {household: tuple(offers) for household, offers in found.items()}


def _merged(session: Session) -> Mapping[int, int]:
    """Household → the one that it was merged into."""
    query = select(Household.id, Household.merged_into_id).where(Household.merged_into_id.is_not(None))
    return {household: into for household, into in session.execute(query) if into is not None}


def _last(goes_on: Mapping[int, int], household: int) -> int:
    while household in goes_on:
        household = goes_on[household]
    return household


def before(offers: PastOffers, moment: datetime) -> PastOffers:
    """Return those of `offers` that had ended by then."""
    return {household: tuple(each for each in past if each.ended_at <= moment) for household, past in offers.items()}


def of(offers: PastOffers, household_id: int) -> tuple[Decline, ...]:
    """Return the declines of one household."""
    return tuple(each.decline for each in offers.get(household_id, ()))


def has_precedence(offers: PastOffers, application: Application) -> bool:
    """Whether the household of an application comes before all others: until it has declined an offer made to it so.

    An offer that was taken back, or whose house turned out unfit, takes nothing from it.
    """
    since = application.precedence_since
    return since is not None and all(each.ended_at <= since for each in offers.get(application.household_id, ()))


def not_again(offers: PastOffers, application: Application, rules: OfferRules) -> set[int]:
    """Return the settlements that are not offered again to the household of an application, loaded with its wishes.

    A family asks for one again by saying so, or by an application, submitted after it declined, that names it.
    """
    named = {preference.settlement_id for preference in application.preferences}
    return {
        each.settlement_id
        for each in offers.get(application.household_id, ())
        if not is_offered_again(each.decline, rules)
        and not each.asked_again
        and not (
            each.settlement_id in named
            and application.submitted_at is not None
            and application.submitted_at > each.ended_at
        )
    }
