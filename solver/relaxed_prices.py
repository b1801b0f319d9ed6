"""Prices of a relaxation as integers, and integers as prices of a relaxation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solver import prices as pricing
from solver.central_path import Vectors
from solver.interior import Iterate, Relaxed
from solver.network import Network
from solver.options import fits
from solver.prices import Prices
from solver.problem import NONE, UNLIMITED
from solver.tables import IntArray

FloatArray = NDArray[np.float64]


def whole(network: Network, relaxed: Relaxed, heaviest: Sequence[float], earlier: int) -> Prices:
    """Prices as integers. What there is none of costs as much as what serves the same needs there, or, where nothing
    does, more than anyone could pay: no bound pays for that."""
    problem = network.problem
    limited = np.flatnonzero((problem.settlements.capacity != UNLIMITED).any(axis=0))
    weight = float(np.dot(np.append(relaxed.multipliers, 1.0), heaviest))
    dearest = max(float(part.max(initial=0.0)) for part in (relaxed.house_class, relaxed.unreserved, relaxed.service))
    members = int(np.bincount(network.unit_of[network.free]).max(initial=1))
    uses = int(network.uses.max(initial=1))
    prohibitive = 2 * (weight + dearest * (2 * members + uses * max(len(limited), 1)))
    kinds = network.kinds
    keys = problem.house_classes.settlement * network.needs + np.arange(network.needs)[:, None]
    instead = np.where(np.isin(keys, network.supply_key), relaxed.key[keys], prohibitive)
    serves = fits(problem, kinds) & (kinds[:, 3, None] == NONE)
    limited_needs = serves & (kinds[:, 2, None] == 0)
    highest, highest_limited = (np.where(who, instead, 0.0).max(axis=0, initial=0.0) for who in (serves, limited_needs))
    house_class = np.where(network.count > 0, relaxed.house_class, highest)
    unreserved = np.where(network.unreserved > 0, relaxed.unreserved, highest_limited)
    service = np.zeros(problem.settlements.capacity.shape)
    service[:, limited] = np.where(network.places == 0, prohibitive, relaxed.service)
    most = prohibitive * (2 * members + uses * max(len(limited), 1)) * network.units
    denominator = next((d for d in pricing.DENOMINATORS if most * d < pricing.SAFE), 1)

    def rounded(real: FloatArray) -> IntArray:
        most = float(pricing.SAFE) / denominator  # beyond, a lower price proves something too: an overflow is no price
        integers: IntArray = np.rint(np.clip(np.nan_to_num(real), 0.0, most) * denominator).astype(np.int64)
        return integers

    multipliers = (*rounded(relaxed.multipliers).tolist(), *[0] * (earlier - len(relaxed.multipliers)))
    return Prices(denominator, rounded(house_class), rounded(unreserved), rounded(service), multipliers)


def priced(network: Network, prices: Prices, value: float) -> Relaxed:
    """A relaxation that has the prices that are known, and places nobody. value: what a unit of value counts, over
    their denominator."""
    problem, denominator = network.problem, float(prices.denominator)
    limited = np.flatnonzero((problem.settlements.capacity != UNLIMITED).any(axis=0))
    cost = prices.house_class[network.supply_class] + np.where(
        network.limited, prices.unreserved[network.supply_class], 0
    )
    real = (cost + value * problem.spare_bedroom_penalty * network.spare) / denominator
    key = np.full(network.settlements * network.needs, np.inf)
    np.minimum.at(key, network.supply_key, real)
    nothing = np.zeros(0)
    return Relaxed(
        column=np.zeros(len(network.unit) + len(network.hub_of) + len(network.way_hub) + len(network.spare)),
        house_class=prices.house_class / denominator,
        unreserved=prices.unreserved / denominator,
        service=prices.service[:, limited] / denominator,
        key=np.where(np.isinf(key), 0.0, key),
        multipliers=np.array(prices.multipliers) / denominator,
        near=Iterate(Vectors(nothing, nothing, nothing, nothing), len(prices.multipliers)),
    )
