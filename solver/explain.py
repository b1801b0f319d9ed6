"""Why every household is where it is, or why it is not housed, from one pass over the problem and the solution."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import overload

import numpy as np

from solver import sentences
from solver.changes import stated
from solver.fairness import claims
from solver.grouping import ranges
from solver.lottery import kinds
from solver.objectives import deciding
from solver.options import values
from solver.outcome import WITH_ANSWER, Offers, outcome
from solver.previous import given_in
from solver.problem import NONE, UNLIMITED, Problem
from solver.sentences import Fact, Told
from solver.solution import Solution
from solver.tables import BoolArray, IntArray

CELLS = 4_000_000
"""Households at a time × (settlements + classes): what is looked at, and held in memory, at once."""
MOST = 10_000
"""Households at a time, however few settlements and classes there are."""


class Reason(StrEnum):
    """Why; of those that hold for a household that is not housed, the first in this order is given."""

    HOUSED = "housed"
    NO_CLASS_FITS = "no_class_fits"
    NOT_ASKED_FOR = "not_asked_for"
    TAKEN_BY_PRIORITY = "taken_by_priority"
    ORDER_OF_PROGRAMME = "order_of_programme"
    PASSED_OVER = "passed_over"
    SERVICES_FULL = "services_full"
    KIN_NOT_WHOLE = "kin_not_whole"
    LOST_LOTTERY = "lost_lottery"
    EQUALS_FIT_BETTER = "equals_fit_better"
    HELD_TOGETHER = "held_together"


@dataclass(frozen=True)
class Explanation:
    """Of one household: the reason, its facts (identifiers and numbers), and a sentence that says them.

    Where it has a justified claim that is not met (`solver.fairness`), the facts name the house's class
    (`claimed_class`) and who has the house (`envied`; left out where it is empty), and the sentence says so; the reason
    is the order that a programme stated in place of the model's, or else that a better allocation was not found. Where
    a solution has no answer, all are told why, with the reason of who is held from a house by others: none fits better.
    """

    household: str
    reason: Reason
    sentence: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def explain(problem: Problem, solution: Solution) -> Sequence[Explanation]:
    """One explanation for every household, in the order of identifiers. Rule: the model's "Explanations".

    They are made when they are read, some thousands at a time, so that a million need no memory; one alone is quick.
    Raises ValueError where the solution places a household or names a class that the problem does not have, or where it
    states what no stage can be.
    """
    return _Explanations(problem, solution)


class _Explanations(Sequence[Explanation]):
    """What is taken and what is left, looked at once for all households."""

    def __init__(self, problem: Problem, solution: Solution) -> None:
        households = problem.households
        self.problem = problem
        self.ids: list[str] = households.id.tolist()
        self.class_ids: list[str] = problem.house_classes.id.tolist()
        self.places: list[str] = problem.settlements.id.tolist()
        self.services = [f"{service} in {place}" for place in self.places for service in problem.services.tolist()]
        self.after = outcome(problem, solution)
        self.home = None if solution.previous is None else given_in(problem, solution.previous)
        self._look_at_classes()
        self._look_at_takers()
        self._look_at_kin()
        self.told_all: Told | None = None
        if solution.status in WITH_ANSWER:
            self.claimed, self.envied = claims(self.after)
            order = deciding(stated(solution), problem)
            self.why_claimed: tuple[Reason, Told] = (
                (Reason.PASSED_OVER, sentences.passed_over())
                if order == problem.stages[:-1]
                else (Reason.ORDER_OF_PROGRAMME, sentences.order_of_programme(list(order)))
            )
        else:
            self.told_all = sentences.nobody_housed(solution.status.value, str(solution.reason))

    def _look_at_classes(self) -> None:
        """For each need: classes that fit, those that have a house for it; where such are, and where one is left."""
        after, classes = self.after, self.problem.house_classes
        step_free = np.zeros((len(after.fits), 1), np.bool_)
        step_free[after.need, 0] = self.problem.households.needs_step_free
        self.left_unreserved = np.minimum(after.left, after.left_unreserved)
        self.reserve_binds = after.left_unreserved <= 0
        usable = after.fits & (np.where(step_free, classes.count, classes.count - classes.reserved) > 0)
        left = after.fits & (np.where(step_free, after.left, self.left_unreserved) > 0)
        self.usable = Offers(self.problem, usable)
        self.built_in, self.left_in = self.usable.anything_in, Offers(self.problem, left).anything_in

    def _look_at_takers(self) -> None:
        """All takers, sorted by lot, then priority; and the last of each lot [2 C] (the lowest tier and points, then
        the largest lottery number; NONE without one) among those who could have got another, and among those who
        are bound by kin or pin. last_number: the largest lottery number housed of each kind.

        Lot c is class c; lot C + c those of its houses that are taken without need of step-free: where the reserve
        binds, nobody without that need gains by what the others leave."""
        households, given, rank = self.problem.households, self.after.given, self.after.rank
        housed = np.flatnonzero(given != NONE)
        plain = housed[~households.needs_step_free[housed]]
        taker = np.concatenate([housed, plain])
        lot = np.concatenate([given[housed], len(self.class_ids) + given[plain]])
        by_priority = np.lexsort((households.lottery[taker], rank[taker]))
        bound = (self.after.kin[taker] > 1) | (households.pinned[taker] != NONE)
        self.last_rank, self.last_bound = np.full((2, 2 * len(self.class_ids)), NONE, np.int64)
        free, held = by_priority[~bound[by_priority]], by_priority[bound[by_priority]]
        self.last_rank[lot[free]] = rank[taker[free]]
        self.last_bound[lot[held]] = taker[held]
        self.ranks = int(rank.max(initial=0)) + 1
        self.of_rank = np.zeros(self.ranks, np.int64)
        self.of_rank[rank] = np.arange(len(rank))
        key = lot * self.ranks + rank[taker]
        by_key = np.argsort(key, kind="stable")
        self.takers, self.taker_key = taker[by_key], key[by_key]
        self.kind = kinds(self.problem, self.home)
        self.kind_housed = np.bincount(self.kind[housed], minlength=len(self.ids)) > 0
        self.last_number = np.full(len(self.ids), np.iinfo(np.int64).min)
        np.maximum.at(self.last_number, self.kind[housed], households.lottery[housed])

    def _look_at_kin(self) -> None:
        """The members of all kin groups, group by group."""
        group = self.problem.households.kin_group
        self.members = np.flatnonzero(group != NONE)
        self.members = self.members[np.argsort(group[self.members], kind="stable")]
        groups = np.arange(len(self.problem.households.kin_groups) + 1)
        self.members_start = np.searchsorted(group[self.members], groups)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...

    @overload
    def __getitem__(self, index: slice) -> list[Explanation]: ...

    def __getitem__(self, index: int | slice) -> Explanation | list[Explanation]:
        if isinstance(index, slice):
            return list(self._of(np.arange(len(self))[index]))
        return next(self._of(np.array([range(len(self))[index]])))

    def __iter__(self) -> Iterator[Explanation]:
        return self._of(np.arange(len(self)))

    def _of(self, households: IntArray) -> Iterator[Explanation]:
        """Those of some households [h], in their order."""
        step = max(1, min(MOST, CELLS // (len(self.places) + len(self.class_ids) + 1)))
        for first in range(0, len(households), step):
            yield from self._chunk(households[first : first + step])

    def _chunk(self, rows: IntArray) -> list[Explanation]:
        if self.told_all is not None:
            return [Explanation(self.ids[h], Reason.HELD_TOGETHER, *self.told_all) for h in rows.tolist()]
        accepts, value = values(self.problem, rows)
        housed = self.after.given[rows] != NONE
        found = {h: (Reason.HOUSED, *told) for h, told in self._housed(rows[housed], accepts[housed], value[housed])}
        found |= {h: (reason, *told) for reason, h, told in self._not_housed(rows[~housed], accepts[~housed])}
        for h in rows[self.claimed[rows] != NONE].tolist():
            also, claimed = self._claim(h)
            reason, (sentence, facts) = self.why_claimed
            found[h] = reason, f"{sentence} {also}", facts | claimed
        return [Explanation(self.ids[h], *found[h]) for h in rows.tolist()]

    def _claim(self, h: int) -> Told:
        house_class, envied = int(self.claimed[h]), int(self.envied[h])
        place = self.places[self.problem.house_classes.settlement[house_class]]
        return sentences.claim(self.class_ids[house_class], place, None if envied == NONE else self.ids[envied])

    def _named(self, names: Sequence[str], rows: int, row: IntArray, entry: IntArray) -> list[list[str]]:
        """For every row the names of its entries, in their order."""
        named = [names[e] for e in entry[np.lexsort((entry, row))].tolist()]
        end = np.cumsum(np.bincount(row, minlength=rows)).tolist()
        return [named[first:last] for first, last in zip([0, *end], end, strict=False)]

    def _housed(self, rows: IntArray, accepts: BoolArray, value: IntArray) -> Iterator[tuple[int, Told]]:
        classes, given = self.problem.house_classes, self.after.given[rows]
        least, penalty = self.problem.households.bedrooms_min[rows], self.problem.spare_bedroom_penalty
        row, option = self.usable.among(self.after.need[rows], accepts)
        capacity = self.problem.settlements.capacity[classes.settlement[option]]
        room = ((self.after.demand[rows[row]] <= capacity) | (capacity == UNLIMITED)).all(axis=1)
        row, option = row[room], option[room]

        def gain(row: IntArray, house_class: IntArray) -> IntArray:
            spare = classes.bedrooms[house_class] - least[row]
            gained: IntArray = value[row, classes.settlement[house_class]] - penalty * spare
            return gained

        better = gain(row, option) > gain(np.arange(len(rows)), given)[row]
        options = np.bincount(row, minlength=len(rows)).tolist()
        names = self._named(self.class_ids, len(rows), row[better], option[better])
        pinned = (self.problem.households.pinned[rows] != NONE).tolist()
        told = zip(rows.tolist(), given.tolist(), options, names, pinned, strict=True)
        for h, house_class, count, above, is_pinned in told:
            settlement = self.places[classes.settlement[house_class]]
            yield h, sentences.housed(self.class_ids[house_class], settlement, count, above, is_pinned)

    def _not_housed(self, rows: IntArray, accepts: BoolArray) -> Iterator[tuple[Reason, int, Told]]:
        """The first reason that applies: which rows have a house built, asked for, not lost to priority, and served."""
        after, settlement = self.after, self.problem.house_classes.settlement
        row, option = self.usable.among(after.need[rows], accepts)
        step_free = self.problem.households.needs_step_free[rows[row]]
        left = np.where(step_free, after.left[option], self.left_unreserved[option])
        lot = option + len(self.class_ids) * (self.reserve_binds[option] & ~step_free)
        lost = (left <= 0) & (self.last_rank[lot] < after.rank[rows[row]])
        place = np.unique(row[~lost] * len(self.places) + settlement[option[~lost]])
        at, place = place // len(self.places), place % len(self.places)
        short = after.demand[rows[at]] > after.places_left[place]
        built = self.built_in[after.need[rows]].any(axis=1)
        asked, open_, served = np.zeros((3, len(rows)), np.bool_)
        asked[row], open_[at], served[at[~short.any(axis=1)]] = True, True, True
        kin = after.kin[rows] > 1
        yield from self._without_class(rows[~built])
        yield from self._elsewhere(rows[built & ~asked])
        lost_all, of = _only(asked & ~open_, row)
        yield from self._by_priority(rows[asked & ~open_], of, lot[lost_all])
        unserved, of = _only(open_ & ~served, at)
        yield from self._short(rows[open_ & ~served], of, place[unserved], short[unserved])
        yield from self._kin(rows[served & kin], accepts[served & kin])
        equal, of = _only(served & ~kin, row)
        yield from self._among_equals(rows[served & ~kin], of, lot[equal])

    def _without_class(self, rows: IntArray) -> Iterator[tuple[Reason, int, Told]]:
        households = self.problem.households
        for h in rows.tolist():
            least, most = int(households.bedrooms_min[h]), int(households.bedrooms_max[h])
            yield Reason.NO_CLASS_FITS, h, sentences.no_class_fits(least, most, bool(households.needs_step_free[h]))

    def _elsewhere(self, rows: IntArray) -> Iterator[tuple[Reason, int, Told]]:
        row, place = np.nonzero(self.built_in[self.after.need[rows]])
        for h, places in zip(rows.tolist(), self._named(self.places, len(rows), row, place), strict=True):
            yield Reason.NOT_ASKED_FOR, h, sentences.not_asked_for(places)

    def _by_priority(self, rows: IntArray, row: IntArray, lot: IntArray) -> Iterator[tuple[Reason, int, Told]]:
        """Every house that fits went to a better tier or more points, or to those who are bound to it."""
        rank = self.after.rank
        last, last_bound = np.full((2, len(rows)), NONE, np.int64)
        np.maximum.at(last, row, self.last_rank[lot])
        bound = self.last_bound[lot]
        row, bound = row[bound != NONE], bound[bound != NONE]
        np.maximum.at(last_bound, row, rank[bound])
        worse = rank[bound] > rank[rows[row]]
        after = self._named(self.ids, len(rows), row[worse], bound[worse])
        for h, free, held, names in zip(rows.tolist(), last.tolist(), last_bound.tolist(), after, strict=True):
            if free == NONE and names:
                yield Reason.HELD_TOGETHER, h, sentences.held_together(names)
            else:
                priority = self._priority(self.of_rank[held if free == NONE else free])
                yield Reason.TAKEN_BY_PRIORITY, h, sentences.taken_by_priority(priority, self._priority(h), names)

    def _priority(self, h: int) -> tuple[int, int]:
        return int(self.problem.households.tier[h]), int(self.problem.households.points[h])

    def _short(
        self, rows: IntArray, row: IntArray, place: IntArray, short: BoolArray
    ) -> Iterator[tuple[Reason, int, Told]]:
        """The services that lack places for the household and its kin, wherever classes are that it didn't lose."""
        entry, service = np.nonzero(short)
        full = place[entry] * short.shape[1] + service
        for h, services in zip(rows.tolist(), self._named(self.services, len(rows), row[entry], full), strict=True):
            yield Reason.SERVICES_FULL, h, sentences.services_full(services)

    def _kin(self, rows: IntArray, accepts: BoolArray) -> Iterator[tuple[Reason, int, Told]]:
        """In the settlement that lacks least: which members have no house left there."""
        if not len(rows):  # there may be no settlement either
            return
        households = self.problem.households
        groups, of_row = np.unique(households.kin_group[rows], return_inverse=True)
        size = np.diff(self.members_start)[groups]
        members = self.members[ranges(self.members_start[groups], size)]
        start = np.cumsum(size) - size
        without = ~(values(self.problem, members)[0] & self.left_in[self.after.need[members]])
        lacking = np.add.reduceat(without, start, axis=0, dtype=np.int64)[of_row]
        places = np.where(accepts, lacking, len(self.ids) + 1).argmin(axis=1)
        for h, group, place in zip(rows.tolist(), of_row.tolist(), places.tolist(), strict=True):
            these = slice(start[group], start[group] + size[group])
            missing = [self.ids[k] for k in members[these][without[these, place]].tolist()]
            name = str(households.kin_groups[groups[group]])
            yield Reason.KIN_NOT_WHOLE, h, sentences.kin_not_whole(name, self.places[place], missing)

    def _among_equals(self, rows: IntArray, row: IntArray, lot: IntArray) -> Iterator[tuple[Reason, int, Told]]:
        """Lost to equals: by the lottery, where nothing else tells them apart; or by what suits them all better."""
        lottery = self.kind_housed[self.kind[rows]]
        for h in rows[lottery].tolist():
            number = int(self.problem.households.lottery[h])
            yield Reason.LOST_LOTTERY, h, sentences.lost_lottery(number, int(self.last_number[self.kind[h]]))
        keep, row = _only(~lottery, row)
        rows, lot = rows[~lottery], lot[keep]
        key = lot * self.ranks + self.after.rank[rows[row]]
        wanted = np.stack([key, key + 1, (lot + 1) * self.ranks])
        first, last, end = np.searchsorted(self.taker_key, wanted)
        equals = np.bincount(row, weights=last - first, minlength=len(rows)) > 0
        length = np.where(equals[row], last - first, end - last)
        takers = self.takers[ranges(np.where(equals[row], first, last), length)]
        names = self._named(self.ids, len(rows), np.repeat(row, length), takers)
        for h, are_equals, others in zip(rows.tolist(), equals.tolist(), names, strict=True):
            if are_equals:
                yield Reason.EQUALS_FIT_BETTER, h, sentences.equals_fit_better(others)
            else:
                yield Reason.HELD_TOGETHER, h, sentences.held_together(others)


def _only(rows: BoolArray, row: IntArray) -> tuple[BoolArray, IntArray]:
    """Which entries belong to some of the rows, and the row of each among those."""
    keep = rows[row]
    return keep, (np.cumsum(rows) - 1)[row[keep]]
