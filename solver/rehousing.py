"""Windows of settlements among which those who are housed move, in the time that is left, for a better incumbent."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from solver.options import Options
from solver.tables import BoolArray, IntArray

WINDOW = 6
"""Among how many settlements families move at first for a better incumbent."""
LIKED = 3
"""With how many of its settlements a unit makes them neighbours."""


def neighbours(options: Options, settlements: int) -> IntArray:
    """The settlements in an order that keeps together those that the same units like best."""
    order = np.lexsort((-options.wish, options.unit))
    unit = options.unit[order]
    best = order[np.arange(len(order)) - np.searchsorted(unit, unit) < LIKED]
    shape = (len(options.must), settlements)
    likes = scipy.sparse.csr_matrix((np.ones(len(best)), (options.unit[best], options.settlement[best])), shape)
    return scipy.sparse.csgraph.reverse_cuthill_mckee((likes.T @ likes).tocsr(), symmetric_mode=True).astype(np.int64)


def windows(order: IntArray) -> Iterator[IntArray]:
    """Growing parts of an order, neighbours as well as far apart, and all of it at last."""
    size = WINDOW
    while size < len(order):
        apart = -(-len(order) // size)
        yield from (order[first : first + size] for first in range(0, len(order) - size // 2, size // 2))
        yield from (order[first::apart] for first in range(apart))
        size *= 2
    yield order


def among(options: Options, taken: IntArray, settlements: IntArray) -> tuple[BoolArray, BoolArray]:
    """The columns [n + m] of some settlements for those who are housed there, and who these are [U]."""
    inside = np.isin(np.concatenate([options.settlement, options.supply_key // max(options.needs, 1)]), settlements)
    here = np.zeros(len(options.must), np.bool_)
    here[options.unit[(inside & (taken > 0))[: options.placements]]] = True
    columns = inside.copy()
    columns[: options.placements] &= here[options.unit]
    return columns, here
