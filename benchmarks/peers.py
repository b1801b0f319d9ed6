"""General solvers on the same instances, stage by stage, each in a process of its own with a limit of memory.

    python -m benchmarks.peers cp-sat-classes 300/6 [--seed 1] [--family default] [--seconds 300] [--memory-gb 12]

prints one line of JSON after every stage: the whole state so far, so that a process that is ended leaves what it had.
Seconds count from the problem in memory to the last stage; generating the instance and verifying do not count.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.engines import ENGINES, Engine, Found
from benchmarks.formulation import Formulation, candidates, formulation, stage_weights
from benchmarks.stress import FAMILIES, Instance
from solver import Problem, Solution, Status, check
from solver.problem import NONE
from solver.proof import price_bound
from solver.solution import Assignments, Stage, StageCertificate, Statistics
from solver.tables import IntArray

State = dict[str, Any]
"""status, seconds, stages [{name, achieved, bound, seconds, status}], breaks {code: violations}, None: not verified."""

ASSIGNMENT = "linear-sum-assignment"
PEERS = (*ENGINES, ASSIGNMENT)
WITHOUT = "optimal without services and kin"
SECONDS = 300.0
MEMORY_GB = 12.0
ROOT = Path(__file__).resolve().parents[1]
GRACE_SECONDS = 30
"""Past its time by so much, a peer that does not look at the clock is ended."""
LARGEST_DENSE = 2.0**53
"""Integers in floats are exact up to here."""
GIGABYTE = 1024**3
UNITS_PER_MB = 1024 * (1024 if sys.platform == "darwin" else 1)  # ru_maxrss is in bytes there, else in KiB


Step = tuple[State, IntArray | None]
"""The state after a stage, and the best allocation: the class of every household, NONE where it has none."""


def attempt(problem: Problem, peer: str, seconds: float) -> Iterator[Step]:
    """What a peer has before the first stage and after every one that it reaches in so many seconds."""
    started = time.monotonic()
    for status, stages, given in (
        _assigned(problem) if peer == ASSIGNMENT else _climbed(problem, peer, started + seconds)
    ):
        yield {"status": status, "seconds": time.monotonic() - started, "stages": stages, "breaks": None}, given


def _climbed(problem: Problem, peer: str, deadline: float) -> Iterator[tuple[str, list[State], IntArray | None]]:
    """Every stage in its order, subject to what the earlier ones achieved."""
    engine_type, by_house = ENGINES[peer]
    program = formulation(problem, by_house=by_house)
    engine = engine_type(program)
    best: IntArray | None = None
    stages: list[State] = [
        {"name": name, "achieved": None, "bound": None, "seconds": 0.0, "status": "not reached"}
        for name in program.stages
    ]
    yield "nothing found", stages, None
    for stage, (name, weights) in enumerate(program.stages.items()):
        begun = time.monotonic()
        found = _maximised(engine, weights, deadline - begun, best)
        best = _better(program, best, found.taken)
        vector = [None] * len(stages) if best is None else _vector(program, best)
        for row, achieved in zip(stages, vector, strict=True):
            row["achieved"] = achieved
        stages[stage] |= {"bound": found.bound, "seconds": time.monotonic() - begun, "status": found.status}
        done = found.status == "optimal"
        status = "optimal" if done and name == problem.stages[-1] else found.status if not done else "under way"
        given = None if best is None else program.candidates.given(best, len(problem.households.id))
        yield status, stages, given
        if not done or best is None:
            return
        engine.keep(weights, int(weights @ best))


def _maximised(engine: Engine, weights: IntArray, seconds: float, hint: IntArray | None) -> Found:
    return engine.maximise(weights, seconds, hint) if seconds > 0 else Found("time", None, None)


def _vector(program: Formulation, taken: IntArray) -> list[int]:
    return [int(weights @ taken) for weights in program.stages.values()]


def _better(program: Formulation, before: IntArray | None, after: IntArray | None) -> IntArray | None:
    if before is None or after is None:
        return before if after is None else after
    return after if _vector(program, after) >= _vector(program, before) else before


def _assigned(problem: Problem) -> Iterator[tuple[str, list[State], IntArray | None]]:
    """Households and houses alone: neither services nor kin groups can be said in an assignment problem.

    Who can be housed together is then a transversal matroid, whose best sets depend on the order of the weights alone:
    the rank by pin, tier and points stands for those stages, and one rank outweighs all of `value`.
    """
    households = problem.households
    found = candidates(problem, by_house=True)
    order = np.column_stack([households.pinned != NONE, -households.tier, households.points])
    _, rank = np.unique(order, axis=0, return_inverse=True)
    taken = min(len(households.id), len(found.places))
    outweighs = 2 * taken * int(np.abs(found.gain).max(initial=0)) + 1
    benefit = np.zeros((len(households.id), len(found.places)))
    benefit[found.household, found.slot] = outweighs * (rank.reshape(-1)[found.household] + 1) + found.gain
    exact = 2 * benefit.max(initial=0.0) * taken < LARGEST_DENSE
    household, house = linear_sum_assignment(benefit, maximize=True)
    house_of = np.full(len(households.id), NONE, np.int64)
    house_of[household] = house
    chosen = (house_of[found.household] == found.slot).astype(np.int64)
    stages = [
        {"name": name, "achieved": int(weights @ chosen), "bound": None, "seconds": 0.0, "status": "all at once"}
        for name, weights in stage_weights(problem, found).items()
    ]
    yield WITHOUT if exact else "rounded", stages, found.given(chosen, len(households.id))


def broken_rules(problem: Problem, given: IntArray, achieved: dict[str, int]) -> dict[str, int]:
    """What the checker finds in an allocation, by code; the lottery apart, which nobody told the peers of."""
    stages, certificate = [], []
    for name in problem.stages:
        prices = StageCertificate(name, 1, (), {})
        bound = price_bound(problem, prices, {}, None)
        stages.append(Stage(name, achieved[name], bound, bound, "prices", "any" if name == "value" else None))
        certificate.append(prices)
    housed = np.flatnonzero(given != NONE)
    solution = Solution(
        status=Status.OPTIMAL if all(stage.achieved == stage.bound for stage in stages) else Status.FEASIBLE,
        assignments=Assignments(problem.households.id[housed], problem.house_classes.id[given[housed]]),
        stages=tuple(stages),
        certificate=tuple(certificate),
        statistics=Statistics(problem.sha256, 0, 1, {}, {}, 0),
    )
    codes = Counter(violation.code for violation in check(problem, solution))
    return {code: count for code, count in sorted(codes.items()) if code != "lottery"}


def run(instance: Instance, peer: str, seconds: float, memory_gb: float) -> State:
    """The last state of a peer in a process of its own, with the peak memory that it had; never an exception of it.

    The seconds of a process that was ended or failed are those of its whole life.
    """
    command = [sys.executable, "-m", "benchmarks.peers", peer, f"{instance.households}/{instance.settlements}"]
    command += ["--seed", str(instance.seed), "--family", instance.family]
    command += ["--seconds", str(seconds), "--memory-gb", str(memory_gb)]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            lines = process.stdout.read().splitlines()
            _, ended, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(ended)
        errors.seek(0)
        state: State = json.loads(lines[-1]) if lines else {"status": "", "seconds": 0.0, "stages": [], "breaks": None}
        if process.returncode:
            state |= {"status": _why(process.returncode, errors.read()), "seconds": time.monotonic() - started}
    return {"peer": peer, "peak_memory_mb": round(usage.ru_maxrss / UNITS_PER_MB)} | state


def _why(code: int, errors: str) -> str:
    """What ended a process that did not end by itself."""
    if any(sign in errors.lower() for sign in ("bad_alloc", "memoryerror", "out of memory", "allocate memory")):
        return "out of memory"
    if code == -signal.SIGALRM:
        return "did not stop in time"
    return f"failed with {code}: {errors.strip().splitlines()[-1] if errors.strip() else 'nothing said'}"


def main() -> None:
    """One peer on one instance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("size", metavar="HOUSEHOLDS/SETTLEMENTS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", choices=FAMILIES, default="default")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--memory-gb", type=float, default=MEMORY_GB)
    options = parser.parse_args()
    households, settlements = map(int, options.size.split("/"))
    problem = Instance(options.family, households, settlements, options.seed).problem()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (round(options.memory_gb * GIGABYTE), most))
    signal.setitimer(signal.ITIMER_REAL, options.seconds + GRACE_SECONDS)
    state: State = {}
    given = None
    for step in attempt(problem, options.peer, options.seconds):
        state, given = step
        print(json.dumps(state), flush=True)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if given is not None:
        achieved = {stage["name"]: stage["achieved"] for stage in state["stages"]}
        print(json.dumps(state | {"breaks": broken_rules(problem, given, achieved)}), flush=True)


if __name__ == "__main__":
    main()
