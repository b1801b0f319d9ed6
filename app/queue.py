"""Waking the workers of this process: whoever queues something rings, and whoever works waits for the bell.

Workers of other processes hear nothing and look every POLL_SECONDS.
"""

import threading

from sqlalchemy import event
from sqlalchemy.orm import Session

POLL_SECONDS = 2.0


class Bell:
    """Counts its rings, so that none is missed by someone who was busy when it rang."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    def ring(self) -> None:
        """Wake everyone who waits."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def wait(self, heard: int, timeout: float) -> int:
        """Wait until it has rung more often than `heard`, or `timeout` seconds. Returns how often it has rung."""
        with self._changed:
            self._changed.wait_for(lambda: self._rings > heard, timeout)
            return self._rings


BELL = Bell()


def ring_on_commit(session: Session) -> None:
    """Ring once what `session` changed can be seen; never if it is rolled back."""
    event.listen(session, "after_commit", lambda _session: BELL.ring(), once=True)
