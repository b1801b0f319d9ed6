"""Σ over units of the best they can do at given prices, in exact integers: the sum in D of the model's "The proof".

What a household loses by a house and by the places that it uses depends on its need, its uses and the settlement
alone: so that is found once for each kind of household, and shared. It is a part of the checker, and knows no solver.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.problem import NONE, Problem
from solver.tables import MOST_BEDROOMS, BoolArray, IntArray, SparseRows, alike

Exact = NDArray[Any]
"""64-bit integers, or Python's own where those could overflow."""

CHUNK = 2**21
"""Households times settlements that are looked at together."""
SAFE = 2**62


@dataclass(frozen=True, eq=False)
class Weights:
    """What the Lagrangian gives, as integers over the denominator: per unit of value, per point, per tier, and to a
    household that keeps its class."""

    value: int
    points: int
    tier: dict[int, int]
    keep: int = 0


@dataclass(frozen=True, eq=False)
class Prices:
    """house_class [C], unreserved [C], service [S, K]: integers over the denominator, none negative."""

    house_class: Exact
    unreserved: Exact
    service: Exact


class Lagrangian:
    """The households of a problem and where each may live, prices apart, for the stages to share.

    order [H]: first those who are no kin and live only where they list (`fixed` of them), then those who are no kin
    and live anywhere, then kin groups from `kin` on, one after the other. In this order: kind [H], a number for need
    and uses; hub [H], a number for kind and profile, or the last where the household lists all that it accepts;
    listed: settlement → value, without what is forbidden; forbidden. group [G + 1]: where each kin group begins.
    home [H], not in this order: the class that a household may keep, NONE where it has none.
    """

    def __init__(self, problem: Problem, home: IntArray | None = None) -> None:
        self.problem, households = problem, problem.households
        self.home = np.full(len(households.id), NONE) if home is None else home
        self.order = np.lexsort((households.has_anywhere, households.kin_group))
        alone = households.kin_group == NONE
        self.fixed, self.kin = int((alone & ~households.has_anywhere).sum()), int(alone.sum())
        change = np.diff(households.kin_group[self.order], prepend=NONE, append=len(households.kin_groups))
        self.group = np.flatnonzero(change)
        need = alike(households.bedrooms_min, households.bedrooms_max, households.needs_step_free, households.pinned)
        self.needs, self.need_of = _first(need)
        self.kinds, kind = _first(alike(need, households.uses))
        hub = kind * (len(problem.profiles.id) + 1) + households.profile + 1
        self.hubs, hub = _first(np.where(households.has_anywhere, hub, np.iinfo(np.int64).max))
        self.kind_of, self.kind, self.hub = kind, kind[self.order], hub[self.order]
        listed = _without(households.options, households.forbidden, len(problem.settlements.id))
        self.listed, self.forbidden = listed.take(self.order), households.forbidden.take(self.order)

    def best(self, weights: Weights, prices: Prices, housed: BoolArray | None) -> int:
        """housed [H]: the units that count, none of which may stay out; None: all, and only pinned ones may not."""
        households = self.problem.households
        counts = (np.ones(len(households.id), np.bool_) if housed is None else housed)[self.order]
        forced = (households.pinned != NONE if housed is None else housed)[self.order]
        stage = _Stage(self, weights, prices)
        score = np.concatenate([stage.best_listed(), *stage.best_anywhere(), *stage.best_of_groups()])
        unit = np.append(np.arange(self.kin), self.group[:-1])
        score += np.add.reduceat(stage.fixed(), unit) if len(unit) else 0
        return stage.total(score, np.logical_or.reduceat(counts, unit), np.logical_or.reduceat(forced, unit))


