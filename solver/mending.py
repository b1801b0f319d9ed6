"""The last of a gap: exact search where the prices of a relaxation say that something is lost.

An allocation falls short of what prices prove by what they charge for places and houses that nobody has, and by what
units lose that live elsewhere than they are worth most, or nowhere (complementary slackness). Once little is missing,
that is in few settlements. These are searched with everything open that loses nothing by the prices: by turns among
their neighbours, whom the same households ask for, and among neighbours from all over.
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
from solver.windows import Goal, Round, searched

HOUSES = 600
"""Houses of the settlements that are searched together, about."""
BLOCK = 3
"""Neighbours that stay together where settlements are from all over."""
COLUMNS = 10_000
"""Placements that are left open in a window at most."""
NOTHING, SOMETHING = 0.01, 0.05
"""Losses up to one count as none, and from the other on as some, relative to what a household usually counts."""
FEW = 0.5
"""Where something is lost in a larger share of the settlements, this is not the way."""
IDLE = 4
"""So many turns without gain end it."""


@dataclass(frozen=True, eq=False)
class Mending:
    """A search by the prices of a stage's relaxation. losses: by these prices; usual: what a household usually counts
    in the stage; closed: what is proven of it, given what all stages achieved."""

    network: Network
    neighbours: IntArray
    relaxed: Relaxed
    losses: Losses
    usual: float
    closed: Callable[[list[int]], Closed]

    def is_promising(self, at: IntArray, house_class: IntArray) -> bool:
        """Whether something is lost, in few settlements. at [U], house_class [H]: who lives where."""
        return 0 < float(self._lost(at, house_class).mean()) <= FEW

    def search(self, at: IntArray, goal: Goal, deadline: Deadline, workers: int) -> IntArray:
        """The settlement of every unit [U]: `at`, or where they are better by the goal's rank, until the stage has
        reached its bound."""
        goal = replace(goal, losses=self.losses, done=self._is_closed)
        best, idle, turn = goal.rank(at), 0, 0
        everybody, dice = np.ones(self.network.units, np.bool_), np.random.default_rng(0)
        size = max(HOUSES * self.network.settlements // max(int(self.network.count.sum()), 1), BLOCK)
        every = Round(size, COLUMNS, gap=1e-6, nodes=1, loss=NOTHING * self.usual)
        with Searchers(workers) as searchers:
            while idle < IDLE and not goal.done(best) and not deadline.passed():
                lost = self._lost(at, goal.classes(at))
                groups = [group for group in _windows(self.neighbours, size, turn, dice) if lost[group].any()]
                before = best
                at, best = searched(
                    self.network, groups, everybody, at, best, goal, every, deadline, searchers, keep=False
                )
                idle, turn = idle + 1 if best == before else 0, turn + 1
        return at

    def _is_closed(self, reached: list[int]) -> bool:
        closed = self.closed(reached)
        return closed.achieved >= closed.bound

    def _lost(self, at: IntArray, house_class: IntArray) -> BoolArray:
        """Settlements [S] where something is lost, or where somebody outside would have gained something."""
        network, least = self.network, SOMETHING * self.usual
        units = np.flatnonzero(at != NONE)
        limited = network.places != UNLIMITED
        left = np.where(limited, network.places, 0)
        np.subtract.at(left, at[units], np.where(limited[at[units]], network.uses[units], 0))
        lost = np.zeros(network.settlements, np.bool_)
        lost[np.nonzero(left * self.relaxed.service >= least)[0]] = True
        taken = house_class[network.free & (house_class != NONE)]
        empty = network.count - np.bincount(taken, minlength=len(network.count))
        lost[network.problem.house_classes.settlement[empty * self.relaxed.house_class >= least]] = True
        here = network.options(units, at[units], network.wishes(units, at[units]))
        lost[at[units[self.losses.loss(here) >= least]]] = True
        outside = (at == NONE) & (self.losses.best >= least)
        lost[network.settlement[outside[network.unit]]] = True
        return lost


def _windows(neighbours: IntArray, size: int, turn: int, dice: np.random.Generator) -> list[IntArray]:
    """All settlements in windows of about a size: of neighbours, or of a few neighbours each from all over."""
    block = BLOCK if turn % 2 else size
    shifted = np.roll(neighbours, -(turn * block // 2))
    blocks = [shifted[first : first + block] for first in range(0, len(shifted), block)]
    order, many = dice.permutation(len(blocks)), max(size // block, 1)
    taken = (order[first : first + many] for first in range(0, len(order), many))
    return [np.concatenate([blocks[each] for each in some]) for some in taken]
