"""The last stage: among households that the problem cannot tell apart, the better outcome goes to the smaller number.

Outcomes are ordered: housed before not housed, then the higher value, then the class's identifier. Equal lottery
numbers are told apart by the household's identifier.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np

from solver.grouping import distinct
from solver.problem import Households, Problem
from solver.tables import BoolArray, IntArray


def draw(problem: Problem, house_class: IntArray, value: IntArray, home: IntArray | None = None) -> IntArray:
    """Classes [H] (NONE: not housed) and the value of each → the same classes, dealt by lottery among equals. home [H]:
    the classes that households are to keep, where a stage counts that."""
    households = problem.households
    kind = kinds(problem, home)
    index = np.arange(len(kind))
    takers = np.lexsort((index, households.lottery, kind))
    outcomes = np.lexsort((house_class, -value, house_class < 0, kind))
    dealt = np.empty_like(house_class)
    dealt[takers] = house_class[outcomes]
    return dealt


def kinds(problem: Problem, home: IntArray | None = None) -> IntArray:
    """A number for each household [H], equal where everything but id and lottery is equal, `home` [H] too."""
    columns = chain(_columns(problem.households), () if home is None else (home,))
    return distinct(columns, len(problem.households.id))[1]


def _columns(households: Households) -> Iterator[IntArray | BoolArray]:
    """Every column but id and lottery; of the sparse rows the first entry of each, then the second, and so on."""
    yield households.tier
    yield households.points
    yield households.bedrooms_min
    yield households.bedrooms_max
    yield households.needs_step_free
    yield households.has_anywhere
    yield households.anywhere
    yield households.profile
    yield households.kin_group
    yield households.pinned
    for rows in (households.options, households.uses, households.forbidden):
        length = np.diff(rows.start)
        yield length
        for position in range(int(length.max(initial=0))):
            has = length > position
            entry = rows.start[:-1][has] + position
            for part in (rows.column, rows.value):
                column = np.zeros(len(length), np.int64)
                column[has] = part[entry]
                yield column
