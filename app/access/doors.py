"""What this process knows of doors that are closed, so that who knocks on one costs no thread, connection or hash.

The database alone decides (`throttle`); this remembers for two seconds what it said, and for half a minute the places
that users are known from. Memory is bounded.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from anyio import Lock
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import throttle
from app.access.hashing import RETRY_AFTER_SECONDS, Hashing
from app.access.models import KnownPlace
from app.access.throttle import KNOWN_FOR, SAME_PLACE, Closed, Place
from app.database import Database, utc_now
from app.errors import TooManyRequests

REMEMBERED_SECONDS, PLACES_SECONDS = 2.0, 30.0
MOST_CLOSED, MOST_PLACES = 20_000, 100_000
MOST_AT_ONCE = SAME_PLACE.free + 1
"""Tries of one name from one place that are looked at together: no more would be hashed in any case."""
DIGITS = 15
"""Of a place's hash that are kept: 60 bits, as a number."""


@dataclass(frozen=True)
class _Closed:
    checked_at: float
    until: datetime


class Doors:
    """The closed doors of one process."""

    def __init__(self) -> None:
        self._closed: OrderedDict[str, _Closed] = OrderedDict()
        self._inside: Counter[str] = Counter()
        self._places = frozenset[int]()
        self._places_at = float("-inf")
        self._loading = Lock()

    def shut(self, closed: Closed) -> None:
        """Remember what the database said."""
        self._closed[closed.key] = _Closed(monotonic(), closed.until)
        self._closed.move_to_end(closed.key)
        if len(self._closed) > MOST_CLOSED:
            self._closed.popitem(last=False)

    def _require_open(self, key: str) -> None:
        found = self._closed.get(key)
        if found is not None and monotonic() - found.checked_at < REMEMBERED_SECONDS:
            throttle.require_open(key, found.until)

    def _is_closed(self, key: str) -> bool:
        try:
            self._require_open(key)
        except TooManyRequests:
            return True
        return False

    def welcome(self, username: str, place: Place) -> None:
        """Forget what was closed to a user who has just signed in at `place`, and know the place."""
        own = throttle.keys_of(username, place)
        for key in (own.here, own.account, own.address, own.browser):
            self._closed.pop(key or "", None)
        self._places |= {_number(own.known_address)}

    @contextmanager
    def entering(self, username: str, place: Place) -> Iterator[None]:
        """Let a few tries of one name from one place in together. Raises TooManyRequests for more."""
        keys = throttle.keys_of(username, place)
        key = keys.browser or keys.here
        if self._inside[key] >= MOST_AT_ONCE:
            raise TooManyRequests("Too many tries at the same moment. Try again soon.", RETRY_AFTER_SECONDS)
        self._inside[key] += 1
        try:
            yield
        finally:
            self._inside[key] -= 1
            if not self._inside[key]:
                del self._inside[key]

    async def require_open(self, database: Database, hashing: Hashing, username: str, place: Place) -> None:
        """Raise TooManyRequests where the database would, as far as this process can tell.

        A browser with a cookie of ours is left to the database, but for its own delay.
        """
        keys = throttle.keys_of(username, place)
        if keys.browser is not None:
            self._require_open(keys.browser)
            return
        self._require_open(keys.here)
        closed = [key for key in (keys.account, keys.address) if self._is_closed(key)]
        if (closed or hashing.is_full) and not await self._knows(database, keys.known_address):
            for key in closed:
                self._require_open(key)
            hashing.require_room()

    async def _knows(self, database: Database, place: str) -> bool:
        """Whether anybody is known from this place: who is not, is a stranger to every name."""
        if monotonic() - self._places_at > PLACES_SECONDS:
            async with self._loading:
                if monotonic() - self._places_at > PLACES_SECONDS:
                    self._places = await database.transact(_known_places, writes=False)
                    self._places_at = monotonic()
        return _number(place) in self._places


def _number(key: str) -> int:
    return int(key[:DIGITS], 16)


def _known_places(session: Session) -> frozenset[int]:
    newest = (
        select(KnownPlace.place_sha256)
        .where(KnownPlace.seen_at > utc_now() - KNOWN_FOR)
        .order_by(KnownPlace.seen_at.desc(), KnownPlace.id.desc())
        .limit(MOST_PLACES)
    )
    return frozenset(map(_number, session.scalars(newest)))