class _Stage:
    """What each household has of each settlement in one stage, but for what is `fixed`.

    limit: what a unit scores is from -limit to limit; `never`: so low that no sum with it reaches -limit.
    house [needs, S], kind [kinds, S], hub [hubs, S]: what the cheapest house takes (below 0; `never` where no class
    serves the need), what it and the places take, and that with the profile's value.
    """

    def __init__(self, units: Lagrangian, weights: Weights, prices: Prices) -> None:
        self.units, self.problem, self.weights = units, units.problem, weights
        largest_group = int(np.diff(units.group).max(initial=1))
        self.limit = _largest(units.problem, weights, prices) * largest_group
        self.never = -3 * self.limit
        self.exact: np.dtype[Any] = np.dtype(np.int64 if 4 * largest_group * self.limit < SAFE else np.object_)
        service = prices.service.astype(self.exact)
        house = self._houses(prices.house_class.astype(self.exact), prices.unreserved.astype(self.exact))
        households, values = self.problem.households, self.problem.profiles.value
        uses = households.uses.take(units.kinds)
        amount = np.zeros((len(units.kinds), service.shape[1]), self.exact)
        amount[uses.row, uses.column] = uses.value
        self.kind = house[units.need_of[units.kinds]] - amount @ service.T
        gain = np.vstack([values, np.zeros(values.shape[1], np.int64)])[households.profile[units.hubs]]
        self.hub = self.kind[units.kind_of[units.hubs]] + gain.astype(self.exact) * weights.value
        self.hub[~households.has_anywhere[units.hubs]] = self.never
        listed, anywhere = units.listed, households.anywhere[units.order]
        more = (listed.value - anywhere[listed.row]).astype(self.exact) * weights.value
        self.listed = self.kind[units.kind[listed.row], listed.column] + more
        self.home, self.stay = self._stays(house, prices)
        self.listed += np.where(listed.column == self.home[listed.row], self.stay[listed.row], 0)

    def total(self, best: Exact, counts: BoolArray, forced: BoolArray) -> int:
        """Σ of the best of units, 0 where that is better and the unit is not forced, or where it has no option."""
        best = np.where(counts & (best >= -self.limit), best, 0)
        return sum(np.where(forced, best, np.maximum(best, 0)).tolist())

    def fixed(self) -> Exact:
        """[H], ordered: what a household gives the stage in every settlement: its tier, its points and `anywhere`."""
        households, weights = self.problem.households, self.weights
        fixed = households.points.astype(self.exact) * weights.points
        fixed += households.anywhere.astype(self.exact) * weights.value
        for tier, weight in weights.tier.items():
            fixed[households.tier == tier] += weight
        ordered: Exact = fixed[self.units.order]
        return ordered

    def best_listed(self) -> Exact:
        """The best of those who are no kin and accept only what they list."""
        start = self.units.listed.start[: self.units.fixed + 1]
        best = np.full(self.units.fixed, self.never, self.exact)
        has = np.diff(start) > 0
        if has.any():
            best[has] = np.maximum.reduceat(self.listed[: start[-1]], start[:-1][has])
        return best

    def best_anywhere(self) -> Iterator[Exact]:
        """The best of those who are no kin and accept any settlement."""
        for first, end in self._chunks(np.arange(self.units.fixed, self.units.kin + 1)):
            yield self._scores(first, end).max(axis=1, initial=self.never)

    def best_of_groups(self) -> Iterator[Exact]:
        """The best of kin groups: the members' sum in one settlement."""
        group = self.units.group
        for first, end in self._chunks(group):
            start = group[(group >= first) & (group < end)]
            yield np.add.reduceat(self._scores(first, end), start - first).max(axis=1, initial=self.never)

    def _chunks(self, starts: IntArray) -> Iterator[tuple[int, int]]:
        """Slices of the order that end where a unit does; all units are in one, and no slice is large."""
        rows = CHUNK // max(1, len(self.problem.settlements.id))
        cuts = np.unique(starts[np.searchsorted(starts, np.arange(starts[0], starts[-1], max(1, rows)))])
        yield from pairwise([*cuts.tolist(), int(starts[-1])])

    def _scores(self, first: int, end: int) -> Exact:
        """[end - first, S]."""
        some, entries = self.units.listed[first:end], slice(*self.units.listed.start[[first, end]].tolist())
        forbidden = self.units.forbidden[first:end]
        scores: Exact = self.hub[self.units.hub[first:end]]
        stays = np.flatnonzero(self.home[first:end] != NONE)
        scores[stays, self.home[first:end][stays]] += self.stay[first:end][stays]
        scores[some.row, some.column] = self.listed[entries]
        scores[forbidden.row, forbidden.column] = self.never
        return scores

    def _stays(self, house: Exact, prices: Prices) -> tuple[IntArray, Exact]:
        """[H], ordered: the settlement of the class that a household may keep (NONE: it has none that it may), and how
        much more that gives than the cheapest house there."""
        households, classes, home = self.problem.households, self.problem.house_classes, self.units.home
        who = np.flatnonzero(home != NONE)
        kept, pinned, limited = home[who], households.pinned[who], ~households.needs_step_free[who]
        spare = classes.bedrooms[kept] - households.bedrooms_min[who]
        may = (spare >= 0) & (classes.bedrooms[kept] <= households.bedrooms_max[who])
        may &= (limited | classes.step_free[kept]) & ((pinned == NONE) | (pinned == kept))
        at, stay = np.full(len(home), NONE), np.zeros(len(home), self.exact)
        at[who[may]] = classes.settlement[kept[may]]
        cost = prices.house_class.astype(self.exact)[kept]
        cost += spare.astype(self.exact) * (self.weights.value * self.problem.spare_bedroom_penalty)
        cost[limited] += prices.unreserved.astype(self.exact)[kept[limited]]
        gain = self.weights.keep - cost - house[self.units.need_of[who], classes.settlement[kept]]
        stay[who[may]] = np.maximum(gain[may], 0)
        return at[self.units.order], stay[self.units.order]

    def _houses(self, house_class: Exact, unreserved: Exact) -> Exact:
        households, classes = self.problem.households, self.problem.house_classes
        house = np.full((len(self.units.needs), len(self.problem.settlements.id)), self.never, self.exact)
        for row, first in zip(house, self.units.needs.tolist(), strict=True):
            least, most = households.bedrooms_min[first], households.bedrooms_max[first]
            step_free, pinned = households.needs_step_free[first], households.pinned[first]
            fits = (classes.bedrooms >= least) & (classes.bedrooms <= most) & (classes.step_free | ~step_free)
            if pinned != NONE:
                fits &= np.arange(len(fits)) == pinned
            spare = (classes.bedrooms[fits] - least).astype(self.exact)
            cost = house_class[fits] + spare * (self.weights.value * self.problem.spare_bedroom_penalty)
            np.maximum.at(row, classes.settlement[fits], -cost if step_free else -cost - unreserved[fits])
        return house


