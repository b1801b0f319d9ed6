"""The constraints as a linear program (OR-Tools MathOpt): relaxed for prices, in integers for proven optima.

Columns: every placement of a unit, then every supply of a need by a class. Rows: every unit at most one placement,
the houses that a need takes in a settlement, the count and the unreserved part of every class, every limited
service, and what the earlier stages achieved.
"""

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt import model_pb2  # type: ignore[import-untyped]  # ships no type marker
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker

from solver import engines
from solver.options import Options
from solver.patience import Patience
from solver.problem import UNLIMITED, Problem
from solver.seating import seat
from solver.tables import BoolArray, IntArray

FloatArray = NDArray[np.float64]

LARGEST_FOR_FLOATS = 10**8
"""Where a stage can add up to more, its search is left to CP-SAT, which computes in integers."""
INTEGRAL = 1e-5
"""A relaxed column this close to 1 is 1; what is rounded is then verified in integers."""
ROUNDING = 1e-6
"""The relative error that the bound of a search in floats may have."""
HEURISTICS = tuple(f"mip_heuristic_run_{name}" for name in ("rins", "rens", "root_reduced_cost", "feasibility_jump"))
"""What HiGHS tries for incumbents: of no use where a cutoff leaves few allocations, and most of the time there."""
POOL = 1
"""How many cuts HiGHS keeps that are not used at once: with thousands of them, it goes on for rounds at the root of a
tree that gain nothing."""


SMALL = 1_500
"""A search among no more columns rarely takes more than a moment."""
MOMENT = 1.0
"""Seconds for which nobody minds to wait."""
NOBODY = Patience()


class Verdict(Enum):
    """How a search ended."""

    OPTIMAL = "optimal"
    IMPOSSIBLE = "impossible"
    TIMED_OUT = "timed out"
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: how often each column [n + m] is taken (None: nothing), what nothing can exceed, and the
    nodes of its tree."""

    verdict: Verdict
    taken: IntArray | None
    bound: int | None
    nodes: int


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that share a form: entry → row key, column and weight; every row's bounds by key."""

    key: IntArray
    column: IntArray
    weight: IntArray | FloatArray
    least: FloatArray
    most: FloatArray


