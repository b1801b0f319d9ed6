"""Since when, and from when to when, a settlement's gates were closed: while they are, no deadline of a family runs."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import utc_now
from app.errors import Conflict
from app.housing.models import GateClosure, Settlement
from app.housing.readiness import ready


def note(session: Session, settlement_ids: Collection[int] | None = None) -> None:
    """Note which of these settlements, or of all, are closed by now and which open again.

    To be called, before it is recorded, by whatever changes something that a gate rests on. The settlements are locked
    first, so that whoever relies on open gates (`require_open`) does so before the change or after it.
    """
    session.flush()
    chosen = select(Settlement.id).order_by(Settlement.id)
    if settlement_ids is not None:
        chosen = chosen.where(Settlement.id.in_(settlement_ids))
    ids = session.scalars(chosen.with_for_update(key_share=True)).all()
    open_now = set(session.scalars(select(Settlement.id).where(Settlement.id.in_(ids), ready())))
    closed = {
        closure.settlement_id: closure
        for closure in session.scalars(
            select(GateClosure).where(GateClosure.settlement_id.in_(ids), GateClosure.opened_at.is_(None))
        )
    }
    now = utc_now()
    for identifier in ids:
        closure = closed.get(identifier)
        if identifier in open_now and closure is not None:
            closure.opened_at = now
        elif identifier not in open_now and closure is None:
            session.add(GateClosure(settlement_id=identifier, closed_at=now))


def kept_open(session: Session, settlement_ids: Collection[int]) -> set[int]:
    """Return those of these settlements whose gates are all met, and keep them so until the transaction ends.

    Houses are locked before: the order of all who rely on both.
    """
    chosen = select(Settlement.id).where(Settlement.id.in_(settlement_ids)).order_by(Settlement.id)
    session.execute(chosen.with_for_update(read=True))
    return set(session.scalars(chosen.where(ready())))  # asked once they are locked


def require_open(session: Session, settlement: Settlement) -> None:
    """Raise Conflict unless every gate of `settlement` is met, and keep them so until the transaction ends."""
    if not kept_open(session, [settlement.id]):
        raise Conflict(
            f"Nobody can move to {settlement.name} now: a gate of the settlement has closed. Read its gates."
        )


Period = tuple[datetime, datetime | None]


def closures(session: Session, settlement_ids: Collection[int], since: datetime) -> Mapping[int, Sequence[Period]]:
    """Return settlement → when it was closed and when it opened again, of closures that did not end before `since`."""
    found: dict[int, list[Period]] = defaultdict(list)
    for closure in session.scalars(select(GateClosure).where(GateClosure.settlement_id.in_(settlement_ids))):
        if closure.opened_at is None or closure.opened_at >= since:
            found[closure.settlement_id].append((closure.closed_at, closure.opened_at))
    return found


def days_closed(periods: Sequence[Period], zone: tzinfo, today: date) -> set[date]:
    """Return the days, in `zone` and up to `today`, on any part of which the gates were closed."""
    days: set[date] = set()
    for closed_at, opened_at in periods:
        first = closed_at.astimezone(zone).date()
        last = today if opened_at is None else min(opened_at.astimezone(zone).date(), today)
        days |= {first + timedelta(days=number) for number in range((last - first).days + 1)}
    return days
