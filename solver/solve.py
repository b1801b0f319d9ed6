"""From a problem to a solution: pins, a first allocation, the stages, the lottery."""

import resource
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal

import numpy as np

from solver import prices as pricing
from solver.exact import Program
from solver.greedy import greedy
from solver.lottery import draw
from solver.options import gains, options
from solver.parameters import Parameters
from solver.pins import Contradiction, place
from solver.problem import NONE, Problem
from solver.progress import Cancelled, Progress, Report
from solver.seating import deal
from solver.solution import Assignments, Solution, Stage, StageCertificate, Statistics, Status
from solver.stages import Closed, Ladder
from solver.stages import Report as Heard
from solver.tables import IntArray

Scope = Literal["any", "housed"]

DEFAULTS = Parameters()
EXACT = 2_000
"""Up to so many households every stage is searched for its proven optimum."""


def solve(problem: Problem, parameters: Parameters = DEFAULTS, progress: Report | None = None) -> Solution:
    """The best allocation, with a proof where the time limit allows it; never an exception for a valid problem.

    The same problem and seed give the same `Solution.canonical_bytes()`, whatever the order of rows and the number
    of threads, unless the time limit ends the search (status `feasible`). `progress` may raise `Cancelled`.
    Raises ValueError where the parameters name a stage that the problem does not have.
    """
    started = time.monotonic()
    names = parameters.stages_of(problem)

    def report(stage: str, achieved: int, bound: int | None) -> None:
        if progress is not None:
            progress(Progress(stage, achieved, bound, time.monotonic() - started))

    seconds: dict[str, float] = {}

    def ended(status: Status, reason: str | None) -> Solution:
        statistics = _statistics(problem, parameters, seconds | {"total": time.monotonic() - started})
        return Solution(status, Assignments(), (), (), statistics, reason)

    search = _large if len(problem.households.id) > EXACT else _exact
    try:
        house_class, closed = search(problem, parameters, names, report, seconds)
    except Contradiction as contradiction:
        return ended(Status.INFEASIBLE, str(contradiction))
    except Cancelled:
        return ended(Status.CANCELLED, "cancelled while solving")
    scope: Scope = "housed" if search is _large and names[1:] and names[-1] == "value" else "any"
    stages = tuple(_stage(result, scope) for result in closed)
    optimal = all(stage.bound == stage.achieved for stage in stages)
    dealt = draw(problem, house_class, gains(problem, house_class))
    housed = np.flatnonzero(dealt != NONE)
    seconds["total"] = time.monotonic() - started
    return Solution(
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        assignments=Assignments(problem.households.id[housed], problem.house_classes.id[dealt[housed]]),
        stages=stages,
        certificate=_certificate(problem, closed),
        statistics=_statistics(problem, parameters, seconds),
    )


def _exact(
    problem: Problem, parameters: Parameters, names: Sequence[str], report: Heard, seconds: dict[str, float]
) -> tuple[IntArray, list[Closed]]:
    """The class of every household [H], NONE where it has none, and the stages, each searched to its optimum."""
    started = time.monotonic()
    choices = options(problem)
    ladder = Ladder(
        problem=problem,
        options=choices,
        names=names,
        program=Program(problem, choices, parameters.seed),
        incumbent=greedy(problem, choices, place(problem, choices)),
        deadline=started + parameters.time_limit_seconds,
        report=report,
    )
    seconds["preparation"] = time.monotonic() - started
    closed = ladder.climb()
    seconds |= ladder.seconds
    return deal(choices, ladder.incumbent), closed


def _large(
    problem: Problem, parameters: Parameters, names: Sequence[str], report: Heard, seconds: dict[str, float]
) -> tuple[IntArray, list[Closed]]:
    """The same for a large problem, the stages by their prices."""
    from solver.large import Large  # here, as Numba takes longer to import than a village to solve

    started = time.monotonic()
    large = Large(problem, names, parameters.threads, parameters.time_limit_seconds, report)
    seconds["preparation"] = time.monotonic() - started
    house_class, closed = large.solve()
    seconds |= large.seconds
    return house_class, closed


def _stage(result: Closed, scope: Scope) -> Stage:
    return Stage(
        name=result.name,
        achieved=result.achieved,
        bound=result.bound,
        price_bound=result.price_bound,
        proof="prices" if result.bound == result.price_bound else "search",
        scope=scope if result.name == "value" else None,
    )


def _certificate(problem: Problem, closed: list[Closed]) -> tuple[StageCertificate, ...]:
    names = [result.name for result in closed]
    return tuple(
        pricing.certificate(problem, result.name, names[:stage], result.prices) for stage, result in enumerate(closed)
    )


def _statistics(problem: Problem, parameters: Parameters, seconds: dict[str, float]) -> Statistics:
    return Statistics(
        problem_sha256=problem.sha256,
        seed=parameters.seed,
        threads=parameters.threads,
        versions={name: version(name) for name in ("hearth", "numba", "numpy", "ortools", "scipy")},
        seconds={phase: round(value, 4) for phase, value in seconds.items()},
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )
