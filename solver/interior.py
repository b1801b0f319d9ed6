"""Prices for large problems: the dual, smoothed by a logarithmic barrier, by Newton's method (a primal-dual interior
point method with Mehrotra's predictor and corrector).

There is one row for every unit and one for every scarce resource. Rows of units, and of classes with their unreserved
parts, are eliminated one by one; what remains is a small dense system, one row per hub, key, service and earlier
stage, however many households there are.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no type marker

from solver.central_path import Vectors, corrected, reach
from solver.network import Network
from solver.normal_equations import NormalEquations
from solver.problem import NONE, UNLIMITED
from solver.progress import Deadline
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

MULTIPLIER = 64.0
"""No multiplier of an earlier stage exceeds this many times the largest weight of the stage in hand: what an earlier
stage achieved leaves no interior, and its multiplier would grow without end."""
CLOSE = 1e-6
"""The relative gap at which the method ends, where it is not a hundredth."""
WARM = 0.1
"""The relative gap of the iterate that the next stage starts from: a later one is too near the boundary."""
CENTRED = 0.3
"""There no product is less than this part of the mean, at the start."""
MOST_STEPS = 100
CORRECTORS = 3
"""Centrality correctors (Gondzio) of a step at most: each costs a tenth of the step."""
FURTHER, FAR, WORTHWHILE = 0.3, 0.95, 0.02
"""How much further a corrector aims; how far a step goes that needs none; how much further it has to go to be worth
another."""
LEAST_CENTRE = 1e-3
"""The least aim of a corrector, relative to the mean."""


class _OneThread:
    """BLAS runs in one thread while anybody is within: another number of threads gives other bits, and the number is
    the process's, which the first of several solves at once would set back when it ends."""

    def __init__(self) -> None:
        self.lock, self.within = threading.Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            if not self.within:
                self.limits = threadpool_limits(limits=1, user_api="blas")
            self.within += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.within -= 1
            if not self.within:
                self.limits.restore_original_limits()


ONE_THREAD = _OneThread()


@dataclass(frozen=True, eq=False)
class Iterate:
    """A point on the way to a relaxation that kept so many earlier stages."""

    at: Vectors
    stages: int


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
        with ONE_THREAD:
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
        self.equations = NormalEquations(interior.unit, self.units, pad[1], dense, interior.workers)

    def descend(self, start: Iterate | None, deadline: Deadline) -> Relaxed:
        at = self._cold() if start is None else self._warm(start)
        near, took = None, 0.0
        for _ in range(MOST_STEPS):
            began = deadline.left()
            x, s, y, z = at
            primal = self.most - self.forward @ x - s
            dual = self.weights - self.backward @ y + z
            gap = abs(float(self.most @ y - self.weights @ x)) / (1.0 / self.scale + abs(float(self.most @ y)))
            feasible = float(np.abs(primal).max(initial=0.0))
            if near is None and gap < WARM and feasible < 1:
                near = at
            if (gap < CLOSE and feasible < 1e-4) or deadline.passed() or began < took:
                break
            try:
                at = self._next(at, primal, dual, deadline)
            except scipy.linalg.LinAlgError:
                break
            took = began - deadline.left()
        near = near or at
        near = near._replace(price=near.price * self.scale, reduced=near.reduced * self.scale)
        return self._relaxed(at.column, at.price * self.scale, Iterate(near, self.stages))

    def _next(self, at: Vectors, primal: FloatArray, dual: FloatArray, deadline: Deadline) -> Vectors:
        """The point after a step, where so much is lacking of the rows, and of the columns' reduced costs."""
        x, s, y, z = at
        d, e = x / z, s / y
        system = self.equations.factored(d, e, deadline)

        def step(columns: FloatArray, slacks: FloatArray, missing: tuple[FloatArray, FloatArray] | None) -> Vectors:
            """What changes the products of columns and slacks by so much, and whatever is lacking to nothing."""
            primal, dual = missing or (0.0, 0.0)
            change = system.solve(self.forward @ (columns / z + d * dual) + slacks / y - primal)
            reduced = self.backward @ change - dual
            return Vectors(columns / z - d * reduced, slacks / y - e * change, change, reduced)

        ahead = step(-x * z, -s * y, (primal, dual))
        reached, mean = reach(at, ahead), at.mean()
        centre = (at.moved(ahead, *reached).mean() / mean) ** 3 * mean
        curved = step(centre - ahead.column * ahead.reduced, centre - ahead.slack * ahead.price, None)
        best, reached = corrected(at, ahead, curved, reached[0] * reached[1])
        for _ in range(CORRECTORS):
            if min(reached) > FAR:
                break
            further = at.moved(best, *(min(each + FURTHER, 1.0) for each in reached))
            correction = step(*further.outlying(max(centre, LEAST_CENTRE * mean)), None)
            other, far = corrected(at, best, correction, min(reached))
            if sum(far) < sum(reached) + WORTHWHILE:
                break
            best, reached = other, far
        return at.moved(best, *reached)

    def _cold(self) -> Vectors:
        x = np.full(self.forward.shape[1], 1.0)
        x[: self.unit_columns] = 0.3
        y = np.full(self.forward.shape[0], 0.5)
        slack = np.maximum(self.most - self.forward @ x, 0.5)
        return Vectors(x, slack, y, np.maximum(self.backward @ y - self.weights, 0.3))

    def _warm(self, start: Iterate) -> Vectors:
        """From the same stage under other targets, less of which leaves more slack; or from the stage before, whose
        prices are doubled: the new weights then leave the dual feasible, once units and classes pay for what is new;
        and the stage before gets the multiplier 2."""
        interior, new, (x, s, y, z) = self.interior, self.stages - start.stages, start.at
        if not new:
            return Vectors(x, np.maximum(s, self.most - self.forward @ x), y / self.scale, z / self.scale)
        units, classes = self.units, self.class_rows
        mean = 2 * start.at.mean() / self.scale
        x, s = np.concatenate([x, np.zeros(new)]), np.concatenate([s, np.zeros(new)])
        y = np.concatenate([2 * y, np.full(new, 2.0)]) / self.scale
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
        at = Vectors(x, s, y, np.maximum(self.backward @ y - self.weights, 1e-4))
        return at.centred(MULTIPLIER, CENTRED * at.mean())

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
