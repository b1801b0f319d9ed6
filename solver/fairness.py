"""Whether anybody was passed over: households not housed with a justified claim to a house that another got.

An allocation that is the best in the order of the model has none: to meet the claim would give a better one. So the
figure says how far an allocation that is not proven optimal falls short of that, family by family. By stages that a
programme stated in another order, the best may have claims: they say whom that order passes over.
"""

from dataclasses import dataclass

import numpy as np

from solver.grouping import distinct
from solver.options import CHUNK, values
from solver.outcome import Outcome, outcome, require_answer
from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import Solution
from solver.tables import BoolArray, IntArray


@dataclass(frozen=True)
class Claim:
    """A household that is not housed, and a witness of its claim: the house's class, and who has it (None: nobody)."""

    household: str
    house_class: str
    envied: str | None


@dataclass(frozen=True)
class JustifiedEnvy:
    """claims: one for each household with a justified claim, by identifier. examined: households not housed that
    could have one; with_kin: households not housed that could not, since they only move in with their kin."""

    claims: tuple[Claim, ...]
    examined: int
    with_kin: int


def justified_envy(problem: Problem, solution: Solution) -> JustifiedEnvy:
    """The households not housed that could have had a house, all else kept, that is empty or whose taker comes after.

    To come after: a later tier, or the same tier and fewer points. All else kept: at most that one household leaves,
    everybody else stays where they are, and every rule still holds: the class fits the need, the settlement is
    accepted and not forbidden, no more houses without need of step-free are taken than the reserve leaves, and the
    places left suffice, with those that the taker gives back. Who is pinned can't leave. Nor can one who is housed
    with kin, nor move in one whose kin is not housed: that would split the group; a group of one is no group. Of
    several witnesses an empty house is named first, then the taker of the latest tier and fewest points.

    Raises ValueError where the solution has no answer, or names what the problem does not have.
    """
    require_answer(solution)
    after = outcome(problem, solution)
    claimed, envied = claims(after)
    households, classes = problem.households.id, problem.house_classes.id
    found = np.flatnonzero(claimed != NONE)
    return JustifiedEnvy(
        claims=tuple(
            Claim(
                str(households[h]), str(classes[claimed[h]]), None if envied[h] == NONE else str(households[envied[h]])
            )
            for h in found.tolist()
        ),
        examined=int((after.kin[after.not_housed] == 1).sum()),
        with_kin=int((after.kin[after.not_housed] > 1).sum()),
    )


def claims(after: Outcome) -> tuple[IntArray, IntArray]:
    """The class that each household [H] has a justified claim to, and who has it; NONE where there is none.

    What a household could have depends on its need and its places alone, so the last taker that it could replace in
    each settlement is looked up once for each kind of those, and then compared in priority.
    """
    problem = after.problem
    claimed, envied = np.full((2, len(after.given)), NONE, np.int64)
    seekers = after.not_housed[after.kin[after.not_housed] == 1]
    if not len(seekers):
        return claimed, envied
    limited = np.flatnonzero((problem.settlements.capacity != UNLIMITED).any(axis=0))
    uses = after.uses[:, limited]
    first, kind = distinct((after.need[seekers], *uses[seekers].T), len(seekers))
    houses = _Houses(after, uses, limited)
    last = np.array([houses.last(h) for h in seekers[first].tolist()]).reshape(len(first), len(problem.settlements.id))
    for begin in range(0, len(seekers), CHUNK):
        rows = seekers[begin : begin + CHUNK]
        accepts, _ = values(problem, rows)
        best = np.where(accepts, last[kind[begin : begin + CHUNK]], 0).max(axis=1, initial=0)
        house_class, taker = houses.at(best)
        justified = (best > 0) & ((taker == NONE) | (after.rank[taker] > after.rank[rows]))
        claimed[rows[justified]], envied[rows[justified]] = house_class[justified], taker[justified]
    return claimed, envied


class _Houses:
    """What may be taken: every empty house, and of takers alike in class, steps and places the last in priority.

    Positions order them: 0 is none, then takers from the first in priority to the last, then empty houses.
    """

    def __init__(self, after: Outcome, uses: IntArray, limited: IntArray) -> None:
        households, classes = after.problem.households, after.problem.house_classes
        self.after, self.uses = after, uses
        takers = np.flatnonzero((after.given != NONE) & (households.pinned == NONE) & (after.kin == 1))
        takers = takers[np.lexsort((-takers, after.rank[takers]))]
        empty = np.flatnonzero(after.left > 0)[::-1]
        self.house_class = np.concatenate([[NONE], after.given[takers], empty])
        self.taker = np.concatenate([[NONE], takers, np.full(len(empty), NONE)])
        step_free = households.needs_step_free[takers]
        _, kind = distinct((after.given[takers], step_free, *uses[takers].T), len(takers))
        last = np.zeros(int(kind.max(initial=NONE)) + 1, np.int64)
        last[kind] = np.arange(1, len(takers) + 1)
        position = np.concatenate([last, np.arange(len(takers) + 1, len(self.taker))])
        position = position[np.argsort(classes.settlement[self.house_class[position]], kind="stable")]
        self.position, self.of_class = position, self.house_class[position]
        taker, settlement = self.taker[position], classes.settlement[self.of_class]
        is_taken = taker != NONE
        back = np.where(is_taken[:, None], uses[taker], 0)
        left = after.places_left[settlement[:, None], limited]
        unlimited = after.problem.settlements.capacity[settlement[:, None], limited] == UNLIMITED
        self.places = np.where(unlimited, left, left + np.where(unlimited, 0, back))
        self.unreserved = after.left_unreserved[self.of_class] + (is_taken & ~households.needs_step_free[taker]) > 0
        self.settlements, self.start = np.unique(settlement, return_index=True)

    def last(self, h: int) -> IntArray:
        """In each settlement [S] the last position that a household could take, whether it accepts it or not."""
        able: BoolArray = self.after.fits[self.after.need[h], self.of_class]
        able = able & (self.unreserved | self.after.problem.households.needs_step_free[h])
        able &= (self.uses[h] <= self.places).all(axis=1)
        last = np.zeros(len(self.after.problem.settlements.id), np.int64)
        if len(self.start):
            last[self.settlements] = np.maximum.reduceat(np.where(able, self.position, 0), self.start)
        return last

    def at(self, position: IntArray) -> tuple[IntArray, IntArray]:
        """The classes at some positions, and who has the houses; NONE where there is none."""
        return self.house_class[position], self.taker[position]
