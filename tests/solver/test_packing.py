"""Units are placed only where there is room, and room is made exactly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import Problem, packing
from solver.generate import generate
from solver.network import Network, network
from solver.problem import NONE
from solver.seating import seat
from solver.tables import IntArray


def of(problem: Problem) -> Network:
    everyone = len(problem.households.id)
    return network(problem, np.full(everyone, NONE), np.ones(everyone, np.bool_))


def filled(net: Network, order: IntArray, tries: int) -> IntArray:
    choices = packing.choices(net, net.wish.astype(np.float64), net.way_wish.astype(np.float64))
    rooms, at = packing.rooms(net), np.full(net.units, NONE, np.int64)
    packing.fill(rooms, choices, order, at)
    packing.squeeze(rooms, choices, order[at[order] == NONE], at, tries, 1_000_000)
    return at


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), tries=st.sampled_from([0, 50, 5_000]))
def test_whoever_is_placed_has_a_house_and_services(seed: int, tries: int) -> None:
    problem = generate(60, 4, seed, kin_share=0.3, anywhere_share=0.5, forbidden_share=0.3)
    net = of(problem)
    order = np.random.default_rng(seed).permutation(net.units)
    at = filled(net, order, tries)
    units = np.flatnonzero(at != NONE)
    options = net.options(units, at[units], np.zeros(len(units), np.int64))
    assert seat(net.count, net.unreserved, options, np.ones(len(units), np.bool_)) is not None
    used = np.zeros_like(net.places)
    np.add.at(used, at[units], net.uses[units])
    assert (used <= net.places).all()
    accepted = set(zip(net.unit.tolist(), net.settlement.tolist(), strict=True))
    through = net.reached(np.arange(net.units), np.arange(net.settlements))
    accepted |= set(zip(through[0].tolist(), through[1].tolist(), strict=True))
    assert all((unit, int(at[unit])) in accepted for unit in units.tolist())


def test_making_room_houses_more_and_puts_nobody_out() -> None:
    net = of(generate(400, 8, 5, places_per_need=0.8))
    order = np.arange(net.units)
    without, with_moves = filled(net, order, 0), filled(net, order, 10_000)
    assert set(np.flatnonzero(without != NONE)) < set(np.flatnonzero(with_moves != NONE))


def test_of_an_allocation_that_does_not_fit_the_first_in_order_keep_their_places() -> None:
    net = of(generate(60, 4, 1))
    choices = packing.choices(net, net.wish.astype(np.float64), net.way_wish.astype(np.float64))
    crowd = np.full(net.units, NONE, np.int64)
    alone = np.flatnonzero((np.bincount(net.unit_of, minlength=net.units) == 1) & (np.arange(net.units) < 60))
    crowd[alone] = 0
    for order in (np.arange(net.units), np.arange(net.units)[::-1]):
        left = crowd.copy()
        packing.put(packing.rooms(net), choices, order, left)
        kept = order[left[order] != NONE]
        assert order[crowd[order] != NONE][0] == kept[0]
        assert 0 < len(kept) < len(alone)
    fits = filled(net, np.arange(net.units), 100)
    kept_all = fits.copy()
    packing.put(packing.rooms(net), choices, np.arange(net.units), kept_all)
    assert (kept_all == fits).all()
