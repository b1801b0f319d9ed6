"""Large problems: prices for every stage, whole placements from them, exact search among neighbours; then the same for
`value` of those who are housed.

Every stage is relaxed under the targets that the prices of the stages before allow. The relaxation of the last of them
is almost whole: what it leaves open is given by priority, then searched among neighbouring settlements. Where a stage
misses its target, those after it are relaxed again under what it achieved.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver import packing
from solver import prices as pricing
from solver.interior import Interior, Relaxed
from solver.lagrangian import Lagrangian
from solver.neighbourhoods import Aim, Losses, neighbourhood, order_of_neighbours
from solver.network import Network, network
from solver.options import fits, gains, needs
from solver.pins import settled
from solver.prices import Prices
from solver.problem import NONE, UNLIMITED, Problem
from solver.proof import price_bound
from solver.searching import Searchers, Task
from solver.seating import deal, seat
from solver.stages import Closed, Report
from solver.tables import BoolArray, IntArray

FloatArray = NDArray[np.float64]

WHOLE = 0.99
"""A column of a relaxation past this is taken as whole."""
SLIGHT = 0.005
"""How little the value counts beside the last stage that decides who is housed."""
BONUS = 10
"""How many times the best value a household's place is worth where all of them are to be housed."""
BASE = 8
"""How much more a household of a stage counts in a search than one of the next: large families use that much more."""
HEAVIEST = 1e9
"""No household counts more in a search, which computes in floats."""
WINDOW = 25
"""Settlements that are searched at once."""
NODES = 10
"""Nodes of a search tree: a limit that is the same on every machine, as no clock is."""
ROUNDS = 4
"""How often all settlements are searched, each time in other windows."""
KINDS = 3
"""Windows of neighbours, of neighbours across the borders of the first, and of settlements from all over."""
TRIES = 400
"""How many moves are tried to make room for a unit."""
RELAXING, DECIDING, RELAXING_AGAIN, SETTLING = 0.5, 0.68, 0.8, 0.95
"""Shares of the time limit after which a phase gives way to the next."""


@dataclass(frozen=True)
class Thorough:
    """How thoroughly neighbours are searched: how many placements are left open, the relative gap at which a search
    ends, and whether all who are housed stay so."""

    columns: int
    gap: float
    keep: bool


WHO = Thorough(columns=2_000, gap=1e-6, keep=False)
WHERE = Thorough(columns=600, gap=3e-3, keep=True)


