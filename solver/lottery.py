"""The last stage: among households that the problem cannot tell apart, the better outcome goes to the smaller number.

Outcomes are ordered: housed before not housed, then the higher value, then the class's identifier. Equal lottery
numbers are told apart by the household's identifier.
"""

import numpy as np

from solver.problem import Problem
from solver.tables import IntArray


def draw(problem: Problem, house_class: IntArray, value: IntArray) -> IntArray:
    """Classes [H] (NONE: not housed) and the value of each → the same classes, dealt by lottery among equals."""
    households = problem.households
    kind = kinds(problem)
    index = np.arange(len(kind))
    takers = np.lexsort((index, households.lottery, kind))
    outcomes = np.lexsort((house_class, -value, house_class < 0, kind))
    dealt = np.empty_like(house_class)
    dealt[takers] = house_class[outcomes]
    return dealt


def kinds(problem: Problem) -> IntArray:
    """A number for each household [H], equal where everything but id and lottery is equal."""
    households = problem.households
    columns = np.column_stack(
        [
            households.tier,
            households.points,
            households.bedrooms_min,
            households.bedrooms_max,
            households.needs_step_free,
            households.has_anywhere,
            households.anywhere,
            households.profile,
            households.kin_group,
            households.pinned,
        ]
    ).astype(np.int64)
    numbers: dict[tuple[bytes, ...], int] = {}
    rows = [
        (rows.start.tolist(), rows.column, rows.value)
        for rows in (households.options, households.uses, households.forbidden)
    ]
    kind = np.empty(len(columns), np.int64)
    for i, row in enumerate(columns):
        sparse = (part[start[i] : start[i + 1]].tobytes() for start, *parts in rows for part in parts)
        kind[i] = numbers.setdefault((row.tobytes(), *sparse), len(numbers))
    return kind
