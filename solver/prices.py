"""Prices on scarce resources and the bound that they prove, in exact integers (the model's "The proof")."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.options import Options
from solver.problem import UNLIMITED, Problem
from solver.solution import Price, StageCertificate
from solver.tables import BoolArray, IntArray

FloatArray = NDArray[np.float64]

DENOMINATORS = (720720, 5040, 60, 1)
"""720720 is divisible by 1 to 16, so that most prices of a linear relaxation are exact; smaller ones where the
arithmetic would leave 64 bits."""
SAFE = 2**61
NEVER = -(2**61)
"""Less than anything can be worth."""


@dataclass(frozen=True)
class Branch:
    """The allocations that use some placements, and none of others."""

    taken: tuple[int, ...] = ()
    barred: tuple[int, ...] = ()

    def closed(self, options: Options) -> BoolArray:
        """The placements [n] that these allocations don't use."""
        closed = np.isin(options.unit, options.unit[list(self.taken)])
        closed[list(self.taken)] = False
        closed[list(self.barred)] = True
        return closed

    def must(self, options: Options) -> BoolArray:
        """The units [U] that are housed in all of them."""
        must = options.must.copy()
        must[options.unit[list(self.taken)]] = True
        return must


EVERYTHING = Branch()


@dataclass(frozen=True, eq=False)
class Prices:
    """Integers over `denominator`: house_class [C], unreserved [C], service [S, K], multipliers [earlier stages]."""

    denominator: int
    house_class: IntArray
    unreserved: IntArray
    service: IntArray
    multipliers: tuple[int, ...]

    @classmethod
    def zero(cls, problem: Problem, earlier: int) -> "Prices":
        classes = np.zeros(len(problem.house_classes.id), np.int64)
        return cls(1, classes, classes, np.zeros_like(problem.settlements.capacity), (0,) * earlier)


@dataclass(frozen=True, eq=False)
class Bound:
    """D = total / denominator, and how much of it is lost (numerators) where a unit does not take its best.

    column [n + m]: the loss of taking a placement or a supply; unhoused [U]: the loss of staying out.
    """

    total: int
    denominator: int
    column: IntArray
    unhoused: IntArray

    @property
    def floor(self) -> int:
        return self.total // self.denominator

    def open(self, at_least: int) -> tuple[BoolArray, BoolArray]:
        """What an allocation worth at_least may still do: take columns, leave units out."""
        slack = self.total - at_least * self.denominator
        return self.column <= slack, self.unhoused <= slack


def rounded(
    problem: Problem,
    options: Options,
    house_class: FloatArray,
    unreserved: FloatArray,
    service: FloatArray,
    multipliers: Sequence[float],
    stages: Sequence[IntArray],
) -> Prices:
    """Real prices → integers over the largest denominator for which every sum provably stays in 64 bits.

    stages: the weights [n + m] of the earlier stages and, last, of the stage in hand.
    """
    real = [*house_class.tolist(), *unreserved.tolist(), *service.ravel().tolist()]
    highest = max((abs(price) for price in real), default=0.0)
    for denominator in DENOMINATORS:
        integers = [round(abs(multiplier) * denominator) for multiplier in multipliers]
        if _safe(problem, options, denominator, round(highest * denominator) + 1, integers, stages):
            return Prices(
                denominator,
                np.rint(np.maximum(house_class, 0) * denominator).astype(np.int64),
                np.rint(np.maximum(unreserved, 0) * denominator).astype(np.int64),
                np.rint(np.maximum(service, 0) * denominator).astype(np.int64),
                tuple(integers),
            )
    return Prices.zero(problem, len(stages) - 1)


def safe(problem: Problem, options: Options, prices: Prices, stages: Sequence[IntArray]) -> bool:
    """Whether every sum of the bound that they prove stays in 64 bits. stages: as for `rounded`."""
    parts = (prices.house_class, prices.unreserved, prices.service)
    highest = max(int(part.max(initial=0)) for part in parts)
    return _safe(problem, options, prices.denominator, highest, prices.multipliers, stages)


