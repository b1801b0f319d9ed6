"""How often somebody may try to sign in: growing delays, which do not shut out the user whose account is attacked.

Every try is counted before the password is looked at, so that many at once gain nothing, and is forgiven when it was
right. A stranger's try counts for the account, for the address it comes from, and for the two together. A try from
where the user has signed in before counts for the user at that place alone: however many strangers try at the account,
or from the same address at others, the user still gets in. Names that no user has are counted all the same.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from math import ceil

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.access.hashing import Rank
from app.access.models import KnownPlace, Throttle, User
from app.database import engine_of, utc_now
from app.errors import TooManyRequests

FORGOTTEN_AFTER = timedelta(hours=24)
KNOWN_FOR = timedelta(days=90)
MOST_KNOWN_PLACES = 50
MOST_DROPPED_AT_ONCE = 1000
IPV6_SITE_BITS = 64
"""Whoever has one address of IPv6 has the whole network of that many bits."""


@dataclass(frozen=True)
class Limit:
    """How many tries pass without delay, and how long the delay may become; it doubles from one second."""

    free: int
    longest: timedelta

    def delay(self, tries: int) -> timedelta:
        """Return how long nothing is taken after so many tries."""
        over = tries - self.free
        return min(timedelta(seconds=2 ** min(over - 1, 20)), self.longest) if over > 0 else timedelta(0)


SAME_PLACE = Limit(5, timedelta(minutes=15))
ACCOUNT = Limit(20, timedelta(minutes=15))
ADDRESS = Limit(60, timedelta(minutes=5))


@dataclass(frozen=True)
class Place:
    """Where a request comes from: network address, what the client calls itself, what its device cookie holds."""

    address: str
    agent: str = ""
    device: str | None = None

    @property
    def network(self) -> str:
        """The address as throttling knows it."""
        try:
            parsed = ip_address(self.address)
        except ValueError:  # a socket of this machine has none
            return self.address
        if isinstance(parsed, IPv6Address):
            return str(parsed.ipv4_mapped or int(parsed) >> (128 - IPV6_SITE_BITS))
        return str(parsed)


@dataclass(frozen=True)
class Standing:
    """How well the user is known from the place, and the limits that a try counts for, by key."""

    rank: Rank
    own: str
    """The key of the user's tries at this place, under which nobody else's count."""
    limits: tuple[tuple[str, Limit], ...]


@dataclass(frozen=True)
class Keys:
    """Under which keys tries at a name from a place may count: here, by browser, for the account, for the address.

    `known_address` is what the address is called among the places that users are known from.
    """

    here: str
    browser: str | None
    account: str
    address: str
    known_address: str


@dataclass(frozen=True)
class Counted:
    """A try that was counted: how many there were under each key, with it; `own` is that of the user at this place."""

    own: str
    tries: tuple[tuple[str, int], ...]


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _address_key(place: Place) -> str:
    return _key("address", place.network)


def _device_key(place: Place) -> str | None:
    return None if place.device is None else _key("device", place.device)


def _own_limit(username: str, place: Place, device_key: str | None) -> tuple[str, Limit]:
    """Return what the user's tries at this place count for: by device where that is known, else by address."""
    return _key("same place", username, device_key or place.network), SAME_PLACE


def keys_of(username: str, place: Place) -> Keys:
    """Return under which keys tries at `username` from `place` may count."""
    device_key = _device_key(place)
    return Keys(
        here=_own_limit(username, place, None)[0],
        browser=None if device_key is None else _own_limit(username, place, device_key)[0],
        account=_key("account", username),
        address=_key("address", place.network),
        known_address=_address_key(place),
    )


def standing(session: Session, username: str, place: Place) -> Standing:
    """Return what a try at `username` from `place` counts for. Raises TooManyRequests while a delay lasts."""
    device_key = _device_key(place)
    known = session.scalars(
        select(KnownPlace.place_sha256)
        .join(User, User.id == KnownPlace.user_id)
        .where(
            User.username == username,
            KnownPlace.place_sha256.in_([_address_key(place), device_key]),
            KnownPlace.seen_at > utc_now() - KNOWN_FOR,
        )
    ).all()
    limits = [_own_limit(username, place, device_key if device_key in known else None)]
    if not known:
        limits += [(_key("account", username), ACCOUNT), (_key("address", place.network), ADDRESS)]
    rank = Rank.BROWSER if device_key in known else Rank.ADDRESS if known else Rank.STRANGER
    found = Standing(rank, limits[0][0], tuple(sorted(limits, key=lambda limit: limit[0])))
    keys = [key for key, _ in found.limits]
    closed = select(Throttle.key_sha256, Throttle.closed_until).where(Throttle.key_sha256.in_(keys))
    for key, closed_until in session.execute(closed):
        require_open(key, closed_until)
    return found


