"""What prices prove of the stages that decide who is housed in a large problem: by relaxations, or as they are known
from the previous solution."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from solver import prices as pricing
from solver.interior import Interior, Iterate, Relaxed
from solver.lagrangian import Lagrangian
from solver.objectives import Objective, required
from solver.placing import columns_of
from solver.previous import Before
from solver.prices import Prices
from solver.problem import Problem
from solver.progress import Deadline, Telling
from solver.proof import price_bound
from solver.relaxed_prices import priced, whole
from solver.smoothed import relaxations
from solver.stages import Closed
from solver.tables import BoolArray, IntArray
from solver.weights import worth

FloatArray = NDArray[np.float64]

LOOSE = 0.001
"""Where more than this part of a bound is left open, stages after one that misses its target are relaxed again."""


class Ceilings:
    """The relaxations of the first stages, and the bounds of all. gives: what units [U] give each of the first stages;
    given [H]: the classes of the pinned."""

    def __init__(
        self,
        problem: Problem,
        stages: Sequence[Objective],
        gives: Sequence[IntArray],
        interior: Interior,
        previous: Before,
        given: IntArray,
        progress: Telling,
    ) -> None:
        self.problem, self.stages, self.deciding = problem, stages, stages[: len(gives)]
        self.names = [stage.name for stage in stages]
        self.interior, self.previous, self.progress = interior, previous, progress
        self.relaxations, self.lagrangian = relaxations(interior), Lagrangian(problem, previous.home)
        self.weights = [columns_of(interior, stage, each) for stage, each in zip(self.deciding, gives, strict=True)]
        self.before = [worth(problem, stage, given, previous.home) for stage in self.deciding]
        nothing = [Prices.zero(problem, 0) for _ in self.deciding]
        self.trivial = [self.bound(name, prices, (), None) for name, prices in zip(self.names, nothing, strict=False)]

    def relax(
        self,
        relaxed: list[Relaxed],
        achieved: Sequence[int],
        end: int,
        deadline: Deadline,
        *,
        known: bool,
        near: Sequence[Iterate] = (),
    ) -> list[int]:
        """Relaxes the stages up to `end` that are still missing from `relaxed`, each under what those before have to
        keep of what they achieved, or, as long as that isn't known, of what their prices allow. Returns the targets.
        known: by the prices of the previous solution. near: iterates of the same stages under other targets, to start
        from, if not from the stage before."""
        targets = list(achieved)
        for stage in range(len(relaxed), end):
            before = relaxed[-1].near if relaxed else None
            start = near[stage] if stage < len(near) else before
            rows = self.rows(targets[:stage])
            # Later ones take longer; and the first time, the guide is still to come.
            until = deadline.share(2 / (end - stage + (1 if near else 2)))
            maximise = self.relaxations.maximise
            relaxed.append(self._priced(stage) if known else maximise(self.weights[stage], rows, start, until))
            closed = self.closed(stage, relaxed[stage], [*targets, 0], known=known)
            if len(targets) == stage:
                targets.append(closed.bound)
            # Prices of a relaxation that was cut off may say that the stages before cannot be kept, which they can.
            self.progress.tell(closed.name, 0, closed.bound if closed.bound >= 0 else None)
        return targets

    def relax_again(
        self, relaxed: Sequence[Relaxed], targets: Sequence[int], achieved: Sequence[int], deadline: Deadline
    ) -> list[Relaxed]:
        """The stages after the first that misses its target relaxed under what was achieved, where what is open is
        loose; else the same."""
        short = next((j for j, target in enumerate(targets) if achieved[j] != target), len(targets))
        closed = [self.closed(stage, each, achieved, known=False) for stage, each in enumerate(relaxed)]
        if not any(each.bound - each.achieved > LOOSE * abs(each.bound) for each in closed[short + 1 :]):
            return list(relaxed)
        again, near = list(relaxed[: short + 1]), [each.near for each in relaxed]
        self.relax(again, achieved, len(relaxed), deadline, known=False, near=near)
        return again

    def rows(self, achieved: Sequence[int]) -> list[tuple[FloatArray, int]]:
        """What has to be kept of the first stages."""
        return [(self.weights[j], least - self.before[j]) for j, least in enumerate(required(self.deciding, achieved))]

    def closed(self, stage: int, relaxed: Relaxed, achieved: Sequence[int], *, known: bool) -> Closed:
        """A deciding stage with the bound that the prices of its relaxation prove, given what all achieved."""
        weights = [self.heaviest(j) for j in range(stage + 1)]
        prices = self.previous.prices[stage] if known else None
        prices = prices or whole(self.interior.network, relaxed, weights, stage)
        bound = self.bound(self.names[stage], prices, required(self.deciding, achieved[:stage]), None)
        if bound > self.trivial[stage]:  # the clock cut the relaxation off
            prices, bound = Prices.zero(self.problem, stage), self.trivial[stage]
        return Closed(self.names[stage], achieved[stage], bound, prices, bound)

    def bound(self, name: str, prices: Prices, kept: Sequence[int], housed: BoolArray | None) -> int:
        """What prices prove of any stage, while those before keep so much. housed [H]: who is, once that is settled."""
        certificate = pricing.certificate(self.problem, name, self.names[: len(prices.multipliers)], prices)
        earlier = dict(zip(self.names, kept, strict=False))
        terms = {stage.name: stage.terms for stage in self.stages}
        return price_bound(self.problem, certificate, earlier, housed, self.lagrangian, terms)

    def heaviest(self, stage: int) -> float:
        """The most that a unit gives a deciding stage; 1 where none gives it anything."""
        return float(np.abs(self.weights[stage][: self.interior.unit_columns]).max(initial=0.0)) or 1.0

    def value_in(self, scale: FloatArray) -> float:
        """How much the value counts in the first stages by a weight for each."""
        return float(sum(m * stage.weight("value") for m, stage in zip(scale, self.deciding, strict=False)))

    def _priced(self, stage: int) -> Relaxed:
        """The prices of the previous solution, as if a relaxation had found them."""
        prices = self.previous.prices[stage]
        if prices is None:
            raise AssertionError("no prices are known")
        value = self.value_in(np.append(prices.multipliers, prices.denominator))
        return priced(self.interior.network, prices, value)
