"""D of the model's "The proof", recomputed for the checker from a problem and one stage's certificate.

What a household loses by its house (prices, spare bedrooms) depends on its need and the settlement alone, so that
the best class is found once per need and settlement, and a million households are a few array operations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import StageCertificate
from solver.tables import MOST_BEDROOMS, BoolArray, IntArray

Exact = NDArray[Any]
"""64-bit integers, or Python's own where those could overflow."""

CHUNK = 20_000
"""Households at a time."""
SAFE = 2**62


@dataclass(frozen=True, eq=False)
class _Weights:
    """What the Lagrangian gives, as integers over the denominator: per unit of value, per point, per tier."""

    value: int
    points: int
    tier: dict[int, int]

    @classmethod
    def of(cls, certificate: StageCertificate, earlier: Mapping[str, int]) -> "_Weights":
        weight = {certificate.name: certificate.denominator}
        for name, multiplier in certificate.multipliers.items():
            if name not in earlier:
                raise ValueError(f"{name!r} is not an earlier stage")
            if multiplier < 0:
                raise ValueError(f"the multiplier of {name!r} is negative")
            weight[name] = multiplier
        tiers = {int(name.removeprefix("tier ")): w for name, w in weight.items() if name.startswith("tier ")}
        return cls(weight.get("value", 0), weight.get("points", 0), tiers)


@dataclass(frozen=True, eq=False)
class _Prices:
    house_class: Exact
    unreserved: Exact
    service: Exact


def price_bound(
    problem: Problem, certificate: StageCertificate, earlier: Mapping[str, int], housed: BoolArray | None
) -> int:
    """The floor of D. earlier: what the stages before achieved; housed [H]: the units of scope "housed", or None.

    Raises ValueError where the certificate names what does not exist or has a negative number.
    """
    if certificate.denominator < 1:
        raise ValueError("the denominator is not positive")
    if housed is not None and certificate.multipliers:
        raise ValueError('scope "housed" has no multipliers')
    weights = _Weights.of(certificate, earlier)
    prices = _prices(problem, certificate)
    exact = np.int64 if _largest(problem, weights, prices) < SAFE else np.object_
    prices = _Prices(*(part.astype(exact) for part in (prices.house_class, prices.unreserved, prices.service)))
    total = _units(problem, weights, prices, housed)
    classes, capacity = problem.house_classes, problem.settlements.capacity
    total += _dot(prices.house_class, classes.count) + _dot(prices.unreserved, classes.count - classes.reserved)
    total += _dot(prices.service, np.where(capacity == UNLIMITED, 0, capacity))
    total -= sum(multiplier * earlier[name] for name, multiplier in certificate.multipliers.items())
    return total // certificate.denominator


def _dot(prices: Exact, amounts: IntArray) -> int:
    pairs = zip(prices.ravel().tolist(), amounts.ravel().tolist(), strict=True)
    return sum(price * amount for price, amount in pairs)


def _prices(problem: Problem, certificate: StageCertificate) -> _Prices:
    class_index = {name: i for i, name in enumerate(problem.house_classes.id.tolist())}
    settlement_index = {name: i for i, name in enumerate(problem.settlements.id.tolist())}
    service_index = {name: i for i, name in enumerate(problem.services.tolist())}
    by_class = np.zeros(len(class_index), np.object_)
    by_unreserved = np.zeros(len(class_index), np.object_)
    by_service = np.zeros(problem.settlements.capacity.shape, np.object_)
    seen = set()
    for price in certificate.prices:
        resource = (price.kind, price.house_class, price.settlement, price.service)
        if price.price < 0:
            raise ValueError(f"the price of {_named(resource)} is negative")
        if resource in seen:
            raise ValueError(f"{_named(resource)} has two prices")
        seen.add(resource)
        if price.kind == "service":
            s = settlement_index.get(price.settlement or "", NONE)
            k = service_index.get(price.service or "", NONE)
            known = price.house_class is None and NONE not in (s, k)
            if not known or problem.settlements.capacity[s, k] == UNLIMITED:
                raise ValueError(f"{_named(resource)} is not a limited service of the problem")
            by_service[s, k] = price.price
            continue
        c = class_index.get(price.house_class or "", NONE)
        if c == NONE or price.settlement is not None or price.service is not None:
            raise ValueError(f"{_named(resource)} is not a class of the problem")
        (by_class if price.kind == "class" else by_unreserved)[c] = price.price
    return _Prices(by_class, by_unreserved, by_service)


