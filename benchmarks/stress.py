"""The families of random instances that the solver is measured on: the usual one, and what could be hard or odd.

Every family keeps the pins of a problem feasible.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from solver import Problem
from solver.generate import generate
from solver.problem import NONE, SparseRows
from solver.tables import UNLIMITED, IntArray

Family = Callable[[int, int, int], Problem]

MANY_SETTLEMENTS = 2_000
GIANT = 40
"""Households of the giant kin group, where a settlement can hold as many."""
WITHOUT_USES = 10
"""Every so many households one uses no service."""


@dataclass(frozen=True)
class Instance:
    """One problem of a family; `str` gives its name in tables."""

    family: str
    households: int
    settlements: int
    seed: int

    def problem(self) -> Problem:
        """The same instance gives the same bytes."""
        return FAMILIES[self.family](self.households, self.settlements, self.seed)

    def __str__(self) -> str:
        return f"{self.family} {self.households:,}/{self.settlements:,}, seed {self.seed}"


def _many_settlements(households: int, settlements: int, seed: int) -> Problem:
    return generate(households, max(settlements, MANY_SETTLEMENTS), seed)


def _one_settlement(households: int, settlements: int, seed: int) -> Problem:  # noqa: ARG001 - it has one, whatever is asked
    return generate(households, 1, seed)


def _no_capacity(households: int, settlements: int, seed: int) -> Problem:
    """No service has a place, so that only the households that use none can be housed."""
    problem = generate(households, settlements, seed)
    uses = problem.households.uses
    amount = np.where(uses.row % WITHOUT_USES == 0, 0, uses.value)
    return replace(
        problem,
        settlements=replace(problem.settlements, capacity=np.zeros_like(problem.settlements.capacity)),
        households=replace(problem.households, uses=SparseRows(uses.start, uses.column, amount)),
    )


def _giant_kin_groups(households: int, settlements: int, seed: int) -> Problem:
    """One kin group that one settlement can just hold, and one larger than any: it can never be housed."""
    problem = generate(households, settlements, seed)
    houses = np.bincount(problem.house_classes.settlement, problem.house_classes.count, settlements).astype(np.int64)
    giant = _held_by(problem, int(np.argmax(houses)))
    others = np.setdiff1d(np.arange(households), giant)
    too_large = others[: int(houses.max(initial=0)) + 1]
    if len(too_large) <= houses.max(initial=0):
        raise ValueError("there are too few households for a kin group larger than a settlement")
    before, columns = len(problem.households.kin_groups), problem.households
    kin_group, has_anywhere = columns.kin_group.copy(), columns.has_anywhere.copy()
    kin_group[giant], kin_group[too_large] = before, before + 1
    has_anywhere[giant] = has_anywhere[too_large] = True
    names = np.append(columns.kin_groups, ["K-giant", "K-larger-than-any-settlement"])
    return replace(
        problem, households=replace(columns, kin_groups=names, kin_group=kin_group, has_anywhere=has_anywhere)
    )


def _held_by(problem: Problem, settlement: int) -> IntArray:
    """The first households, GIANT at most, that find houses and places in a settlement together."""
    households, classes = problem.households, problem.house_classes
    at_home = np.flatnonzero((classes.settlement == settlement) & ~classes.step_free)
    houses = dict(zip(classes.bedrooms[at_home].tolist(), classes.count[at_home].tolist(), strict=True))
    capacity = problem.settlements.capacity[settlement]
    places = np.where(capacity == UNLIMITED, np.iinfo(np.int64).max, capacity)
    free = ~households.needs_step_free & (households.pinned == NONE)
    free[households.forbidden.row[households.forbidden.column == settlement]] = False
    members: list[int] = []
    for household in np.flatnonzero(free).tolist():
        use = np.zeros_like(places)
        for service, amount in households.uses.at(household).items():
            use[service] = amount
        bedrooms = int(households.bedrooms_min[household])
        if len(members) < GIANT and houses.get(bedrooms, 0) and (use <= places).all():
            houses[bedrooms] -= 1
            places -= use
            members.append(household)
    return np.array(members, np.int64)


FAMILIES: dict[str, Family] = {
    "default": generate,
    "even": partial(generate, places_per_need=1.0),
    "loose": partial(generate, places_per_need=1.5),
    "kin": partial(generate, kin_share=0.3),
    "slack": partial(generate, households_per_house=1.05),
    "slack-2": partial(generate, households_per_house=2.0),
    "scarce": partial(generate, households_per_house=2.5),
    "nowhere": partial(generate, anywhere_share=0.0),
    "everywhere": partial(generate, anywhere_share=1.0),
    "many-settlements": _many_settlements,
    "one-settlement": _one_settlement,
    "no-capacity": _no_capacity,
    "one-giant-kin-group": _giant_kin_groups,
}
