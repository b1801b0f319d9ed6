"""The system that a step of an interior point method solves, with units and classes eliminated, and a dense rest."""

from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from solver.kernels import add_columns, add_units
from solver.progress import Deadline
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

WEAKEST = 1e-7
"""Past this regularisation of the dense system, rounding has the last word."""
LOOK = 0.5
"""Seconds between two looks at whether the solve is cancelled."""


class NormalEquations:
    """(F D Fᵀ + E) dy = g for one F [units + classes + rows, columns], by up to `workers` threads.

    unit: of the first columns, ascending, whose row of F is a sum. classes: two rows for each, of the columns after
    these. dense: the other rows.
    """

    def __init__(
        self,
        unit: IntArray,
        units: int,
        classes: scipy.sparse.csr_matrix,
        dense: scipy.sparse.csr_matrix,
        workers: int,
    ) -> None:
        self.unit, self.units, self.workers = unit, units, workers
        self.classes, self.rows = classes.shape[0], dense.shape[0]
        by_unit, others = dense[:, : len(unit)].tocsc(), dense[:, len(unit) :].tocsc()
        self.by_unit, self.by_unit_back = by_unit.tocsr(), by_unit.T.tocsr()
        self.start = np.searchsorted(unit, np.arange(units + 1))
        self.unit_entries, self.other_entries = _entries(by_unit), _entries(others)
        self.others_back = others.T.tocsr()
        self.supply = scipy.sparse.csr_matrix(classes)[:, len(unit) :]
        work = np.cumsum(np.diff(self.unit_entries[0][self.start]) ** 2)
        self.middle = int(np.searchsorted(work, work[-1] / 2)) if units else 0
        # Fresh memory for every step would cost as much as the arithmetic.
        self.halves = np.empty((2, self.rows, self.rows))

    def factored(self, d: FloatArray, e: FloatArray, deadline: Deadline) -> "Factored":
        """The system for one D [columns] and E [rows of F], until the next is factored. Raises LinAlgError where
        rounding has the last word."""
        return Factored(self, d, e, deadline)


class Factored:
    """One system, ready to be solved."""

    def __init__(self, of: NormalEquations, d: FloatArray, e: FloatArray, deadline: Deadline) -> None:
        self.of, units, classes = of, of.units, of.classes
        self.of_unit, rest = d[: len(of.unit)], d[len(of.unit) :]
        self.unit_pivot = np.bincount(of.unit, self.of_unit, units) + e[:units]
        halves = of.halves
        halves.fill(0.0)
        of_units = (of.start, self.unit_pivot, self.of_unit, *of.unit_entries)
        with ThreadPoolExecutor(of.workers) as pool:  # two sums, however many threads there are: the same bits
            first = pool.submit(add_units, halves[0], 0, of.middle, *of_units)
            second = pool.submit(add_units, halves[1], of.middle, units, *of_units)
            while wait((first, second), LOOK).not_done:
                deadline.heard()
        factor, dense = halves
        dense += factor
        add_columns(dense, rest, *of.other_entries)
        deadline.heard()
        scaled = scipy.sparse.csr_matrix(of.supply.multiply(rest))
        own = np.asarray(scaled.sum(axis=1)).ravel() + e[units : units + classes]
        count, unreserved, both = own[0::2], own[1::2], np.asarray(scaled[1::2].sum(axis=1)).ravel()
        determinant = count * unreserved - both * both
        even = np.arange(0, classes, 2)
        self.class_inverse = scipy.sparse.csr_matrix(
            (
                np.concatenate([unreserved, count, -both, -both]) / np.tile(determinant, 4),
                (np.concatenate([even, even + 1, even, even + 1]), np.concatenate([even, even + 1, even + 1, even])),
            ),
            shape=(classes, classes),
        )
        self.coupling = (scaled @ of.others_back).tocsr()
        self.eliminated = (self.class_inverse @ self.coupling).tocsr()
        fill = (self.coupling.T @ self.eliminated).tocoo()
        lower = fill.row >= fill.col
        dense[fill.row[lower], fill.col[lower]] -= fill.data[lower]
        diagonal = np.arange(of.rows)
        dense[diagonal, diagonal] += e[units + classes :]
        deadline.heard()
        self.factor = _cholesky(dense, diagonal, factor)

    def solve(self, gradient: FloatArray) -> FloatArray:
        """dy for one g [rows of F]."""
        of = self.of
        of_units, of_classes = gradient[: of.units], gradient[of.units : of.units + of.classes]
        right = gradient[of.units + of.classes :] - of.by_unit @ (self.of_unit * (of_units / self.unit_pivot)[of.unit])
        right -= self.eliminated.T @ of_classes
        dense = scipy.linalg.cho_solve((self.factor, False), right, check_finite=False)
        shared = np.bincount(of.unit, self.of_unit * (of.by_unit_back @ dense), of.units)
        return np.concatenate(
            [
                (of_units - shared) / self.unit_pivot,
                self.class_inverse @ (of_classes - self.coupling @ dense),
                dense,
            ]
        )


def _cholesky(dense: FloatArray, diagonal: IntArray, factor: FloatArray) -> FloatArray:
    """The factor of a matrix of which the lower half is given, in the memory of `factor`, regularised as far as it must
    and may be."""
    regular = 1e-12
    dense[diagonal, diagonal] = dense[diagonal, diagonal] * (1 + regular) + regular
    while regular < WEAKEST:
        np.copyto(factor, dense)
        upper, failed = scipy.linalg.lapack.dpotrf(factor.T, lower=0, clean=0, overwrite_a=1)
        if not failed:
            return np.asarray(upper)
        regular *= 100
        dense[diagonal, diagonal] += regular * np.maximum(dense[diagonal, diagonal], 1.0)
    raise scipy.linalg.LinAlgError("not positive definite")


def _entries(matrix: scipy.sparse.csc_matrix) -> tuple[IntArray, IntArray, FloatArray]:
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data
