"""Households that use the same places trade homes, all at once: the best assignment among them (SciPy).

What they use of services adds up to the same wherever each of them goes, so nothing else has to move.
"""

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from solver.neighbourhoods import Aim
from solver.network import Network
from solver.problem import NONE
from solver.tables import BoolArray, IntArray

FloatArray = NDArray[np.float64]

MOST = 1_000
"""Households that trade at once: an assignment takes their number cubed."""
IMPOSSIBLE = -1e15
"""Worth less than any trade that is possible."""


def traded(network: Network, neighbours: IntArray, at: IntArray, house_class: IntArray, aim: Aim) -> IntArray:
    """The settlements of units [U] after every kind of single household has traded homes for the most of an aim.

    house_class [H]: the classes that they live in.
    """
    alone = np.flatnonzero(network.free & (network.problem.households.kin_group == NONE))
    alone = alone[at[alone] != NONE]
    place = np.argsort(neighbours)[at[alone]]
    alone = alone[np.lexsort((alone, place))]
    kind = np.unique(network.uses[alone], axis=0, return_inverse=True)[1].reshape(-1)
    serves, after = _serves(network), at.copy()
    for each in range(int(kind.max(initial=NONE)) + 1):
        units = alone[kind == each]
        for some in np.array_split(units, -(-len(units) // MOST)):
            _trade(network, after, some, house_class[some], aim, serves)
    return after


def _serves(network: Network) -> BoolArray:
    """Which class serves which need [needs, C]."""
    serves = np.zeros((network.needs, len(network.count)), np.bool_)
    serves[network.supply_key % network.needs, network.supply_class] = True
    return serves


def _trade(network: Network, at: IntArray, units: IntArray, home: IntArray, aim: Aim, serves: BoolArray) -> None:
    """Deals the homes of units [u], of classes [u], so that these make the most of them."""
    classes, need = network.problem.house_classes, network.need_of[units]
    step_free = network.problem.households.needs_step_free[units]
    kept = step_free & (network.unreserved[home] < network.count[home])  # it may live in a reserved house
    may = serves[need][:, home] & (step_free[:, None] | ~kept)
    spare = classes.bedrooms[home] - network.kinds[need, 0][:, None]
    worth = _worth(network, units, aim)[:, classes.settlement[home]]
    worth = np.where(may, worth - aim.value * network.problem.spare_bedroom_penalty * spare, IMPOSSIBLE)
    everyone, dealt = scipy.optimize.linear_sum_assignment(worth, maximize=True)
    if worth[everyone, dealt].sum() > np.trace(worth):
        at[units] = classes.settlement[home[dealt]]


def _worth(network: Network, units: IntArray, aim: Aim) -> FloatArray:
    """What units [u] are worth in every settlement [S], houses apart."""
    trading = np.zeros(network.units, np.bool_)
    trading[units] = True
    unit, settlement, wish = network.placements(trading, np.arange(network.settlements))
    row = np.empty(network.units, np.int64)
    row[units] = np.arange(len(units))
    worth = np.full((len(units), network.settlements), IMPOSSIBLE)
    worth[row[unit], settlement] = aim.of(network, unit, settlement, wish)
    return worth
