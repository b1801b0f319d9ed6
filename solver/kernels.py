"""Compiled loops (Numba). Compiled code is kept beside the source or in NUMBA_CACHE_DIR, for the next process."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.tables import IntArray

FloatArray = NDArray[np.float64]


@njit(cache=True, nogil=True)
def add_units(
    dense: FloatArray,
    begin: int,
    end: int,
    start: IntArray,
    pivot: FloatArray,
    scale: FloatArray,
    first: IntArray,
    row: IntArray,
    weight: FloatArray,
) -> None:
    """dense += Σ over columns of scale · a aᵀ − Σ over units of (Σ scale · a)(Σ scale · a)ᵀ / pivot, lower half.

    Of units begin:end. Unit u has the columns start[u]:start[u + 1]; column j the entries first[j]:first[j + 1] of
    row, ascending, and weight.
    """
    rows = len(dense)
    total = np.zeros(rows)
    touched = np.zeros(rows, np.int64)
    seen = np.zeros(rows, np.bool_)
    for u in range(begin, end):
        count = 0
        for j in range(start[u], start[u + 1]):
            for e in range(first[j], first[j + 1]):
                r, amount = row[e], weight[e] * scale[j]
                if not seen[r]:
                    seen[r] = True
                    touched[count] = r
                    count += 1
                total[r] += amount
                for f in range(first[j], e + 1):
                    dense[r, row[f]] += amount * weight[f]
        for i in range(count):
            r = touched[i]
            amount = total[r] / pivot[u]
            for k in range(count):
                if touched[k] <= r:
                    dense[r, touched[k]] -= amount * total[touched[k]]
        for i in range(count):
            seen[touched[i]] = False
            total[touched[i]] = 0.0


@njit(cache=True, nogil=True)
def add_columns(dense: FloatArray, scale: FloatArray, first: IntArray, row: IntArray, weight: FloatArray) -> None:
    """dense += Σ over columns of scale · a aᵀ, lower half."""
    for j in range(len(scale)):
        for e in range(first[j], first[j + 1]):
            amount = weight[e] * scale[j]
            for f in range(first[j], e + 1):
                dense[row[e], row[f]] += amount * weight[f]


@njit(cache=True, nogil=True)
def fastest_falls(v: FloatArray, step: FloatArray, correction: FloatArray, shares: FloatArray) -> FloatArray:
    """How fast the first of v [n], all positive, falls to 0 along step + share · correction, for each share: one by
    the number of such steps that it takes; 0 where none falls."""
    fastest = np.zeros(len(shares))
    for i in range(len(v)):
        whole = 1.0 / v[i]
        first, second = -step[i] * whole, -correction[i] * whole
        for k in range(len(shares)):
            fall = first + shares[k] * second
            if fall > fastest[k]:
                fastest[k] = fall
    return fastest