def _safe(
    problem: Problem,
    options: Options,
    denominator: int,
    highest: int,
    multipliers: Sequence[int],
    stages: Sequence[IntArray],
) -> bool:
    members = int(np.bincount(options.unit_of).max(initial=0))
    most = [_largest(options, weights, members) for weights in stages]
    uses = int(options.uses.max(initial=0))
    score = most[-1] * denominator + sum(m * w for m, w in zip(multipliers, most, strict=False))
    score += highest * (2 * members + uses * len(problem.services))
    return score * (len(options.must) + 1) < SAFE


def _largest(options: Options, weights: IntArray, members: int) -> int:
    """No unit gives a stage more, in absolute value."""
    placement, supply = np.abs(weights[: options.placements]), np.abs(weights[options.placements :])
    return int(placement.max(initial=0)) + members * int(supply.max(initial=0))


def bound(
    problem: Problem,
    options: Options,
    prices: Prices,
    stages: Sequence[IntArray],
    achieved: Sequence[int],
    only: Branch = EVERYTHING,
) -> Bound:
    """D of these prices for the last of `stages`, given what the earlier ones achieved, of the allocations in a branch.
    Where a unit has nothing left that it must have, nothing is worth even the least."""
    score = stages[-1] * prices.denominator
    for multiplier, weights in zip(prices.multipliers, stages[:-1], strict=True):
        score = score + multiplier * weights
    score, gain = score[: options.placements], score[options.placements :]
    cost = prices.house_class[options.supply_class] - gain
    cost += np.where(options.limited, prices.unreserved[options.supply_class], 0)
    first = np.flatnonzero(np.diff(options.supply_key, prepend=-1))
    cheapest = np.zeros(len(options.supply_start) - 1, np.int64)
    cheapest[options.supply_key[first]] = np.minimum.reduceat(cost, first) if len(first) else cost
    house = np.zeros(options.placements, np.int64)
    np.add.at(house, options.seat_placement, options.seat_count * cheapest[options.seat_key])
    score = score - house - np.einsum("nk,nk->n", prices.service[options.settlement], options.uses[options.unit])
    closed, must = only.closed(options), only.must(options)
    best = np.full(len(options.must), NEVER)
    np.maximum.at(best, options.unit[~closed], score[~closed])
    best = np.where(must, best, np.maximum(best, 0))
    if (best == NEVER).any():
        return Bound(NEVER, 1, np.full(options.columns, -NEVER), np.full(len(must), -NEVER))
    total = int(best.sum())
    classes, capacity = problem.house_classes, problem.settlements.capacity
    total += _dot(prices.house_class, classes.count) + _dot(prices.unreserved, classes.count - classes.reserved)
    total += _dot(prices.service, np.where(capacity == UNLIMITED, 0, capacity))
    total -= sum(m * a for m, a in zip(prices.multipliers, achieved, strict=True))
    losses = np.concatenate([np.where(closed, -NEVER, best[options.unit] - score), cost - cheapest[options.supply_key]])
    return Bound(total, prices.denominator, losses, np.where(must, -NEVER, best))


def _dot(prices: IntArray, amounts: IntArray) -> int:
    """Exact: the sum may leave 64 bits."""
    pairs = zip(prices.ravel().tolist(), amounts.ravel().tolist(), strict=True)
    return sum(price * amount for price, amount in pairs if price)


def certificate(problem: Problem, name: str, earlier: Sequence[str], prices: Prices) -> StageCertificate:
    """The prices in the form of the solution, zeros left out."""
    ids, places = problem.house_classes.id.tolist(), problem.settlements.id.tolist()
    rows = [Price("class", price, house_class=ids[c]) for c, price in enumerate(prices.house_class.tolist()) if price]
    rows += [
        Price("unreserved", price, house_class=ids[c]) for c, price in enumerate(prices.unreserved.tolist()) if price
    ]
    rows += [
        Price("service", int(prices.service[s, k]), settlement=places[s], service=str(problem.services[k]))
        for s, k in np.argwhere(prices.service).tolist()
    ]
    multipliers = {
        stage: multiplier for stage, multiplier in zip(earlier, prices.multipliers, strict=True) if multiplier
    }
    return StageCertificate(name, prices.denominator, tuple(rows), multipliers)
