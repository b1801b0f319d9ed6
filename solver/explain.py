"""Why every household is where it is, or why it is not housed, from one pass over the problem and the solution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from solver.lottery import kinds
from solver.options import fits, needs, values
from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import Solution
from solver.tables import BoolArray, IntArray

Fact = int | str | list[str]


class Reason(StrEnum):
    """Why; of those that hold for a household that is not housed, the first in this order is given."""

    HOUSED = "housed"
    NO_CLASS_FITS = "no_class_fits"
    NOT_ASKED_FOR = "not_asked_for"
    TAKEN_BY_PRIORITY = "taken_by_priority"
    SERVICES_FULL = "services_full"
    KIN_NOT_WHOLE = "kin_not_whole"
    LOST_LOTTERY = "lost_lottery"
    EQUALS_FIT_BETTER = "equals_fit_better"
    HELD_TOGETHER = "held_together"


@dataclass(frozen=True)
class Explanation:
    """Of one household: the reason, its facts (identifiers and numbers), and a sentence that says them."""

    household: str
    reason: Reason
    sentence: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def explain(problem: Problem, solution: Solution) -> list[Explanation]:
    """One explanation for every household, in the order of identifiers. Rule: the model's "Explanations".

    Raises ValueError where the solution places a household or names a class that the problem does not have.
    """
    return _Outcome(problem, solution).explanations()


class _Outcome:
    """What is taken and what is left, looked at once for all households."""

    def __init__(self, problem: Problem, solution: Solution) -> None:
        households, classes = problem.households, problem.house_classes
        self.problem = problem
        self.ids: list[str] = households.id.tolist()
        self.class_ids: list[str] = classes.id.tolist()
        self.places: list[str] = problem.settlements.id.tolist()
        self.given = np.full(len(self.ids), NONE, np.int64)
        index, class_index = ({name: i for i, name in enumerate(names)} for names in (self.ids, self.class_ids))
        for household, house_class in solution.assignments:
            if household not in index or house_class not in class_index:
                raise ValueError(f"the problem has no household {household!r} or no class {house_class!r}")
            self.given[index[household]] = class_index[house_class]
        rows, self.need_of = needs(problem)
        self.fits = fits(problem, rows)
        self.uses = np.zeros((len(self.ids), len(problem.services)), np.int64)
        self.uses[households.uses.row, households.uses.column] = households.uses.value
        housed = np.flatnonzero(self.given != NONE)
        used = np.zeros_like(problem.settlements.capacity)
        np.add.at(used, classes.settlement[self.given[housed]], self.uses[housed])
        self.places_left = np.where(
            problem.settlements.capacity == UNLIMITED,
            np.iinfo(np.int64).max,
            problem.settlements.capacity - used,
        )
        free = ~households.needs_step_free[housed]
        taken = np.bincount(self.given[housed], minlength=len(self.class_ids))
        taken_unreserved = np.bincount(self.given[housed[free]], minlength=len(self.class_ids))
        self.left = classes.count - taken
        self.left_unreserved = np.minimum(self.left, classes.count - classes.reserved - taken_unreserved)
        bound = (households.kin_group[housed] != NONE) | (households.pinned[housed] != NONE)
        self.last, self.last_bound = self._last_by_class(housed[~bound]), self._last_by_class(housed[bound])
        self.kinds = kinds(problem)

    def _last_by_class(self, housed: IntArray) -> dict[int, int]:
        """The household of the lowest tier and points, then of the largest lottery number, in every class."""
        households = self.problem.households
        order = np.lexsort((households.lottery[housed], -households.points[housed], households.tier[housed]))
        return {int(self.given[h]): int(h) for h in housed[order].tolist()}

    def explanations(self) -> list[Explanation]:
        return [self._not_housed(h) if self.given[h] == NONE else self._housed(h) for h in range(len(self.ids))]

    def _wishes(self, h: int) -> tuple[BoolArray, IntArray]:
        """Whether a household accepts each settlement, and what it gains there: [S]."""
        accepts, value = values(self.problem, np.array([h]))
        return accepts[0], value[0]

    def _fits(self, h: int) -> BoolArray:
        """Whether each class meets its need: [C]."""
        meets: BoolArray = self.fits[self.need_of[h]]
        return meets

    def _housed(self, h: int) -> Explanation:
        """Its rank among its own options: one more than those of a higher value."""
        classes = self.problem.house_classes
        accepts, gain = self._wishes(h)
        options, given = np.flatnonzero(self._fits(h) & accepts[classes.settlement]), int(self.given[h])
        spare = classes.bedrooms - self.problem.households.bedrooms_min[h]
        value = gain[classes.settlement] - self.problem.spare_bedroom_penalty * spare
        better = options[value[options] > value[given]]
        rank, count = len(better) + 1, len(options)
        name, place = self.class_ids[given], self.places[classes.settlement[given]]
        facts: dict[str, Fact] = {"house_class": name, "settlement": place, "rank": rank, "options": count}
        facts["better"] = [self.class_ids[c] for c in better.tolist()]
        sentence = f"Housed in class {name} in {place}, which is number {rank} of its {count} options."
        if len(better):
            sentence += f" The better ones, {_listed(facts['better'])}, went to others or would cost others more."
        return Explanation(self.ids[h], Reason.HOUSED, sentence, facts)

    def _not_housed(self, h: int) -> Explanation:
        classes = self.problem.house_classes
        settlement, step_free = classes.settlement, self.problem.households.needs_step_free[h]
        fitting = np.flatnonzero(self._fits(h) & (classes.count > (0 if step_free else classes.reserved)))
        if not len(fitting):
            return self._no_class_fits(h)
        options = fitting[self._wishes(h)[0][settlement[fitting]]]
        if not len(options):
            elsewhere = sorted({self.places[s] for s in settlement[fitting].tolist()})
            sentence = f"Classes that fit are only in settlements that it did not ask for: {_listed(elsewhere)}."
            return Explanation(self.ids[h], Reason.NOT_ASKED_FOR, sentence, {"settlements": elsewhere})
        left = self.left if step_free else self.left_unreserved
        lost = {c: left[c] <= 0 and self._all_before(c, h) for c in options.tolist()}
        if all(lost.values()):
            return self._by_priority(h, options)
        if services := self._short(h, [c for c, to_others in lost.items() if not to_others]):
            sentence = f"It would need more places than are left: {_listed(services)}."
            return Explanation(self.ids[h], Reason.SERVICES_FULL, sentence, {"services": services})
        if self.problem.households.kin_group[h] != NONE:
            return self._kin(h)
        return self._among_equals(h, options)

    def _all_before(self, house_class: int, h: int) -> bool:
        """Whether all who got a class, and could have got another, are of a better tier or have more points.

        Who is pinned, or stays with kin, holds a house whoever else there is.
        """
        return house_class not in self.last or self._priority(self.last[house_class]) < self._priority(h)

    def _priority(self, h: int) -> tuple[int, int]:
        return int(self.problem.households.tier[h]), -int(self.problem.households.points[h])

    def _no_class_fits(self, h: int) -> Explanation:
        households = self.problem.households
        least, most = int(households.bedrooms_min[h]), int(households.bedrooms_max[h])
        step_free = bool(households.needs_step_free[h])
        wanted = f"{least} to {most} bedrooms" + (", step-free" if step_free else "")
        facts: dict[str, Fact] = {"bedrooms_min": least, "bedrooms_max": most, "needs_step_free": int(step_free)}
        sentence = f"No house anywhere fits its need of {wanted}."
        return Explanation(self.ids[h], Reason.NO_CLASS_FITS, sentence, facts)

    def _by_priority(self, h: int, options: IntArray) -> Explanation:
        """Every house that fits went to a better tier or more points, or to those who are bound to it."""
        bound = [self.last_bound[c] for c in options.tolist() if c in self.last_bound]
        after = sorted(self.ids[k] for k in bound if self._priority(k) > self._priority(h))
        free = [self._priority(self.last[c]) for c in options.tolist() if c in self.last]
        if not free and after:
            return self._held_together(h, after)
        tier, points = max(free or (self._priority(k) for k in bound))
        my_tier, my_points = self._priority(h)
        sentence = (
            "Every house that fits, where it would live, went to households of a better tier or more points; "
            f"the last of them has tier {tier} and {-points} points, this one tier {my_tier} and {-my_points} points."
        )
        if after:
            sentence += f" Others stay where their kin is housed or are pinned: {_listed(after)}."
        facts: dict[str, Fact] = {
            "lowest_tier": tier,
            "lowest_points": -points,
            "tier": my_tier,
            "points": -my_points,
            "bound": after,
        }
        return Explanation(self.ids[h], Reason.TAKEN_BY_PRIORITY, sentence, facts)

    def _short(self, h: int, classes: list[int]) -> list[str]:
        """The services that lack places for the household and its kin, if some does wherever those classes are."""
        full: list[str] = []
        for s in sorted({int(self.problem.house_classes.settlement[c]) for c in classes}):
            short = np.flatnonzero(self.uses[self._members(h)].sum(axis=0) > self.places_left[s])
            if not len(short):
                return []
            full += [f"{self.problem.services[k]} in {self.places[s]}" for k in short.tolist()]
        return full

    def _members(self, h: int) -> IntArray:
        group = self.problem.households.kin_group[h]
        return np.array([h]) if group == NONE else np.flatnonzero(self.problem.households.kin_group == group)

    def _kin(self, h: int) -> Explanation:
        """In the settlement that lacks least: which members have no house left there."""
        households, classes = self.problem.households, self.problem.house_classes
        members = self._members(h)
        accepts = {member: self._wishes(member)[0] for member in members.tolist()}
        without: list[tuple[int, str, list[str]]] = []
        for s in np.flatnonzero(accepts[h]).tolist():
            here = classes.settlement == s
            missing = []
            for member in members.tolist():
                left = self.left if households.needs_step_free[member] else self.left_unreserved
                if not accepts[member][s] or not (self._fits(member) & here & (left > 0)).any():
                    missing.append(self.ids[member])
            without.append((len(missing), self.places[s], missing))
        _, place, missing = min(without)
        group = str(households.kin_groups[households.kin_group[h]])
        lacking = f"nothing is left for {_listed(missing)}" if missing else "not for all of them at once"
        sentence = f"Its kin group {group} cannot be housed whole: in {place}, where least is missing, {lacking}."
        facts: dict[str, Fact] = {"kin_group": group, "settlement": place, "without_house": missing}
        return Explanation(self.ids[h], Reason.KIN_NOT_WHOLE, sentence, facts)

    def _among_equals(self, h: int, options: IntArray) -> Explanation:
        """Lost to equals: by the lottery, where nothing else tells them apart; or by what suits them all better."""
        takers = np.flatnonzero(np.isin(self.given, options))
        same = takers[self.kinds[takers] == self.kinds[h]]
        number = int(self.problem.households.lottery[h])
        if len(same):
            last = int(self.problem.households.lottery[same].max())
            sentence = f"It lost the lottery among equals: its number is {number}, the last that won was {last}."
            return Explanation(self.ids[h], Reason.LOST_LOTTERY, sentence, {"lottery": number, "last_lottery": last})
        equals = [self.ids[k] for k in takers.tolist() if self._priority(k) == self._priority(h)]
        if equals:
            sentence = (
                f"Houses that fit went to others of the same tier and points, whom they suit better: {_listed(equals)}."
            )
            return Explanation(self.ids[h], Reason.EQUALS_FIT_BETTER, sentence, {"equals": equals})
        return self._held_together(h, [self.ids[k] for k in takers.tolist() if self._priority(k) > self._priority(h)])

    def _held_together(self, h: int, after: list[str]) -> Explanation:
        sentence = (
            "Houses that fit went to others of a lower tier or fewer points, who are pinned there, stay with their "
            f"kin, or need fewer places of a full service: {_listed(after)}."
        )
        return Explanation(self.ids[h], Reason.HELD_TOGETHER, sentence, {"households": after})


def _listed(names: object) -> str:
    entries = [str(name) for name in names] if isinstance(names, list) else [str(names)]
    return ", ".join(entries) if len(entries) < 6 else f"{', '.join(entries[:5])} and {len(entries) - 5} more"
