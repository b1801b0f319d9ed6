"""Until when an offer may be answered: whole days in the programme's time zone, without those with a gate closed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.allocation.offer_models import Offer
from app.database import utc_now
from app.housing.closures import closures, days_closed
from app.housing.models import Settlement
from app.housing.readiness import ready


@dataclass(frozen=True)
class Deadline:
    """The last day for an answer, as far as it is known: while a gate is closed (`is_paused`), it is put off daily."""

    last_day: date
    is_paused: bool

    def is_over(self, today: date) -> bool:
        """Whether an answer comes too late."""
        return today > self.last_day


def last_day(issued_on: date, answer_by: date, closed: Collection[date]) -> date:
    """Return the last day for an answer: `answer_by`, put off by every day after the issue that was a closed one."""
    after = sorted(day for day in closed if day > issued_on)
    last = answer_by
    for day in after:
        if day > last:
            break
        last += timedelta(days=1)
    return last


def deadlines(session: Session, offers: Sequence[Offer], zone: tzinfo) -> Mapping[int, Deadline]:
    """Return offer → deadline of `offers`, loaded with their houses."""
    if not offers:
        return {}
    today = utc_now().astimezone(zone).date()
    places = {offer.house.settlement_id for offer in offers}
    periods = closures(session, places, min(offer.issued_at for offer in offers))
    open_now = set(session.scalars(select(Settlement.id).where(Settlement.id.in_(places), ready())))
    days = {place: days_closed(periods.get(place, ()), zone, today) for place in places}
    return {
        offer.id: Deadline(
            last_day(
                offer.issued_at.astimezone(zone).date(),
                offer.answer_by,
                days[offer.house.settlement_id] | (set() if offer.house.settlement_id in open_now else {today}),
            ),
            offer.house.settlement_id not in open_now,
        )
        for offer in offers
    }
