"""From a problem to a solution: pins, a first allocation, the stages, the lottery."""

import resource
import time
from importlib.metadata import version

import numpy as np

from solver import prices as pricing
from solver.exact import Program
from solver.greedy import greedy
from solver.lottery import draw
from solver.options import Options, gains, options
from solver.parameters import Parameters
from solver.pins import Contradiction, place
from solver.problem import NONE, Problem
from solver.progress import Cancelled, Progress, Report
from solver.seating import deal
from solver.solution import Assignments, Solution, Stage, StageCertificate, Statistics, Status
from solver.stages import Closed, Ladder
from solver.tables import IntArray

DEFAULTS = Parameters()


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

    choices = options(problem)
    try:
        placed = place(problem, choices)
    except Contradiction as contradiction:
        return ended(Status.INFEASIBLE, str(contradiction))
    ladder = Ladder(
        problem=problem,
        options=choices,
        names=names,
        program=Program(problem, choices, parameters.seed),
        incumbent=greedy(problem, choices, placed),
        deadline=started + parameters.time_limit_seconds,
        report=report,
    )
    seconds["preparation"] = time.monotonic() - started
    try:
        closed = ladder.climb()
    except Cancelled:
        return ended(Status.CANCELLED, "cancelled while solving")
    seconds |= ladder.seconds
    stages = tuple(_stage(result) for result in closed)
    optimal = all(stage.bound == stage.achieved for stage in stages)
    assignments = _assignments(problem, choices, ladder.incumbent)
    seconds["total"] = time.monotonic() - started
    return Solution(
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        assignments=assignments,
        stages=stages,
        certificate=_certificate(problem, closed),
        statistics=_statistics(problem, parameters, seconds),
    )


def _stage(result: Closed) -> Stage:
    return Stage(
        name=result.name,
        achieved=result.achieved,
        bound=result.bound,
        price_bound=result.price_bound,
        proof="prices" if result.bound == result.price_bound else "search",
        scope="any" if result.name == "value" else None,
    )


def _certificate(problem: Problem, closed: list[Closed]) -> tuple[StageCertificate, ...]:
    names = [result.name for result in closed]
    return tuple(
        pricing.certificate(problem, result.name, names[:stage], result.prices) for stage, result in enumerate(closed)
    )


def _assignments(problem: Problem, choices: Options, taken: IntArray) -> Assignments:
    house_class = deal(choices, taken)
    dealt = draw(problem, house_class, gains(problem, house_class))
    housed = np.flatnonzero(dealt != NONE)
    return Assignments(problem.households.id[housed], problem.house_classes.id[dealt[housed]])


def _statistics(problem: Problem, parameters: Parameters, seconds: dict[str, float]) -> Statistics:
    return Statistics(
        problem_sha256=problem.sha256,
        seed=parameters.seed,
        threads=parameters.threads,
        versions={name: version(name) for name in ("hearth", "numpy", "ortools")},
        seconds={phase: round(value, 4) for phase, value in seconds.items()},
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )
