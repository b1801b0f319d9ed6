"""The relaxations: the same optimum as a simplex method, and prices that prove it."""

import time

import numpy as np
import pytest

from solver import Problem
from solver.exact import FloatArray, Program
from solver.generate import generate
from solver.interior import Interior, Iterate
from solver.network import network
from solver.options import options
from solver.problem import NONE
from solver.relaxation import Relaxations
from solver.tables import IntArray
from solver.weights import weights_of

FAMILIES = [
    generate(120, 4, 1, forbidden_share=0.0),
    generate(90, 3, 2, forbidden_share=0.0, kin_share=0.4, anywhere_share=0.0),
    generate(150, 5, 3, forbidden_share=0.0, anywhere_share=1.0, places_per_need=0.7),
]


@pytest.mark.parametrize("town", FAMILIES)
def test_every_stage_has_the_optimum_that_a_simplex_finds(town: Problem) -> None:
    """Nobody is forbidden a settlement here: a hub doesn't know of that, and the exact bound does."""
    net = network(town, np.full(len(town.households.id), NONE), np.ones(len(town.households.id), np.bool_))
    interior, choices = Interior(net), options(town)
    simplex = Relaxations(Program(town, choices, 0))
    rows: list[tuple[FloatArray, int]] = []
    exact_rows: list[tuple[IntArray, int]] = []
    near: Iterate | None = None
    for name in town.stages:
        exact_weights = weights_of(town, choices, name)
        if name == "value":
            weights = interior.value()
        else:
            each = town.households.points if name == "points" else town.households.tier == int(name[5:])
            weights = interior.weights(net.of_units(each.astype(np.int64)))
        relaxed = interior.maximise(weights, rows, near, time.monotonic() + 60)
        expected = simplex.relax(exact_weights, exact_rows, 60)
        assert expected is not None
        optimum = float(exact_weights @ expected.columns)
        assert float(weights @ relaxed.column) == pytest.approx(optimum, rel=1e-4, abs=1e-2)
        near = relaxed.near
        rows.append((weights, int(optimum + 1e-3)))
        exact_rows.append((exact_weights, int(optimum + 1e-3)))


def test_past_the_deadline_prices_are_still_prices() -> None:
    town = FAMILIES[0]
    net = network(town, np.full(len(town.households.id), NONE), np.ones(len(town.households.id), np.bool_))
    interior = Interior(net)
    relaxed = interior.maximise(interior.value(), [], None, time.monotonic() - 1)
    for prices in (relaxed.house_class, relaxed.unreserved, relaxed.service, relaxed.key, relaxed.hub):
        assert np.isfinite(prices).all()
        assert (prices >= 0).all()
