"""Annealing, and exact search in windows of settlements, those of a round at once, which share nobody; by turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from solver.annealing import Annealing, Heat
from solver.neighbourhoods import Aim, Losses, neighbourhood
from solver.network import Network
from solver.problem import NONE
from solver.progress import Deadline
from solver.searching import Searchers, Task
from solver.tables import BoolArray, IntArray

WINDOW = 25
"""Settlements that are searched at once."""
NODES = 10
"""Nodes of a search tree: a limit that is the same on every machine, as no clock is."""
ROUNDS = 4
"""How often all settlements are searched, each time in other windows."""
KINDS = 3
"""Windows of neighbours, of neighbours across the borders of the first, and of settlements from all over."""


@dataclass(frozen=True)
class Thorough:
    """How thoroughly is searched: how many placements are left open in a window, the relative gap at which a search
    ends, whether all who are housed stay so, how often all settlements are searched, and the heats before the first
    time and after each, the last again and again."""

    columns: int
    gap: float
    keep: bool
    rounds: int = ROUNDS
    heats: tuple[Heat | None, ...] = ()

    def heat(self, turn: int) -> Heat | None:
        return self.heats[min(turn, len(self.heats) - 1)] if self.heats else None


WHO = Thorough(columns=2_000, gap=1e-6, keep=False, heats=(None, None, None, Heat(2.0, 0.06, 600)))
WHERE = Thorough(columns=600, gap=3e-3, keep=True, heats=(Heat(0.15, 0.015, 600), Heat(0.03, 0.007, 600)))


def _nothing_to_lose(_: IntArray) -> list[tuple[Aim, int]]:
    return []


def _unheard(_: list[int]) -> None:
    return


@dataclass(frozen=True)
class Goal:
    """What is looked for: by an aim, among what loses least. rank: of an allocation [U], the better one larger; done:
    whether that is enough; floors: what may not fall by more than so much; scale: what heats are relative to; better:
    hears of every rank that is reached."""

    aim: Aim
    losses: Losses
    rank: Callable[[IntArray], list[int]]
    done: Callable[[list[int]], bool]
    floors: Callable[[IntArray], list[tuple[Aim, int]]] = _nothing_to_lose
    scale: float = 1.0
    better: Callable[[list[int]], None] = _unheard


def search(
    network: Network,
    neighbours: IntArray,
    at: IntArray,
    goal: Goal,
    thorough: Thorough,
    deadline: Deadline,
    workers: int,
) -> IntArray:
    """The settlement of every unit [U]: `at`, or where they are better by the goal's rank."""
    idle, best = 0, goal.rank(at)
    annealing: Annealing | None = None
    goal.better(best)
    with Searchers(workers) as searchers:
        for turn in range(thorough.rounds + 1):
            before = best
            if turn:
                at, best = _searched(
                    network, windows(neighbours, turn - 1), at, best, goal, thorough, deadline, searchers
                )
            heat = thorough.heat(turn)
            if heat is not None and not goal.done(best) and not deadline.passed() and not goal.floors(at):
                annealing = annealing or Annealing(network, neighbours, goal.aim, goal.losses, leave=not thorough.keep)
                scaled = Heat(heat.hot * goal.scale, heat.cold * goal.scale, heat.tries)
                other = annealing.run(at, scaled, deadline, workers)
                reached = goal.rank(other)
                if reached > best:
                    at, best = other, reached
                    goal.better(best)
            idle = idle + 1 if best == before and turn else 0
            if idle == KINDS or goal.done(best) or deadline.passed():
                break
    return at


def _searched(
    network: Network,
    groups: Sequence[IntArray],
    at: IntArray,
    best: list[int],
    goal: Goal,
    thorough: Thorough,
    deadline: Deadline,
    searchers: Searchers,
) -> tuple[IntArray, list[int]]:
    """The same after a search in windows of settlements, and its rank."""
    floors = [(each, -(-most // len(groups))) for each, most in goal.floors(at)]
    found = [
        neighbourhood(
            network, at, group, who, goal.aim, goal.losses, thorough.columns, keep=thorough.keep, floors=floors
        )
        for group, who in zip(groups, guests(network, at, groups), strict=True)
        if not deadline.passed()
    ]
    searched = [each for each in found if each is not None]
    tasks = [Task(each.model, NODES, thorough.gap, deadline.until) for each in searched]
    for each, values in zip(searched, searchers.run(tasks, deadline), strict=True):
        moved, to = each.moves(at, values)
        better = at.copy()
        better[moved] = to
        reached = goal.rank(better)
        if reached > best:
            at, best = better, reached
            goal.better(best)
    return at, best


def windows(neighbours: IntArray, turn: int) -> list[IntArray]:
    """All settlements in windows, by turns of each kind."""
    count = max(-(-len(neighbours) // WINDOW), 1)
    if turn % KINDS == 2:
        scattered = np.roll(neighbours, -(turn // KINDS))
        return [scattered[first::count] for first in range(count)]
    shifted = np.roll(neighbours, -(turn % KINDS * WINDOW // 2 + turn // KINDS * WINDOW // 4))
    return [shifted[first : first + WINDOW] for first in range(0, len(neighbours), WINDOW)]


def guests(network: Network, at: IntArray, groups: Sequence[IntArray]) -> list[BoolArray]:
    """Who has no place and may come to which of the groups [U]: those who could come to several are dealt in turn."""
    may = np.zeros((len(groups), network.units), np.bool_)
    for touch, group in zip(may, groups, strict=True):
        inside = np.zeros(network.settlements, np.bool_)
        inside[group] = True
        touch[network.hub_of != NONE] = True
        touch[network.unit[inside[network.settlement]]] = True
    may &= at == NONE
    several = may.sum(axis=0)
    dealt = np.arange(network.units) % np.maximum(several, 1)
    return list(may & (np.cumsum(may, axis=0) - 1 == dealt))
