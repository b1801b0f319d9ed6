"""The smallest change that would house a household: one change after the other is made, and solved again.

They are tried in the order of what they take: first what need not be built (any settlement accepted; leaving the kin
group), then places of a full service where it would live (the fewest first), then one more house there, then one more
house elsewhere with any settlement accepted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np

from solver import changes
from solver.options import values
from solver.outcome import Outcome, outcome, require_answer
from solver.parameters import Parameters
from solver.problem import NONE, Problem
from solver.sentences import listed, size
from solver.solution import Solution, Status
from solver.tables import BoolArray, IntArray

DEFAULTS = Parameters()
TRIES = 4
"""Of one kind of change, such as houses in different settlements: the most promising ones."""


class Kind(StrEnum):
    """What is changed, in the order in which it is tried."""

    ANY_SETTLEMENT = "any_settlement"
    WITHOUT_KIN = "without_kin"
    PLACES = "places"
    HOUSE = "house"
    HOUSE_ELSEWHERE = "house_elsewhere"


@dataclass(frozen=True)
class Change:
    """The settlement where something is added, how many places of which service, and the house, if it is these."""

    kind: Kind
    sentence: str
    settlement: str | None = None
    places: tuple[tuple[str, int], ...] = ()
    bedrooms: int | None = None
    step_free: bool | None = None


@dataclass(frozen=True)
class Verified:
    """A change that houses the household. settlement: where; proven: the changed problem was solved to optimality."""

    change: Change
    settlement: str
    proven: bool


@dataclass(frozen=True)
class SmallestChange:
    """verified: changes that house it, the smallest first; refuted: those, of the ones tried, that don't."""

    household: str
    verified: tuple[Verified, ...]
    refuted: tuple[Change, ...]

    @property
    def sentence(self) -> str:
        if not self.verified:
            tried = listed([change.sentence for change in self.refuted])
            return f"Of the changes that were tried, none would house {self.household}: {tried or 'there is none'}."
        first = self.verified[0]
        doubt = "" if first.proven else ", as far as the time limit showed"
        return f"With {first.change.sentence}, {self.household} would be housed in {first.settlement}{doubt}."


def smallest_change(
    problem: Problem,
    solution: Solution,
    household: str,
    parameters: Parameters = DEFAULTS,
    *,
    tries: int = TRIES,
    every: bool = False,
) -> SmallestChange:
    """What would house a household that is not housed, verified by a re-solve; the first such change, or every one.

    tries: how many changes of each kind are tried, the most promising first; each takes one re-solve within the time
    limit of the parameters. Raises ValueError where the household is unknown or housed, where the solution has no
    answer or names what the problem doesn't have, or where tries is less than 1.
    """
    if tries < 1:
        raise ValueError("tries must be at least 1")
    require_answer(solution)
    h = changes.household_of(problem, household)
    after = outcome(problem, solution)
    if after.given[h] != NONE:
        raise ValueError(f"household {household!r} is housed")
    verified: list[Verified] = []
    refuted: list[Change] = []
    for change, changed in _Candidates(after, h).smallest_first(tries):
        again = changes.solved_again(changed, solution, parameters)
        where = changes.settlement_of(changed, again, household)
        if where is None:
            refuted.append(change)
            continue
        verified.append(Verified(change, where, proven=again.status is Status.OPTIMAL))
        if not every:
            break
    return SmallestChange(household, tuple(verified), tuple(refuted))


Candidate = tuple[Change, Problem]


