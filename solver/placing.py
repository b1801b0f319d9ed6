"""Whole placements from a relaxation, what is given to others beside them, and the houses of all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solver import packing
from solver.homes import with_homes
from solver.interior import Interior, Relaxed
from solver.neighbourhoods import Aim
from solver.network import Network
from solver.objectives import KEEP, Objective
from solver.problem import NONE
from solver.progress import Deadline
from solver.seating import deal, seat
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

WHOLE = 0.99
"""A column of a relaxation past this is taken as whole."""
TRIES = 400
"""How many moves are tried to make room for a unit."""
LOOKS = 20
"""How often it looks at the clock meanwhile."""
MOST_TRIES = 2_000_000
"""And for all of them: who comes first has them."""


def columns_of(interior: Interior, stage: Objective, of_unit: IntArray) -> FloatArray:
    """Columns of a stage, of_unit [U] what it gives wherever one lives; who stays in its settlement keeps its class."""
    columns, network = interior.weights(of_unit), interior.network
    if stage.weight("value"):
        columns += stage.weight("value") * interior.value()
    if stage.weight(KEEP):
        columns[interior.placement] += stage.weight(KEEP) * network.staying(network.unit, network.settlement)
    return columns


def where(of_unit: FloatArray, weight: FloatArray, stages: Sequence[Objective]) -> Aim:
    """Stages that settle where, by a weight for each."""
    value, keep = (
        float(sum(m * stage.weight(term) for m, stage in zip(weight, stages, strict=True))) for term in ("value", KEEP)
    )
    return Aim(of_unit, value, keep)


def usual_of(columns: FloatArray) -> float:
    """What a stage has of a placement on average, where it has anything."""
    positive = columns[columns > 0]
    return float(positive.mean()) if len(positive) else 1.0


def whole_places(interior: Interior, relaxed: Relaxed, choices: packing.Choices) -> IntArray:
    """What a relaxation places whole: settlements of units [U]."""
    network = interior.network
    at = np.full(network.units, NONE, np.int64)
    whole = relaxed.column[interior.placement] > WHOLE
    at[network.unit[whole]] = network.settlement[whole]
    entering = interior.entering[relaxed.column[interior.entry] > WHOLE]
    ways = np.floor(relaxed.column[interior.way] + 1 - WHOLE).astype(np.int64)
    packing.share_out(network, choices, entering, ways, at)
    return at


def filled(network: Network, choices: packing.Choices, order: IntArray, at: IntArray, deadline: Deadline) -> IntArray:
    """Keeps units placed at settlements [U] as far as they fit together, and gives what they leave; all in order.
    After the deadline no room is made any more."""
    rooms = packing.rooms(network)
    packing.put(rooms, choices, order, at)
    packing.fill(rooms, choices, order, at)
    missing, left = order[at[order] == NONE], MOST_TRIES
    for some in np.array_split(missing, LOOKS):
        if deadline.passed():
            break
        left = packing.squeeze(rooms, choices, some, at, TRIES, left)
    return at


def settlements_of(network: Network, house_class: IntArray) -> IntArray:
    """The settlement of every unit [U] that is free, by the classes of households [H]; NONE where it has none."""
    at = np.full(network.units, NONE, np.int64)
    housed = np.flatnonzero(network.free & (house_class != NONE))
    at[network.unit_of[housed]] = network.problem.house_classes.settlement[house_class[housed]]
    return at


def classes_of(
    network: Network, at: IntArray, given: IntArray, home: IntArray | None, stages: Sequence[Objective]
) -> IntArray:
    """The class of every household [H], by the settlements of units [U] and the classes that are given: fewest spare
    bedrooms in all, or most classes kept, by what comes first."""
    unit = np.flatnonzero(at != NONE)
    options = network.options(unit, at[unit], np.zeros(len(unit), np.int64))
    if home is not None:
        options = with_homes(network.problem, options, home, stages)
    taken = seat(network.count, network.unreserved, options, np.ones(len(unit), np.bool_))
    if taken is None:
        raise AssertionError("whoever has a place has a house there")
    house_class: IntArray = np.where(given == NONE, deal(options, taken), given)
    return house_class
