"""What a running solve tells whoever waits for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The stage in hand, what it has achieved, its bound (None: not known yet), seconds since the start."""

    stage: str
    achieved: int
    bound: int | None
    seconds: float


class Cancelled(Exception):  # noqa: N818 - an order, not an error
    """Raised by a progress callback to end the solve; the solution's status is then `cancelled`."""


Report = Callable[[Progress], None]


def _nobody() -> None:
    return


@dataclass(frozen=True)
class Deadline:
    """The moment of the monotonic clock at which a phase has to end. Whoever works for long asks for it every now and
    then: `heard` tells whoever waits for the solve, and may raise `Cancelled`."""

    until: float
    heard: Callable[[], None] = _nobody

    def passed(self) -> bool:
        self.heard()
        return time.monotonic() > self.until

    def left(self) -> float:
        """Seconds."""
        return max(self.until - time.monotonic(), 0.0)

    def late(self) -> float:
        """Seconds past it, below 0 before."""
        return time.monotonic() - self.until

    def share(self, share: float) -> "Deadline":
        """That of a part of what is left."""
        now = time.monotonic()
        return Deadline(now + share * (self.until - now), self.heard)
