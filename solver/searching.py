"""Searches by HiGHS in processes of their own, two at once: OR-Tools lets no other thread run meanwhile."""

import datetime
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt import model_pb2  # type: ignore[import-untyped]  # ships no type marker
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker

from solver import engines
from solver.progress import Deadline

FloatArray = NDArray[np.float64]
T = TypeVar("T")

FOLLOWING = 0.5
"""Seconds after which a search notices that nobody waits for it any more."""

LOOK = 0.5
"""Seconds between two looks at the deadline."""
PATIENCE = 0.3
"""Seconds that a search may go on after its deadline."""


@dataclass(frozen=True)
class Task:
    """A mixed-integer model (a serialised ModelProto) and when to end: after some nodes, at a gap, or at a deadline of
    the monotonic clock, which all processes of a machine share."""

    model: bytes
    nodes: int
    relative_gap: float
    deadline: float

    def __call__(self) -> FloatArray | None:
        return search(self)


def search(task: Task) -> FloatArray | None:
    """The values of the best solution found, None where there is none, or where the engine lost its way."""
    parameters = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=max(task.deadline - time.monotonic(), 0.0)),
        relative_gap_tolerance=task.relative_gap,
        node_limit=task.nodes,
    )
    parameters.highs.int_options["random_seed"] = 0
    parameters.highs.string_options["parallel"] = "off"
    model = model_pb2.ModelProto.FromString(task.model)
    try:
        return engines.best(engines.solve(model, mathopt.SolverType.HIGHS, parameters))
    except engines.Failed:
        return None


class Searchers:
    """Runs searches in processes of their own, as many at once as there may be threads: so whoever waits for them can
    end them."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.children: list[subprocess.Popen[bytes]] = []
        self.idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()
        for child in self.children:
            end(child)

    def run(self, jobs: Sequence[Callable[[], T]], deadline: Deadline) -> list[T]:
        """What each job returns, as many of them at once as there are processes, which `find` for them: nothing where
        they still search a while after the deadline; then all processes end. Raises OSError where one was ended from
        outside."""
        while len(self.children) < min(self.workers, len(jobs)) and not self.ended:
            child = start()
            self.children.append(child)
            self.idle.put(child)
        with ThreadPoolExecutor(max(len(self.children), 1)) as pool:
            asked = [pool.submit(job) for job in jobs]
            try:
                while wait(asked, LOOK).not_done:
                    if deadline.passed() and deadline.late() > PATIENCE:
                        self._end()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._end()
                raise
        return [each.result() for each in asked]

    def find(self, task: Task) -> FloatArray | None:
        """The values of the best solution of a task; for a job, in whose thread this waits."""
        if self.ended:
            return None
        child = self.idle.get()
        try:
            return ask(child, task)
        except OSError:
            if self.ended:
                return None
            raise
        finally:
            self.idle.put(child)

    def _end(self) -> None:
        self.ended = True
        for child in self.children:
            child.kill()
            child.wait()


def start() -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", f"from solver.searching import serve; serve({os.getpid()})"]
    return subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )


def ask(child: subprocess.Popen[bytes], task: Callable[[], T]) -> T:
    """What a task finds there. Raises OSError where the process was ended from outside."""
    if child.stdin is None or child.stdout is None:
        raise OSError("a search has no pipes")
    try:
        pickle.dump(task, child.stdin)
        child.stdin.flush()
        found: T = pickle.load(child.stdout)  # noqa: S301 - written by our own child
    except (EOFError, BrokenPipeError) as error:
        raise OSError("a search was ended from outside") from error
    return found


def end(child: subprocess.Popen[bytes]) -> None:
    """Ends a process, whatever it is at."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # what was not read yet is of no use any more
                pipe.close()


def _follow(parent: int) -> None:
    """Ends this process, in the middle of a search too, soon after the one that asked has ended."""
    while os.getppid() == parent:
        time.sleep(FOLLOWING)
    os._exit(1)


def serve(parent: int) -> None:
    """For a process that another one started: reads tasks from standard input, one after another, and answers on
    standard output, until there are no more, or nobody is there to read."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever is printed must not be taken for an answer
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
        while True:
            try:
                task = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by our own parent
            except EOFError:
                return
            pickle.dump(task(), answers)
            answers.flush()
