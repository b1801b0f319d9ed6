"""General solvers behind one face: a formulation, an objective, rows that keep what was achieved, a time limit."""

import datetime
import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ortools.math_opt import model_pb2  # type: ignore[import-untyped]  # ships no type marker
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker
from ortools.sat.python import cp_model

from benchmarks.formulation import Formulation
from solver.tables import IntArray

THREADS = 2
ROUNDING = 1e-6
"""The relative error that a bound in floats may have."""


@dataclass(frozen=True, eq=False)
class Found:
    """status: optimal, time, infeasible, or what else the solver says; taken: 0 or 1 for every column."""

    status: str
    taken: IntArray | None
    bound: int | None


class Engine(Protocol):
    """A solver that holds one formulation."""

    def __init__(self, program: Formulation) -> None: ...

    def maximise(self, weights: IntArray, seconds: float, hint: IntArray | None) -> Found:
        """The best by weights in so many seconds, from a known solution if there is one."""

    def keep(self, weights: IntArray, least: int) -> None:
        """From now on, no less than `least` by these weights."""


class CpSat:
    """CP-SAT, in integers."""

    def __init__(self, program: Formulation) -> None:
        self.model = cp_model.CpModel()
        self.variables = [self.model.new_bool_var("") for _ in range(program.rows.shape[1])]
        rows = program.rows
        bounds = zip(program.least.tolist(), program.most.tolist(), strict=True)
        for row, (least, most) in enumerate(bounds):
            entries = slice(rows.indptr[row], rows.indptr[row + 1])
            variables = [self.variables[column] for column in rows.indices[entries].tolist()]
            weights = rows.data[entries]
            if most == 1 and (weights == 1).all():
                add = self.model.add_exactly_one if least else self.model.add_at_most_one
                add(variables)
            else:
                total = cp_model.LinearExpr.weighted_sum(variables, weights.tolist())
                self.model.add_linear_constraint(total, least, most)

    def _sum(self, weights: IntArray) -> cp_model.LinearExprT:
        columns = np.flatnonzero(weights).tolist()
        return cp_model.LinearExpr.weighted_sum([self.variables[c] for c in columns], weights[columns].tolist())

    def keep(self, weights: IntArray, least: int) -> None:
        """From now on, no less than `least` by these weights."""
        self.model.add(self._sum(weights) >= least)

    def maximise(self, weights: IntArray, seconds: float, hint: IntArray | None) -> Found:
        """The best by weights in so many seconds, from a known solution if there is one."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        if hint is not None:
            for variable, value in zip(self.variables, hint.tolist(), strict=True):
                self.model.add_hint(variable, value)
        self.model.maximize(self._sum(weights))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = THREADS
        solver.parameters.max_time_in_seconds = seconds
        verdict = solver.solve(self.model)
        status = {
            cp_model.OPTIMAL: "optimal",
            cp_model.FEASIBLE: "time",
            cp_model.UNKNOWN: "time",
            cp_model.INFEASIBLE: "infeasible",
        }.get(verdict, solver.status_name(verdict))
        if verdict not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Found(status, None, None)
        taken = np.fromiter((solver.boolean_value(v) for v in self.variables), np.int64, len(self.variables))
        return Found(status, taken, math.floor(solver.best_objective_bound + ROUNDING))


class Highs:
    """HiGHS' branch and bound, in floats, through MathOpt, with as many threads as it takes by itself."""

    def __init__(self, program: Formulation) -> None:
        rows, (height, width) = program.rows, program.rows.shape
        proto = model_pb2.ModelProto()
        proto.variables.ids.extend(range(width))
        proto.variables.lower_bounds.extend([0.0] * width)
        proto.variables.upper_bounds.extend([1.0] * width)
        proto.variables.integers.extend([True] * width)
        proto.linear_constraints.ids.extend(range(height))
        proto.linear_constraints.lower_bounds.extend(program.least.astype(np.float64).tolist())
        proto.linear_constraints.upper_bounds.extend(program.most.astype(np.float64).tolist())
        rows.sort_indices()
        matrix = proto.linear_constraint_matrix
        matrix.row_ids.extend(np.repeat(np.arange(height), np.diff(rows.indptr)).tolist())
        matrix.column_ids.extend(rows.indices.tolist())
        matrix.coefficients.extend(rows.data.astype(np.float64).tolist())
        self.model = mathopt.Model.from_model_proto(proto)
        self.variables = list(self.model.variables())

    def keep(self, weights: IntArray, least: int) -> None:
        """From now on, no less than `least` by these weights."""
        row = self.model.add_linear_constraint(lb=float(least))
        for column in np.flatnonzero(weights).tolist():
            row.set_coefficient(self.variables[column], float(weights[column]))

    def maximise(self, weights: IntArray, seconds: float, hint: IntArray | None) -> Found:
        """The best by weights in so many seconds, from a known solution if there is one."""
        self.model.objective.clear()
        self.model.objective.is_maximize = True
        for column in np.flatnonzero(weights).tolist():
            self.model.objective.set_linear_coefficient(self.variables[column], float(weights[column]))
        hints = []
        if hint is not None:
            values = dict(zip(self.variables, hint.astype(np.float64).tolist(), strict=True))
            hints.append(mathopt.SolutionHint(variable_values=values))
        result = mathopt.solve(
            self.model,
            mathopt.SolverType.HIGHS,
            params=mathopt.SolveParameters(
                time_limit=datetime.timedelta(seconds=seconds),
                relative_gap_tolerance=0.0,
                absolute_gap_tolerance=0.999,  # every objective is integer
            ),
            model_params=mathopt.ModelSolveParameters(solution_hints=hints),
        )
        reason = result.termination.reason
        status = {
            mathopt.TerminationReason.OPTIMAL: "optimal",
            mathopt.TerminationReason.FEASIBLE: "time",
            mathopt.TerminationReason.NO_SOLUTION_FOUND: "time",
            mathopt.TerminationReason.INFEASIBLE: "infeasible",
            mathopt.TerminationReason.INFEASIBLE_OR_UNBOUNDED: "infeasible",
        }.get(reason, reason.value)
        bound = result.termination.objective_bounds.dual_bound
        taken = None
        if result.has_primal_feasible_solution():
            taken = np.rint(result.variable_values(self.variables)).astype(np.int64)
        finite = math.isfinite(bound)
        return Found(status, taken, math.floor(bound + ROUNDING * max(abs(bound), 1.0)) if finite else None)


ENGINES: dict[str, tuple[type[Engine], bool]] = {
    "cp-sat-houses": (CpSat, True),
    "cp-sat-classes": (CpSat, False),
    "highs-classes": (Highs, False),
}
"""The solver, and whether its columns are households and single houses, not classes."""