def _named(resource: tuple[str | None, ...]) -> str:
    return " ".join(part for part in resource if part is not None)


def _largest(problem: Problem, weights: _Weights, prices: _Prices) -> int:
    """No sum of the computation is larger in absolute value: Python integers, so that it cannot overflow itself."""
    households = problem.households
    worth = max(
        int(np.abs(households.options.value).max(initial=0)),
        int(np.abs(households.anywhere).max(initial=0)) + int(np.abs(problem.profiles.value).max(initial=0)),
    )
    worth += problem.spare_bedroom_penalty * MOST_BEDROOMS
    score = weights.value * worth + weights.points * int(households.points.max(initial=0))
    score += max(weights.tier.values(), default=0)
    for part in (prices.house_class, prices.unreserved):
        score += max(part.tolist(), default=0)
    places = int(households.uses.value.max(initial=0)) * len(problem.services)
    score += max(prices.service.ravel().tolist(), default=0) * places
    return (score + 1) * (len(households.id) + 1)


def _units(problem: Problem, weights: _Weights, prices: _Prices, housed: BoolArray | None) -> int:
    """Σ over units of the best they can do."""
    households, places = problem.households, len(problem.settlements.id)
    kind_of, cost, offered = _costs(problem, weights, prices)
    total = 0
    group_score = np.zeros((len(households.kin_groups), places), prices.service.dtype)
    group_possible = np.ones((len(households.kin_groups), places), np.bool_)
    counted = np.ones(len(households.id), np.bool_) if housed is None else housed
    forced = households.pinned != NONE if housed is None else housed
    for first in range(0, len(households.id), CHUNK):
        chunk = np.arange(first, min(first + CHUNK, len(households.id)))
        possible, score = _scores(problem, weights, prices, chunk)
        possible &= offered[kind_of[chunk]]
        score = score - cost[kind_of[chunk]]
        _pin(problem, weights, prices, chunk, possible, score)
        group = households.kin_group[chunk]
        alone = (group == NONE) & counted[chunk]
        total += _sum_of_best(possible[alone], score[alone], forced[chunk[alone]])
        kin = group != NONE
        np.add.at(group_score, group[kin], np.where(possible[kin], score[kin], 0))
        np.logical_and.at(group_possible, group[kin], possible[kin])
    members = np.flatnonzero(households.kin_group != NONE)
    group_forced = np.zeros(len(households.kin_groups), np.bool_)
    np.logical_or.at(group_forced, households.kin_group[members], forced[members])
    group_counted = np.zeros(len(households.kin_groups), np.bool_)
    np.logical_or.at(group_counted, households.kin_group[members], counted[members])
    return total + _sum_of_best(group_possible[group_counted], group_score[group_counted], group_forced[group_counted])


def _sum_of_best(possible: BoolArray, score: Exact, forced: BoolArray) -> int:
    """Rows are units, columns settlements: the best possible score of each, and at least 0 where not forced."""
    if not len(score) or not score.shape[1]:
        return 0
    lowest = min(int(score.min()), 0)
    best = np.where(possible, score, lowest).max(axis=1)
    return int(np.where(forced, best, np.maximum(best, 0)).sum())


