"""Prices for large problems: the dual, smoothed by a logarithmic barrier, by Newton's method (a primal-dual interior
point method with Mehrotra's predictor and corrector).

There is one row for every unit and one for every scarce resource. Rows of units, and of classes with their unreserved
parts, are eliminated one by one; what remains is a small dense system, one row per hub, key, service and earlier
stage, however many households there are.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no type marker

from solver.central_path import outlying, reach
from solver.kernels import add_columns, add_units
from solver.network import Network
from solver.problem import NONE, UNLIMITED
from solver.progress import Deadline
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

MULTIPLIER = 64.0
"""No multiplier of an earlier stage exceeds this many times the largest weight of the stage in hand: what an earlier
stage achieved leaves no interior, and its multiplier would grow without end."""
CLOSE = 1e-6
"""The relative gap at which the method ends, where it is not a hundredth."""
WARM = 1e-2
"""The relative gap of the iterate that the next stage starts from: a later one is too near the boundary."""
MOST_STEPS = 100
WEAKEST = 1e-7
"""Past this regularisation of the dense system, rounding has the last word, and the method ends."""
CORRECTORS = 2
"""Centrality correctors (Gondzio) of a step at most: each costs a tenth of the step."""
FURTHER, FAR, WORTHWHILE = 0.3, 0.95, 0.02
"""How much further a corrector aims; how far a step goes that needs none; how much further it has to go to be worth
another."""
LEAST_CENTRE = 1e-3
"""The least aim of a corrector, relative to the mean."""
LOOK = 0.5
"""Seconds between two looks at whether the solve is cancelled."""


@dataclass(frozen=True, eq=False)
class Iterate:
    """Columns and slacks of rows, prices of rows and reduced costs of columns; `rows` earlier stages were kept."""

    column: FloatArray
    slack: FloatArray
    price: FloatArray
    reduced: FloatArray
    rows: int


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The relaxation of a stage: columns [n], and prices of classes, unreserved parts [C], services [S, K], keys
    [S · needs], multipliers of the earlier stages. `near`: where the next stage may start."""

    column: FloatArray
    house_class: FloatArray
    unreserved: FloatArray
    service: FloatArray
    key: FloatArray
    multipliers: FloatArray
    near: Iterate


