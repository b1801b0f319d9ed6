"""From a problem to a solution: pins, a first allocation, the stages, the lottery."""

import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version

import numpy as np

from solver import prices as pricing
from solver.exact import Program
from solver.greedy import greedy
from solver.homes import with_homes
from solver.lagrangian import Lagrangian
from solver.lottery import draw
from solver.narrowing import narrowed
from solver.objectives import Objective, required
from solver.options import gains, options
from solver.parameters import Parameters
from solver.patience import Patience
from solver.pins import Contradiction, place
from solver.previous import Before, still, taken
from solver.problem import NONE, Problem
from solver.progress import Cancelled, Report, Reporter
from solver.proof import price_bound
from solver.seating import deal
from solver.solution import Assignments, Solution, Stage, StageCertificate, Statistics, Status, Witness
from solver.stages import Closed, Ladder
from solver.tables import IntArray
from solver.weights import worth

DEFAULTS = Parameters()
EXACT = 2_000
"""Up to so many households every stage is searched for its proven optimum."""
KEPT_BACK = 0.25
"""The share of the time limit that is kept for what large problems are solved by, should it not suffice for a proof."""
LEAST_KEPT_BACK, MOST_KEPT_BACK = 5.0, 20.0
"""Seconds in which that finds something good for a thousand households, by the square of how many there are, and all
that it does find, by how many there are."""
MOMENT = 0.001
"""Seconds of the time limit that are left, whatever has passed."""
WORTHWHILE = 1.0
"""Seconds in which such a search gets anywhere."""


def solve(
    problem: Problem,
    parameters: Parameters = DEFAULTS,
    progress: Report | None = None,
    previous: Solution | None = None,
    homes: Assignments | None = None,
) -> Solution:
    """The best allocation, with a proof where the time limit allows it; never an exception for a valid problem.

    previous: the solution of this problem, or of one much like it, to start from: its allocation as far as it is still
    feasible, and its prices. The stage `keep` counts the households that keep the house class that they have there (or
    in `homes`, where that is given): the class, as it says the settlement and the size of the house; which address of
    it a household gets is drawn later. What this problem doesn't know of either is ignored.

    The same problem, seed and previous solution give the same `Solution.canonical_bytes()`, whatever the order of rows
    and the number of threads, unless the time limit ends the search (status `feasible`). `progress` may raise
    `Cancelled`; it is called in the middle of a stage too, again and again, with nothing new.
    Raises ValueError where the parameters name a stage that the problem does not have, or `keep` where there is no
    previous solution, and OSError where a process that searches for it is ended from outside.
    """
    started = time.monotonic()
    sha256 = problem.sha256  # at once: what comes after the search, the time limit can't cut short
    stages = parameters.stages_of(problem)
    before = Before.of(problem, stages, previous, homes)

    began = time.monotonic()
    narrow = narrowed(problem)
    left = max(parameters.time_limit_seconds - (time.monotonic() - began), MOMENT)
    if narrow is not problem:  # what prices proved before, they proved of a problem that was not narrowed
        before = replace(before, lost=tuple(None for _ in stages))
    report = Reporter(progress, started)
    seconds: dict[str, float] = {}

    def ended(status: Status, reason: str | None) -> Solution:
        statistics = _statistics(sha256, parameters, before, seconds | {"total": time.monotonic() - started})
        return Solution(status, Assignments(), (), (), statistics, reason)

    search = _large if len(problem.households.id) > EXACT else _exact
    try:
        within = replace(parameters, time_limit_seconds=left)
        house_class, closed = search(narrow, within, stages, before, report, seconds)
    except Contradiction as contradiction:
        return ended(Status.INFEASIBLE, str(contradiction))
    except Cancelled:
        return ended(Status.CANCELLED, "cancelled while solving")
    dealt = draw(problem, house_class, gains(problem, house_class), before.home)
    if narrow is not problem:
        closed = _repriced(problem, stages, closed, dealt, before.home)
    results = tuple(
        _stage(problem, stage, result, dealt, before.home) for stage, result in zip(stages, closed, strict=True)
    )
    optimal = all(result.bound == result.achieved for result in results)
    housed = np.flatnonzero(dealt != NONE)
    seconds["total"] = time.monotonic() - started
    return Solution(
        status=Status.OPTIMAL if optimal else Status.FEASIBLE,
        assignments=Assignments(problem.households.id[housed], problem.house_classes.id[dealt[housed]]),
        stages=results,
        certificate=_certificate(problem, closed),
        statistics=_statistics(sha256, parameters, before, seconds),
        previous=before.homes(problem),
    )


def _exact(
    problem: Problem,
    parameters: Parameters,
    stages: Sequence[Objective],
    before: Before,
    report: Reporter,
    seconds: dict[str, float],
) -> tuple[IntArray, list[Closed]]:
    """The class of every household [H], NONE where it has none, and the stages, each searched to its optimum."""
    started, limit = time.monotonic(), parameters.time_limit_seconds
    deadline = started + limit - _kept_back(limit, len(problem.households.id))
    choices = options(problem)
    if before.home is not None:
        choices = with_homes(problem, choices, before.home, stages)
    pinned = place(problem, choices)
    left = still(problem, deal(choices, pinned), before.given)
    with Patience(None if report.heard is None else report.again) as patience:
        ladder = Ladder(
            problem=problem,
            options=choices,
            stages=stages,
            program=Program(problem, choices, parameters.seed, patience),
            incumbent=greedy(problem, choices, taken(problem, choices, left)),
            known=before.prices,
            lost=before.lost,
            deadline=deadline,
            report=report,
        )
        seconds["preparation"] = time.monotonic() - started
        proven = ladder.climb()
    seconds |= ladder.seconds
    if not proven:
        _improve(problem, parameters, stages, before, report, ladder, started + limit)
        seconds["improvement"] = time.monotonic() - ladder.deadline
    return deal(choices, ladder.incumbent), ladder.results()


