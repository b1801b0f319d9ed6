"""A first allocation: every unit in the order of tier and points takes the best that is left."""

import numpy as np

from solver.options import Options
from solver.problem import NONE, UNLIMITED, Problem
from solver.tables import IntArray


def greedy(problem: Problem, options: Options, placed: IntArray) -> IntArray:
    """Option indices of an allocation that keeps what is `placed` (the pinned) and every rule of the model."""
    left = _Left(problem, options)
    for option in placed.tolist():
        left.take(option)
    households = problem.households
    start = np.searchsorted(options.household, np.arange(len(households.id) + 1))
    members: dict[int, list[int]] = {}
    for household, group in enumerate(households.kin_group.tolist()):
        if group != NONE:
            members.setdefault(group, []).append(household)
    done = set(options.household[placed].tolist())
    for household in np.lexsort((-households.points, households.tier)).tolist():
        if household in done:
            continue
        group = int(households.kin_group[household])
        unit = [household] if group == NONE else members[group]
        done.update(unit)
        by_settlement: dict[int, list[list[int]]] = {}
        for member in unit:
            for option in range(start[member], start[member + 1]):
                seats = by_settlement.setdefault(int(options.settlement[option]), [])
                if not seats or options.household[seats[-1][0]] != member:
                    seats.append([])
                seats[-1].append(option)
        left.take_best([seats for seats in by_settlement.values() if len(seats) == len(unit)])
    return np.array(sorted(left.taken), np.int64)


class _Left:
    """What is left of every scarce resource while units take theirs."""

    def __init__(self, problem: Problem, options: Options) -> None:
        classes, capacity = problem.house_classes, problem.settlements.capacity
        self.options = options
        self.count = classes.count.tolist()
        self.unreserved = (classes.count - classes.reserved).tolist()
        self.places = np.where(capacity == UNLIMITED, np.iinfo(np.int64).max, capacity)
        self.limited = ~problem.households.needs_step_free
        self.value = options.value.tolist()
        self.taken: list[int] = []

    def fits(self, option: int) -> bool:
        household, house_class = self.options.household[option], self.options.house_class[option]
        if self.count[house_class] < 1 or (self.limited[household] and self.unreserved[house_class] < 1):
            return False
        return bool((self.options.uses[household] <= self.places[self.options.settlement[option]]).all())

    def take(self, option: int, sign: int = 1) -> None:
        household, house_class = self.options.household[option], self.options.house_class[option]
        self.count[house_class] -= sign
        self.unreserved[house_class] -= sign * int(self.limited[household])
        self.places[self.options.settlement[option]] -= sign * self.options.uses[household]
        if sign > 0:
            self.taken.append(option)
        else:
            self.taken.remove(option)

    def take_best(self, placements: list[list[list[int]]]) -> None:
        """Houses a unit whole in the first settlement, by its best value there, where every member finds a class."""
        placements.sort(key=lambda seats: -sum(max(self.value[o] for o in seat) for seat in seats))
        for seats in placements:
            chosen: list[int] = []
            for seat in seats:
                option = max((o for o in seat if self.fits(o)), key=self.value.__getitem__, default=None)
                if option is None:
                    break
                self.take(option)
                chosen.append(option)
            if len(chosen) == len(seats):
                return
            for option in chosen:
                self.take(option, -1)
