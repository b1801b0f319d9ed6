"""Annealing keeps every rule, makes better what it is to make better, and is the same with two threads."""

import time

import numpy as np
import pytest

from solver import packing
from solver.annealing import Annealing, Heat
from solver.generate import generate
from solver.interior import Interior
from solver.neighbourhoods import Aim, Losses, order_of_neighbours
from solver.network import Network, network
from solver.problem import NONE
from solver.progress import Cancelled, Deadline
from solver.tables import IntArray

HEAT = Heat(10.0, 1.0, 60)


def later() -> Deadline:
    """A deadline that is not met: from now on, not from when this was imported."""
    return Deadline(time.monotonic() + 600)


def worth(town: Network, at: IntArray) -> int:
    placed = np.flatnonzero(at != NONE)
    return int(town.wishes(placed, at[placed]).sum())


@pytest.fixture(scope="module")
def town() -> Network:
    problem = generate(200, 4, 2, kin_share=0.3, pinned_share=0.05)
    pinned = problem.households.pinned
    return network(problem, pinned, np.ones(len(pinned), np.bool_))


@pytest.fixture(scope="module")
def start(town: Network) -> tuple[Losses, packing.Choices, IntArray]:
    interior = Interior(town)
    aim = Aim(50 * np.bincount(town.unit_of, minlength=town.units).astype(np.float64), 1.0)
    relaxed = interior.maximise(interior.weights(aim.of_unit) + interior.value(), [], None, later())
    losses = Losses.of(town, aim, relaxed)
    choices = packing.choices(town, losses.of_direct() * 0, losses.of_ways() * 0)
    at = np.full(town.units, NONE, np.int64)
    packing.fill(packing.rooms(town), choices, np.unique(town.unit_of[town.free]), at)
    return losses, choices, at


@pytest.mark.parametrize("leave", [True, False])
def test_rules_are_kept_and_all_is_better(
    town: Network, start: tuple[Losses, packing.Choices, IntArray], *, leave: bool
) -> None:
    losses, choices, at = start
    annealing = Annealing(town, order_of_neighbours(town), losses.aim, losses, leave=leave)
    found, again = (annealing.run(at, HEAT, later(), workers) for workers in (1, 2))
    assert np.array_equal(found, again)
    together = found.copy()
    packing.put(packing.rooms(town), choices, np.arange(town.units), together)
    assert np.array_equal(found, together), "all fit together"
    placed = np.flatnonzero(found != NONE)
    assert (town.wishes(placed, found[placed]) >= 0).all()
    kept = (found != NONE)[at != NONE]
    assert kept.all() or leave
    assert (
        worth(town, found) + losses.aim.of_unit[placed].sum() > worth(town, at) + losses.aim.of_unit[at != NONE].sum()
    )


def test_past_the_deadline_nobody_moves(town: Network, start: tuple[Losses, packing.Choices, IntArray]) -> None:
    losses, _, at = start
    annealing = Annealing(town, order_of_neighbours(town), losses.aim, losses, leave=True)
    assert np.array_equal(annealing.run(at, HEAT, Deadline(time.monotonic() - 1), 1), at)


def test_who_waits_may_cancel(town: Network, start: tuple[Losses, packing.Choices, IntArray]) -> None:
    def cancel() -> None:
        raise Cancelled

    losses, _, at = start
    annealing = Annealing(town, order_of_neighbours(town), losses.aim, losses, leave=True)
    with pytest.raises(Cancelled):
        annealing.run(at, HEAT, Deadline(time.monotonic() + 60, cancel), 1)