def _costs(problem: Problem, weights: _Weights, prices: _Prices) -> tuple[IntArray, Exact, BoolArray]:
    """The kind of need of every household, and by kind and settlement the cheapest class: its cost, and if any."""
    households, classes = problem.households, problem.house_classes
    needs = np.column_stack([households.bedrooms_min, households.bedrooms_max, households.needs_step_free])
    kinds, kind_of = np.unique(needs.astype(np.int64).reshape(-1, 3), axis=0, return_inverse=True)
    cost = np.zeros((len(kinds), len(problem.settlements.id)), prices.house_class.dtype)
    offered = np.zeros(cost.shape, np.bool_)
    for kind, (least, most, step_free) in enumerate(kinds.tolist()):
        for c in np.flatnonzero((classes.bedrooms >= least) & (classes.bedrooms <= most)).tolist():
            if step_free and not classes.step_free[c]:
                continue
            s = classes.settlement[c]
            price = _cost(problem, weights, prices, c, least, bool(step_free))
            if not offered[kind, s] or price < cost[kind, s]:
                cost[kind, s], offered[kind, s] = price, True
    return kind_of.reshape(-1), cost, offered


def _cost(problem: Problem, weights: _Weights, prices: _Prices, c: int, least: int, step_free: bool) -> int:
    spare = int(problem.house_classes.bedrooms[c]) - least
    unreserved = 0 if step_free else int(prices.unreserved[c])
    return int(prices.house_class[c]) + unreserved + weights.value * problem.spare_bedroom_penalty * spare


def _scores(problem: Problem, weights: _Weights, prices: _Prices, chunk: IntArray) -> tuple[BoolArray, Exact]:
    """[chunk, S]: which settlements a household accepts, and its score there before the cost of the house."""
    households = problem.households
    value = np.zeros((len(chunk), len(problem.settlements.id)), prices.service.dtype)
    profile = households.profile[chunk]
    value[profile != NONE] = problem.profiles.value[profile[profile != NONE]]
    value = value + households.anywhere[chunk][:, None]
    possible = np.repeat(households.has_anywhere[chunk][:, None], value.shape[1], axis=1)
    options, forbidden = households.options.take(chunk), households.forbidden.take(chunk)
    value[options.row, options.column] = options.value
    possible[options.row, options.column] = True
    possible[forbidden.row, forbidden.column] = False
    fixed = households.points[chunk].astype(value.dtype) * weights.points
    for tier, weight in weights.tier.items():
        fixed = fixed + np.where(households.tier[chunk] == tier, weight, 0)
    uses = households.uses.take(chunk)
    amount = np.zeros((len(chunk), len(problem.services)), value.dtype)
    amount[uses.row, uses.column] = uses.value
    return possible, value * weights.value + fixed[:, None] - amount @ prices.service.T


def _pin(
    problem: Problem,
    weights: _Weights,
    prices: _Prices,
    chunk: IntArray,
    possible: BoolArray,
    score: Exact,
) -> None:
    """Leaves pinned households of a chunk their pinned class alone, at its own cost, whatever is cheaper there."""
    households, classes = problem.households, problem.house_classes
    before, score_before = possible.copy(), score
    for i in np.flatnonzero(households.pinned[chunk] != NONE).tolist():
        h = chunk[i]
        c = int(households.pinned[h])
        s = int(classes.settlement[c])
        least, step_free = int(households.bedrooms_min[h]), bool(households.needs_step_free[h])
        same = (classes.settlement == s) & (classes.bedrooms >= least)
        same &= (classes.bedrooms <= households.bedrooms_max[h]) & (classes.step_free | (not step_free))
        if not same[c]:
            possible[i] = False
            continue
        cheapest = min(_cost(problem, weights, prices, k, least, step_free) for k in np.flatnonzero(same).tolist())
        possible[i] = False
        possible[i, s] = before[i, s]
        score[i, s] = score_before[i, s] + cheapest - _cost(problem, weights, prices, c, least, step_free)
