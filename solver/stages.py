"""The stages in strict lexicographic order, each with the prices that bound it and the proof that closes it.

Every stage is first relaxed; the integer part of what its prices prove becomes its target, and the next stage is
relaxed under that target at once. What the prices of all these stages leave open is little, and one exact search
there usually attains all targets together. Where it cannot, the last of them is lowered part by part: kin groups are
branched on, and the best is looked for somewhat below what the prices of a part leave open. Where that fails too, the
first stage whose target is out of reach is found, closed in the same way, and the stages after it are taken up again.

A stage that later ones may undercut ends what is looked for together: those after it are relaxed once it is proven.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from solver import prices as pricing
from solver.branching import Node, OutOfTime, Tree
from solver.exact import Program, Verdict
from solver.greedy import greedy
from solver.objectives import Objective, required
from solver.options import Options
from solver.prices import EVERYTHING, NEVER, Bound, Prices
from solver.problem import Problem
from solver.relaxation import Impossible, Relaxation, Relaxations
from solver.seating import deal
from solver.tables import BoolArray, IntArray
from solver.weights import weights_of

TRIES = 5
"""After so many searches an earlier target is suspected."""
NEAR = (0, 0, 3)
"""How far below what is open a target is looked for at first."""
STRIDE = 2e-4
"""How much further below what prices prove than in the previous solution the best is looked for, relative to it."""
WIDE = 2
"""After so many strides, any better allocation is welcome."""
MANY = 12
"""The same for value."""
GAIN = 14
"""A stage with value is branched where that lowers its ceiling by 2 to the power of minus this, relative to it."""

Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Closed:
    """What became of one stage: see `solver.solution.Stage`; `prices` are the certificate; witness: the classes [H] of
    the allocation that achieves it, where later stages may undercut it."""

    name: str
    achieved: int
    bound: int
    prices: Prices
    price_bound: int
    witness: IntArray | None = None
    scope: Literal["any", "housed"] = "any"


@dataclass
class Ladder:
    """One solve: the best allocation so far and what is proven of each stage. known: prices of each stage that may be
    near, and lost, by how much less was achieved than they prove, from a solution of a problem much like this. nodes:
    of the tree of the last search."""

    problem: Problem
    options: Options
    stages: Sequence[Objective]
    program: Program
    incumbent: IntArray
    deadline: float
    report: Report
    known: Sequence[Prices | None]
    lost: Sequence[int | None]
    names: list[str] = field(init=False)
    weights: list[IntArray] = field(init=False)
    relaxations: Relaxations = field(init=False)
    targets: list[int] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    prices: list[Prices] = field(default_factory=list)
    proven: int = 0
    witnesses: dict[int, IntArray] = field(default_factory=dict)
    relaxed: dict[tuple[int, ...], tuple[Prices, Bound]] = field(default_factory=dict)
    ceilings: dict[tuple[int, ...], int] = field(default_factory=dict)
    nodes: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"relaxation": 0.0, "search": 0.0})

    def __post_init__(self) -> None:
        self.names = [stage.name for stage in self.stages]
        self.weights = [weights_of(self.problem, self.options, stage) for stage in self.stages]
        self.relaxations = Relaxations(self.program)

    def climb(self) -> bool:
        """Whether every stage is closed; else as many are as the time allows."""
        try:
            while self.proven < len(self.names):
                self._relax_ahead()
                if self.proven < len(self.targets):
                    self._attain()
        except OutOfTime:
            return False
        return True

    def consider(self, taken: IntArray) -> None:
        """Takes an allocation that breaks no rule where it is better."""
        if self._keeps(taken, ()):
            self._improve(taken)
            self._advance()

    def achieved(self, taken: IntArray) -> list[int]:
        """What an allocation (how often each column is taken) gives every stage, in exact integers."""
        return [int(weights @ taken) for weights in self.weights]

    def _rank(self, taken: IntArray) -> list[int]:
        """What tells the better of two allocations: more than has to be kept of a stage counts nothing."""
        achieved = self.achieved(taken)
        for stage in self.witnesses:
            achieved[stage] = min(achieved[stage], self.targets[stage] - self.stages[stage].may_lose)
        return achieved

    def _rows(self, stages: int | None = None) -> list[tuple[IntArray, int]]:
        """What is kept of the first stages that have a target."""
        return list(zip(self.weights, required(self.stages, self.targets[:stages]), strict=False))

    @property
    def _ahead(self) -> int:
        """How many stages are looked for together: all, or until one that later ones may undercut is proven."""
        relaxed = (stage for stage in range(self.proven, len(self.stages)) if self.stages[stage].may_lose)
        return next(relaxed, len(self.stages) - 1) + 1

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return left

    def _relax_ahead(self) -> None:
        """Sets a target for every stage ahead."""
        self._advance()
        while len(self.targets) < self._ahead:
            stage = len(self.targets)
            known = tuple(self.targets)
            if known not in self.relaxed:
                self.relaxed[known] = self._relax(stage)
            prices, bound = self.relaxed[known]
            self.prices.append(prices)
            self.bounds.append(bound)
            self.targets.append(min(bound.floor, self.ceilings.get(known, bound.floor)))
            self.report(self.names[stage], self.achieved(self.incumbent)[stage], self.targets[-1])
            self._advance()

    def _relax(self, stage: int) -> tuple[Prices, Bound]:
        problem, options, earlier = self.problem, self.options, required(self.stages, self.targets)
        weights = self.weights[: stage + 1]
        prices = Prices.zero(problem, stage)
        bound = pricing.bound(problem, options, prices, weights, earlier)
        known = self.known[stage]
        if known is not None and pricing.safe(problem, options, known, weights):
            other = pricing.bound(problem, options, known, weights, earlier)
            if other.floor < bound.floor:
                prices, bound = known, other
        if bound.floor == self.achieved(self.incumbent)[stage] and self.proven == stage:
            return prices, bound
        started = time.monotonic()
        rows = self._rows()
        try:
            relaxation = self.relaxations.relax(self.weights[stage], rows, self._left())
        except Impossible as rounding:  # an incumbent shows that it is not
            raise OutOfTime from rounding
        self.seconds["relaxation"] += time.monotonic() - started
        if relaxation is None:
            raise OutOfTime
        better = self._rounded(relaxation, weights)
        better_bound = pricing.bound(problem, options, better, weights, earlier)
        if better_bound.floor <= bound.floor:
            prices, bound = better, better_bound
        self._consider(relaxation)
        return prices, bound

    def _rounded(self, relaxation: Relaxation, weights: Sequence[IntArray]) -> Prices:
        return pricing.rounded(
            self.problem,
            self.options,
            relaxation.house_class,
            relaxation.unreserved,
            relaxation.service,
            relaxation.multipliers,
            weights,
        )

    def _consider(self, relaxation: Relaxation) -> None:
        """Keeps what a relaxation places whole, gives the rest by priority, and takes it where it is better."""
        taken = self.program.whole(relaxation.columns)
        if taken is not None:
            filled = greedy(self.problem, self.options, taken)
            if self._keeps(filled, ()):
                self._improve(filled)

    def _improve(self, taken: IntArray) -> None:
        """Strictly better in the order of the stages, or left alone."""
        if self._rank(taken) > self._rank(self.incumbent):
            self.incumbent = taken

    def _advance(self) -> None:
        """Counts the stages, from the first, whose target the incumbent attains."""
        achieved = self.achieved(self.incumbent)
        while self.proven < len(self.targets) and achieved[self.proven] == self.targets[self.proven]:
            self.report(self.names[self.proven], achieved[self.proven], self.targets[self.proven])
            if self.stages[self.proven].may_lose:
                self.witnesses[self.proven] = self.incumbent
            self.proven += 1

    def _attain(self) -> None:
        """Looks for an allocation with all targets; without one, closes the first stage that misses its own."""
        last = len(self.targets) - 1
        for look in (self._near, self._below):
            if last > self.proven:
                if look(last):
                    return
                self._back_to(last)
                last -= 1
        while last > self.proven:
            middle = (self.proven + last) // 2
            if not self._search(middle, self.targets[middle]):
                self._back_to(middle + 1)
                last = middle
        self._below(last)

    def _as_before(self, last: int) -> bool:
        """Looks for the best of a stage as far below what prices prove as it was in the previous solution."""
        lost, most = self.lost[last], self.bounds[last].floor
        if lost is None or not self.stages[last].where or self.targets[last] < most - lost:
            return False
        least = most - lost - math.ceil(STRIDE * abs(most))
        if self.proven == last:
            least = max(least, self.achieved(self.incumbent)[last] + 1)
        return self._search(last, least, cut=True)

    def _near(self, last: int) -> bool:
        """Lowers the target of a stage little by little, in the hope that an allocation attains it."""
        return any(self._search(last, self.targets[last] - depth) for depth in NEAR)

    def _below(self, last: int) -> bool:
        """Lowers the target of a stage until an allocation attains it: at first little by little, then part by part.
        Gives up after a few searches while stages before it are open."""
        near = self._near(last) if self.stages[last].where else False
        return near or self._as_before(last) or self._branch(last)

    def _branch(self, last: int) -> bool:
        """Closes a stage by parts of it, those that promise most first, each searched in growing strides below its
        ceiling. Gives up after a few searches while stages before it are open."""
        tree = Tree(self.program, self.relaxations, self.weights[: last + 1], self._kept(last))
        value = self.stages[last].weight("value") > 0
        searches, found = 0, tree.open(EVERYTHING, self.targets[last], self._left())
        while found and self.proven <= last:
            known = self.achieved(self.incumbent)[last] if self.proven == last else None
            if known is None and (searches == TRIES or not tree.nodes):
                return False
            self._bound(last, tree.ceiling if known is None else max(tree.ceiling, known))
            self._advance()
            if self.proven > last:
                return True
            node = tree.pop()
            if tree.branch(node, known, 1 + (abs(self.targets[last]) >> GAIN if value else 0), self._left()):
                continue
            if value:  # another part may have better ones
                least = max(node.ceiling - node.stride, tree.ceiling - node.usual)
            else:
                least = node.ceiling - (NEAR[-1] << 2 * (node.searched if known is not None else searches))
            tired = node.strides > MANY if value else node.searched > WIDE
            final = known is not None and (least <= known or tired)
            if known is not None and final:
                least = known + 1
            searches += 1
            if not self._search(last, least, cut=value or final, part=node, beside=tree.ceiling) and not final:
                tree.push(node.after(least - 1, self.nodes))
        if self.proven != last:
            return self.proven > last
        known = self.achieved(self.incumbent)[last]
        if not self._search(last, known + 1, cut=True):  # rounding left the simplex nothing, where there is something
            self._bound(last, known)
            self._advance()
        return True

    def _kept(self, last: int) -> list[int]:
        """What the stages before `last` have to keep."""
        return required(self.stages, self.targets[:last])

    def _bound(self, last: int, ceiling: int) -> None:
        """Nothing exceeds the ceiling in a stage while the stages before keep their targets. That of a stage that is
        proven stays: what else is known of its parts is less."""
        if self.proven > last:
            return
        ceiling = min(ceiling, self.targets[last])
        self.targets[last] = self.ceilings[tuple(self.targets[:last])] = ceiling
        self.report(self.names[last], self.achieved(self.incumbent)[last], ceiling)

    def _back_to(self, stages: int) -> None:
        del self.targets[stages:], self.bounds[stages:], self.prices[stages:]

    def _open(self, last: int, least: int, part: Node | None) -> tuple[BoolArray, BoolArray]:
        """The columns that may be used, and the units that must be housed, by the prices of every stage."""
        columns = np.ones(self.options.columns, np.bool_)
        must = self.options.must.copy()
        priced = list(zip([*self._kept(last), least], self.bounds, strict=False))
        if part is not None:
            columns[: self.options.placements] = ~part.only.closed(self.options)
            must = part.only.must(self.options)
            priced.append((least, part.bound))
        for target, bound in priced:
            open_columns, may_stay_out = bound.open(target)
            columns &= open_columns
            must |= ~may_stay_out
        return columns, must

    def _search(
        self, last: int, least: int, *, cut: bool = False, part: Node | None = None, beside: int = NEVER
    ) -> bool:
        """Whether the stages before `last` keep their targets with at least `least` there; the best such is then
        the incumbent. cut: by cutting off what is less, not by a row, which helps to refute and hinders finding. part:
        looks there alone; outside of it nothing exceeds `beside`."""
        columns, must = self._open(last, least, part)
        rows, weights = self._rows(last), self.weights[last]
        confined = rows if cut else [*rows, (weights, least)]
        started = time.monotonic()
        found = self.program.search(weights, confined, columns, must, self._left(), cutoff=least if cut else None)
        unsound = found.verdict is Verdict.OPTIMAL and not self._keeps(found.taken, rows)
        if unsound or found.verdict is Verdict.FAILED:
            arguments = (weights, [*rows, (weights, least)], columns, must, self._left())
            found = self.program.search(*arguments, exact=True)
        self.seconds["search"] += time.monotonic() - started
        self.nodes = found.nodes
        taken = found.taken
        if taken is not None and self._keeps(taken, rows):
            self._improve(taken)
        if found.verdict in (Verdict.TIMED_OUT, Verdict.FAILED):
            if found.bound is not None:
                self._bound(last, max(found.bound, least - 1, beside))
            raise OutOfTime
        if found.verdict is Verdict.IMPOSSIBLE or taken is None or int(weights @ taken) < least:
            self._bound(last, max(least - 1, beside))
            return False
        self._advance()
        if self.proven == last:
            self._bound(last, max(self.achieved(self.incumbent)[last], beside))
            self._advance()
        return True

    def _keeps(self, taken: IntArray | None, rows: Sequence[tuple[IntArray, int]]) -> bool:
        """In exact integers: every rule of the model, and the rows of the stages."""
        if taken is None or not self.program.keeps(taken):
            return False
        return all(int(weights @ taken) >= least for weights, least in rows)

    def results(self) -> list[Closed]:
        """What is achieved and proven of every stage."""
        final = self.achieved(self.incumbent)
        achieved = [self.targets[stage] if stage in self.witnesses else final[stage] for stage in range(len(final))]
        kept = required(self.stages, achieved)
        results = []
        for stage, counted in enumerate(self.stages):
            prices = self.prices[stage] if stage < len(self.prices) else Prices.zero(self.problem, stage)
            rows = self.weights[: stage + 1]
            price_bound = pricing.bound(self.problem, self.options, prices, rows, kept[:stage]).floor
            ceiling = achieved[stage] if stage < self.proven else self.ceilings.get(tuple(achieved[:stage]))
            bound = price_bound if ceiling is None else min(ceiling, price_bound)
            witness = deal(self.options, self.witnesses.get(stage, self.incumbent)) if counted.may_lose else None
            results.append(Closed(counted.name, achieved[stage], bound, prices, price_bound, witness))
        return results
