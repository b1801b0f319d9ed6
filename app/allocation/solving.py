"""Solving in a child process: a crash, a leak or a stuck library there takes nothing else down."""

import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import IO, Any

BEAT_SECONDS = 0.5
PATIENCE_SECONDS = 1.0
"""How long a child that was asked to end may take before it is killed."""
LAST_WORDS = 400

Progress = list[dict[str, Any]]
"""The last event of each stage so far, in order: stage, achieved, bound, seconds."""
Lines = SimpleQueue[bytes | None]
Beat = Callable[[Progress], None]


class ChildFailed(Exception):  # noqa: N818 - a result of the child, said in a sentence
    """The child ended without a solution. `killed`: by a signal, so that another try may succeed."""

    def __init__(self, sentence: str, *, killed: bool) -> None:
        super().__init__(sentence)
        self.killed = killed


@dataclass(frozen=True)
class Asked:
    """What is asked of the solver beside the problem.

    `stages`: what is optimised, where that is not the model's own order. `homes`: household → the class that `keep`
    counts. `previous`: the text of a solution to start from.
    """

    stages: tuple[str, ...] = ()
    homes: Mapping[str, str] = field(default_factory=dict)
    previous: str | None = None


PLAIN = Asked()


def solve(problem: str, *, time_limit_seconds: int, threads: int, seed: int, beat: Beat, asked: Asked = PLAIN) -> str:
    """Return the solution, `hearth-solution/1` as text, of a `hearth-problem/1`.

    `beat` is called at least every BEAT_SECONDS with the progress so far; whatever it raises ends the child within
    two seconds and is passed on. Raises ChildFailed.
    """
    with tempfile.TemporaryDirectory(prefix="hearth-run-") as folder:
        given, found = Path(folder, "problem.json"), Path(folder, "solution.json")
        given.write_text(problem, encoding="utf-8")
        command = [sys.executable, "-m", "app.allocation.child", folder, "solve", str(given), "-o", str(found)]
        command += ["--time-limit", str(time_limit_seconds), "--threads", str(threads), "--seed", str(seed)]
        command += ["--progress", *(f"--stage={stage}" for stage in asked.stages)]
        for name, text in (
            ("homes", json.dumps(dict(asked.homes)) if asked.homes else None),
            ("previous", asked.previous),
        ):
            if text is not None:
                Path(folder, f"{name}.json").write_text(text, encoding="utf-8")
                command += [f"--{name}", str(Path(folder, f"{name}.json"))]
        with Path(folder, "errors.txt").open("w+b") as errors:
            with _running(command, errors) as (child, lines):
                _follow(lines, beat)
            if child.returncode != 0 or not found.exists():
                raise _failure(child.returncode, errors)
        return found.read_text(encoding="utf-8").strip()


def smallest_change(
    problem: str, solution: str, household: str, *, seconds_each: int, beat: Callable[[], None]
) -> dict[str, Any]:
    """Return what smallest change would have housed a household, as `solver.counterfactual` finds it, each solve within
    so many seconds.

    `beat` is called at least every BEAT_SECONDS; what it raises ends the child and is passed on. Raises ChildFailed.
    """
    with tempfile.TemporaryDirectory(prefix="hearth-what-if-") as folder:
        given, solved = Path(folder, "problem.json"), Path(folder, "solution.json")
        given.write_text(problem, encoding="utf-8")
        solved.write_text(solution, encoding="utf-8")
        command = [sys.executable, "-m", "app.allocation.child", folder, "explain", str(given), str(solved)]
        command += ["--household", household, "--smallest-change", "--time-limit", str(seconds_each)]
        with Path(folder, "errors.txt").open("w+b") as errors:
            with _running(command, errors) as (child, lines):
                told = _told(lines, beat)
            if child.returncode != 0 or not told:
                raise _failure(child.returncode, errors)
    found: dict[str, Any] = json.loads(told[-1])
    return found


def _told(lines: Lines, beat: Callable[[], None]) -> list[bytes]:
    """Return all lines, calling `beat` while there are no more of them yet."""
    told: list[bytes] = []
    while True:
        beat()
        try:
            line = lines.get(timeout=BEAT_SECONDS)
        except Empty:
            continue
        if line is None:
            return told
        told.append(line)


@contextmanager
def _running(command: list[str], errors: IO[bytes]) -> Iterator[tuple[subprocess.Popen[bytes], Lines]]:
    """Start a child, whose standard input closes when this process ends, and leave none behind.

    What it prints comes line by line, then None.
    """
    lines: Lines = SimpleQueue()
    with subprocess.Popen(  # noqa: S603 - our own interpreter, our own module, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
    ) as child:
        reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
        reader.start()
        try:
            yield child, lines
            child.wait()
        finally:
            _end(child)
            reader.join()


def _read(stdout: IO[bytes], lines: Lines) -> None:
    for line in stdout:
        lines.put(line)
    lines.put(None)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _follow(lines: Lines, beat: Beat) -> None:
    """Call `beat` until there are no more lines."""
    latest: dict[str, dict[str, Any]] = {}
    next_beat = monotonic()
    while True:
        try:
            line = lines.get(timeout=max(next_beat - monotonic(), 0))
        except Empty:
            beat(list(latest.values()))
            next_beat = monotonic() + BEAT_SECONDS
            continue
        if line is None:
            break
        event = json.loads(line)
        latest[event["stage"]] = event
    beat(list(latest.values()))


def _failure(returncode: int, errors: IO[bytes]) -> ChildFailed:
    errors.seek(0)
    words = errors.read().decode(errors="replace").strip().rpartition("\n")[2][-LAST_WORDS:]
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return ChildFailed(f"The solver was ended by {name}: {words or 'memory may have run out'}", killed=True)
    return ChildFailed(f"The solver ended with code {returncode}: {words or 'it said nothing'}", killed=False)
