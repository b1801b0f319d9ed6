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


TELL = 0.5
"""Seconds between two reports of the same."""


class Telling:
    """Tells how far a solve has come, and the same again now and then while nothing is new: the answer may be to
    cancel."""

    def __init__(self, report: Callable[[str, int, int | None], None]) -> None:
        self.report, self.told = report, time.monotonic()
        self.last: tuple[str, int, int | None] | None = None

    def tell(self, stage: str, achieved: int, bound: int | None) -> None:
        self.last, self.told = (stage, achieved, bound), time.monotonic()
        self.report(stage, achieved, bound)

    def again(self) -> None:
        if self.last is not None and time.monotonic() - self.told > TELL:
            self.tell(*self.last)


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


class Reporter:
    """Tells whoever listens what the stages reach, and meanwhile, again, what they had reached."""

    def __init__(self, heard: Report | None, started: float) -> None:
        self.heard, self.started = heard, started
        self.last: tuple[str, int, int | None] | None = None

    def __call__(self, stage: str, achieved: int, bound: int | None) -> None:
        self.last = stage, achieved, bound
        self.again()

    def again(self) -> None:
        """Says it again, so that a callback that wants to end the solve is heard."""
        if self.heard is not None and self.last is not None:
            self.heard(Progress(*self.last, time.monotonic() - self.started))
