"""The floor of D of the model's "The proof", recomputed for the checker from a problem and a stage's certificate."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from solver.lagrangian import Exact, Lagrangian, Prices, Weights
from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import StageCertificate
from solver.tables import BoolArray, IntArray


def price_bound(
    problem: Problem,
    certificate: StageCertificate,
    earlier: Mapping[str, int],
    housed: BoolArray | None,
    lagrangian: Lagrangian | None = None,
    terms: Mapping[str, Mapping[str, int]] | None = None,
) -> int:
    """The floor of D. earlier: what had to be kept of the stages before that may have a multiplier; housed [H]: the
    units of scope "housed", or None.

    lagrangian: that of the problem, where several stages share it, or where some household is to keep its class.
    terms: {stage: {basic term: weight}}, of stages whose name is not the term that they count.

    Raises ValueError where the certificate names what does not exist or has a negative number.
    """
    if certificate.denominator < 1:
        raise ValueError("the denominator is not positive")
    weights, prices = _weights(certificate, earlier, terms or {}), _prices(problem, certificate)
    classes, capacity = problem.house_classes, problem.settlements.capacity
    total = (lagrangian or Lagrangian(problem)).best(weights, prices, housed)
    total += _dot(prices.house_class, classes.count) + _dot(prices.unreserved, classes.count - classes.reserved)
    total += _dot(prices.service, np.where(capacity == UNLIMITED, 0, capacity))
    total -= sum(multiplier * earlier[name] for name, multiplier in certificate.multipliers.items())
    return total // certificate.denominator


def _weights(
    certificate: StageCertificate, earlier: Mapping[str, int], terms: Mapping[str, Mapping[str, int]]
) -> Weights:
    total: Counter[str] = Counter()
    for name, times in ((certificate.name, certificate.denominator), *certificate.multipliers.items()):
        if name != certificate.name and name not in earlier:
            raise ValueError(f"{name!r} is not an earlier stage that may have a multiplier")
        if times < 0:
            raise ValueError(f"the multiplier of {name!r} is negative")
        for term, weight in terms.get(name, {name: 1}).items():
            total[term] += times * weight
    tiers = {int(term.removeprefix("tier ")): weight for term, weight in total.items() if term.startswith("tier ")}
    return Weights(total["value"], total["points"], tiers, total["keep"])


def _dot(prices: Exact, amounts: IntArray) -> int:
    pairs = zip(prices.ravel().tolist(), amounts.ravel().tolist(), strict=True)
    return sum(price * amount for price, amount in pairs)


def _prices(problem: Problem, certificate: StageCertificate) -> Prices:
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
    return Prices(by_class, by_unreserved, by_service)


def _named(resource: tuple[str | None, ...]) -> str:
    return " ".join(part for part in resource if part is not None)
