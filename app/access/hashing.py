"""How many passwords are hashed at once, and who waits for whom.

A hash costs a core a tenth of a second and 46 MiB, so that whoever sends many passwords could take both from everybody
else. So there are turns, and ranks: a browser that is known waits for nobody but others like it, and one turn is kept
for those; strangers go last, one at a time, and rest after each turn while others of theirs wait.
"""

import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

from anyio import CapacityLimiter, Event, Semaphore, sleep
from anyio.to_thread import run_sync

from app.access import passwords
from app.errors import TooManyRequests

RETRY_AFTER_SECONDS = 2


class Rank(IntEnum):
    """How well somebody is known who signs in; the best known first."""

    BROWSER = 0
    """With a cookie of this user's, or signed in."""
    ADDRESS = 1
    """From an address that the user has signed in from, as others there may be too."""
    STRANGER = 2


MOST_WAITING = {Rank.BROWSER: 100, Rank.ADDRESS: 32, Rank.STRANGER: 16}


class Hashing:
    """Turns at hashing, in threads of their own, in one process."""

    def __init__(self, at_once: int) -> None:
        self._threads = CapacityLimiter(at_once)
        self._free, self._free_for_others = at_once, at_once - 1
        self._waiting: dict[Rank, deque[Event]] = {rank: deque() for rank in Rank}
        self._strangers = Semaphore(at_once - 1)

    @property
    def is_full(self) -> bool:
        """Whether a stranger would be sent away."""
        return self._strangers.statistics().tasks_waiting >= MOST_WAITING[Rank.STRANGER]

    @asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises TooManyRequests when too many wait already."""
        if rank is not Rank.STRANGER:
            async with self._turn(rank):
                yield
            return
        self.require_room()
        async with self._strangers:
            began = time.perf_counter()
            try:
                async with self._turn(rank):
                    began = time.perf_counter()
                    yield
            finally:
                if self._strangers.statistics().tasks_waiting:  # at most half a core is theirs
                    await sleep(time.perf_counter() - began)

    def require_room(self) -> None:
        """Raise TooManyRequests where a stranger would be sent away."""
        if self.is_full:
            raise _too_many()

    @asynccontextmanager
    async def _turn(self, rank: Rank) -> AsyncIterator[None]:
        if self._may_go(rank) and not any(self._waiting[each] for each in Rank if each <= rank):
            self._take(rank)
        else:
            await self._wait(rank)
        try:
            yield
        finally:
            self._leave(rank)

    async def _wait(self, rank: Rank) -> None:
        if len(self._waiting[rank]) >= MOST_WAITING[rank]:
            raise _too_many()
        called = Event()
        self._waiting[rank].append(called)
        try:
            await called.wait()
        except BaseException:
            if called.is_set():
                self._leave(rank)
            else:
                self._waiting[rank].remove(called)
            raise

    def _may_go(self, rank: Rank) -> bool:
        return self._free > 0 and (rank is Rank.BROWSER or self._free_for_others > 0)

    def _take(self, rank: Rank) -> None:
        self._free -= 1
        self._free_for_others -= rank is not Rank.BROWSER

    def _leave(self, rank: Rank) -> None:
        self._free += 1
        self._free_for_others += rank is not Rank.BROWSER
        for each in Rank:
            while self._waiting[each] and self._may_go(each):
                self._take(each)
                self._waiting[each].popleft().set()

    async def verified(self, password: str, password_hash: str) -> bool:
        """Whether the password belongs to the hash; to be called during a turn."""
        return await run_sync(passwords.verified, password, password_hash, limiter=self._threads)

    async def hashed(self, password: str) -> str:
        """Return the hash of an acceptable password; to be called during a turn."""
        return await run_sync(passwords.hashed, password, limiter=self._threads)


def _too_many() -> TooManyRequests:
    return TooManyRequests("Too many people sign in at this moment. Try again soon.", RETRY_AFTER_SECONDS)
