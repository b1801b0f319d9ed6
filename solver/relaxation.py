"""The linear relaxation of each stage, started from that of the stage before, over the columns that can matter.

What is best for a stage keeps to all that the next one asks for, so that the simplex goes on from there. Most
placements are never taken: each unit starts with few, and more of them join where the prices say that they gain.
"""

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker

from solver.exact import FloatArray, Program
from solver.tables import BoolArray, IntArray

GAIN = 1e-6
"""A placement that would gain less does not join."""
FIRST = 8
"""With how many placements of each unit a relaxation starts."""
JOINING = 4
"""How many placements of each unit may join at once."""

FAILURES = (mathopt.InternalMathOptError, AttributeError)
"""What a simplex that ends abnormally raises; the second while OR-Tools 9.15 words the first."""


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
        self.model, self.positions = program.model(self.weights, (), self.active, integer=False)
        self.rows = list(self.model.linear_constraints())
        self.stages: list[tuple[IntArray, mathopt.LinearConstraint]] = []
        self.column: list[int] = np.flatnonzero(self.active).tolist()
        self.variable: list[mathopt.Variable] = list(self.model.variables())
        self.solver = mathopt.IncrementalSolver(self.model, mathopt.SolverType.GLOP)

    def relax(self, weights: IntArray, earlier: Sequence[tuple[IntArray, int]], seconds: float) -> Relaxation | None:
        """The linear relaxation that maximises weights [n + m] while earlier stages keep theirs; None: out of time."""
        deadline = time.monotonic() + seconds
        self._keep(earlier)
        for i in np.flatnonzero((self.weights != weights)[self.column]).tolist():
            self.model.objective.set_linear_coefficient(self.variable[i], float(weights[self.column[i]]))
        self.weights = weights
        while True:
            result = self._solve(deadline, fresh=False) or self._solve(deadline, fresh=True)
            if result is None:
                return None
            if result.termination.reason == mathopt.TerminationReason.OPTIMAL:
                relaxation, gain = self._read(result)
                joining = self._best_of_units(
                    np.where(self.active, 0.0, gain)[: self.program.options.placements], JOINING
                )
                if not joining.any():
                    return relaxation
            elif self.active.all() or time.monotonic() > deadline:
                return None
            else:
                joining = ~self.active
            self._join(joining)

    def _solve(self, deadline: float, *, fresh: bool) -> mathopt.SolveResult | None:
        """Goes on from the solution before, or starts afresh; None where the simplex lost its way in rounding."""
        if fresh:
            self.solver = mathopt.IncrementalSolver(self.model, mathopt.SolverType.GLOP)
        parameters = mathopt.SolveParameters(
            time_limit=datetime.timedelta(seconds=max(deadline - time.monotonic(), 0.0)),
            lp_algorithm=mathopt.LPAlgorithm.PRIMAL_SIMPLEX,
            presolve=mathopt.Emphasis.MEDIUM if fresh else mathopt.Emphasis.OFF,
            random_seed=self.program.seed,
        )
        try:
            return self.solver.solve(params=parameters)
        except FAILURES:
            return None

    def _keep(self, earlier: Sequence[tuple[IntArray, int]]) -> None:
        """Makes the rows of the stages those of `earlier`."""
        for _, row in self.stages[len(earlier) :]:
            self.model.delete_linear_constraint(row)
        del self.stages[len(earlier) :]
        for stage, (weights, least) in enumerate(earlier):
            if stage == len(self.stages):
                row = self.model.add_linear_constraint()
                for i in np.flatnonzero(weights[self.column]).tolist():
                    row.set_coefficient(self.variable[i], float(weights[self.column[i]]))
                self.stages.append((weights, row))
            self.stages[stage][1].lower_bound = float(least)

    def _join(self, columns: BoolArray) -> None:
        self.active |= columns
        wanted = np.flatnonzero(columns).tolist()
        variables = {column: self.model.add_variable(lb=0.0, ub=float(self.program.most[column])) for column in wanted}
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

    def _read(self, result: mathopt.SolveResult) -> tuple[Relaxation, FloatArray]:
        """The relaxation, and what every column would gain by its duals."""
        dual = np.array(result.dual_values(self.rows))
        multipliers = [float(result.dual_values(row)) for _, row in self.stages]
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
        columns[self.column] = result.variable_values(self.variable)
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
