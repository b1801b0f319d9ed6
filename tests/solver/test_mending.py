"""What is lost in a few places is found there, however many threads look, and every rule is kept."""

import time
from dataclasses import replace

import numpy as np
import pytest

from solver import Parameters, packing, solve
from solver.generate import generate
from solver.interior import FloatArray, Interior
from solver.mending import Mending
from solver.neighbourhoods import Aim, Losses, order_of_neighbours
from solver.network import network
from solver.placing import settlements_of
from solver.previous import given_in
from solver.prices import Prices
from solver.problem import NONE
from solver.progress import Deadline
from solver.stages import Closed
from solver.tables import IntArray
from solver.windows import Goal
from tests.solver import small
from tests.solver.towns import classes

FIRST = 1
"""The tier that counts."""


def later() -> Deadline:
    return Deadline(time.monotonic() + 600)


class Town:
    """A town whose first tier is housed as well as can be, and a search for what another allocation lacks of that."""

    def __init__(self, seed: int) -> None:
        problem = generate(300, 12, seed, kin_share=0.15)
        town = network(problem, problem.households.pinned, np.ones(len(problem.households.id), np.bool_))
        interior = Interior(town)
        self.gives = town.of_units((problem.households.tier == FIRST).astype(np.int64))
        of_unit: FloatArray = self.gives * np.float64(1)
        relaxed = interior.maximise(interior.weights(of_unit), [], None, later())
        self.town, self.choices = town, packing.choices(town, np.zeros(len(town.unit)), np.zeros(len(town.way_hub)))
        best = solve(problem, Parameters(stages=(f"tier {FIRST}",)))
        self.best = settlements_of(town, given_in(problem, best.assignments))
        self.most = self.rank(self.best)[0]

        def closed(reached: list[int]) -> Closed:
            return Closed(f"tier {FIRST}", reached[0], self.most, Prices.zero(problem, 0), self.most)

        losses = Losses.of(town, Aim(of_unit, 0.0), relaxed)
        self.mending = Mending(town, order_of_neighbours(town), relaxed, losses, 1.0, closed, enough=0.0)
        self.goal = Goal(
            aim=Aim(8 * of_unit, 0.001),
            losses=losses,
            rank=self.rank,
            done=lambda _: False,
            classes=lambda at: classes(town, at),
        )

    def rank(self, at: IntArray) -> list[int]:
        return [int(self.gives[at != NONE].sum())]

    def with_others_instead(self, out: int) -> IntArray:
        """The best allocation, but so many of the first tier have lost their homes to whoever wants them."""
        at = self.best.copy()
        first = np.flatnonzero((at != NONE) & (self.gives > 0))[:out]
        at[first] = NONE
        others = np.flatnonzero((at == NONE) & (self.gives == 0))
        rooms = packing.rooms(self.town)
        packing.put(rooms, self.choices, np.flatnonzero(at != NONE), at)
        packing.fill(rooms, self.choices, np.intersect1d(others, np.unique(self.town.unit_of[self.town.free])), at)
        return at


@pytest.fixture(scope="module", params=[1, 2])
def town(request: pytest.FixtureRequest) -> Town:
    return Town(request.param)


def test_what_is_lacking_is_found_where_something_is_lost(town: Town) -> None:
    at = town.with_others_instead(out=3)
    assert town.rank(at)[0] < town.most
    found = town.mending.search(at, town.goal, later(), 2)
    assert town.rank(found) == [town.most]
    fits = found.copy()
    packing.put(packing.rooms(town.town), town.choices, np.arange(town.town.units), fits)
    assert np.array_equal(fits, found), "everybody fits in beside the others"
    assert np.array_equal(found, town.mending.search(at, town.goal, later(), 1))


def test_nothing_is_lost_in_the_best_allocation_of_a_relaxation_that_is_whole(town: Town) -> None:
    assert np.array_equal(town.mending.search(town.best, town.goal, later(), 2), town.best)


def test_nothing_is_searched_after_the_deadline(town: Town) -> None:
    at = town.with_others_instead(out=3)
    assert np.array_equal(town.mending.search(at, town.goal, Deadline(time.monotonic() - 1), 2), at)


def test_no_more_is_looked_for_than_is_wanted(town: Town) -> None:
    at = town.with_others_instead(out=3)
    lenient = replace(town.mending, enough=(town.most - town.rank(at)[0]) / town.most)
    assert np.array_equal(lenient.search(at, town.goal, later(), 2), at)


def test_an_unreserved_part_that_nobody_takes_is_lost() -> None:
    step_free = small.house_class(step_free=True, count=5, reserved=2)
    several = small.problem([small.household(f"H{index}") for index in range(8)], [step_free])
    town = network(several, several.households.pinned, np.ones(8, np.bool_))
    interior = Interior(town)
    relaxed = interior.maximise(interior.weights(np.ones(8)), [], None, later())
    assert relaxed.house_class.max() < 0.01, "step-free houses are left over"

    def rank(at: IntArray) -> list[int]:
        return [int((at != NONE).sum())]

    def closed(reached: list[int]) -> Closed:
        return Closed("tier 1", reached[0], 3, Prices.zero(several, 0), 3)

    losses = Losses.of(town, Aim(np.ones(8), 0.0), relaxed)
    goal = Goal(Aim(np.full(8, 8.0), 0.001), losses, rank, lambda _: False, lambda at: classes(town, at))
    mending = Mending(town, order_of_neighbours(town), relaxed, losses, 1.0, closed, enough=0.0)
    two = np.array([0, 0, *6 * [NONE]])
    assert rank(mending.search(two, goal, later(), 1)) == [3]