class Interior:
    """The relaxations of one network, by `workers` threads. Columns: direct placements and entries to hubs, by unit;
    ways; supplies."""

    def __init__(self, network: Network, workers: int = 1) -> None:
        self.network, self.workers = network, workers
        entering = np.flatnonzero(network.hub_of != NONE)
        direct, ways, supplies = len(network.unit), len(network.way_hub), len(network.spare)
        unit = np.concatenate([network.unit, entering])
        order = np.argsort(unit, kind="stable")
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        self.unit, self.placement, self.entry = unit[order], position[:direct], position[direct:]
        self.entering, self.unit_columns = entering, len(unit)
        self.way = len(unit) + np.arange(ways)
        self.supply = len(unit) + ways + np.arange(supplies)
        self.supply_first = len(unit) + ways
        self.columns = self.supply_first + supplies
        self.start = np.searchsorted(self.unit, np.arange(network.units + 1))
        self.first_key = network.hubs
        self.first_service = network.hubs + network.settlements * network.needs
        self.dense_rows = self.first_service + network.places.size
        self.of_units = self._matrix([(self.unit, np.arange(len(unit)), 1.0)], network.units)
        self.of_classes, self.most_of_classes = self._classes()
        dense = self._dense()
        most = np.concatenate([np.zeros(self.first_service), network.places.ravel()])
        limited = np.concatenate([np.ones(self.first_service, np.bool_), (network.places != UNLIMITED).ravel()])
        self.kept = np.flatnonzero(limited & (np.diff(dense.indptr) > 0))
        self.dense, self.most = dense[self.kept], most[self.kept]

    def _matrix(self, entries: Sequence[tuple[Any, Any, Any]], rows: int) -> scipy.sparse.csr_matrix:
        row, column, weight = zip(*entries, strict=True)
        weights = [np.broadcast_to(np.asarray(w, np.float64), np.shape(r)) for w, r in zip(weight, row, strict=True)]
        parts = (np.concatenate(weights), (np.concatenate(row), np.concatenate(column)))
        matrix = scipy.sparse.csr_matrix(parts, shape=(rows, self.columns))
        matrix.eliminate_zeros()
        return matrix

    def _classes(self) -> tuple[scipy.sparse.csr_matrix, FloatArray]:
        """Two rows a class: its count, and its unreserved part where that is smaller."""
        network = self.network
        rows = 2 * len(network.count)
        limited = np.flatnonzero(network.limited & (network.unreserved < network.count)[network.supply_class])
        matrix = self._matrix(
            [
                (2 * network.supply_class, self.supply, 1.0),
                (2 * network.supply_class[limited] + 1, self.supply[limited], 1.0),
            ],
            rows,
        )
        most = np.column_stack([network.count, network.unreserved]).ravel().astype(np.float64)
        return matrix, np.where(np.diff(matrix.indptr) > 0, most, 1.0)

    def _dense(self) -> scipy.sparse.csr_matrix:
        """Rows of hubs, keys and services."""
        network, services = self.network, self.network.places.shape[1]
        at = self.placement
        entries: list[tuple[Any, Any, Any]] = [
            (self.first_key + network.seat_key, at[network.seat_placement], network.seat_count),
            (network.hub_of[self.entering], self.entry, 1.0),
            (network.way_hub, self.way, -1.0),
            (self.first_key + network.way_key, self.way, 1.0),
            (self.first_key + network.supply_key, self.supply, -1.0),
        ]
        for k in range(services):
            row = self.first_service + network.settlement * services + k
            entries.append((row, at, network.uses[network.unit, k]))
            row = self.first_service + network.way_settlement * services + k
            entries.append((row, self.way, network.hub_uses[network.way_hub, k]))
        return self._matrix(entries, self.dense_rows)

    def weights(self, of_unit: IntArray | FloatArray) -> FloatArray:
        """Columns of a stage that counts units [U], wherever they live."""
        columns = np.zeros(self.columns)
        columns[: self.unit_columns] = of_unit[self.unit]
        return columns

    def value(self) -> FloatArray:
        """Columns of the stage `value`."""
        network = self.network
        columns = np.zeros(self.columns)
        columns[self.placement] = network.wish
        columns[self.entry] = network.hub_wish[self.entering]
        columns[self.way] = network.way_wish
        columns[self.supply] = -network.problem.spare_bedroom_penalty * network.spare
        return columns

    def maximise(
        self,
        weights: FloatArray,
        rows: Sequence[tuple[FloatArray, int]],
        start: Iterate | None,
        deadline: Deadline,
    ) -> Relaxed:
        """The relaxation that maximises weights [columns] while each of the rows (weights, at least) is kept; at the
        deadline, as near to it as it came."""
        with threadpool_limits(limits=1, user_api="blas"):  # another number of threads gives other bits
            return _Barrier(self, weights, rows).descend(start, deadline)


