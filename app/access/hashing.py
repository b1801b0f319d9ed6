"""How many passwords are hashed at once, and who waits for whom.

A hash costs a core a tenth of a second and 46 MiB, so that whoever sends many passwords could take both from everybody
else. One turn is kept for users in places that they are known from, so that they never wait behind strangers.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, Semaphore
from anyio.to_thread import run_sync

from app.access import passwords
from app.errors import TooManyRequests

MOST_STRANGERS_WAITING, MOST_WAITING = 16, 100
RETRY_AFTER_SECONDS = 2


class Hashing:
    """Turns at hashing, in threads of their own, in one process."""

    def __init__(self, at_once: int) -> None:
        self._threads = CapacityLimiter(at_once)
        self._turns = Semaphore(at_once)
        self._strangers_turns = Semaphore(at_once - 1)

    @asynccontextmanager
    async def turn(self, *, known: bool) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises TooManyRequests when too many wait already."""
        waiting = self._turns if known else self._strangers_turns
        if waiting.statistics().tasks_waiting >= (MOST_WAITING if known else MOST_STRANGERS_WAITING):
            raise TooManyRequests("Too many people sign in at this moment. Try again soon.", RETRY_AFTER_SECONDS)
        if known:
            async with self._turns:
                yield
        else:
            async with self._strangers_turns, self._turns:
                yield

    async def verified(self, password: str, password_hash: str) -> bool:
        """Whether the password belongs to the hash; to be called during a turn."""
        return await run_sync(passwords.verified, password, password_hash, limiter=self._threads)

    async def hashed(self, password: str) -> str:
        """Return the hash of an acceptable password; to be called during a turn."""
        return await run_sync(passwords.hashed, password, limiter=self._threads)
