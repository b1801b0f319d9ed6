"""The engines of OR-Tools (MathOpt), asked by its messages: what they find becomes arrays at once.

MathOpt's own results make objects of every variable, its value and its place in a basis, which takes longer than most
relaxations do.
"""

import numpy as np
from numpy.typing import NDArray
from ortools.math_opt import (  # type: ignore[import-untyped]  # ships no type marker
    callback_pb2,
    model_parameters_pb2,
    model_pb2,
    parameters_pb2,
    result_pb2,
    solution_pb2,
    sparse_containers_pb2,
)
from ortools.math_opt.core.python import solver as core  # type: ignore[import-untyped]  # ships no type marker
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker
from ortools.util.python.solve_interrupter import SolveInterrupter  # type: ignore[import-untyped]  # no type marker
from pybind11_abseil.status import StatusNotOk  # type: ignore[import-untyped]  # comes with OR-Tools

FloatArray = NDArray[np.float64]

IMPOSSIBLE = (mathopt.TerminationReason.INFEASIBLE, mathopt.TerminationReason.INFEASIBLE_OR_UNBOUNDED)
NOTHING = (model_parameters_pb2.ModelSolveParametersProto(), None, callback_pb2.CallbackRegistrationProto(), None)
"""No more parameters, no messages, no callback: what a solve is given beside its own parameters."""


class Failed(Exception):  # noqa: N818 - an event
    """An engine lost its way."""


def solve(
    model: model_pb2.ModelProto, engine: mathopt.SolverType, parameters: mathopt.SolveParameters
) -> result_pb2.SolveResultProto:
    """What an engine finds. Raises Failed where it ends abnormally."""
    try:
        return core.solve(
            model, engine.value, parameters_pb2.SolverInitializerProto(), parameters.to_proto(), *NOTHING, None
        )
    except StatusNotOk as error:
        raise Failed(str(error)) from error


class Simplex:
    """GLOP, which goes on from its last solution when the model has changed."""

    def __init__(self, model: mathopt.Model) -> None:
        self.model, self.changes = model, model.add_update_tracker()
        self.restart()

    def restart(self) -> None:
        """Forgets its last solution."""
        initial = parameters_pb2.SolverInitializerProto()
        self.solver = core.new(mathopt.SolverType.GLOP.value, self.model.export_model(), initial)
        self.changes.advance_checkpoint()

    def solve(
        self, parameters: mathopt.SolveParameters, interrupter: SolveInterrupter | None
    ) -> result_pb2.SolveResultProto:
        """The same for a linear model as it is now. Raises Failed where the simplex ends abnormally."""
        try:
            changes = self.changes.export_update()
            if changes is not None and not self.solver.update(changes):
                self.restart()
            self.changes.advance_checkpoint()
            stop = None if interrupter is None else interrupter.pybind_interrupter
            return self.solver.solve(parameters.to_proto(), *NOTHING, stop)
        except StatusNotOk as error:
            raise Failed(str(error)) from error


def reason(result: result_pb2.SolveResultProto) -> mathopt.TerminationReason:
    """Why a solve ended."""
    return mathopt.TerminationReason(result.termination.reason)


def best(result: result_pb2.SolveResultProto) -> FloatArray | None:
    """The values of the best solution found, by the number of the variable; None where there is none."""
    if not result.solutions or not result.solutions[0].HasField("primal_solution"):
        return None
    primal = result.solutions[0].primal_solution
    if primal.feasibility_status != solution_pb2.SOLUTION_STATUS_FEASIBLE:
        return None
    return by_number(primal.variable_values)


def by_number(vector: sparse_containers_pb2.SparseDoubleVectorProto) -> FloatArray:
    """Values by the number of their variable or row."""
    numbers = np.array(vector.ids, np.int64)
    values = np.zeros(int(numbers.max(initial=-1)) + 1)
    values[numbers] = vector.values
    return values
