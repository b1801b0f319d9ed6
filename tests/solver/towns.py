"""Allocations to start a search from, and the classes that go with them."""

import numpy as np

from solver import packing
from solver.network import Network
from solver.options import Options
from solver.problem import NONE
from solver.seating import deal, seat
from solver.tables import IntArray


def housed(town: Network) -> tuple[IntArray, IntArray]:
    """Settlements [U] and classes [H] of an allocation that asks nobody what they wish."""
    choices = packing.choices(town, np.zeros(len(town.unit)), np.zeros(len(town.way_hub)))
    at = np.full(town.units, NONE, np.int64)
    packing.fill(packing.rooms(town), choices, np.unique(town.unit_of[town.free]), at)
    return at, classes(town, at)


def seated(town: Network, at: IntArray) -> tuple[Options, IntArray | None]:
    unit = np.flatnonzero(at != NONE)
    options = town.options(unit, at[unit], np.zeros(len(unit), np.int64))
    return options, seat(town.count, town.unreserved, options, np.ones(len(unit), np.bool_))


def classes(town: Network, at: IntArray) -> IntArray:
    options, taken = seated(town, at)
    assert taken is not None, "everybody has a house where they live"
    return deal(options, taken)
