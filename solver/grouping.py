"""Rows of several integer columns told apart, and ranges laid end to end: what NumPy has no one call for."""

from collections.abc import Iterable

import numpy as np

from solver.tables import BoolArray, IntArray

WIDEST = 2**62
"""Keys stay below, so that they cannot overflow 64 bits."""


def distinct(columns: Iterable[IntArray | BoolArray], rows: int) -> tuple[IntArray, IntArray]:
    """The first row of each kind [k], and the kind of every row [rows]: equal where all columns [rows] are equal.

    The columns are packed into one key, which is renumbered where it grows too wide. Numbers must be within ±10⁹.
    """
    key, width = np.zeros(rows, np.int64), 1
    for column in columns:
        least, most = int(column.min(initial=0)), int(column.max(initial=0))
        span = most - least + 1
        if span == 1:
            continue
        if width * span >= WIDEST:
            key = np.unique(key, return_inverse=True)[1]
            width = int(key.max(initial=0)) + 1
        key = key * span + (column - least)
        width *= span
    _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    return first, kind


def ranges(first: IntArray, length: IntArray) -> IntArray:
    """first[0], first[0] + 1, … (length[0] of them), then those of first[1], and so on."""
    before = np.cumsum(length) - length
    laid: IntArray = np.repeat(first - before, length) + np.arange(int(length.sum()))
    return laid
