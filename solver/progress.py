"""What a running solve tells whoever waits for it."""

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