def _kept_back(limit: float, households: int) -> float:
    """Seconds of the time limit."""
    thousands = households / 1_000
    wanted = max(KEPT_BACK * limit, LEAST_KEPT_BACK * thousands**2)
    return min(wanted, MOST_KEPT_BACK * thousands, (1 - KEPT_BACK) * limit)


def _improve(
    problem: Problem,
    parameters: Parameters,
    stages: Sequence[Objective],
    before: Before,
    report: Reporter,
    ladder: Ladder,
    deadline: float,
) -> None:
    """Spends what was kept back of the time on a better allocation, by what large problems are solved by: where those
    who are housed live, once it is proven who that is, or else on all stages."""
    if deadline - time.monotonic() < WORTHWHILE:
        return
    from solver.large import Large

    house_class, closed = deal(ladder.options, ladder.incumbent), ladder.results()
    still_open = closed[ladder.proven]
    report(still_open.name, still_open.achieved, still_open.bound)
    start = replace(before, given=house_class, prices=tuple(None for _ in stages))
    large = Large(problem, stages, start, parameters.threads, deadline - time.monotonic(), lambda *_: report.again())
    decided = closed[: ladder.proven]
    if len(decided) < len(large.deciding):
        house_class, decided = large.decide()
    better, _ = large.settle(house_class, decided)
    ladder.consider(taken(problem, ladder.options, better))


def _large(
    problem: Problem,
    parameters: Parameters,
    stages: Sequence[Objective],
    before: Before,
    report: Reporter,
    seconds: dict[str, float],
) -> tuple[IntArray, list[Closed]]:
    """The same for a large problem, the stages by their prices."""
    started = time.monotonic()
    from solver.large import Large  # here, as Numba takes longer to import than a village to solve

    left = parameters.time_limit_seconds - (time.monotonic() - started)
    large = Large(problem, stages, before, parameters.threads, left, report)
    seconds["preparation"] = time.monotonic() - started
    house_class, closed = large.settle(*large.decide())
    seconds |= large.seconds
    return house_class, closed


def _stage(problem: Problem, stage: Objective, result: Closed, dealt: IntArray, home: IntArray | None) -> Stage:
    made = Stage(
        name=stage.name,
        achieved=result.achieved,
        bound=result.bound,
        price_bound=result.price_bound,
        proof="prices" if result.bound == result.price_bound else "search",
        scope=result.scope if stage.where else None,
        terms=None if stage.plain else dict(stage.terms),
    )
    if result.witness is None:
        return made
    other = draw(problem, result.witness, gains(problem, result.witness), home)
    return replace(
        made,
        required=result.achieved - stage.may_lose,
        final=worth(problem, stage, dealt, home),
        witness=tuple(
            Witness(
                str(problem.households.id[h]), None if other[h] == NONE else str(problem.house_classes.id[other[h]])
            )
            for h in np.flatnonzero(other != dealt).tolist()
        ),
    )


def _repriced(
    problem: Problem, stages: Sequence[Objective], closed: list[Closed], dealt: IntArray, home: IntArray | None
) -> list[Closed]:
    """The stages of a narrowed problem, with what their prices prove of the problem itself."""
    lagrangian, terms = Lagrangian(problem, home), {stage.name: stage.terms for stage in stages}
    kept = required(stages, [result.achieved for result in closed])
    repriced = []
    for index, (certificate, result) in enumerate(zip(_certificate(problem, closed), closed, strict=True)):
        housed = dealt != NONE if result.scope == "housed" else None
        before = zip(closed[:index], kept, strict=False)
        earlier = {each.name: least for each, least in before if housed is None or each.scope == "housed"}
        bound = price_bound(problem, certificate, earlier, housed, lagrangian, terms)
        repriced.append(replace(result, price_bound=bound))
    return repriced


def _certificate(problem: Problem, closed: list[Closed]) -> tuple[StageCertificate, ...]:
    names = [result.name for result in closed]
    return tuple(
        pricing.certificate(problem, result.name, names[:stage], result.prices) for stage, result in enumerate(closed)
    )


def _statistics(problem_sha256: str, parameters: Parameters, before: Before, seconds: dict[str, float]) -> Statistics:
    return Statistics(
        problem_sha256=problem_sha256,
        seed=parameters.seed,
        threads=parameters.threads,
        versions=_versions(),
        seconds={phase: round(value, 4) for phase, value in seconds.items()},
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        previous_sha256=before.sha256,
    )


@cache
def _versions() -> dict[str, str]:
    """What a solution depends on. Every name costs the reading of a file, which takes longer than a small problem."""
    return {name: version(name) for name in ("hearth", "numba", "numpy", "ortools", "scipy")}
