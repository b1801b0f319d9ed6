"""Trading homes keeps what everybody uses where it is, and makes the most of the homes."""

import itertools

import numpy as np
import pytest

from solver.generate import generate
from solver.neighbourhoods import Aim, order_of_neighbours
from solver.network import Network, network
from solver.options import gains
from solver.problem import NONE, Problem
from solver.tables import IntArray
from solver.trading import traded
from tests.solver.towns import classes, housed, seated


def used(town: Network, at: IntArray) -> IntArray:
    total = np.zeros((town.settlements, town.uses.shape[1]), np.int64)
    unit = np.flatnonzero(at != NONE)
    np.add.at(total, at[unit], town.uses[unit])
    return total


def for_wishes(town: Network) -> Aim:
    return Aim(np.zeros(town.units), 1.0)


def traded_in(problem: Problem) -> tuple[Network, IntArray, IntArray, IntArray]:
    """A town, settlements [U] before and after its households traded homes, and classes [H] before."""
    town = network(problem, problem.households.pinned, np.ones(len(problem.households.id), np.bool_))
    at, given = housed(town)
    return town, at, traded(town, order_of_neighbours(town), at, given, for_wishes(town)), given


@pytest.mark.parametrize("seed", range(1, 6))
def test_all_gain_and_every_rule_is_kept(seed: int) -> None:
    problem = generate(300, 5, seed, kin_share=0.2)
    town, at, after, given = traded_in(problem)
    assert np.array_equal(at != NONE, after != NONE), "who has a home has one"
    assert np.array_equal(used(town, at), used(town, after))
    kin = np.arange(town.units) >= len(problem.households.id)
    assert np.array_equal(at[kin], after[kin])
    assert gains(problem, classes(town, after)).sum() > gains(problem, given).sum()
    again = traded(town, order_of_neighbours(town), after, classes(town, after), for_wishes(town))
    assert gains(problem, classes(town, again)).sum() >= gains(problem, classes(town, after)).sum()


@pytest.mark.parametrize("seed", range(1, 4))
def test_no_permutation_among_a_few_is_better(seed: int) -> None:
    problem = generate(40, 3, seed, kin_share=0.0)
    town, at, after, _ = traded_in(problem)
    alike = np.unique(town.uses, axis=0, return_inverse=True)[1].reshape(-1)
    unit, settlement, _ = town.placements(np.ones(town.units, np.bool_), np.arange(town.settlements))
    reachable = set(zip(unit.tolist(), settlement.tolist(), strict=True))
    best = gains(problem, classes(town, after)).sum()
    for kind in np.unique(alike[at != NONE]):
        some = np.flatnonzero((alike == kind) & (at != NONE))[:5]
        for order in itertools.permutations(some.tolist()):
            other = after.copy()
            other[some] = after[list(order)]
            if all((u, int(other[u])) in reachable for u in some.tolist()) and seated(town, other)[1] is not None:
                assert gains(problem, classes(town, other)).sum() <= best
