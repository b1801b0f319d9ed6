"""Large problems: prices for every stage, whole placements from them, exact search among neighbours; then the same for
`value` of those who are housed.

Every stage is relaxed under the targets that the prices of the stages before allow. The relaxation of the last of them
is almost whole: what it leaves open is given by priority, then searched among neighbouring settlements, and mended by
the prices of each stage. Where a stage misses its target, those after it are relaxed again under what it achieved.

A stage that later ones may undercut ends what is decided at once: the allocation that achieves it is its witness, and
those after it start from there. From the solution of a problem much like this one, places and prices are taken over,
and nothing is relaxed as long as little more is left between achieved and bound than was left there.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from solver import packing
from solver.ceilings import Ceilings
from solver.interior import Interior, Relaxed
from solver.mending import Mending, lacks
from solver.neighbourhoods import Aim, Losses, order_of_neighbours
from solver.network import Network, network
from solver.objectives import KEEP, Objective, required, segments, who_and_where
from solver.pins import settled
from solver.placing import WHOLE, classes_of, columns_of, filled, settlements_of, usual_of, where, whole_places
from solver.previous import Before, still
from solver.prices import Prices
from solver.problem import NONE, Problem
from solver.progress import Deadline, Telling
from solver.relaxed_prices import priced, whole
from solver.smoothed import relaxations
from solver.stages import Closed, Report
from solver.tables import IntArray
from solver.weights import gives, reached_by, worth
from solver.windows import WHERE, WHERE_IN_A_FLOW, WHO, WHO_IN_A_FLOW, Goal, Thorough, nearly_flow, search

FloatArray = NDArray[np.float64]

SLIGHT = 0.005
"""How little the value counts beside the last stage that decides who is housed."""
BONUS = 10
"""How many times the best value a household's place is worth where all of them are to be housed."""
BASE = 8
"""How much more a household of a stage counts in a search than one of the next: large families use that much more."""
HEAVIEST = 1e9
"""No household counts more in a search, which computes in floats."""
RELAXING, SETTLING = 0.6, 0.99
"""Shares of the time limit after which a phase gives way to the next."""
PLACING, DECIDING, RELAXING_AGAIN, MENDING_AGAIN = 0.42, 0.43, 0.48, 0.57
"""The same for what comes between, of what the relaxations leave: without good prices nothing else is of use, and
without time to search they aren't."""
BRIEFLY = 0.1
"""The share of the time for mending that the last stage which counts households gets first: that is soon mended."""
MOSTLY = 0.7
"""The share of the time for mending again that it gets then, before `points`."""
RESERVE = 2
"""How many times as long as the preparation takes what no clock ends: the last network, bounds, houses and the draw."""
KEPT_BACK = 0.3
"""At most so much of the time limit is kept back for that."""
POINTS_OPEN = 8e-4
"""Where no more than this part of the bound of points is left open, the time is better spent on the value."""
NEAR = 2e-4
"""How much more, relative to the bound, may be left open than in the previous solution for its prices to be enough."""


