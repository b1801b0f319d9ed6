"""Whether explanations hold: for households not housed, the change that the reason implies is made and solved.

Each reason says what stands in a household's way. It holds where the household is housed once that is taken away. Where
the sentence suggests less than that, the lesser change is made first: where it houses the household, it is `enough`.

- no_class_fits: it gets a house of the bedrooms and steps that it needs in every settlement that it accepts (in any,
  where it accepts none), on its own and first of all;
- not_asked_for: it accepts any settlement, forbidden ones too, on its own and first of all;
- taken_by_priority: it, with its kin, gets the tier of the last who got a house, and one point more; or else tier 1
  and more points than anybody;
- order_of_programme: the tiers and the points are put before what the programme stated; or else it comes first of all;
- passed_over: it comes first of all;
- services_full: the services that are named get as many more places as it uses, with its kin, open to everybody; or
  else kept for it: it takes no places, nor its kin;
- kin_not_whole: each member for whom nothing is left (each member, where none is named) gets a house of its need in the
  settlement that is named, and accepts to live there; or else it leaves its kin group;
- lost_lottery: its number is the first of all;
- equals_fit_better: it gets one point more;
- held_together: those who are named are neither pinned nor with kin, and it takes no places of services, nor its kin.

"On its own": without its kin group, as these reasons look at the household alone. "First of all": in a stage of its
own before the others, so that it is housed if any allocation can.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from solver import changes
from solver.explain import Explanation, Reason, explain
from solver.options import values
from solver.outcome import Outcome, outcome, require_answer
from solver.parameters import Parameters
from solver.problem import Problem
from solver.solution import Solution, Status
from solver.tables import LARGEST, IntArray

DEFAULTS = Parameters()


@dataclass(frozen=True)
class Trial:
    """An explanation that was put to the test. change: the one that housed it, or the last that was tried; enough: it
    was the first, which the sentence suggests; proven: each was solved to optimality, so that the verdict is final."""

    household: str
    reason: Reason
    change: str
    holds: bool
    enough: bool
    proven: bool


@dataclass(frozen=True)
class Confirmation:
    """not_housed: how many there are; trials: those that were drawn, by identifier."""

    not_housed: int
    trials: tuple[Trial, ...]

    @property
    def share(self) -> float | None:
        """Of the trials, the share whose explanation holds; None without trials."""
        return _share([trial.holds for trial in self.trials])

    @property
    def share_enough(self) -> float | None:
        """Of the trials, the share where already the change that the sentence suggests houses the household."""
        return _share([trial.enough for trial in self.trials])


def _share(verdicts: list[bool]) -> float | None:
    return sum(verdicts) / len(verdicts) if verdicts else None


def confirm(
    problem: Problem, solution: Solution, sample: int, seed: int = 0, parameters: Parameters = DEFAULTS
) -> Confirmation:
    """Tests the explanations of `sample` households not housed (of all, where there are fewer), drawn by the seed.

    Each takes one re-solve or two, each within the time limit of the parameters. Raises ValueError
    where the sample is negative, or the solution has no answer or names what the problem does not have.
    """
    if sample < 0:
        raise ValueError("the sample must not be negative")
    require_answer(solution)
    after = outcome(problem, solution)
    not_housed = after.not_housed
    drawn = np.random.default_rng(seed).permutation(len(not_housed))[:sample]
    explanations = explain(problem, solution)
    cases = [_Case(after, h, explanations[h]) for h in np.sort(not_housed[drawn]).tolist()]
    trials = [_trial(case, solution, parameters) for case in cases]
    return Confirmation(len(not_housed), tuple(trials))


@dataclass(frozen=True, eq=False)
class _Case:
    """One household, and what was told of it."""

    after: Outcome
    household: int
    told: Explanation

    @property
    def alone(self) -> IntArray:
        return np.array([self.household])

    def number(self, fact: str) -> int:
        return int(str(self.told.facts[fact]))

    def names(self, fact: str) -> list[str]:
        names = self.told.facts[fact]
        return names if isinstance(names, list) else [str(names)]

    def households(self, fact: str) -> IntArray:
        problem = self.after.problem
        return np.array([changes.household_of(problem, name) for name in self.names(fact)], np.int64)


@dataclass(frozen=True, eq=False)
class _Change:
    sentence: str
    problem: Problem
    first: tuple[str, ...] = ()


def _trial(case: _Case, solution: Solution, parameters: Parameters) -> Trial:
    name, tried, proven, holds = case.told.household, list[str](), True, False
    for change in CHANGES[case.told.reason](case):
        again = changes.solved_again(change.problem, solution, parameters, change.first)
        tried.append(change.sentence)
        proven &= again.status is Status.OPTIMAL
        holds = changes.settlement_of(change.problem, again, name) is not None
        if holds:
            break
    return Trial(name, case.told.reason, tried[-1], holds=holds, enough=holds and len(tried) == 1, proven=proven)


def _no_class_fits(case: _Case) -> Iterator[_Change]:
    problem = changes.without_kin(case.after.problem, case.alone)
    if not values(problem, case.alone)[0].any():
        problem = changes.accepting_any(problem, case.alone)
    for settlement in np.flatnonzero(values(problem, case.alone)[0][0]).tolist():
        problem = _with_house_for(problem, case.household, settlement)
    problem, stage = changes.ahead(problem, case.alone)
    yield _Change("a house of its need in every settlement that it accepts, first of all", problem, (stage,))


def _with_house_for(problem: Problem, h: int, settlement: int) -> Problem:
    bedrooms, step_free = problem.households.bedrooms_min[h], problem.households.needs_step_free[h]
    return changes.with_class(problem, settlement, int(bedrooms), bool(step_free))


def _not_asked_for(case: _Case) -> Iterator[_Change]:
    problem = changes.without_kin(case.after.problem, case.alone)
    problem = changes.forbidding_none(changes.accepting_any(problem, case.alone), case.alone)
    problem, stage = changes.ahead(problem, case.alone)
    yield _Change("any settlement accepted, first of all", problem, (stage,))


def _taken_by_priority(case: _Case) -> Iterator[_Change]:
    tier, points = case.number("lowest_tier"), min(case.number("lowest_points") + 1, LARGEST)
    problem, members = case.after.problem, changes.unit(case.after.problem, case.household)
    yield _Change(f"tier {tier} and {points} points", changes.at_least(problem, members, tier, points))
    most = min(int(problem.households.points.max()) + 1, LARGEST)
    yield _Change(f"tier 1 and {most} points", changes.at_least(problem, members, 1, most))


def _order_of_programme(case: _Case) -> Iterator[_Change]:
    problem = case.after.problem
    yield _Change("the tiers and then the points before all else", problem, problem.stages[:-1])
    yield from _passed_over(case)


def _passed_over(case: _Case) -> Iterator[_Change]:
    problem, stage = changes.ahead(case.after.problem, case.alone)
    yield _Change("first of all", problem, (stage,))


def _services_full(case: _Case) -> Iterator[_Change]:
    problem, named = case.after.problem, set(case.names("services"))
    places = [
        (s, k, int(case.after.demand[case.household, k]))
        for s, settlement in enumerate(problem.settlements.id.tolist())
        for k, service in enumerate(problem.services.tolist())
        if f"{service} in {settlement}" in named
    ]
    yield _Change("more places of the services that are full", changes.with_places(problem, places))
    kept = changes.without_uses(problem, changes.unit(problem, case.household))
    yield _Change("places of services kept for it", kept)


def _kin_not_whole(case: _Case) -> Iterator[_Change]:
    problem, place = case.after.problem, str(case.told.facts["settlement"])
    missing = case.households("without_house")
    members = missing if len(missing) else changes.unit(problem, case.household)
    settlement = problem.settlements.id.tolist().index(place)
    problem = changes.accepting_any(problem, members)
    for member in members.tolist():
        problem = _with_house_for(problem, member, settlement)
    yield _Change(f"{len(members)} more houses of the members' needs in {place}", problem)
    yield _Change("its kin group left", changes.without_kin(case.after.problem, case.alone))


def _lost_lottery(case: _Case) -> Iterator[_Change]:
    problem = changes.first_in_lottery(case.after.problem, case.household)
    yield _Change("the first number of the lottery", problem)


def _equals_fit_better(case: _Case) -> Iterator[_Change]:
    households, h = case.after.problem.households, case.household
    tier, points = int(households.tier[h]), min(int(households.points[h]) + 1, LARGEST)
    yield _Change("one point more", changes.at_least(case.after.problem, case.alone, tier, points))


def _held_together(case: _Case) -> Iterator[_Change]:
    named = case.households("households")
    problem = changes.without_uses(case.after.problem, changes.unit(case.after.problem, case.household))
    problem = changes.unpinned(changes.without_kin(problem, named), named)
    yield _Change("those who are named unbound, and no places of services needed", problem)


CHANGES: dict[Reason, Callable[[_Case], Iterator[_Change]]] = {
    Reason.NO_CLASS_FITS: _no_class_fits,
    Reason.NOT_ASKED_FOR: _not_asked_for,
    Reason.TAKEN_BY_PRIORITY: _taken_by_priority,
    Reason.ORDER_OF_PROGRAMME: _order_of_programme,
    Reason.PASSED_OVER: _passed_over,
    Reason.SERVICES_FULL: _services_full,
    Reason.KIN_NOT_WHOLE: _kin_not_whole,
    Reason.LOST_LOTTERY: _lost_lottery,
    Reason.EQUALS_FIT_BETTER: _equals_fit_better,
    Reason.HELD_TOGETHER: _held_together,
}
