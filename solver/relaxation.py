"""The linear relaxation of each stage, started from that of the stage before, over the columns that can matter.

What is best for a stage keeps to all that the next one asks for, so that the simplex goes on from there. Most
placements are never taken: each unit starts with few, and more of them join where the prices say that they gain.
"""

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.math_opt import result_pb2  # type: ignore[import-untyped]  # ships no type marker
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker

from solver.engines import IMPOSSIBLE, Failed, Simplex, by_number, reason
from solver.exact import FloatArray, Program
from solver.prices import EVERYTHING, Branch
from solver.tables import BoolArray, IntArray

GAIN = 1e-6
"""A placement that would gain less does not join."""
FIRST = 8
"""With how many placements of each unit a relaxation starts."""
PENALTY = 1_000.0
"""How many times the largest weight it costs, in a branch, to miss what an earlier stage achieved: that is where most
branches end, and the prices of what they miss prove it, while a relaxation that has no solution has no prices."""
JOINING = 4
"""How many placements of each unit may join at once."""


class Impossible(Exception):  # noqa: N818 - a finding
    """No allocation keeps what has to be kept."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """The linear relaxation of a stage: its columns [n + m], and the duals of the scarce rows."""

    columns: FloatArray
    house_class: FloatArray
    unreserved: FloatArray
    service: FloatArray
    multipliers: list[float]


class Relaxations:
    """The relaxations of one program, to be asked for one after another."""

    def __init__(self, program: Program) -> None:
        options, self.program = program.options, program
        likes = options.wish - options.wish.min(initial=0) + 1.0
        self.active = self._best_of_units(likes, FIRST)
        self.active[options.placements :] = True
        self.weights = np.zeros(options.columns, np.int64)
        model, self.positions = program.model(self.weights, (), self.active, integer=False)
        self.model = mathopt.Model.from_model_proto(model)
        self.rows = list(self.model.linear_constraints())
        self.stages: list[tuple[IntArray, mathopt.LinearConstraint]] = []
        self.missed: list[mathopt.Variable] = []
        self.column: list[int] = np.flatnonzero(self.active).tolist()
        self.variable: list[mathopt.Variable] = list(self.model.variables())
        self.place = {column: place for place, column in enumerate(self.column)}
        self.confined: dict[int, tuple[float, float]] = {}
        self.solver = Simplex(self.model)

    def relax(
        self,
        weights: IntArray,
        earlier: Sequence[tuple[IntArray, int]],
        seconds: float,
        only: Branch = EVERYTHING,
    ) -> Relaxation | None:
        """The linear relaxation that maximises weights [n + m] while earlier stages keep theirs, of the allocations in
        a branch; None: out of time. Raises Impossible where there are none."""
        deadline = time.monotonic() + seconds
        self._keep(earlier, PENALTY * float(np.abs(weights).max(initial=0)) if only != EVERYTHING else 0.0)
        self._confine(only)
        closed = only.closed(self.program.options)
        for i in np.flatnonzero((self.weights != weights)[self.column]).tolist():
            self.model.objective.set_linear_coefficient(self.variable[i], float(weights[self.column[i]]))
        self.weights = weights
        algorithm = mathopt.LPAlgorithm.PRIMAL_SIMPLEX if only == EVERYTHING else mathopt.LPAlgorithm.DUAL_SIMPLEX
        while True:
            result = self._solve(deadline, algorithm, fresh=False) or self._solve(deadline, algorithm, fresh=True)
            algorithm = mathopt.LPAlgorithm.PRIMAL_SIMPLEX
            if result is None:
                return None
            ended = reason(result)
            if ended == mathopt.TerminationReason.OPTIMAL:
                relaxation, gain = self._read(result)
                new = np.where(self.active, 0.0, gain)[: self.program.options.placements]
                joining = self._best_of_units(np.where(closed, 0.0, new), JOINING)
                if not joining.any():
                    return relaxation
            elif time.monotonic() > deadline:
                return None
            elif self.active.all():
                if ended in IMPOSSIBLE:
                    raise Impossible
                return None
            else:
                joining = ~self.active
            self._join(joining)

    def _solve(
        self, deadline: float, algorithm: mathopt.LPAlgorithm, *, fresh: bool
    ) -> result_pb2.SolveResultProto | None:
        """Goes on from the solution before, or starts afresh; None where the simplex lost its way in rounding."""
        if fresh:
            self.solver.restart()
        parameters = mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=max(deadline - time.monotonic(), 0.0)),
            lp_algorithm=algorithm,
            presolve=mathopt.Emphasis.MEDIUM if fresh else mathopt.Emphasis.OFF,
            random_seed=self.program.seed,
        )
        try:
            return self.program.patience.here(lambda stop: self.solver.solve(parameters, stop))
        except Failed:
            return None

    def _confine(self, only: Branch) -> None:
        """Takes and bars what a branch does, and nothing else."""
        bounds = dict.fromkeys(only.taken, (1.0, 1.0)) | dict.fromkeys(only.barred, (0.0, 0.0))
        missing = [column for column in bounds if not self.active[column]]
        if missing:
            joining = np.zeros_like(self.active)
            joining[missing] = True
            self._join(joining)
        for column in sorted(self.confined.keys() | bounds.keys()):
            wanted = bounds.get(column, (0.0, 1.0))
            if self.confined.get(column, (0.0, 1.0)) != wanted:
                variable = self.variable[self.place[column]]
                variable.lower_bound, variable.upper_bound = wanted
        self.confined = bounds

    def _keep(self, earlier: Sequence[tuple[IntArray, int]], penalty: float) -> None:
        """Makes the rows of the stages those of `earlier`; 0: nothing may miss them, else at this price."""
        for _, row in self.stages[len(earlier) :]:
            self.model.delete_linear_constraint(row)
        for missed in self.missed[len(earlier) :]:
            self.model.delete_variable(missed)
        del self.missed[len(earlier) :]
        del self.stages[len(earlier) :]
        for stage, (weights, least) in enumerate(earlier):
            if stage == len(self.stages):
                row = self.model.add_linear_constraint()
                for i in np.flatnonzero(weights[self.column]).tolist():
                    row.set_coefficient(self.variable[i], float(weights[self.column[i]]))
                self.missed.append(self.model.add_variable(lb=0.0, ub=0.0))
                row.set_coefficient(self.missed[stage], 1.0)
                self.stages.append((weights, row))
            self.stages[stage][1].lower_bound = float(least)
            self.missed[stage].upper_bound = np.inf if penalty else 0.0
            self.model.objective.set_linear_coefficient(self.missed[stage], -penalty)

    def _join(self, columns: BoolArray) -> None:
        self.active |= columns
        wanted = np.flatnonzero(columns).tolist()
        variables = {column: self.model.add_variable(lb=0.0, ub=float(self.program.most[column])) for column in wanted}
        self.place |= {column: place for place, column in enumerate(wanted, start=len(self.column))}
        self.column += wanted
        self.variable += variables.values()
        for block, positions in zip(self.program.blocks, self.positions, strict=True):
            row = positions[np.searchsorted(np.unique(block.key), block.key)]
            for entry in np.flatnonzero(columns[block.column]).tolist():
                variable = variables[int(block.column[entry])]
                self.rows[row[entry]].set_coefficient(variable, float(block.weight[entry]))
        for weights, row in self.stages:
            for column in wanted:
                row.set_coefficient(variables[column], float(weights[column]))
        for column in wanted:
            self.model.objective.set_linear_coefficient(variables[column], float(self.weights[column]))

    def _read(self, result: result_pb2.SolveResultProto) -> tuple[Relaxation, FloatArray]:
        """The relaxation, and what every column would gain by its duals."""
        solution = result.solutions[0]
        values, dual = (
            by_number(vector)
            for vector in (solution.primal_solution.variable_values, solution.dual_solution.dual_values)
        )
        multipliers = [float(dual[row.id]) for _, row in self.stages]
        gain = self.weights.astype(np.float64)
        for multiplier, (weights, _) in zip(multipliers, self.stages, strict=True):
            gain -= multiplier * weights
        duals = []
        for block, positions in zip(self.program.blocks, self.positions, strict=True):
            full = np.zeros(len(block.most))
            full[np.unique(block.key)] = dual[positions]
            gain -= np.bincount(block.column, full[block.key] * block.weight, len(gain))
            duals.append(np.abs(full))
        columns = np.zeros(len(gain))
        columns[self.column] = values[[variable.id for variable in self.variable]]
        _, _, house_class, unreserved, service = duals
        return Relaxation(
            columns=columns,
            house_class=house_class,
            unreserved=unreserved,
            service=service.reshape(self.program.problem.settlements.capacity.shape),
            multipliers=[abs(multiplier) for multiplier in multipliers],
        ), gain

    def _best_of_units(self, gain: FloatArray, most: int) -> BoolArray:
        """The placements of largest gain [n], no more than `most` for each unit; without gain none: [n + m]."""
        options = self.program.options
        placements = np.flatnonzero(gain > GAIN)
        order = placements[np.lexsort((placements, -gain[placements], options.unit[placements]))]
        unit = options.unit[order]
        best = np.zeros(options.columns, np.bool_)
        best[order[np.arange(len(order)) - np.searchsorted(unit, unit) < most]] = True
        return best
