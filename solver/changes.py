"""A problem with one thing changed, built from its columns, and its solution: what claims are verified by.

Households and settlements are given by their index; households keep theirs in every changed problem.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from solver.objectives import Objective, objective
from solver.outcome import require_answer
from solver.parameters import Parameters
from solver.problem import NONE, HouseClasses, Problem
from solver.solution import Solution
from solver.solve import solve
from solver.tables import UNLIMITED, IntArray, SparseRows


def solved_again(problem: Problem, previous: Solution, parameters: Parameters, first: tuple[str, ...] = ()) -> Solution:
    """The solution of a changed problem, started from `previous`, the one of the problem before the change. first:
    stages to put before those of the parameters, or where these name none, before those of `previous`.

    Stages that the changed problem no longer has are left out. What `keep` counts is what it counted there. Raises
    ValueError where `previous` has no answer.
    """
    require_answer(previous)
    wanted = stated(previous) if parameters.stages is None else tuple(map(objective, parameters.stages))
    kept = tuple(stage for stage in wanted if stage.known_to(problem) and stage.name not in first)
    stages = replace(parameters, stages=(*first, *kept))
    return solve(problem, stages, previous=previous, homes=previous.previous)


def stated(solution: Solution) -> tuple[Objective, ...]:
    """The stages that a solution was made by. Raises ValueError where it states what no stage can be."""
    return tuple(Objective(each.name, each.counts, each.achieved - each.kept) for each in solution.stages)


def settlement_of(problem: Problem, solution: Solution, household: str) -> str | None:
    """The settlement where a solution of the problem houses a household; None where it doesn't."""
    assignments = solution.assignments
    at = int(np.searchsorted(assignments.household, household))
    if at == len(assignments) or assignments.household[at] != household:
        return None
    house_class = np.searchsorted(problem.house_classes.id, assignments.house_class[at])
    return str(problem.settlements.id[problem.house_classes.settlement[house_class]])


def household_of(problem: Problem, household: str) -> int:
    """Its index. Raises ValueError where the problem doesn't have it."""
    identifiers = problem.households.id
    at = int(np.searchsorted(identifiers, household))
    if at == len(identifiers) or identifiers[at] != household:
        raise ValueError(f"the problem has no household {household!r}")
    return at


def unit(problem: Problem, household: int) -> IntArray:
    """The household with its kin group: those who move together."""
    group = problem.households.kin_group
    return np.array([household]) if group[household] == NONE else np.flatnonzero(group == group[household])


def with_houses(problem: Problem, house_class: str, count: int = 1) -> Problem:
    """More houses in a class, none of them reserved."""
    classes = problem.house_classes
    more = classes.count + count * (classes.id == house_class)
    return replace(problem, house_classes=replace(classes, count=more))


def with_class(problem: Problem, settlement: int, bedrooms: int, step_free: bool, count: int = 1) -> Problem:
    """Houses that no class has yet, in a class of their own."""
    classes = problem.house_classes
    name = f"more {len(classes.id)}"
    while name in set(classes.id.tolist()):
        name += "+"
    return replace(
        problem,
        house_classes=HouseClasses(
            id=np.append(classes.id, name),
            settlement=np.append(classes.settlement, settlement),
            bedrooms=np.append(classes.bedrooms, bedrooms),
            step_free=np.append(classes.step_free, step_free),
            count=np.append(classes.count, count),
            reserved=np.append(classes.reserved, 0),
        ),
    )


def with_places(problem: Problem, places: Iterable[tuple[int, int, int]]) -> Problem:
    """More places of limited services: (settlement, service, how many more)."""
    capacity = problem.settlements.capacity.copy()
    for settlement, service, more in places:
        if capacity[settlement, service] != UNLIMITED:
            capacity[settlement, service] += more
    return replace(problem, settlements=replace(problem.settlements, capacity=capacity))


def accepting_any(problem: Problem, households: IntArray) -> Problem:
    """These accept every settlement that is not forbidden to them; what they listed keeps its value."""
    return _with(problem, households, has_anywhere=True)


def forbidding_none(problem: Problem, households: IntArray) -> Problem:
    """To these no settlement is forbidden."""
    forbidden = problem.households.forbidden
    kept = ~np.isin(forbidden.row, households)
    start = np.concatenate([[0], np.cumsum(kept)])[forbidden.start]
    changed = SparseRows(start, forbidden.column[kept], forbidden.value[kept])
    return replace(problem, households=replace(problem.households, forbidden=changed))


def without_kin(problem: Problem, households: IntArray) -> Problem:
    """These leave their kin groups."""
    return _with(problem, households, kin_group=NONE)


def unpinned(problem: Problem, households: IntArray) -> Problem:
    return _with(problem, households, pinned=NONE)


def at_least(problem: Problem, households: IntArray, tier: int, points: int) -> Problem:
    """These get a tier and points, unless theirs are better."""
    own_tier, own_points = problem.households.tier[households], problem.households.points[households]
    worse = households[(own_tier > tier) | ((own_tier == tier) & (own_points < points))]
    return _with(problem, worse, tier=tier, points=points)


def ahead(problem: Problem, households: IntArray) -> tuple[Problem, str]:
    """These in a tier of their own, and the stage of it: put first, it houses them if any allocation can.

    Raises InvalidProblem where the problem already has the last tier that the format allows.
    """
    tier = problem.tiers + 1
    return _with(problem, households, tier=tier), f"tier {tier}"


def first_in_lottery(problem: Problem, household: int) -> Problem:
    """Everybody keeps the order of the numbers, but this one is before all."""
    number = np.unique(problem.households.lottery, return_inverse=True)[1] + 1
    number[household] = 0
    return replace(problem, households=replace(problem.households, lottery=number))


def without_uses(problem: Problem, households: IntArray) -> Problem:
    """These take no places of services."""
    uses = problem.households.uses
    value = np.where(np.isin(uses.row, households), 0, uses.value)
    changed = SparseRows(uses.start, uses.column, value)
    return replace(problem, households=replace(problem.households, uses=changed))


def _with(problem: Problem, households: IntArray, **columns: int) -> Problem:
    """Some columns with one value for these households."""
    changed = {}
    for name, value in columns.items():
        column = getattr(problem.households, name).copy()
        column[households] = value
        changed[name] = column
    return replace(problem, households=replace(problem.households, **changed))
