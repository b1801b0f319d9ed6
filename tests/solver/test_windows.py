"""Searching among units of some sizes at a time keeps everybody housed and every rule, and makes more of the wishes."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from solver import packing
from solver.generate import generate
from solver.interior import Interior
from solver.neighbourhoods import Aim, Losses, order_of_neighbours
from solver.network import Network, network
from solver.options import gains
from solver.problem import NONE, UNLIMITED
from solver.progress import Deadline
from solver.tables import IntArray
from solver.windows import Goal, Round, Thorough, guests, nearly_flow, search, settlements_with, sizes
from tests.solver.towns import classes, housed


def later() -> Deadline:
    return Deadline(time.monotonic() + 600)


@pytest.fixture(scope="module", params=[1, 2])
def started(request: pytest.FixtureRequest) -> tuple[Network, Losses, IntArray]:
    """A town, what leaving the best place costs there, and an allocation that asks nobody what they wish."""
    problem = generate(250, 6, request.param, kin_share=0.15)
    town = network(problem, problem.households.pinned, np.ones(len(problem.households.id), np.bool_))
    interior = Interior(town)
    members = np.bincount(town.unit_of, minlength=town.units).astype(np.float64)
    bonus = 1_000 * members
    relaxed = interior.maximise(interior.weights(bonus) + interior.value(), [], None, later())
    losses = Losses.of(town, Aim(bonus, 1.0), relaxed)
    return town, losses, housed(town)[0]


def together(town: Network, losses: Losses, at: IntArray) -> IntArray:
    """Who of an allocation [U] fits in beside the others, house by house and place by place."""
    fits = at.copy()
    choices = packing.choices(town, losses.of_direct(), losses.of_ways())
    packing.put(packing.rooms(town), choices, np.arange(town.units), fits)
    return fits


def gained(town: Network, at: IntArray) -> list[int]:
    return [int(gains(town.problem, classes(town, at)).sum())]


def test_everybody_stays_housed_and_more_wishes_are_met(started: tuple[Network, Losses, IntArray]) -> None:
    town, losses, at = started
    goal = Goal(
        aim=Aim(np.zeros(town.units), 1.0),
        losses=losses,
        rank=lambda at: gained(town, at),
        done=lambda _: False,
        classes=lambda at: classes(town, at),
    )
    asked = Thorough((Round(6, 400, 1e-6, alike=True), Round(3, 200, 1e-6, alike=True)), keep=True)
    found = search(town, order_of_neighbours(town), at, goal, asked, later(), 2)
    assert gained(town, found) > gained(town, at)
    assert (found[at != NONE] != NONE).all(), "who has a home has one"
    assert np.array_equal(together(town, losses, found), found)
    again = search(town, order_of_neighbours(town), at, goal, asked, later(), 1)
    assert np.array_equal(found, again)


def test_every_unit_is_of_one_size_and_larger_ones_use_more(started: tuple[Network, Losses, IntArray]) -> None:
    town, losses, at = started
    found = sizes(town, losses, at)
    assert len(found) > 1
    assert (np.sum(found, axis=0) == 1).all()
    ordered = [
        all(use[one].max() < use[next_].min() for one, next_ in itertools.pairwise(found)) for use in town.uses.T
    ]
    assert any(ordered), "the sizes follow what is used of one service"


def test_where_no_service_is_limited_all_are_of_one_size() -> None:
    problem = generate(40, 2, 1)
    free = replace(problem, settlements=replace(problem.settlements, capacity=np.full((2, 2), UNLIMITED)))
    town = network(free, free.households.pinned, np.ones(40, np.bool_))
    losses = Losses(town, Aim(np.zeros(town.units), 1.0), np.zeros(0), np.zeros(town.places.shape), np.zeros(0))
    assert [each.all() for each in sizes(town, losses, np.zeros(town.units, np.int64))] == [True]


def test_who_has_no_place_is_dealt_to_one_of_the_groups_where_it_may_come(
    started: tuple[Network, Losses, IntArray],
) -> None:
    town, _, at = started
    groups = [np.array(each) for each in ([4, 1], [0], [5])]
    dealt = guests(town, at, groups)
    assert (dealt[at != NONE] == NONE).all()
    may_come = [
        np.isin(np.arange(town.units), town.placements(at == NONE, each)[0]) | ((at == NONE) & (town.hub_of != NONE))
        for each in groups
    ]
    assert np.array_equal(dealt != NONE, np.any(may_come, axis=0))
    for index, may in enumerate(may_come):
        assert may[dealt == index].all()
        assert (dealt == index).any()
    assert (guests(town, at, []) == NONE).all()


def test_no_more_than_so_many_of_those_who_accept_any_settlement_are_dealt_to_a_group(
    started: tuple[Network, Losses, IntArray],
) -> None:
    town, _, _ = started
    nowhere, groups = np.full(town.units, NONE), [np.array([4]), np.array([0])]
    anywhere = town.hub_of != NONE
    everybody, few = guests(town, nowhere, groups), guests(town, nowhere, groups, 3)
    assert (everybody[anywhere] != NONE).all()
    assert np.bincount(few[anywhere & (few != NONE)]).tolist() == [3, 3]
    assert np.array_equal(few[~anywhere], everybody[~anywhere]), "whoever asks for a settlement comes all the same"


@pytest.mark.parametrize(("places_per_need", "flow"), [(1.5, True), (0.9, False)])
def test_where_places_are_scarce_it_is_no_flow(places_per_need: float, flow: bool) -> None:
    problem = generate(500, 10, 1, places_per_need=places_per_need)
    town = network(problem, problem.households.pinned, np.ones(len(problem.households.id), np.bool_))
    interior = Interior(town)
    relaxed = interior.maximise(interior.weights(np.ones(town.units)), [], None, later())
    assert nearly_flow(town, relaxed) == flow


def test_nothing_but_houses_is_a_flow() -> None:
    problem = generate(100, 4, 1)
    free = replace(
        problem,
        settlements=replace(problem.settlements, capacity=np.full_like(problem.settlements.capacity, UNLIMITED)),
    )
    town = network(free, free.households.pinned, np.ones(len(free.households.id), np.bool_))
    interior = Interior(town)
    relaxed = interior.maximise(interior.weights(np.ones(town.units)), [], None, later())
    assert nearly_flow(town, relaxed)


def test_so_many_settlements_have_so_many_houses() -> None:
    problem = generate(130, 10, 1, households_per_house=1.3)
    town = network(problem, problem.households.pinned, np.ones(len(problem.households.id), np.bool_))
    assert [settlements_with(town, houses) for houses in (0, 10, 25, 1_000)] == [1, 1, 2, 100]