class _Barrier:
    """One relaxation: max w·x, F x ≤ b, x ≥ 0. Rows of F: units, classes, then the dense ones with earlier stages."""

    def __init__(self, interior: Interior, weights: FloatArray, rows: Sequence[tuple[FloatArray, int]]) -> None:
        self.interior, self.stages = interior, len(rows)
        self.units, self.unit_columns = interior.network.units, interior.unit_columns
        largest = float(np.abs(weights[: self.unit_columns]).max(initial=1.0))
        self.scale = largest * MULTIPLIER if rows else largest
        self.weights = np.concatenate([weights, np.full(len(rows), -largest * MULTIPLIER)]) / self.scale
        stages = [scipy.sparse.csr_matrix(-stage[None, :]) for stage, _ in rows]
        dense = scipy.sparse.vstack([interior.dense, *stages]).tocsr()
        shortfall = scipy.sparse.csr_matrix(
            (
                -np.ones(len(rows)),
                (dense.shape[0] - len(rows) + np.arange(len(rows)), np.arange(len(rows))),
            ),
            shape=(dense.shape[0], len(rows)),
        )
        dense = scipy.sparse.hstack([dense, shortfall]).tocsr()
        self.dense_rows = dense.shape[0]
        pad = [
            scipy.sparse.hstack([part, scipy.sparse.csr_matrix((part.shape[0], len(rows)))])
            for part in (interior.of_units, interior.of_classes)
        ]
        self.class_rows = interior.of_classes.shape[0]
        self.forward = scipy.sparse.vstack([*pad, dense]).tocsr()
        self.backward = self.forward.T.tocsr()
        self.most = np.concatenate(
            [np.ones(self.units), interior.most_of_classes, interior.most, [-float(least) for _, least in rows]]
        )
        by_unit, others = dense[:, : self.unit_columns].tocsc(), dense[:, self.unit_columns :].tocsc()
        self.by_unit, self.by_unit_back = by_unit.tocsr(), by_unit.T.tocsr()
        self.unit_entries = _entries(by_unit)
        self.other_entries = _entries(others)
        self.others_back = others.T.tocsr()
        self.supply = scipy.sparse.csr_matrix(pad[1])[:, self.unit_columns :]
        # Fresh memory for every step would cost as much as the arithmetic.
        self.halves = np.empty((2, self.dense_rows, self.dense_rows))

    def descend(self, start: Iterate | None, deadline: Deadline) -> Relaxed:
        x, s, y, z = self._cold() if start is None else self._warm(start)
        near, took = None, 0.0
        for _ in range(MOST_STEPS):
            began = deadline.left()
            primal = self.most - self.forward @ x - s
            dual = self.weights - self.backward @ y + z
            gap = abs(float(self.most @ y - self.weights @ x)) / (1.0 / self.scale + abs(float(self.most @ y)))
            feasible = float(np.abs(primal).max(initial=0.0))
            if near is None and gap < WARM and feasible < 1:
                near = Iterate(x, s, y * self.scale, z * self.scale, self.stages)
            if (gap < CLOSE and feasible < 1e-4) or deadline.passed() or began < took:
                break
            try:
                system = _System(self, x / z, s / y, deadline)
            except scipy.linalg.LinAlgError:
                break
            mean = (x @ z + s @ y) / (len(x) + len(s))

            def step(
                complementary: FloatArray,
                slackness: FloatArray,
                at: tuple[FloatArray, ...] = (x, s, y, z, primal, dual),
                system: "_System" = system,
            ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
                x, s, y, z, primal, dual = at
                gradient = self.forward @ (complementary / z + x / z * dual) + slackness / y - primal
                change = system.solve(gradient)
                reduced = self.backward @ change - dual
                return complementary / z - x / z * reduced, slackness / y - s / y * change, change, reduced

            dx, ds, dy, dz = step(-x * z, -s * y)
            a, b = reach(x, dx, s, ds), reach(y, dy, z, dz)
            ahead = ((x + a * dx) @ (z + b * dz) + (s + a * ds) @ (y + b * dy)) / (len(x) + len(s))
            centre = (ahead / mean) ** 3 * mean
            complementary, slackness = centre - x * z - dx * dz, centre - s * y - ds * dy
            dx, ds, dy, dz = step(complementary, slackness)
            a, b = reach(x, dx, s, ds), reach(y, dy, z, dz)
            aim = float(max(centre, LEAST_CENTRE * mean))
            for _ in range(CORRECTORS):
                if min(a, b) > FAR:
                    break
                further, higher = min(a + FURTHER, 1.0), min(b + FURTHER, 1.0)
                complementary = complementary + outlying((x + further * dx) * (z + higher * dz), aim)
                slackness = slackness + outlying((s + further * ds) * (y + higher * dy), aim)
                other = step(complementary, slackness)
                reached = reach(x, other[0], s, other[1]), reach(y, other[2], z, other[3])
                if sum(reached) < a + b + WORTHWHILE:
                    break
                (dx, ds, dy, dz), (a, b) = other, reached
            x, s, y, z = x + a * dx, s + a * ds, y + b * dy, z + b * dz
            took = began - deadline.left()
        return self._relaxed(x, y * self.scale, near or Iterate(x, s, y * self.scale, z * self.scale, self.stages))

    def _cold(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        x = np.full(self.forward.shape[1], 1.0)
        x[: self.unit_columns] = 0.3
        y = np.full(self.forward.shape[0], 0.5)
        return x, np.maximum(self.most - self.forward @ x, 0.5), y, np.maximum(self.backward @ y - self.weights, 0.3)

    def _warm(self, start: Iterate) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """From the same stage under other targets, as it is; or from the stage before, whose prices are doubled: the
        new weights then leave the dual feasible, once units and classes pay for what is new; and the stage before gets
        the multiplier 2."""
        interior, new = self.interior, self.stages - start.rows
        if not new:
            return start.column, start.slack, start.price / self.scale, start.reduced / self.scale
        units, classes = self.units, self.class_rows
        mean = (start.column @ start.reduced + start.slack @ start.price) / (len(start.column) + len(start.slack))
        mean *= 2 / self.scale
        x = np.concatenate([start.column, np.zeros(new)])
        s = np.concatenate([start.slack, np.zeros(new)])
        y = np.concatenate([2 * start.price, np.full(new, 2.0)]) / self.scale
        best = np.zeros(units)
        np.maximum.at(best, interior.unit, self.weights[: self.unit_columns])
        lift = max(float(self.weights[interior.way].max(initial=0.0)), 0.0)
        y[:units] += best
        y[units : units + classes : 2] += lift
        keys = np.flatnonzero((interior.kept >= interior.first_key) & (interior.kept < interior.first_service))
        y[units + classes + keys] += lift
        cost = -self.weights[-new:]
        y[-new:] = np.minimum(y[-new:], cost / 2)
        missing = (self.most - self.forward @ x)[-new:]
        wanted = mean / y[-new:]
        x[-new:] = mean / (cost - y[-new:]) + np.maximum(wanted - missing, 0)
        s[-new:] = np.maximum(wanted, missing)
        z = np.maximum(self.backward @ y - self.weights, 1e-4)
        return x, s, y, z

    def _relaxed(self, x: FloatArray, y: FloatArray, near: Iterate) -> Relaxed:
        interior, network = self.interior, self.interior.network
        classes = y[self.units : self.units + self.class_rows].reshape(-1, 2)
        scarce = np.diff(interior.of_classes.indptr).reshape(-1, 2) > 0
        dense = np.zeros(interior.dense_rows)
        dense[interior.kept] = y[self.units + self.class_rows :][: len(interior.kept)]
        return Relaxed(
            column=x[: interior.columns],
            house_class=np.where(scarce[:, 0], classes[:, 0], 0.0),
            unreserved=np.where(scarce[:, 1], classes[:, 1], 0.0),
            service=dense[interior.first_service :].reshape(network.places.shape),
            key=dense[interior.first_key : interior.first_service],
            multipliers=y[len(y) - self.stages :],
            near=near,
        )


class _System:
    """(F D Fᵀ + E) dy = g, with units and classes eliminated. Raises LinAlgError where rounding has the last word."""

    def __init__(self, barrier: _Barrier, d: FloatArray, e: FloatArray, deadline: Deadline) -> None:
        self.barrier = barrier
        interior, rows = barrier.interior, barrier.dense_rows
        units, classes = barrier.units, barrier.class_rows
        self.of_unit, rest = d[: barrier.unit_columns], d[barrier.unit_columns :]
        self.unit_pivot = np.bincount(interior.unit, self.of_unit, units) + e[:units]
        halves = barrier.halves
        halves.fill(0.0)
        middle = units // 2
        of_units = (interior.start, self.unit_pivot, self.of_unit, *barrier.unit_entries)
        with ThreadPoolExecutor(interior.workers) as pool:  # two sums, however many threads there are: the same bits
            first = pool.submit(add_units, halves[0], 0, middle, *of_units)
            second = pool.submit(add_units, halves[1], middle, units, *of_units)
            while wait((first, second), LOOK).not_done:
                deadline.heard()
        factor, dense = halves
        dense += factor
        add_columns(dense, rest, *barrier.other_entries)
        deadline.heard()
        scaled = scipy.sparse.csr_matrix(barrier.supply.multiply(rest))
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
        self.coupling = (scaled @ barrier.others_back).tocsr()
        self.eliminated = (self.class_inverse @ self.coupling).tocsr()
        fill = (self.coupling.T @ self.eliminated).tocoo()
        lower = fill.row >= fill.col
        dense[fill.row[lower], fill.col[lower]] -= fill.data[lower]
        diagonal = np.arange(rows)
        dense[diagonal, diagonal] += e[units + classes :]
        deadline.heard()
        self.factor = _cholesky(dense, diagonal, factor)

    def solve(self, gradient: FloatArray) -> FloatArray:
        barrier, unit = self.barrier, self.barrier.interior.unit
        units, classes = barrier.units, barrier.class_rows
        of_units, of_classes = gradient[:units], gradient[units : units + classes]
        right = gradient[units + classes :] - barrier.by_unit @ (self.of_unit * (of_units / self.unit_pivot)[unit])
        right -= self.eliminated.T @ of_classes
        dense = scipy.linalg.cho_solve((self.factor, False), right, check_finite=False)
        shared = np.bincount(unit, self.of_unit * (barrier.by_unit_back @ dense), units)
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
