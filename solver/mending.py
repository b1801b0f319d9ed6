"""The last of a gap: exact search where the prices of a relaxation say that something is lost.

An allocation falls short of what prices prove by what they charge for places and houses that nobody has, and by what
units lose that live elsewhere than they are worth most, or nowhere (complementary slackness). Once little is missing,
that is in few settlements. Each of these is searched alone, with everything open that loses nothing by the prices: a
household that stayed out comes in where others fit that count as much and use less. Where that finds little, what loses
a little is open too, and then windows are twice as large.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from solver.interior import Relaxed
from solver.neighbourhoods import Losses
from solver.network import Network
from solver.problem import NONE, UNLIMITED
from solver.progress import Deadline
from solver.searching import Searchers
from solver.stages import Closed
from solver.tables import BoolArray, IntArray
from solver.windows import Goal, Round, searched, settlements_with

HOUSES = 2_000
"""Houses of the settlements that are searched together at most."""
COLUMNS = 10_000
"""Placements that are left open in a window at most."""
GUESTS = 0.5
"""The share of them for those without a place who accept any settlement: beside thousands of these, who would all take
any place for nothing, nobody else's placements would be open."""
NOTHING, SOMETHING, LITTLE = 0.01, 0.05, 0.35
"""Losses up to one count as none, and from the other on as some; placements that lose up to the last are open where
those that lose nothing do not suffice: relative to what a household usually counts."""
KINDS = ((NOTHING, False), (LITTLE, False), (NOTHING, True), (LITTLE, True))
"""Turns with windows of a size: what is lost by placements that are open, and whether windows are shifted."""
NODES, GAP = 10, 1e-9
"""Of the tree of a search; its relative gap is to leave no point open beside the households of the first tier."""
WORTHWHILE = 0.25
"""What a turn closes of the gap at least, or the next one's windows are twice as large."""
LIKED = 3
"""Whoever stays out is looked for where it likes to be most: a kin group may live anywhere."""


@dataclass(frozen=True, eq=False)
class Mending:
    """A search by the prices of a stage's relaxation. losses: by these prices; usual: what a household usually counts
    in the stage; closed: what is proven of it, given what all stages achieved; enough: how much of a bound may stay
    open."""

    network: Network
    neighbours: IntArray
    relaxed: Relaxed
    losses: Losses
    usual: float
    closed: Callable[[list[int]], Closed]
    enough: float

    def search(self, at: IntArray, goal: Goal, deadline: Deadline, workers: int) -> IntArray:
        """The settlement of every unit [U]: `at`, or where they are better by the goal's rank, until the stage has
        reached enough of its bound."""
        goal = replace(goal, losses=self.losses)
        network, everybody = self.network, np.ones(self.network.units, np.bool_)
        largest = settlements_with(network, HOUSES)
        best, size, kind = goal.rank(at), 1, 0
        closed = self.closed(best)
        with Searchers(workers) as searchers:
            while size <= largest and lacks(closed, self.enough) and not deadline.passed():
                lost, before = self._lost(at), closed.bound - closed.achieved
                if not lost.any():
                    break  # what is open is what earlier stages miss
                loss, shifted = KINDS[kind]
                groups = [group for group in _windows(self.neighbours, size, shifted=shifted) if lost[group].any()]
                most = max(int(GUESTS * COLUMNS) // size, 1)
                every = Round(size, COLUMNS, gap=GAP, nodes=NODES, loss=loss * self.usual, guests=most)
                at, best = searched(network, groups, everybody, at, best, goal, every, deadline, searchers, keep=False)
                closed = self.closed(best)
                if closed.bound - closed.achieved > (1 - WORTHWHILE) * before:
                    kind = (kind + 1) % (len(KINDS) if size > 1 else 2)
                    size *= 1 if kind else 2
        return at

    def _lost(self, at: IntArray) -> BoolArray:
        """Settlements [S] where something is lost, or where somebody outside would have gained something."""
        network, least = self.network, SOMETHING * self.usual
        units = np.flatnonzero(at != NONE)
        here = network.options(units, at[units], network.wishes(units, at[units]))
        charged = np.where(network.places == UNLIMITED, 0.0, self.relaxed.service * network.places).sum(axis=1)
        classes = network.problem.house_classes
        houses = self.relaxed.house_class * network.count + self.relaxed.unreserved * network.unreserved
        np.add.at(charged, classes.settlement, houses)
        np.subtract.at(charged, here.settlement, sum(self.losses.charges(here)))
        lost: BoolArray = charged >= least
        lost[here.settlement[self.losses.loss(here) >= least]] = True
        outside = (at == NONE) & (self.losses.best >= least)
        asked = np.flatnonzero(outside[network.unit])
        asked = asked[np.lexsort((-network.wish[asked], network.unit[asked]))]
        unit = network.unit[asked]
        liked = asked[np.arange(len(asked)) - np.searchsorted(unit, unit) < LIKED]
        lost[network.settlement[liked]] = True
        return lost


def lacks(closed: Closed, enough: float) -> bool:
    """Whether more than that part of its bound is left open."""
    return closed.bound - closed.achieved > enough * abs(closed.bound)


def _windows(neighbours: IntArray, size: int, *, shifted: bool) -> list[IntArray]:
    """All settlements in windows of a size, of neighbours: shifted, of those across the borders of the others."""
    order = np.roll(neighbours, -(size // 2)) if shifted else neighbours
    return [order[first : first + size] for first in range(0, len(order), size)]