def _first(number: IntArray) -> tuple[IntArray, IntArray]:
    """The first row of each number, and for every row the position of its number among these."""
    _, first, position = np.unique(number, return_index=True, return_inverse=True)
    return first, position


def _largest(problem: Problem, weights: Weights, prices: Prices) -> int:
    """No score of a household is larger in absolute value, nor a part of it: in Python's integers, which don't end."""
    households = problem.households
    worth = max(
        int(np.abs(households.options.value).max(initial=0)),
        int(np.abs(households.anywhere).max(initial=0)) + int(np.abs(problem.profiles.value).max(initial=0)),
    )
    points = int(households.points.max(initial=1))
    places = max(1, int(households.uses.value.max(initial=0)) * len(problem.services))
    return (
        1
        + weights.value * (1 + 2 * worth + problem.spare_bedroom_penalty * MOST_BEDROOMS)
        + weights.points * points
        + max(weights.tier.values(), default=0)
        + weights.keep
        + max(prices.house_class.tolist(), default=0)
        + max(prices.unreserved.tolist(), default=0)
        + max(prices.service.ravel().tolist(), default=0) * places
    )


def _without(rows: SparseRows, others: SparseRows, width: int) -> SparseRows:
    """The rows without the entries that the others have too, values apart."""
    keep = ~np.isin(rows.row * width + rows.column, others.row * width + others.column)
    start = np.append(0, np.cumsum(keep))[rows.start]
    return SparseRows(start, rows.column[keep], rows.value[keep])
