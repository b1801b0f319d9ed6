"""What one more house, or one more place of a service, would be worth: ranked by price, verified by a re-solve.

A price of a stage says by how much the bound of that stage would rise, were there one more of a resource while the
earlier stages stay as they are. So resources are ranked as allocations are: by the price of the first stage, among
equals by that of the second, and so on. A house that is added is not reserved: its price is that of its class, and of
the class's unreserved part. Prices rank well, yet they are those of a relaxation, and in degenerate places they name
a gain that is not there, or miss one that is. What is shown is therefore verified: one more, and solved again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from solver import changes
from solver.parameters import Parameters
from solver.previous import given_in
from solver.problem import NONE, UNLIMITED, Problem
from solver.sentences import size
from solver.solution import Price, Solution, Status
from solver.tables import IntArray

DEFAULTS = Parameters()


@dataclass(frozen=True)
class Resource:
    """A house class (with its settlement, bedrooms and steps), or a limited service of a settlement."""

    kind: Literal["house", "service"]
    settlement: str
    house_class: str | None = None
    bedrooms: int | None = None
    step_free: bool | None = None
    service: str | None = None

    def __str__(self) -> str:
        if self.kind == "service":
            return f"one more place of {self.service} in {self.settlement}"
        kind = size(self.bedrooms or 0, bool(self.step_free))
        return f"one more house of class {self.house_class} in {self.settlement} ({kind})"


@dataclass(frozen=True)
class ShadowPrice:
    """price: {stage: what its bound gains by one more}, in the order of the stages."""

    resource: Resource
    price: Mapping[str, Fraction]


@dataclass(frozen=True)
class Worth:
    """gain: {stage: achieved with one more, less achieved without}. proven: both solutions are optimal; where one is
    not, the gain is what was found within the time limit, and may even be negative. tiers: {tier: households housed
    with one more, less those housed without}."""

    shadow_price: ShadowPrice
    gain: Mapping[str, int]
    proven: bool
    tiers: Mapping[int, int]

    @property
    def families(self) -> int:
        """How many more are housed."""
        return sum(self.tiers.values())

    @property
    def sentence(self) -> str:
        tiers = [f"{more:+} in tier {tier}" for tier, more in self.tiers.items() if more]
        by_tier = f" ({', '.join(tiers)})" if tiers else ""
        doubt = "" if self.proven else ", as far as the time limit showed"
        count, less = abs(self.families), self.families < 0
        families = f"{count} {'fewer' if less else 'more'} {'family' if count == 1 else 'families'}"
        return f"With {self.shadow_price.resource}, {families} would be housed{by_tier}{doubt}."


def shadow_prices(problem: Problem, solution: Solution) -> list[ShadowPrice]:
    """Of every house class and every limited service of a settlement, the most valuable first.

    Equal ones are in the order of houses, then services, by identifiers. Raises ValueError where the solution has no
    certificate, or its certificate names a resource that the problem doesn't have.
    """
    if not solution.certificate:
        raise ValueError(f"a solution that is {solution.status.value} has no prices")
    prices: dict[Resource, dict[str, Fraction]] = {
        resource: dict.fromkeys((stage.name for stage in solution.certificate), Fraction(0))
        for resource in _resources(problem)
    }
    by_name = {_name(resource): resource for resource in prices}
    for stage in solution.certificate:
        for price in stage.prices:
            name = _priced(price)
            if name not in by_name:
                raise ValueError(f"the problem has no {' '.join(part for part in name if part)} to have a price")
            prices[by_name[name]][stage.name] += Fraction(price.price, stage.denominator)
    ranked = sorted(prices.items(), key=lambda item: tuple(item[1].values()), reverse=True)
    return [ShadowPrice(resource, price) for resource, price in ranked]


def verified(
    problem: Problem, solution: Solution, shown: Sequence[ShadowPrice], parameters: Parameters = DEFAULTS
) -> list[Worth]:
    """What one more of each is worth by a re-solve of its own, the largest gain first, by the order of the stages.

    Each re-solve is within the time limit of the parameters; stages that the programme decided belong there. Raises
    ValueError where the solution has no answer, or a resource is not of the problem.
    """
    found = [_worth(problem, solution, price, parameters) for price in shown]
    return sorted(found, key=lambda worth: tuple(worth.gain.values()), reverse=True)


def _worth(problem: Problem, solution: Solution, price: ShadowPrice, parameters: Parameters) -> Worth:
    again = changes.solved_again(_with_one_more(problem, price.resource), solution, parameters)
    before = {stage.name: stage.achieved for stage in solution.stages}
    gain = {stage.name: stage.achieved - before.get(stage.name, 0) for stage in again.stages}
    more = _housed(problem, again) - _housed(problem, solution)
    tiers = {tier: int(more[tier]) for tier in range(1, problem.tiers + 1)}
    return Worth(price, gain, again.status is solution.status is Status.OPTIMAL, tiers)


def _housed(problem: Problem, solution: Solution) -> IntArray:
    """How many are housed of each tier [T + 1]: stages need not count that, or may lose some of it in the end."""
    tier = problem.households.tier[given_in(problem, solution.assignments) != NONE]
    return np.bincount(tier, minlength=problem.tiers + 1)


def _with_one_more(problem: Problem, resource: Resource) -> Problem:
    if resource not in set(_resources(problem)):
        raise ValueError(f"there is no way to have {resource}: the problem doesn't have it, or doesn't limit it")
    if resource.house_class is not None:
        return changes.with_houses(problem, resource.house_class)
    settlement = problem.settlements.id.tolist().index(resource.settlement)
    service = problem.services.tolist().index(resource.service)
    return changes.with_places(problem, [(settlement, service, 1)])


def _resources(problem: Problem) -> list[Resource]:
    classes, places = problem.house_classes, problem.settlements.id.tolist()
    rows = (classes.id, classes.settlement, classes.bedrooms, classes.step_free)
    houses = [
        Resource("house", places[settlement], house_class, bedrooms, step_free)
        for house_class, settlement, bedrooms, step_free in zip(*(row.tolist() for row in rows), strict=True)
    ]
    limited = np.argwhere(problem.settlements.capacity != UNLIMITED).tolist()
    return houses + [Resource("service", places[s], service=str(problem.services[k])) for s, k in limited]


def _name(resource: Resource) -> tuple[str | None, ...]:
    """What tells resources apart in a certificate."""
    if resource.kind == "service":
        return "service", resource.settlement, resource.service
    return "class", resource.house_class


def _priced(price: Price) -> tuple[str | None, ...]:
    if price.kind == "service":
        return "service", price.settlement, price.service
    return "class", price.house_class