class Large:
    """One solve of a large problem. Raises Contradiction where its pins contradict each other."""

    def __init__(
        self,
        problem: Problem,
        stages: Sequence[Objective],
        previous: Before,
        threads: int,
        time_limit_seconds: float,
        report: Report,
    ) -> None:
        self.problem, self.stages, self.previous = problem, tuple(stages), previous
        self.names = tuple(stage.name for stage in stages)
        self.started, self.limit = time.monotonic(), time_limit_seconds
        self.relaxed = self.started
        self.workers = min(threads, 2)
        self.given, self.home = settled(problem), previous.home
        self.deciding, _ = who_and_where(self.stages)
        self.network = network(problem, self.given, np.ones(len(problem.households.id), np.bool_), self.home)
        self.interior = Interior(self.network, self.workers)
        self.neighbours = order_of_neighbours(self.network)
        self.gives = [self.network.of_units(gives(problem, stage)) for stage in self.deciding]
        self.progress = Telling(report)
        self.ceilings = Ceilings(problem, self.stages, self.gives, self.interior, previous, self.given, self.progress)
        self.seconds = {"relaxation": 0.0, "search": 0.0}
        self.warm = False
        self.limit -= min(RESERVE * (time.monotonic() - self.started), KEPT_BACK * self.limit)
        self.progress.tell(self.names[0], 0, None)

    def settle(self, house_class: IntArray, decided: Sequence[Closed]) -> tuple[IntArray, list[Closed]]:
        """The class of every household [H], NONE where it has none, and what is proven of each stage, once it is
        decided who is housed: they move to where they are best."""
        closed = list(decided)
        for _ in self.stages[len(closed) :]:
            house_class, proven = self._settle(house_class, closed)
            closed.append(proven)
        for stage in closed:
            self.progress.tell(stage.name, stage.achieved, stage.bound)
        return house_class, closed

    def decide(self) -> tuple[IntArray, list[Closed]]:
        """The class of every household [H] for now, and what is proven of the stages that decide who is housed."""
        at = self._start()
        if at is not None and None not in self.previous.prices[: len(self.deciding)]:
            at, house_class, closed = self._decided_from(at, known=True)
            self.warm = all(map(self._near, range(len(closed)), closed))
        if not self.warm:
            _, house_class, closed = self._decided_from(at, known=False)
        return house_class, closed

    def _start(self) -> IntArray | None:
        """Where units [U] still are as in the previous solution; None where nobody is."""
        at = settlements_of(self.network, still(self.problem, self.given, self.previous.given))
        return at if (at != NONE).any() else None

    def _near(self, stage: int, closed: Closed) -> bool:
        """Whether little more is left between achieved and bound than in the previous solution."""
        gap = self.previous.gaps[stage]
        return gap is not None and closed.bound - closed.achieved <= gap + max(1, NEAR * abs(closed.bound))

    def _decided_from(self, start: IntArray | None, *, known: bool) -> tuple[IntArray, IntArray, list[Closed]]:
        """Units at their settlements [U], classes [H], and the stages. start [U]: from where, if not from scratch;
        known: by the prices of the previous solution, not by relaxations."""
        relaxed: list[Relaxed] = []
        targets: list[int] = []
        witnesses: dict[int, IntArray] = {}
        for end in segments(self.deciding):
            began = time.monotonic()
            targets = self.ceilings.relax(relaxed, targets, end, self._until(RELAXING), known=known)
            self.seconds["relaxation"] += time.monotonic() - began
            at, goal = self._decide(relaxed, targets, start, known=known)
            start = at
            house_class = self._classes(self.network, at)
            witnesses[end - 1] = house_class
            reached = targets  # what a witness achieved, not what is left of it: nothing is lost twice
            targets, _ = reached_by(self.problem, self.deciding[:end], witnesses, house_class, self.home)
        achieved, witnesses = reached_by(self.problem, self.deciding, witnesses, house_class, self.home)
        again = relaxed
        points = [j for j, stage in enumerate(self.deciding) if stage.weight("points")]
        counts = [j for j in range(len(self.deciding)) if j not in points]
        if not known:
            if not witnesses:
                at = self._mended(counts[-1:], relaxed, at, goal, self._after_relaxing(DECIDING).share(BRIEFLY))
                at = self._mended(counts[:-1], relaxed, at, goal, self._after_relaxing(DECIDING))
                achieved = self._vector(at)
            again = self._relaxed_again(relaxed, reached, achieved)
            if not witnesses:
                until = self._after_relaxing(MENDING_AGAIN)
                at = self._mended(counts[-1:], again, at, goal, until.share(MOSTLY))
                at = self._mended(points, again, at, goal, until)
                house_class, achieved = self._classes(self.network, at), self._vector(at)
        closed = [self.ceilings.closed(stage, each, achieved, known=known) for stage, each in enumerate(again)]
        for stage, each in enumerate(relaxed):
            if each is not again[stage]:
                both = closed[stage], self.ceilings.closed(stage, each, achieved, known=known)
                closed[stage] = min(both, key=lambda proven: proven.bound)
        closed = [replace(each, witness=witnesses.get(stage)) for stage, each in enumerate(closed)]
        return at, house_class, closed

    def _relaxed_again(
        self, relaxed: Sequence[Relaxed], targets: Sequence[int], achieved: Sequence[int]
    ) -> list[Relaxed]:
        began = time.monotonic()
        again = self.ceilings.relax_again(relaxed, targets, achieved, self._after_relaxing(RELAXING_AGAIN))
        self.seconds["relaxation"] += time.monotonic() - began
        return again

    def _until(self, share: float) -> Deadline:
        return Deadline(self.started + share * self.limit, self.progress.again)

    def _after_relaxing(self, share: float) -> Deadline:
        return Deadline(self.relaxed + share * (self.started + self.limit - self.relaxed), self.progress.again)

    def _worth(self, stage: Objective, house_class: IntArray) -> int:
        """What an allocation gives a stage, in exact integers."""
        return worth(self.problem, stage, house_class, self.home)

    def _decide(
        self, relaxed: Sequence[Relaxed], targets: Sequence[int], start: IntArray | None, *, known: bool
    ) -> tuple[IntArray, Goal]:
        """Who is housed, and where for now: the settlement of every unit [U]; and what was looked for."""
        began, last = time.monotonic(), len(targets) - 1
        heaviest, value = self.ceilings.heaviest(last), self.interior.value()
        slight = SLIGHT * heaviest / max(float(np.abs(value[: self.interior.unit_columns]).max(initial=1.0)), 1.0)
        guide = relaxed[last]
        if not known:
            guide = self.ceilings.relaxations.maximise(
                self.ceilings.weights[last] + slight * value,
                self.ceilings.rows(targets[:last]),
                guide.near,
                self._until(RELAXING),
            )
        self.relaxed = time.monotonic()
        self.seconds["relaxation"] += self.relaxed - began
        scale = np.append(guide.multipliers, 1.0)
        losses = Losses.of(self.network, self._aim(scale, slight), guide)
        choices = packing.choices(self.network, losses.of_direct(), losses.of_ways())
        wanted = np.bincount(self.interior.unit, guide.column[: self.interior.unit_columns], self.network.units)
        first = [(wanted > 1 - WHOLE).astype(np.int64), *self.gives[: last + 1]]
        order = packing.by_priority(self.network, first)

        most = [target - stage.may_lose for stage, target in zip(self.deciding, targets, strict=False)]
        most[last] = max(most[last], int(np.iinfo(np.int64).max))

        def capped(reached: list[int]) -> list[int]:
            """More than has to be kept of a stage counts nothing, where that is less than was achieved."""
            each = zip(reached, most, self.deciding, strict=False)
            return [min(given, limit) if stage.may_lose else given for given, limit, stage in each]

        def rank(at: IntArray) -> list[int]:
            return capped(self._vector(at)[: last + 1])

        starts = [] if start is None else [start.copy()]
        if not known:
            starts.append(whole_places(self.interior, guide, choices))
        until = self._after_relaxing(PLACING)
        at = max((filled(self.network, choices, order, each, until) for each in starts), key=rank)
        weight = np.minimum(heaviest * float(BASE) ** np.arange(last + 1)[::-1], HEAVIEST)
        weight /= np.maximum([self.ceilings.heaviest(stage) for stage in range(last + 1)], 1.0)
        loose = [stage for stage in range(last) if self.deciding[stage].may_lose]
        weight[loose] = scale[loose] * weight[last]
        enough = capped(list(targets))

        def floors(at: IntArray) -> list[tuple[Aim, int]]:
            vector = self._vector(at) if loose else []
            kept = required(self.deciding, targets)
            alone = np.eye(len(self.deciding))
            return [(self._aim(alone[stage], 0.0), vector[stage] - kept[stage]) for stage in loose]

        def better(reached: list[int]) -> None:
            for name, given, target in zip(self.names, reached, targets, strict=False):
                self.progress.tell(name, given, max(given, target))

        usual = weight[last] * usual_of(self.ceilings.weights[last])
        classes, aim = partial(self._classes, self.network), self._aim(weight, 4 * slight)
        goal = Goal(aim, losses, rank, lambda reached: reached >= enough, classes, floors, usual, better)
        thorough = WHO_IN_A_FLOW if nearly_flow(self.network, guide) else WHO
        thorough = thorough.briefly() if known else thorough
        return self._search(self.network, at, goal, thorough, self._after_relaxing(DECIDING)), goal

    def _mended(
        self, stages: Sequence[int], relaxed: Sequence[Relaxed], at: IntArray, goal: Goal, deadline: Deadline
    ) -> IntArray:
        """The settlement of every unit [U] after a search by the prices of each of the stages that lacks something, in
        equal shares of the time."""
        began = time.monotonic()
        achieved = self._vector(at)
        enough = [POINTS_OPEN if stage.weight("points") else 0.0 for stage in self.deciding]
        closed = [partial(self.ceilings.closed, stage, each, known=False) for stage, each in enumerate(relaxed)]
        lacking = [stage for stage in stages if lacks(closed[stage](achieved), enough[stage])]
        for turn, stage in enumerate(lacking):
            each = relaxed[stage]
            losses = Losses.of(self.network, self._aim(np.append(each.multipliers, 1.0), 0.0), each)
            usual = usual_of(self.ceilings.weights[stage])
            mending = Mending(self.network, self.neighbours, each, losses, usual, closed[stage], enough[stage])
            at = mending.search(at, goal, deadline.share(1 / (len(lacking) - turn)), self.workers)
        self.seconds["search"] += time.monotonic() - began
        return at

    def _aim(self, scale: FloatArray, slight: float) -> Aim:
        """The first stages by a weight for each, and the value slightly."""
        of_unit = sum(m * gives for m, gives in zip(scale, self.gives, strict=False))
        keep = sum(m * stage.weight(KEEP) for m, stage in zip(scale, self.deciding, strict=False))
        return Aim(of_unit, slight + self.ceilings.value_in(scale), float(keep))

    def _vector(self, at: IntArray) -> list[int]:
        """What an allocation gives the deciding stages."""
        if any(stage.where for stage in self.deciding):
            house_class = self._classes(self.network, at)
            return [self._worth(stage, house_class) for stage in self.deciding]
        return [b + int(gives[at != NONE].sum()) for b, gives in zip(self.ceilings.before, self.gives, strict=True)]

    def _search(self, network: Network, at: IntArray, goal: Goal, thorough: Thorough, deadline: Deadline) -> IntArray:
        began = time.monotonic()
        found = search(network, self.neighbours, at, goal, thorough, deadline, self.workers)
        self.seconds["search"] += time.monotonic() - began
        return found

    def _classes(self, network: Network, at: IntArray) -> IntArray:
        return classes_of(network, at, self.given, self.home, self.stages)

    def _settle(self, house_class: IntArray, closed: Sequence[Closed]) -> tuple[IntArray, Closed]:
        """The same households where they are best for the next stage that settles where, and what is proven of it."""
        index, housed = len(closed), house_class != NONE
        stage, earlier = self.stages[index], self.stages[len(self.deciding) : index]
        homes = network(self.problem, self.given, housed, self.home)
        interior, nothing = Interior(homes, self.workers), np.zeros(homes.units, np.int64)
        columns, *before = (columns_of(interior, each, nothing) for each in (stage, *earlier))
        heaviest = float(np.abs(columns).max(initial=0.0))
        size = np.bincount(homes.unit_of[homes.free], minlength=homes.units)
        bonus: FloatArray = size * np.float64(BONUS * max(heaviest, 1.0))
        kept = required(self.stages, [each.achieved for each in closed])

        def by(relaxed: Relaxed, prices: Prices, thorough: Thorough) -> tuple[IntArray, Closed]:
            weight = np.append(relaxed.multipliers[len(relaxed.multipliers) - len(earlier) :], 1.0)
            losses = Losses.of(homes, where(bonus, weight, (*earlier, stage)), relaxed)
            either = (prices, Prices.zero(self.problem, len(prices.multipliers)))
            bounds = [self.ceilings.bound(stage.name, each, kept, housed) for each in either]
            bound = min(bounds)
            self.progress.tell(stage.name, self._worth(stage, house_class), bound)
            for j, each in enumerate(earlier):
                if not each.may_lose:
                    weight[j] = BASE * heaviest / max(float(np.abs(before[j]).max(initial=0.0)), 1.0)
            aim = where(np.zeros(homes.units), weight, (*earlier, stage))
            if not aim.value:
                likes = float(np.abs(homes.wish).max(initial=0.0)) + float(np.abs(homes.way_wish).max(initial=0.0))
                aim = Aim(aim.of_unit, 1.0, BASE * (likes + 1) * aim.keep)
            most = [least for least, each in zip(kept[len(self.deciding) :], earlier, strict=True)]

            def rank(at: IntArray) -> list[int]:
                classes = self._classes(homes, at)
                enough = [min(self._worth(each, classes), least) for each, least in zip(earlier, most, strict=True)]
                return [*enough, self._worth(stage, classes)]

            def done(reached: list[int]) -> bool:
                return reached == [*most, bound]

            def floors(at: IntArray) -> list[tuple[Aim, int]]:
                loose = [(each, least) for each, least in zip(earlier, most, strict=True) if each.may_lose]
                classes = self._classes(homes, at) if loose else house_class
                return [
                    (where(nothing.astype(np.float64), np.ones(1), (each,)), self._worth(each, classes) - least)
                    for each, least in loose
                ]

            def better(reached: list[int]) -> None:
                self.progress.tell(stage.name, reached[-1], bound)

            goal = Goal(aim, losses, rank, done, partial(self._classes, homes), floors, usual_of(columns), better)
            at = self._search(homes, settlements_of(homes, house_class), goal, thorough, self._until(SETTLING))
            classes = self._classes(homes, at)
            achieved = self._worth(stage, classes)
            witness = classes if stage.may_lose else None
            return classes, Closed(stage.name, achieved, bound, either[bounds.index(bound)], bound, witness, "housed")

        known = self.previous.prices[index] if self.warm else None
        if known is not None:  # who is housed is settled, whatever multipliers said of it
            known = replace(known, multipliers=(*(0 for _ in self.deciding), *known.multipliers[len(self.deciding) :]))
            value = sum(each.weight("value") * m for each, m in zip(self.stages, (*known.multipliers, 1), strict=False))
            house_class, proven = by(priced(homes, known, value), known, WHERE.briefly())
            if self._near(index, proven):
                return house_class, proven
        began = time.monotonic()
        least = [kept[j] - self._worth(self.stages[j], self.given) for j in range(len(self.deciding), index)]
        rows = list(zip(before, least, strict=True))
        relaxed = relaxations(interior).maximise(
            np.add(columns, interior.weights(bonus)), rows, None, self._until(SETTLING)
        )
        self.seconds["relaxation"] += time.monotonic() - began
        all_heaviest = [*(float(np.abs(each).max(initial=0.0)) for each in before), heaviest]
        prices = whole(homes, relaxed, all_heaviest, len(before))
        prices = replace(prices, multipliers=(*(0 for _ in self.deciding), *prices.multipliers))
        return by(relaxed, prices, WHERE_IN_A_FLOW if nearly_flow(homes, relaxed) else WHERE)