class Large:
    """One solve of a large problem. Raises Contradiction where its pins contradict each other."""

    def __init__(
        self, problem: Problem, names: Sequence[str], threads: int, time_limit_seconds: float, report: Report
    ) -> None:
        self.problem, self.names, self.report = problem, tuple(names), report
        self.started, self.limit = time.monotonic(), time_limit_seconds
        self.workers = min(threads, 2)
        self.given = settled(problem)
        self.where_last = len(names) > 1 and names[-1] == "value"
        self.deciding = self.names[:-1] if self.where_last else self.names
        self.network = network(problem, self.given, np.ones(len(problem.households.id), np.bool_))
        self.interior = Interior(self.network, self.workers)
        self.lagrangian = Lagrangian(problem)
        self.neighbours = order_of_neighbours(self.network)
        self.gives = [self._gives(name) for name in self.deciding]
        self.weights = [
            self.interior.value() if name == "value" else self.interior.weights(gives)
            for name, gives in zip(self.deciding, self.gives, strict=True)
        ]
        self.before = [self._worth(name, self.given) for name in self.deciding]
        self.seconds = {"relaxation": 0.0, "search": 0.0}

    def solve(self) -> tuple[IntArray, list[Closed]]:
        """The class of every household [H], NONE where it has none, and what is proven of each stage."""
        relaxed: list[Relaxed] = []
        targets = self._relax(relaxed, [], self._until(RELAXING))
        at = self._decide(relaxed, targets)
        house_class = self._classes(self.network, at)
        achieved = [self._worth(name, house_class) for name in self.deciding]
        reached = next((j for j, target in enumerate(targets) if achieved[j] != target), len(targets))
        again = relaxed[: reached + 1]
        self._relax(again, achieved, self._until(RELAXING_AGAIN))
        closed = [
            min((self._closed(stage, each, achieved) for each in both), key=lambda proven: proven.bound)
            for stage, both in enumerate(zip(relaxed, again, strict=True))
        ]
        if self.where_last:
            house_class, value = self._settle(at, house_class)
            closed.append(value)
        for stage in closed:
            self.report(stage.name, stage.achieved, stage.bound)
        return house_class, closed

    def _until(self, share: float) -> float:
        return self.started + share * self.limit

    def _gives(self, name: str) -> IntArray:
        """What each unit [U] gives a stage wherever it lives."""
        households = self.problem.households
        if name == "value":
            return np.zeros(self.network.units, np.int64)
        each = households.points if name == "points" else households.tier == int(name.removeprefix("tier "))
        return self.network.of_units(each.astype(np.int64))

    def _worth(self, name: str, house_class: IntArray) -> int:
        """What an allocation gives a stage, in exact integers."""
        households, housed = self.problem.households, house_class != NONE
        if name == "value":
            return int(gains(self.problem, house_class).sum())
        if name == "points":
            return int(households.points[housed].sum())
        return int((households.tier[housed] == int(name.removeprefix("tier "))).sum())

    def _relax(self, relaxed: list[Relaxed], achieved: Sequence[int], deadline: float) -> list[int]:
        """Relaxes the stages that are still missing from `relaxed`, each under the targets of those before: what they
        achieved, or, as long as that isn't known, what their prices allow. Returns the targets."""
        began, targets = time.monotonic(), list(achieved)
        for stage in range(len(relaxed), len(self.deciding)):
            rows = [(self.weights[j], targets[j] - self.before[j]) for j in range(stage)]
            start = relaxed[-1].near if relaxed else None
            relaxed.append(self.interior.maximise(self.weights[stage], rows, start, deadline))
            closed = self._closed(stage, relaxed[stage], [*targets, 0])
            if len(targets) == stage:
                targets.append(closed.bound)
            self.report(closed.name, 0, closed.bound)
        self.seconds["relaxation"] += time.monotonic() - began
        return targets

    def _closed(self, stage: int, relaxed: Relaxed, achieved: Sequence[int]) -> Closed:
        """A deciding stage with the bound that the prices of its relaxation prove, given what all achieved."""
        weights = [*(self._heaviest(j) for j in range(stage)), self._heaviest(stage)]
        prices = _whole(self.network, relaxed, weights, stage)
        bound = self._bound(self.names[stage], prices, achieved[:stage], None)
        return Closed(self.names[stage], achieved[stage], bound, prices, bound)

    def _heaviest(self, stage: int) -> float:
        return float(np.abs(self.weights[stage][: self.interior.unit_columns]).max(initial=0.0))

    def _bound(self, name: str, prices: Prices, achieved: Sequence[int], housed: BoolArray | None) -> int:
        certificate = pricing.certificate(self.problem, name, self.names[: len(prices.multipliers)], prices)
        earlier = dict(zip(self.names, achieved, strict=False))
        return price_bound(self.problem, certificate, earlier, housed, self.lagrangian)

    def _decide(self, relaxed: Sequence[Relaxed], targets: Sequence[int]) -> IntArray:
        """Who is housed, and where for now: the settlement of every unit [U]."""
        began, last = time.monotonic(), len(self.deciding) - 1
        heaviest, value = self._heaviest(last), self.interior.value()
        slight = SLIGHT * heaviest / max(float(np.abs(value[: self.interior.unit_columns]).max(initial=1.0)), 1.0)
        rows = [(self.weights[j], targets[j] - self.before[j]) for j in range(last)]
        guide = self.interior.maximise(
            self.weights[last] + slight * value, rows, relaxed[last].near, self._until(RELAXING)
        )
        self.seconds["relaxation"] += time.monotonic() - began
        scale = np.append(guide.multipliers, 1.0)
        aim = Aim(sum(m * gives for m, gives in zip(scale, self.gives, strict=True)), slight + self._value_in(scale))
        losses = Losses.of(self.network, aim, guide)
        at, rooms, choices = _first(self.interior, guide, losses)
        wanted = np.bincount(self.interior.unit, guide.column[: self.interior.unit_columns], self.network.units)
        order = packing.by_priority(self.network, [(wanted > 1 - WHOLE).astype(np.int64), *self.gives])
        packing.fill(rooms, choices, order, at)
        packing.squeeze(rooms, choices, order[at[order] == NONE], at, TRIES)
        weight = np.minimum(heaviest * float(BASE) ** np.arange(last + 1)[::-1], HEAVIEST)
        weight /= np.maximum([self._heaviest(stage) for stage in range(last + 1)], 1.0)
        search = Aim(
            sum(w * gives for w, gives in zip(weight, self.gives, strict=True)), 4 * slight + self._value_in(weight)
        )

        def done(reached: list[int]) -> bool:
            return reached >= list(targets)

        return self._search(self.network, at, search, losses, WHO, self._until(DECIDING), self._vector, done)

    def _value_in(self, scale: FloatArray) -> float:
        return float(scale[self.deciding.index("value")]) if "value" in self.deciding else 0.0

    def _vector(self, at: IntArray) -> list[int]:
        """What an allocation gives the deciding stages."""
        if "value" in self.deciding:
            house_class = self._classes(self.network, at)
            return [self._worth(name, house_class) for name in self.deciding]
        placed = at != NONE
        return [b + int(gives[placed].sum()) for b, gives in zip(self.before, self.gives, strict=True)]

    def _search(
        self,
        network: Network,
        at: IntArray,
        aim: Aim,
        losses: Losses,
        thorough: Thorough,
        deadline: float,
        worth: Callable[[IntArray], list[int]],
        done: Callable[[list[int]], bool],
    ) -> IntArray:
        """Exact search in windows of neighbouring settlements, those of a round at once, which share nobody."""
        began, idle, best = time.monotonic(), 0, worth(at)
        with Searchers(self.workers) as searchers:
            for turn in range(ROUNDS):
                if time.monotonic() > deadline or done(best):
                    break
                before = best
                groups = _windows(self.neighbours, turn)
                found = [
                    neighbourhood(network, at, group, guests, aim, losses, thorough.columns, keep=thorough.keep)
                    for group, guests in zip(groups, _guests(network, at, groups), strict=True)
                ]
                searched = [each for each in found if each is not None]
                tasks = [Task(each.model, NODES, thorough.gap, deadline) for each in searched]
                for each, values in zip(searched, searchers.run(tasks), strict=True):
                    moved, to = each.moves(at, values)
                    better = at.copy()
                    better[moved] = to
                    reached = worth(better)
                    if reached > best:
                        at, best = better, reached
                idle = idle + 1 if best == before else 0
                if idle == KINDS:
                    break
        self.seconds["search"] += time.monotonic() - began
        return at

    def _classes(self, network: Network, at: IntArray) -> IntArray:
        """The class of every household [H], fewest spare bedrooms in all."""
        unit = np.flatnonzero(at != NONE)
        options = network.options(unit, at[unit], np.zeros(len(unit), np.int64))
        taken = seat(network.count, network.unreserved, options, np.ones(len(unit), np.bool_))
        if taken is None:
            raise AssertionError("whoever has a place has a house there")
        house_class: IntArray = np.where(self.given == NONE, deal(options, taken), self.given)
        return house_class

    def _settle(self, at: IntArray, house_class: IntArray) -> tuple[IntArray, Closed]:
        """The same households where their value is best, and what the prices prove of that."""
        began = time.monotonic()
        housed = house_class != NONE
        homes = network(self.problem, self.given, housed)
        interior = Interior(homes, self.workers)
        value = interior.value()
        size = np.bincount(homes.unit_of[homes.free], minlength=homes.units)
        bonus: FloatArray = size * np.float64(BONUS * max(float(np.abs(value).max(initial=0.0)), 1.0))
        relaxed = interior.maximise(np.add(value, interior.weights(bonus)), [], None, self._until(SETTLING))
        self.seconds["relaxation"] += time.monotonic() - began
        losses = Losses.of(homes, Aim(bonus, 1.0), relaxed)
        prices = _whole(homes, relaxed, [float(np.abs(value).max(initial=0.0))], len(self.deciding))
        bound = self._bound("value", prices, (), housed)
        self.report("value", self._worth("value", house_class), bound)

        def worth(found: IntArray) -> list[int]:
            return [self._worth("value", self._classes(homes, found))]

        def done(reached: list[int]) -> bool:
            return reached == [bound]

        deadline = self._until(SETTLING)
        at = self._search(homes, at, Aim(np.zeros(homes.units), 1.0), losses, WHERE, deadline, worth, done)
        house_class = self._classes(homes, at)
        return house_class, Closed("value", self._worth("value", house_class), bound, prices, bound)


