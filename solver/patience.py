"""Waiting for searches that may have to be abandoned: whoever asks for progress is heard meanwhile.

HiGHS can't be interrupted. So a search that takes longer than a moment runs in a process of its own, which is ended
when nobody waits for it any more; what it finds is what it would find here. The simplex is interrupted in place.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillAtIt
from subprocess import Popen
from types import TracebackType
from typing import Self, TypeVar

from ortools.util.python.solve_interrupter import SolveInterrupter  # type: ignore[import-untyped]  # no type marker

from solver.searching import ask, end, start

T = TypeVar("T")

HEARD = 0.25
"""Seconds after which a callback is asked again."""


class Patience:
    """Waits for what takes long. pulse: raises whatever is to end the waiting; None: nothing does."""

    def __init__(self, pulse: Callable[[], None] | None = None) -> None:
        self.pulse = pulse
        self.child: Popen[bytes] | None = None
        self.heard = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.child is not None:
            end(self.child)
            self.child = None

    @property
    def needed(self) -> bool:
        """Whether anybody is to be heard."""
        return self.pulse is not None

    def elsewhere(self, task: Callable[[], T]) -> T:
        """What a task finds in a process of its own. Raises OSError where that was ended from outside."""
        if self.child is None:
            self.child = start()
        child = self.child

        def abandon() -> None:
            end(child)
            self.child = None

        return self._wait(lambda: ask(child, task), abandon)

    def here(self, task: Callable[[SolveInterrupter | None], T]) -> T:
        """What a task finds that can be interrupted."""
        if self.pulse is None:
            return task(None)
        interrupter = SolveInterrupter()
        return self._wait(lambda: task(interrupter), interrupter.interrupt)

    def _wait(self, task: Callable[[], T], abandon: Callable[[], None]) -> T:
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(task)
            while True:
                try:
                    return found.result(HEARD)
                except StillAtIt:
                    try:
                        self._listen()
                    except BaseException:
                        abandon()
                        raise

    def _listen(self) -> None:
        if self.pulse is not None:
            self.pulse()
