"""Annealing, trading, and exact search in windows of settlements, by turns; the windows of a round share nobody.

Where only units move that use the same of the scarcest service, its places are as good as houses, of which each takes
one: what is left is nearly a flow, whose relaxation is whole, however many settlements there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from solver.annealing import Annealing, Heat
from solver.interior import Relaxed
from solver.neighbourhoods import Aim, Losses, neighbourhood
from solver.network import Network
from solver.problem import NONE, UNLIMITED
from solver.progress import Deadline
from solver.searching import Searchers, Task
from solver.tables import BoolArray, IntArray
from solver.trading import traded

SHARE = 0.03
"""Amounts that fewer units use are one size with larger ones, until they are such a share."""
FLOW = 0.01
"""Where no more than this share of what prices charge is for services, houses alone are scarce: the problem is nearly a
flow, and hardly anything is left open in however many settlements are searched together."""
HOUSES = 10_000
"""Houses of the settlements that are searched together then."""
KINDS = 3
"""Windows of neighbours, of neighbours across the borders of the first, and of settlements from all over."""


@dataclass(frozen=True)
class Round:
    """All settlements searched, in windows of so many (None: that have `HOUSES`): how many placements are left open in
    each, and the relative gap and the nodes of its tree at which a search ends: limits that are the same on every
    machine, as no clock is. alike: units of one size are open at a time, and all others stay. loss: no placement is
    open that loses more. guests: no more come to a window of those who accept any settlement."""

    window: int | None
    columns: int
    gap: float
    nodes: int = 10
    alike: bool = False
    loss: float = np.inf
    guests: int | None = None


@dataclass(frozen=True)
class Thorough:
    """How thoroughly is searched: in which rounds, whether all who are housed stay so, and the heats before the first
    round and after each, the last again and again; their temperatures are relative to the goal's scale. heating: the
    share of what is left of the time that a heat gets at most, so that something is left for the rounds."""

    rounds: tuple[Round, ...]
    keep: bool
    heats: tuple[Heat | None, ...] = ()
    heating: float = 1.0

    def heat(self, turn: int) -> Heat | None:
        return self.heats[min(turn, len(self.heats) - 1)] if self.heats else None

    def briefly(self) -> "Thorough":
        """The first round alone, where little is left to find."""
        return replace(self, rounds=self.rounds[:1], heats=())


WHO = Thorough(
    rounds=3 * (Round(25, 1_000, 1e-6, 1),),
    keep=False,
    heats=(Heat(0.2, 0.02, 100, 0.02), None),
    heating=0.6,
)
WHERE = Thorough(
    rounds=(
        Round(4, 200, 1e-3),
        Round(100, 2_000, 1e-4, 1, alike=True),
        Round(8, 300, 5e-4),
        Round(50, 1_000, 1e-4, 1, alike=True),
        Round(8, 300, 5e-4),
        *6 * (Round(12, 400, 5e-4),),
    ),
    keep=True,
    heats=(Heat(0.08, 0.016, 100), None),
)
WHO_IN_A_FLOW = Thorough(rounds=(Round(25, 1_000, 1e-6, 1), *2 * (Round(None, 4_000, 1e-9),)), keep=False)
WHERE_IN_A_FLOW = Thorough(rounds=(Round(25, 1_000, 1e-5), *2 * (Round(None, 4_000, 1e-5),)), keep=True)


def _nothing_to_lose(_: IntArray) -> list[tuple[Aim, int]]:
    return []


def _unheard(_: list[int]) -> None:
    return


@dataclass(frozen=True)
class Goal:
    """What is looked for: by an aim, among what loses least. rank: of an allocation [U], the better one larger; done:
    whether that is enough; classes: the house class of every household [H] of an allocation; floors: what may not fall
    by more than so much; scale: what heats are relative to; better: hears of every rank that is reached."""

    aim: Aim
    losses: Losses
    rank: Callable[[IntArray], list[int]]
    done: Callable[[list[int]], bool]
    classes: Callable[[IntArray], IntArray]
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
    all_ = np.ones(network.units, np.bool_)
    of_size = sizes(network, goal.losses, at) if any(each.alike for each in thorough.rounds) else []
    goal.better(best)

    def take(other: IntArray) -> None:
        nonlocal at, best
        reached = goal.rank(other)
        if reached > best:
            at, best = other, reached
            goal.better(best)

    def open_() -> bool:
        return not goal.done(best) and not deadline.passed()

    with Searchers(workers) as searchers:
        for turn in range(len(thorough.rounds) + 1):
            before = best
            if turn:
                every = thorough.rounds[turn - 1]
                groups = windows(neighbours, every.window or settlements_with(network, HOUSES), turn - 1)
                for movable in of_size if every.alike else [all_]:
                    at, best = searched(
                        network, groups, movable, at, best, goal, every, deadline, searchers, keep=thorough.keep
                    )
            heat = None if goal.floors(at) else thorough.heat(turn)
            if heat is not None and open_():
                scaled = heat.times(goal.scale)
                aim = replace(goal.aim, value=max(goal.aim.value, scaled.calm))
                annealing = Annealing(network, neighbours, aim, goal.losses, leave=not thorough.keep)
                take(annealing.run(at, scaled, deadline.share(thorough.heating), workers))
            if thorough.keep and open_():
                take(traded(network, neighbours, at, goal.classes(at), goal.aim))
            idle = idle + 1 if best == before and turn else 0
            if idle == KINDS or not open_():
                break
    return at


def searched(
    network: Network,
    groups: Sequence[IntArray],
    movable: BoolArray,
    at: IntArray,
    best: list[int],
    goal: Goal,
    every: Round,
    deadline: Deadline,
    searchers: Searchers,
    *,
    keep: bool,
) -> tuple[IntArray, list[int]]:
    """The same after a search in windows of settlements, and its rank."""
    floors = [(each, -(-most // len(groups))) for each, most in goal.floors(at)]
    dealt = guests(network, at, groups, every.guests)

    def moves(index: int) -> tuple[IntArray, IntArray] | None:
        """Who moves in a group, and where to. Its model is made when a process is free to search it: all of them at
        once would not fit into memory."""
        if deadline.late() > 0:
            return None
        found = neighbourhood(
            network,
            at,
            groups[index],
            dealt == index,
            movable,
            goal.aim,
            goal.losses,
            every.columns,
            keep=keep,
            most_loss=every.loss,
            floors=floors,
        )
        if found is None:
            return None
        return found.moves(at, searchers.find(Task(found.model, every.nodes, every.gap, deadline.until)))

    for each in searchers.run([partial(moves, index) for index in range(len(groups))], deadline):
        if each is None:
            continue
        moved, to = each
        better = at.copy()
        better[moved] = to
        reached = goal.rank(better)
        if reached > best:
            at, best = better, reached
            goal.better(best)
    return at, best


def nearly_flow(network: Network, relaxed: Relaxed) -> bool:
    """Whether houses, not services, are what is scarce by the prices of a relaxation."""
    places = np.where(network.places == UNLIMITED, 0, network.places)
    services, houses = float((relaxed.service * places).sum()), float(relaxed.house_class @ network.count)
    return services <= FLOW * (services + houses)


def settlements_with(network: Network, houses: int) -> int:
    """How many settlements have so many houses, on average; at least 1."""
    return max(houses * network.settlements // max(int(network.count.sum()), 1), 1)


def sizes(network: Network, losses: Losses, at: IntArray) -> list[BoolArray]:
    """Units [U] of each size: what they use of the scarcest service, larger amounts with it until they are a share."""
    if not network.places.size:
        return [np.ones(network.units, np.bool_)]
    limited = np.where(network.places == UNLIMITED, 0, network.places)
    use = network.uses[:, int((losses.service * limited).sum(axis=0).argmax())]
    amount, count = np.unique(use[at != NONE], return_counts=True)
    least, collected = SHARE * int(count.sum()), 0
    first: list[int] = []
    for each, many in zip(amount.tolist(), count.tolist(), strict=True):
        if not first or collected >= least:
            first.append(each)
            collected = 0
        collected += many
    size = np.maximum(np.searchsorted(first, use, side="right") - 1, 0)
    return [size == each for each in range(max(len(first), 1))]


def windows(neighbours: IntArray, size: int, turn: int) -> list[IntArray]:
    """All settlements in windows of a size, by turns of each kind."""
    count = max(-(-len(neighbours) // size), 1)
    if turn % KINDS == 2:
        scattered = np.roll(neighbours, -(turn // KINDS))
        return [scattered[first::count] for first in range(count)]
    shifted = np.roll(neighbours, -(turn % KINDS * size // 2 + turn // KINDS * size // 4))
    return [shifted[first : first + size] for first in range(0, len(neighbours), size)]


def guests(network: Network, at: IntArray, groups: Sequence[IntArray], most: int | None = None) -> IntArray:
    """The index of the group that a unit without a place may come to [U], NONE where there is none: those who could
    come to several are dealt in turn. most: of those who accept any settlement, so many to a group at most."""
    group = np.full(network.settlements, NONE)
    for index, settlements in enumerate(groups):
        group[settlements] = index
    dealt = np.full(network.units, NONE)
    asked = (at[network.unit] == NONE) & (network.hub_of[network.unit] == NONE) & (group[network.settlement] != NONE)
    many = max(len(groups), 1)
    pairs = np.unique(network.unit[asked] * many + group[network.settlement[asked]])
    unit, first, several = np.unique(pairs // many, return_index=True, return_counts=True)
    dealt[unit] = pairs[first + unit % several] % many
    anywhere = np.flatnonzero((at == NONE) & (network.hub_of != NONE))
    turn = np.arange(len(anywhere)) % max(many, 0 if most is None else -(-len(anywhere) // most))
    dealt[anywhere] = np.where(turn < len(groups), turn, NONE)
    return dealt
