"""What a solution takes, and what it leaves: houses, places, and the order of priority, in columns."""

from dataclasses import dataclass

import numpy as np

from solver.grouping import distinct, ranges
from solver.options import fits
from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import Solution, Status
from solver.tables import BoolArray, IntArray, StrArray

WITH_ANSWER = frozenset({Status.OPTIMAL, Status.FEASIBLE})


@dataclass(frozen=True, eq=False)
class Outcome:
    """given [H]: class, or NONE. need [H]: row of fits [n, C], whether a class meets it. uses, demand [H, K]: places
    that a household takes, and that it takes with its whole kin group. kin [H]: households of its group, 1 without.

    left [C]: houses; left_unreserved [C]: houses for those who don't need step-free, by the reserve alone;
    places_left [S, K], the largest integer where there is no limit. rank [H]: of tier and points, 0 the best.
    """

    problem: Problem
    given: IntArray
    need: IntArray
    fits: BoolArray
    uses: IntArray
    demand: IntArray
    kin: IntArray
    left: IntArray
    left_unreserved: IntArray
    places_left: IntArray
    rank: IntArray

    @property
    def not_housed(self) -> IntArray:
        return np.flatnonzero(self.given == NONE)


def require_answer(solution: Solution) -> None:
    """Raises ValueError where a solution is infeasible or cancelled: there is nothing to ask it."""
    if solution.status not in WITH_ANSWER:
        raise ValueError(f"a solution that is {solution.status.value} houses nobody")


def outcome(problem: Problem, solution: Solution) -> Outcome:
    """Raises ValueError where the solution places a household or names a class that the problem does not have."""
    households, classes = problem.households, problem.house_classes
    given = _given(problem, solution)
    first, need = distinct(
        (households.bedrooms_min, households.bedrooms_max, households.needs_step_free), len(households.id)
    )
    rows = np.column_stack(
        [
            households.bedrooms_min[first],
            households.bedrooms_max[first],
            households.needs_step_free[first],
            np.full(len(first), NONE),
        ]
    )
    uses = np.zeros((len(households.id), len(problem.services)), np.int64)
    uses[households.uses.row, households.uses.column] = households.uses.value
    kin, demand = np.ones(len(households.id), np.int64), uses.copy()
    member = households.kin_group != NONE
    group = households.kin_group[member]
    of_group = np.zeros((len(households.kin_groups), uses.shape[1]), np.int64)
    np.add.at(of_group, group, uses[member])
    kin[member], demand[member] = np.bincount(group, minlength=len(of_group))[group], of_group[group]
    housed = np.flatnonzero(given != NONE)
    used = np.zeros_like(problem.settlements.capacity)
    np.add.at(used, classes.settlement[given[housed]], uses[housed])
    capacity = problem.settlements.capacity
    free = housed[~households.needs_step_free[housed]]
    most_points = int(households.points.max(initial=0))
    order = households.tier * (most_points + 1) + most_points - households.points
    return Outcome(
        problem=problem,
        given=given,
        need=need,
        fits=fits(problem, rows),
        uses=uses,
        demand=demand,
        kin=kin,
        left=classes.count - np.bincount(given[housed], minlength=len(classes.id)),
        left_unreserved=classes.count - classes.reserved - np.bincount(given[free], minlength=len(classes.id)),
        places_left=np.where(capacity == UNLIMITED, np.iinfo(np.int64).max, capacity - used),
        rank=np.unique(order, return_inverse=True)[1],
    )


def _given(problem: Problem, solution: Solution) -> IntArray:
    assignments = solution.assignments
    household, known = _position(problem.households.id, assignments.household)
    house_class, class_known = _position(problem.house_classes.id, assignments.house_class)
    for i in np.flatnonzero(~known | ~class_known).tolist():
        names = f"{str(assignments.household[i])!r} or no class {str(assignments.house_class[i])!r}"
        raise ValueError(f"the problem has no household {names}")
    given = np.full(len(problem.households.id), NONE, np.int64)
    given[household] = house_class
    return given


def _position(identifiers: StrArray, wanted: StrArray) -> tuple[IntArray, BoolArray]:
    """Index of each identifier in a sorted column, and whether it is there."""
    if not len(identifiers):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    at = np.minimum(np.searchsorted(identifiers, wanted), len(identifiers) - 1)
    return at, identifiers[at] == wanted


class Offers:
    """Which classes serve which need in which settlement, as ranges of one column sorted by class in each.

    anything_in [n, S]: whether a settlement has some class for a need.
    """

    def __init__(self, problem: Problem, serves: BoolArray) -> None:
        """serves [n, C]: whether a class is for a need."""
        self.settlements = len(problem.settlements.id)
        need, house_class = np.nonzero(serves)
        key = need * self.settlements + problem.house_classes.settlement[house_class]
        order = np.argsort(key, kind="stable")
        self.house_class = house_class[order]
        self.start = np.searchsorted(key[order], np.arange(len(serves) * self.settlements + 1))
        self.anything_in: BoolArray = (np.diff(self.start) > 0).reshape(len(serves), self.settlements)

    def among(self, need: IntArray, accepts: BoolArray) -> tuple[IntArray, IntArray]:
        """Of households [r] with a need each that accept settlements [r, S]: every row and class that it could have.

        Sorted by row, then settlement, then class.
        """
        row, settlement = np.nonzero(accepts)
        key = need[row] * self.settlements + settlement
        length = self.start[key + 1] - self.start[key]
        return np.repeat(row, length), self.house_class[ranges(self.start[key], length)]