class _Candidates:
    """The changes that might house a household, with the problems that they give."""

    def __init__(self, after: Outcome, h: int) -> None:
        self.after, self.problem, self.h = after, after.problem, h
        self.members = changes.unit(self.problem, h)
        accepts, value = values(self.problem, self.members)
        self.accepts: BoolArray = np.logical_and.reduce(accepts, axis=0)
        self.value: IntArray = value[self.members == h][0]
        forbidden = self.problem.households.forbidden.take(self.members).column
        self.wider = np.full_like(self.accepts, fill_value=True)
        self.wider[forbidden] = False
        self.wider &= ~self.accepts
        self.short = np.maximum(after.demand[h] - after.places_left, 0)
        self.places: list[str] = self.problem.settlements.id.tolist()

    def smallest_first(self, tries: int) -> Iterator[Candidate]:
        """At most so many of each kind; each problem is built when it is asked for."""
        for kind in (self._any_settlement, self._without_kin, self._places, self._houses, self._houses_elsewhere):
            yield from islice(kind(), tries)

    def _any_settlement(self) -> Iterator[Candidate]:
        if self.wider.any():
            sentence = "any settlement accepted"
            yield Change(Kind.ANY_SETTLEMENT, sentence), changes.accepting_any(self.problem, self.members)

    def _without_kin(self) -> Iterator[Candidate]:
        if len(self.members) > 1:
            alone = changes.without_kin(self.problem, np.array([self.h]))
            yield Change(Kind.WITHOUT_KIN, "its kin group left"), alone

    def _places(self) -> Iterator[Candidate]:
        """Where it would live: as many more places as it lacks there, or fewer, as others may make room."""
        options: list[tuple[int, int, int, int, IntArray]] = []
        for s in np.flatnonzero(self.accepts & self.short.any(axis=1)).tolist():
            lacking = self.short[s]
            for most in range(1, int(lacking.max()) + 1):
                more = np.minimum(lacking, most)
                total = int(more.sum())
                options.append((total, int(lacking.sum()) - total, -int(self.value[s]), s, more))
        for *_, s, more in sorted(options, key=lambda option: option[:4]):
            services = np.flatnonzero(more).tolist()
            places = tuple((str(self.problem.services[k]), int(more[k])) for k in services)
            said = " and ".join(f"{n} more {_places(n)} of {service}" for service, n in places)
            changed = changes.with_places(self.problem, [(s, k, int(more[k])) for k in services])
            yield Change(Kind.PLACES, f"{said} in {self.places[s]}", self.places[s], places), changed

    def _houses(self) -> Iterator[Candidate]:
        """Where it would live: first where places suffice, then where it gains most."""
        options = [option for s in np.flatnonzero(self.accepts).tolist() for option in self._sizes(s)]
        for *_, s, bedrooms, house_class in sorted(options):
            yield self._with_house(Kind.HOUSE, self.problem, s, bedrooms, house_class)

    def _houses_elsewhere(self) -> Iterator[Candidate]:
        """Of each settlement the size that suits it best."""
        options = [min(self._sizes(s)) for s in np.flatnonzero(self.wider).tolist()]
        if not options:
            return
        accepting = changes.accepting_any(self.problem, self.members)
        for *_, s, bedrooms, house_class in sorted(options):
            yield self._with_house(Kind.HOUSE_ELSEWHERE, accepting, s, bedrooms, house_class)

    def _sizes(self, settlement: int) -> list[tuple[int, int, int, int, str]]:
        """Places that lack, loss in value, settlement, bedrooms and class: every class there that fits, or a new one
        (named by nothing) of the bedrooms that it needs."""
        classes, least = self.problem.house_classes, int(self.problem.households.bedrooms_min[self.h])
        fitting = np.flatnonzero(self.after.fits[self.after.need[self.h]] & (classes.settlement == settlement))
        offered = [(int(classes.bedrooms[c]), str(classes.id[c])) for c in fitting.tolist()] or [(least, "")]
        lacking, gain = int(self.short[settlement].sum()), int(self.value[settlement])
        penalty = self.problem.spare_bedroom_penalty
        return [(lacking, penalty * (most - least) - gain, settlement, most, name) for most, name in offered]

    def _with_house(self, kind: Kind, problem: Problem, s: int, bedrooms: int, house_class: str) -> Candidate:
        needs = bool(self.problem.households.needs_step_free[self.h])
        classes = self.problem.house_classes
        step_free = bool(classes.step_free[classes.id == house_class][0]) if house_class else needs
        sentence = f"one more house in {self.places[s]} ({size(bedrooms, step_free)})"
        if kind is Kind.HOUSE_ELSEWHERE:
            sentence = f"any settlement accepted and {sentence}"
        if house_class:
            changed = changes.with_houses(problem, house_class)
        else:
            changed = changes.with_class(problem, s, bedrooms, step_free)
        return Change(kind, sentence, self.places[s], bedrooms=bedrooms, step_free=step_free), changed


def _places(number: int) -> str:
    return "place" if number == 1 else "places"