class Program:
    """The rows of a problem, built once and solved for many objectives."""

    def __init__(self, problem: Problem, options: Options, seed: int, patience: Patience = NOBODY) -> None:
        self.problem, self.options, self.seed, self.patience = problem, options, seed, patience
        seats = np.zeros(len(options.supply_start) - 1, np.int64)
        np.add.at(seats, options.seat_key, options.seat_count)
        self.most = np.concatenate([np.ones(options.placements, np.int64), seats[options.supply_key]])
        self.units, self.seats, self.classes, self.unreserved, self.services = self._blocks()

    def _blocks(self) -> tuple[Block, Block, Block, Block, Block]:
        classes, options, capacity = self.problem.house_classes, self.options, self.problem.settlements.capacity
        placements, supplies = np.arange(options.placements), np.arange(options.placements, options.columns)
        one, keys = np.ones(options.columns, np.int64), len(options.supply_start) - 1
        # A house that nobody lives in must not count as kept.
        least = np.full(keys, -np.inf if options.homes is None else 0.0)
        limited = options.limited & (classes.reserved > 0)[options.supply_class]
        use = options.uses[options.unit]
        entry, service = np.nonzero((use > 0) & (capacity[options.settlement] != UNLIMITED))
        service_key = options.settlement[entry] * len(self.problem.services) + service
        unreserved = classes.count - classes.reserved
        return (
            Block(
                options.unit, placements, one[placements], np.where(options.must, 1.0, 0.0), np.ones(len(options.must))
            ),
            Block(
                np.concatenate([options.seat_key, options.supply_key]),
                np.concatenate([options.seat_placement, supplies]),
                np.concatenate([options.seat_count, -one[supplies]]),
                least,
                np.zeros(keys),
            ),
            self._at_most(options.supply_class, supplies, one[supplies], classes.count),
            self._at_most(options.supply_class[limited], supplies[limited], one[supplies[limited]], unreserved),
            self._at_most(service_key, entry, use[entry, service], capacity.ravel()),
        )

    def _at_most(self, key: IntArray, column: IntArray, weight: IntArray, most: IntArray) -> Block:
        """Rows Σ weight ≤ most; a row that cannot be broken is left out."""
        demand = np.zeros(len(most), np.int64)
        np.add.at(demand, key, weight * self.most[column])
        scarce = (demand > most)[key]
        least = np.full(len(most), -np.inf)
        return Block(key[scarce], column[scarce], weight[scarce], least, most.astype(np.float64))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The rows of the rules: units, seats, classes, their unreserved parts, services."""
        return self.units, self.seats, self.classes, self.unreserved, self.services

    def model(
        self, weights: IntArray, at_least: Sequence[tuple[IntArray, int]], columns: BoolArray, *, integer: bool
    ) -> tuple[model_pb2.ModelProto, list[IntArray]]:
        """The model over some of the columns, and the positions of the rows of each block (ascending keys) in it."""
        rows = [_stage_row(stage, least) for stage, least in at_least]
        return linear_model([*self.blocks, *rows], weights, columns, self.most, np.full(len(columns), integer))

    def search(
        self,
        weights: IntArray,
        at_least: Sequence[tuple[IntArray, int]],
        columns: BoolArray,
        must: BoolArray,
        seconds: float,
        *,
        cutoff: int | None = None,
        exact: bool = False,
    ) -> Found:
        """The best integer solution by weights [n + m] that uses `columns` alone, houses every unit in `must` and keeps
        the rows `at_least`. cutoff: less is not looked for, though it may be found; exact: by CP-SAT."""
        units = Block(self.units.key, self.units.column, self.units.weight, np.where(must, 1.0, 0.0), self.units.most)
        rows = [_stage_row(stage, least) for stage, least in at_least]
        if exact and cutoff is not None:
            rows.append(_stage_row(weights, cutoff))
        blocks = [units, self.seats, self.classes, self.unreserved, self.services, *rows]
        scale = int(np.gcd.reduce(weights)) or 1
        heavy = [weights // scale, *(stage for stage, _ in at_least)]
        exact = exact or max(int(np.abs(stage) @ self.most) for stage in heavy) > LARGEST_FOR_FLOATS
        # Whole placements leave a flow of houses to the supplies, whose optima are whole by themselves, unless a row
        # of an earlier stage counts who keeps a class.
        every = exact or self.options.homes is not None
        integer = np.arange(self.options.columns) < (self.options.columns if every else self.options.placements)
        model, _ = linear_model(blocks, weights // scale, columns, self.most, integer)
        parameters = mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=max(seconds, 0.0)),
            relative_gap_tolerance=0.0,
            absolute_gap_tolerance=0.0 if exact else 0.999,
        )
        if exact:
            parameters.threads, parameters.random_seed = 1, self.seed
        else:
            parameters.highs.int_options["random_seed"] = self.seed
            parameters.highs.int_options["mip_pool_soft_limit"] = POOL
            parameters.highs.string_options["parallel"] = "off"
            if cutoff is not None:
                parameters.highs.double_options["objective_bound"] = 0.5 - math.ceil(cutoff / scale)
            if cutoff is not None:
                parameters.highs.bool_options.update(dict.fromkeys(HEURISTICS, False), mip_root_presolve_only=True)
                parameters.highs.int_options["mip_pscost_minreliable"] = 1
        task = Mixed(model.SerializeToString(), parameters, exact=exact)
        ended = self._ended(task, seconds, int(columns.sum()))
        bound = ended.bound
        return Found(
            verdict=ended.verdict,
            taken=self._taken(ended.values, columns),
            bound=math.floor(bound + ROUNDING * max(abs(bound), 1.0)) * scale if math.isfinite(bound) else None,
            nodes=ended.nodes,
        )

    def _ended(self, task: "Mixed", seconds: float, columns: int) -> "Ended":
        """How a search ended: one that takes more than a moment is looked for again where it can be abandoned."""
        if not self.patience.needed:
            return task()
        if columns <= SMALL:
            ended = task.within(min(seconds, MOMENT))()
            if ended.verdict is not Verdict.TIMED_OUT or seconds <= MOMENT:
                return ended
            task = task.within(seconds - MOMENT)
        return self.patience.elsewhere(task)

    def whole(self, columns: FloatArray) -> IntArray | None:
        """The placements that are whole among relaxed columns, with houses for them; None where there are too few."""
        classes = self.problem.house_classes
        placed = columns[: self.options.placements] > 1 - INTEGRAL
        return seat(classes.count, classes.count - classes.reserved, self.options, placed)

    def keeps(self, taken: IntArray) -> bool:
        """Whether an allocation breaks no rule of the model, in exact integers. taken: how often each column is."""
        for block in self.blocks:
            total = np.zeros(len(block.most), np.int64)
            np.add.at(total, block.key, block.weight * taken[block.column])
            keys = np.unique(block.key)
            if (total[keys] > block.most[keys]).any() or (total[keys] < block.least[keys]).any():
                return False
        return True

    def _taken(self, found: FloatArray | None, columns: BoolArray) -> IntArray | None:
        if found is None:
            return None
        values = np.zeros(self.options.columns)
        values[columns] = found
        if self.options.homes is not None:
            taken: IntArray = np.rint(values).astype(np.int64)
            return taken
        return self.whole(values)


@dataclass(frozen=True, eq=False)
class Ended:
    """How a solver ended: the values of the best that it found, what it proved, and the nodes of its tree."""

    verdict: Verdict
    values: FloatArray | None
    bound: float
    nodes: int


@dataclass(frozen=True, eq=False)
class Mixed:
    """A mixed-integer model (a serialised ModelProto) for HiGHS, or for CP-SAT where it has to be exact."""

    model: bytes
    parameters: mathopt.SolveParameters
    exact: bool

    def within(self, seconds: float) -> "Mixed":
        """The same with another time limit."""
        limit = datetime.timedelta(seconds=max(seconds, 0.0))
        return replace(self, parameters=replace(self.parameters, time_limit=limit))

    def __call__(self) -> Ended:
        engine = mathopt.SolverType.CP_SAT if self.exact else mathopt.SolverType.HIGHS
        result = engines.solve(model_pb2.ModelProto.FromString(self.model), engine, self.parameters)
        bound, nodes = result.termination.objective_bounds.dual_bound, result.solve_stats.node_count
        return Ended(_verdict(engines.reason(result)), engines.best(result), bound, nodes)


def _verdict(reason: mathopt.TerminationReason) -> Verdict:
    if reason in engines.IMPOSSIBLE:
        return Verdict.IMPOSSIBLE
    if reason == mathopt.TerminationReason.OPTIMAL:
        return Verdict.OPTIMAL
    stopped = (mathopt.TerminationReason.FEASIBLE, mathopt.TerminationReason.NO_SOLUTION_FOUND)
    return Verdict.TIMED_OUT if reason in stopped else Verdict.FAILED


def _stage_row(weights: IntArray, least: int) -> Block:
    column = np.flatnonzero(weights)
    key = np.zeros_like(column)
    return Block(key, column, weights[column], np.array([float(least)]), np.array([np.inf]))


def linear_model(
    blocks: Sequence[Block], weights: IntArray, columns: BoolArray, most: IntArray, integer: BoolArray
) -> tuple[model_pb2.ModelProto, list[IntArray]]:
    """The model over some of the columns, and the positions of each block's rows (ascending keys) in it."""
    number, size = np.cumsum(columns) - 1, int(columns.sum())
    proto = model_pb2.ModelProto()
    proto.variables.ids.extend(range(size))
    proto.variables.lower_bounds.extend([0.0] * size)
    proto.variables.upper_bounds.extend(most[columns].astype(np.float64).tolist())
    proto.variables.integers.extend(integer[columns].tolist())
    proto.objective.maximize = True
    gains = np.flatnonzero(columns & (weights != 0))
    proto.objective.linear_coefficients.ids.extend(number[gains].tolist())
    proto.objective.linear_coefficients.values.extend(weights[gains].astype(np.float64).tolist())
    row, column, weight, positions = [], [], [], []
    height = 0
    for block in blocks:
        keys, entry = np.unique(block.key, return_inverse=True)
        kept = columns[block.column]
        row.append(height + entry[kept])
        column.append(number[block.column[kept]])
        weight.append(block.weight[kept])
        proto.linear_constraints.lower_bounds.extend(block.least[keys].tolist())
        proto.linear_constraints.upper_bounds.extend(block.most[keys].tolist())
        positions.append(height + np.arange(len(keys)))
        height += len(keys)
    proto.linear_constraints.ids.extend(range(height))
    rows, cols, values = np.concatenate(row), np.concatenate(column), np.concatenate(weight)
    order = np.lexsort((cols, rows))
    proto.linear_constraint_matrix.row_ids.extend(rows[order].tolist())
    proto.linear_constraint_matrix.column_ids.extend(cols[order].tolist())
    proto.linear_constraint_matrix.coefficients.extend(values[order].astype(np.float64).tolist())
    return proto, positions