def _first(interior: Interior, relaxed: Relaxed, losses: Losses) -> tuple[IntArray, packing.Rooms, packing.Choices]:
    """What a relaxation places whole: settlements of units [U], and what is left."""
    network = interior.network
    choices = packing.choices(network, losses.of_direct(), losses.of_ways())
    at = np.full(network.units, NONE, np.int64)
    whole = relaxed.column[interior.placement] > WHOLE
    at[network.unit[whole]] = network.settlement[whole]
    entering = interior.entering[relaxed.column[interior.entry] > WHOLE]
    ways = np.floor(relaxed.column[interior.way] + 1 - WHOLE).astype(np.int64)
    packing.share_out(network, choices, entering, ways, at)
    rooms = packing.rooms(network)
    packing.put(rooms, choices, at)
    return at, rooms, choices


def _windows(neighbours: IntArray, turn: int) -> list[IntArray]:
    """All settlements in windows, by turns of each kind."""
    count = max(-(-len(neighbours) // WINDOW), 1)
    if turn % KINDS == 2:
        scattered = np.roll(neighbours, -(turn // KINDS))
        return [scattered[first::count] for first in range(count)]
    shifted = np.roll(neighbours, -(turn % KINDS * WINDOW // 2 + turn // KINDS * WINDOW // 4))
    return [shifted[first : first + WINDOW] for first in range(0, len(neighbours), WINDOW)]


def _guests(network: Network, at: IntArray, groups: Sequence[IntArray]) -> list[BoolArray]:
    """Who has no place and may come to which of the groups [U]: those who could come to several are dealt in turn."""
    may = np.zeros((len(groups), network.units), np.bool_)
    for touch, group in zip(may, groups, strict=True):
        inside = np.zeros(network.settlements, np.bool_)
        inside[group] = True
        touch[network.hub_of != NONE] = True
        touch[network.unit[inside[network.settlement]]] = True
    may &= at == NONE
    several = may.sum(axis=0)
    dealt = np.arange(network.units) % np.maximum(several, 1)
    return list(may & (np.cumsum(may, axis=0) - 1 == dealt))


def _whole(network: Network, relaxed: Relaxed, heaviest: Sequence[float], earlier: int) -> Prices:
    """Prices as integers. What there is none of costs as much as what serves the same needs there, or, where nothing
    does, more than anyone could pay: no bound pays for that."""
    problem = network.problem
    limited = np.flatnonzero((problem.settlements.capacity != UNLIMITED).any(axis=0))
    weight = float(np.dot(np.append(relaxed.multipliers, 1.0), heaviest))
    dearest = max(float(part.max(initial=0.0)) for part in (relaxed.house_class, relaxed.unreserved, relaxed.service))
    members = int(np.bincount(network.unit_of[network.free]).max(initial=1))
    uses = int(network.uses.max(initial=1))
    prohibitive = 2 * (weight + dearest * (2 * members + uses * max(len(limited), 1)))
    kinds, _ = needs(problem)
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
        integers: IntArray = np.rint(np.maximum(real, 0.0) * denominator).astype(np.int64)
        return integers

    multipliers = (*rounded(relaxed.multipliers).tolist(), *[0] * (earlier - len(relaxed.multipliers)))
    return Prices(denominator, rounded(house_class), rounded(unreserved), rounded(service), multipliers)
