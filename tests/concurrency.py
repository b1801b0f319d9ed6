"""Doing several things at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TypeVar

Result = TypeVar("Result")


def at_once(*acts: Callable[[], Result]) -> list[Result]:
    """Begin all of `acts` together, each in a thread of its own; return their results in the order of `acts`."""
    barrier = Barrier(len(acts))

    def begin(act: Callable[[], Result]) -> Result:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(begin, acts))


def until(look: Callable[[], Result | None], seconds: float = 60) -> Result:
    """Look again and again until something is found. Fails when it takes so long."""
    tick = Event()
    for _ in range(int(seconds * 50)):
        found = look()
        if found is not None:
            return found
        tick.wait(0.02)
    raise AssertionError(f"nothing was found in {seconds} seconds")
