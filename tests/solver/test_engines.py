"""What the engines of OR-Tools find, as arrays."""

import numpy as np
import pytest
from ortools.math_opt import model_pb2  # type: ignore[import-untyped]  # ships no type marker
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker

from solver import engines

HIGHS = mathopt.SolverType.HIGHS
NOTHING_SPECIAL = mathopt.SolveParameters()


def knapsack(*, most: float, whole: bool) -> mathopt.Model:
    """Three things worth 5, 4 and 3 that weigh 2, 3 and 1."""
    model = mathopt.Model()
    things = [model.add_variable(lb=0, ub=1, is_integer=whole) for _ in range(3)]
    model.add_linear_constraint(2 * things[0] + 3 * things[1] + things[2] <= most)
    model.maximize(5 * things[0] + 4 * things[1] + 3 * things[2])
    return model


def test_the_best_is_read_by_the_number_of_the_variable() -> None:
    result = engines.solve(knapsack(most=5, whole=True).export_model(), HIGHS, NOTHING_SPECIAL)
    assert engines.reason(result) == mathopt.TerminationReason.OPTIMAL
    found = engines.best(result)
    assert found is not None
    np.testing.assert_allclose(found, [1, 1, 0])
    assert result.termination.objective_bounds.dual_bound == pytest.approx(9)


def test_where_nothing_is_possible_there_is_no_best() -> None:
    result = engines.solve(knapsack(most=-1, whole=True).export_model(), HIGHS, NOTHING_SPECIAL)
    assert engines.reason(result) in engines.IMPOSSIBLE
    assert engines.best(result) is None


def test_a_model_that_is_none_is_refused() -> None:
    broken = model_pb2.ModelProto()
    broken.variables.ids.extend([1, 0])  # neither in order nor with bounds
    with pytest.raises(engines.Failed, match="variables"):
        engines.solve(broken, HIGHS, NOTHING_SPECIAL)


def test_the_simplex_follows_the_changes_of_its_model() -> None:
    model = knapsack(most=4, whole=False)
    simplex = engines.Simplex(model)
    first = simplex.solve(NOTHING_SPECIAL, None).solutions[0]
    np.testing.assert_allclose(engines.by_number(first.primal_solution.variable_values), [1, 1 / 3, 1])
    np.testing.assert_allclose(engines.by_number(first.dual_solution.dual_values), [4 / 3])

    next(iter(model.variables())).upper_bound = 0.0
    new = model.add_variable(lb=0, ub=2)
    next(iter(model.linear_constraints())).set_coefficient(new, 1.0)
    model.objective.set_linear_coefficient(new, 10.0)
    then = simplex.solve(NOTHING_SPECIAL, None).solutions[0]
    np.testing.assert_allclose(engines.by_number(then.primal_solution.variable_values), [0, 1 / 3, 1, 2])


def test_numbers_may_be_left_out() -> None:
    """A row that was deleted leaves its number unused."""
    model = knapsack(most=4, whole=False)
    model.delete_linear_constraint(next(iter(model.linear_constraints())))
    model.add_linear_constraint(sum(model.variables()) <= 1)
    duals = engines.Simplex(model).solve(NOTHING_SPECIAL, None).solutions[0].dual_solution.dual_values
    np.testing.assert_allclose(engines.by_number(duals), [0, 5])


def test_a_simplex_that_starts_again_finds_the_same() -> None:
    model = knapsack(most=4, whole=False)
    simplex = engines.Simplex(model)
    simplex.solve(NOTHING_SPECIAL, None)
    next(iter(model.variables())).upper_bound = 0.5
    simplex.restart()
    again = simplex.solve(NOTHING_SPECIAL, None).solutions[0]
    np.testing.assert_allclose(engines.by_number(again.primal_solution.variable_values), [0.5, 2 / 3, 1])
