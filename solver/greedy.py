"""A first allocation: every unit in the order of tier and points takes the best that is left."""

import numpy as np

from solver.options import Options
from solver.problem import NONE, UNLIMITED, Problem
from solver.tables import IntArray


def greedy(problem: Problem, options: Options, placed: IntArray) -> IntArray:
    """An allocation (how often each column is taken) that keeps what is `placed`, the pinned, and every rule."""
    left = _Left(problem, options, placed)
    households = problem.households
    first = np.searchsorted(options.unit, np.arange(len(options.must) + 1)).tolist()
    by_wish = np.lexsort((-options.wish, options.unit)).tolist()
    seen = set(options.unit[placed[: options.placements] > 0].tolist())
    for unit in options.unit_of[np.lexsort((-households.points, households.tier))].tolist():
        if unit not in seen:
            seen.add(unit)
            next((p for p in by_wish[first[unit] : first[unit + 1]] if left.take(p)), NONE)
    return left.taken


class _Left:
    """What is left of every scarce resource while units take theirs."""

    def __init__(self, problem: Problem, options: Options, placed: IntArray) -> None:
        classes, capacity = problem.house_classes, problem.settlements.capacity
        self.options, self.taken = options, placed.copy()
        placements, supplies = placed[: options.placements], placed[options.placements :]
        self.count, self.unreserved = classes.count.copy(), classes.count - classes.reserved
        np.subtract.at(self.count, options.supply_class, supplies)
        np.subtract.at(self.unreserved, options.supply_class, supplies * options.limited)
        self.places = np.where(capacity == UNLIMITED, np.iinfo(np.int64).max, capacity)
        used = placements > 0
        np.subtract.at(self.places, options.settlement[used], options.uses[options.unit[used]])
        self.first_seat = np.searchsorted(options.seat_placement, np.arange(options.placements + 1)).tolist()

    def take(self, placement: int) -> bool:
        """Houses a unit whole, everyone in the cheapest house; False where it doesn't fit."""
        options = self.options
        uses, places = options.uses[options.unit[placement]], self.places[options.settlement[placement]]
        if (uses > places).any():
            return False
        chosen: list[int] = []
        for seat in range(self.first_seat[placement], self.first_seat[placement + 1]):
            for _ in range(int(options.seat_count[seat])):
                supply = self._supply(int(options.seat_key[seat]))
                if supply is None:
                    for other in chosen:
                        self._serve(other, -1)
                    return False
                self._serve(supply, 1)
                chosen.append(supply)
        places -= uses
        self.taken[placement] = 1
        return True

    def _supply(self, key: int) -> int | None:
        options = self.options
        supplies = range(int(options.supply_start[key]), int(options.supply_start[key + 1]))
        return min((s for s in supplies if self._has(s)), key=lambda s: int(options.cost[s]), default=None)

    def _has(self, supply: int) -> bool:
        house_class = self.options.supply_class[supply]
        enough = self.unreserved[house_class] > 0 or not self.options.limited[supply]
        return bool(enough and self.count[house_class] > 0)

    def _serve(self, supply: int, times: int) -> None:
        house_class = self.options.supply_class[supply]
        self.count[house_class] -= times
        self.unreserved[house_class] -= times * int(self.options.limited[supply])
        self.taken[self.options.placements + supply] += times
