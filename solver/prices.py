"""Prices on scarce resources and the bound that they prove, in exact integers (the model's "The proof")."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.options import Options
from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import Price, StageCertificate
from solver.tables import BoolArray, IntArray

DENOMINATORS = (720720, 5040, 60, 1)
"""720720 is divisible by 1 to 16, so that most prices of a linear relaxation are exact; smaller ones where the
arithmetic would leave 64 bits."""
SAFE = 2**61


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

    option [n] and placement [m]: the loss of taking them; unhoused [H + G]: the loss of staying out.
    """

    total: int
    denominator: int
    option: IntArray
    placement: IntArray
    unhoused: IntArray

    @property
    def floor(self) -> int:
        return self.total // self.denominator

    def open(self, at_least: int) -> tuple[BoolArray, BoolArray, BoolArray]:
        """What an allocation worth at_least may still do: options, placements, units that may stay out."""
        slack = self.total - at_least * self.denominator
        return self.option <= slack, self.placement <= slack, self.unhoused <= slack


def rounded(
    problem: Problem,
    house_class: np.ndarray[tuple[int], np.dtype[np.float64]],
    unreserved: np.ndarray[tuple[int], np.dtype[np.float64]],
    service: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    multipliers: Sequence[float],
    stages: Sequence[IntArray],
) -> Prices:
    """Real prices → integers over the largest denominator for which every sum provably stays in 64 bits.

    stages: the weights [n] of the earlier stages and, last, of the stage in hand.
    """
    most = [int(np.abs(weights).max(initial=0)) for weights in stages]
    real = [*house_class.tolist(), *unreserved.tolist(), *service.ravel().tolist()]
    highest = max((abs(price) for price in real), default=0.0)
    uses = int(problem.households.uses.value.max(initial=0))
    households = len(problem.households.id)
    for denominator in DENOMINATORS:
        integers = [round(abs(multiplier) * denominator) for multiplier in multipliers]
        score = most[-1] * denominator + sum(m * w for m, w in zip(integers, most, strict=False))
        score += (round(highest * denominator) + 1) * (2 + uses * len(problem.services))
        if score * (households + 1) < SAFE:
            return Prices(
                denominator,
                np.rint(np.maximum(house_class, 0) * denominator).astype(np.int64),
                np.rint(np.maximum(unreserved, 0) * denominator).astype(np.int64),
                np.rint(np.maximum(service, 0) * denominator).astype(np.int64),
                tuple(integers),
            )
    return Prices.zero(problem, len(stages) - 1)


def bound(
    problem: Problem, options: Options, prices: Prices, stages: Sequence[IntArray], achieved: Sequence[int]
) -> Bound:
    """D of these prices for the last of `stages`, given what the earlier ones achieved."""
    score = stages[-1] * prices.denominator
    for multiplier, weights in zip(prices.multipliers, stages[:-1], strict=True):
        score = score + multiplier * weights
    score = score - prices.house_class[options.house_class]
    needs = problem.households.needs_step_free[options.household]
    score -= np.where(needs, 0, prices.unreserved[options.house_class])
    if len(problem.services):
        score -= np.einsum("nk,nk->n", prices.service[options.settlement], options.uses[options.household])
    total, option, placement, unhoused = _best(problem, options, score)
    classes, capacity = problem.house_classes, problem.settlements.capacity
    total += _dot(prices.house_class, classes.count) + _dot(prices.unreserved, classes.count - classes.reserved)
    total += _dot(prices.service, np.where(capacity == UNLIMITED, 0, capacity))
    total -= sum(m * a for m, a in zip(prices.multipliers, achieved, strict=True))
    return Bound(total, prices.denominator, option, placement, unhoused)


def _dot(prices: IntArray, amounts: IntArray) -> int:
    """Exact: the sum may leave 64 bits."""
    pairs = zip(prices.ravel().tolist(), amounts.ravel().tolist(), strict=True)
    return sum(price * amount for price, amount in pairs if price)


def _best(problem: Problem, options: Options, score: IntArray) -> tuple[int, IntArray, IntArray, IntArray]:
    """Σ over units of their best score, and the losses of `Bound`."""
    count = len(problem.households.id)
    lowest = np.iinfo(np.int64).min // 4
    alone = options.placement == NONE
    best = np.full(len(options.must), lowest, np.int64)
    np.maximum.at(best, options.household[alone], score[alone])
    kin = np.flatnonzero(~alone)
    seat = options.household[kin] * len(problem.settlements.id) + options.settlement[kin]
    order = np.argsort(seat, kind="stable")
    kin, seat = kin[order], seat[order]
    first = np.flatnonzero(np.diff(seat, prepend=-1))
    seat_best = np.maximum.reduceat(score[kin], first) if len(first) else score[:0]
    whole = np.zeros(len(options.placement_group), np.int64)
    np.add.at(whole, options.placement[kin[first]], seat_best)
    np.maximum.at(best, count + options.placement_group, whole)
    best = np.where(options.must, best, np.maximum(best, 0))
    placement = best[count + options.placement_group] - whole
    option = np.empty(options.size, np.int64)
    option[alone] = best[options.household[alone]] - score[alone]
    in_seat = np.repeat(seat_best, np.diff(np.append(first, len(kin))))
    option[kin] = placement[options.placement[kin]] + in_seat - score[kin]
    unhoused = np.where(options.must, -lowest, best)
    return int(best.sum()), option, placement, unhoused


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