def of_signed_in(reference: str) -> Standing:
    """Return what a signed-in user's tries at the own password or code count for."""
    key = _key("signed in", reference)
    return Standing(Rank.BROWSER, key, ((key, SAME_PLACE),))


class Closed(TooManyRequests):
    """Tries under this key are delayed until then."""

    def __init__(self, key: str, until: datetime) -> None:
        seconds = max(1, ceil((until - utc_now()).total_seconds()))
        super().__init__("Too many tries. Wait as long as Retry-After says, then try again.", seconds)
        self.key, self.until = key, until


def require_open(key: str, closed_until: datetime | None) -> None:
    """Raise Closed where tries under `key` are delayed until a moment that has not come."""
    if closed_until is not None and closed_until > utc_now():
        raise Closed(key, closed_until)


def count(session: Session, standing: Standing) -> Counted:
    """Count a try. Raises TooManyRequests while a delay lasts, whoever began it in the meantime."""
    now = utc_now()
    is_old = Throttle.tried_at <= now - FORGOTTEN_AFTER
    insert = postgresql.insert if engine_of(session).dialect.name == "postgresql" else sqlite.insert
    tries = []
    for key, limit in standing.limits:  # in the order of keys, so that two that count never wait for each other
        new = insert(Throttle).values(key_sha256=key, tries=1, tried_at=now)
        counted = session.execute(
            new.on_conflict_do_update(
                index_elements=[Throttle.key_sha256],
                set_={
                    "tries": case((is_old, 1), else_=Throttle.tries + 1),
                    "closed_until": case((is_old, None), else_=Throttle.closed_until),
                    "tried_at": now,
                },
            ).returning(Throttle.tries, Throttle.closed_until)
        ).one()
        require_open(key, counted.closed_until)
        delay = limit.delay(counted.tries)
        if delay:
            session.execute(update(Throttle).where(Throttle.key_sha256 == key).values(closed_until=now + delay))
        tries.append((key, counted.tries))
    # Last: what is dropped stays locked, and whoever then waited for a key might wait for one who waits for these.
    old = select(Throttle.id).where(is_old).limit(MOST_DROPPED_AT_ONCE)
    session.execute(delete(Throttle).where(Throttle.id.in_(old.with_for_update(skip_locked=True))))
    return Counted(standing.own, tuple(tries))


def failed(session: Session, counted: Counted) -> None:
    """Say when the try was found wrong: a write for names that nobody has too, so that they take as long."""
    for key, _ in counted.tries:
        session.execute(update(Throttle).where(Throttle.key_sha256 == key).values(tried_at=utc_now()))


def forgive(session: Session, counted: Counted) -> None:
    """Take back a try that was right, wherever nobody else has failed since."""
    for key, tries in counted.tries:
        session.execute(
            update(Throttle)
            .where(Throttle.key_sha256 == key, Throttle.tries == tries)
            .values(tries=tries - 1, closed_until=None)
        )


def remember(session: Session, user: User, place: Place, counted: Counted) -> None:
    """Know `place` as the user's from now on, and forget what failed there; of many, the oldest are dropped.

    What others tried from the address of a browser that is known is not forgotten with it.
    """
    now = utc_now()
    places = filter(None, (_address_key(place), _device_key(place)))
    session.execute(delete(Throttle).where(Throttle.key_sha256 == counted.own))
    insert = postgresql.insert if engine_of(session).dialect.name == "postgresql" else sqlite.insert
    for key in sorted(places):
        session.execute(
            insert(KnownPlace)
            .values(user_id=user.id, place_sha256=key, seen_at=now)
            .on_conflict_do_update(index_elements=["user_id", "place_sha256"], set_={"seen_at": now})
        )
    newest = select(KnownPlace.id).where(KnownPlace.user_id == user.id, KnownPlace.seen_at > now - KNOWN_FOR)
    kept = newest.order_by(KnownPlace.seen_at.desc(), KnownPlace.id.desc()).limit(MOST_KNOWN_PLACES)
    session.execute(delete(KnownPlace).where(KnownPlace.user_id == user.id, KnownPlace.id.not_in(kept)))
