"""Annealing: whole allocations get better by chance, a step at a time, while a temperature falls.

The settlements are annealed in two parts at once, which share nothing, each with dice of its own; the parts change from
one temperature to the next. So any number of threads gives the same.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver import packing
from solver.exchanging import CHAIN, Crowd, anneal, move_in
from solver.grouping import ranges
from solver.neighbourhoods import Aim, Losses
from solver.network import Network
from solver.problem import NONE
from solver.progress import Deadline
from solver.rooming import Own, Places
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

PARTS = 2
STEPS = 16
"""Temperatures at which the parts are cut anew."""
MOST_WAYS = 40
"""Of the places that a unit reaches through its hub, so many are tried: those that lose least by the prices."""
MOST_PLACES = 4_000_000
"""And of all units together."""
DICE = 0x9E3779B97F4A7C15
"""Where the dice begin."""
LONG = 200_000
"""Tries of a part between two looks at the clock."""


@dataclass(frozen=True)
class Heat:
    """What a loss is worth that is accepted once in e times: at first, and at the end. tries: of each unit, on average.
    calm: what a unit of value counts at least, so that who lives well is not moved for nothing."""

    hot: float
    cold: float
    tries: int
    calm: float = 0.0

    def times(self, scale: float) -> "Heat":
        """The same where a household usually counts so much."""
        return Heat(self.hot * scale, self.cold * scale, self.tries, self.calm * scale)


class Annealing:
    """The annealing of a network from where its units [U] are, by an aim, along the prices of a relaxation. leave:
    whether units may lose their place."""

    def __init__(self, network: Network, neighbours: IntArray, aim: Aim, losses: Losses, *, leave: bool) -> None:
        self.network, self.neighbours, self.aim = network, neighbours, aim
        unit, settlement, wish = _places(network, losses)
        score = aim.of(network, unit, settlement, wish)
        choices = packing.choices(network, losses.of_direct(), losses.of_ways())
        spare = packing.rooms(network).spare
        self.places = Places(
            first=np.searchsorted(unit, np.arange(network.units + 1)),
            settlement=settlement,
            score=score,
            uses=network.uses,
            seat_first=choices.seat_first,
            seat_need=choices.seat_need,
            seat_count=choices.seat_count,
            needs=network.needs,
            spare=spare,
            penalty=float(aim.value * network.problem.spare_bedroom_penalty),
            part=np.zeros(network.settlements, np.int64),
            leave=leave,
        )
        self.units = np.unique(network.unit_of[network.free])

    def run(self, at: IntArray, heat: Heat, deadline: Deadline, workers: int) -> IntArray:
        """Where units [U] are when it is cold. Where the deadline comes too early for that, it cools sooner."""
        rooms, own = packing.rooms(self.network), self._own()
        crowd = self._crowd(rooms, own[0], at)
        anneal(rooms, self.places, crowd, own[0], 0, self.units, 0, 1.0, 1.0)  # compiles, or reads what is compiled
        tries = heat.tries * len(self.units)
        turns = -(-tries // (STEPS * PARTS * LONG))
        planned = tries // (STEPS * turns) if tries else 0
        spent, done, chunks = 0.0, 0, STEPS * turns
        with ThreadPoolExecutor(min(workers, PARTS)) as pool:
            for chunk in range(chunks):
                if deadline.passed():
                    break
                if chunk % turns == 0:
                    part = self._cut(chunk // turns)
                    lists = self._lists(crowd.at, part, chunk // turns)
                expected = spent / max(done, 1) * planned * (chunks - chunk)
                now = planned if expected <= deadline.left() else int(planned * deadline.left() / expected)
                began = time.monotonic()
                hot, cold = (heat.hot * (heat.cold / heat.hot) ** (end / chunks) for end in (chunk, chunk + 1))
                running = [
                    pool.submit(
                        anneal,
                        rooms,
                        self.places._replace(part=part),
                        crowd,
                        own[index],
                        index,
                        units,
                        now * len(units) // max(len(self.units), 1),
                        hot,
                        cold,
                    )
                    for index, units in enumerate(lists)
                ]
                for each in running:
                    each.result()
                spent, done = spent + time.monotonic() - began, done + now
        return crowd.at

    def _own(self) -> list[Own]:
        """Of each part, always the same."""
        needs = self.network.needs
        return [
            Own(
                np.array([DICE + 2 * part], np.uint64),
                np.zeros(max(4 * needs * needs, 64), np.int64),
                np.zeros(needs, np.int64),
            )
            for part in range(PARTS)
        ]

    def _crowd(self, rooms: packing.Rooms, own: Own, at: IntArray) -> Crowd:
        """Everybody moved in where they are."""
        network, places = self.network, self.places
        houses = np.bincount(
            network.problem.house_classes.settlement, np.maximum(network.count, 0), network.settlements
        )
        room = houses.astype(np.int64) + CHAIN  # those of a try move in before others move out
        crowd = Crowd(
            at=np.full(network.units, NONE, np.int64),
            score=np.zeros(network.units),
            first=np.cumsum(room) - room,
            member=np.zeros(int(room.sum()), np.int64),
            living=np.zeros(network.settlements, np.int64),
            position=np.zeros(network.units, np.int64),
        )
        units = np.flatnonzero(at != NONE)
        score = self.aim.of(network, units, at[units], network.wishes(units, at[units]))
        if not move_in(rooms, places, crowd, own, units, at[units], score):
            raise AssertionError("whoever has a place has a house there")
        return crowd

    def _cut(self, step: int) -> IntArray:
        """The part of each settlement [S]: halves of the order of neighbours, shifted from step to step, then mixed."""
        count = len(self.neighbours)
        part = np.zeros(count, np.int64)
        if step % 3 == 2:
            part[self.neighbours] = np.arange(count) % PARTS
        else:
            part[np.roll(self.neighbours, step * count // 5)] = np.arange(count) * PARTS // max(count, 1)
        return part

    def _lists(self, at: IntArray, part: IntArray, step: int) -> list[IntArray]:
        """The units of each part: those who live there; who lives nowhere is dealt."""
        units = self.units
        of = np.where(at[units] == NONE, (units + step) % PARTS, part[at[units]])
        return [units[of == index] for index in range(PARTS)]


def _places(network: Network, losses: Losses) -> tuple[IntArray, IntArray, IntArray]:
    """Unit, settlement and wish of wherever units may live, by unit, then by what they lose there."""
    aim = losses.aim
    through = np.flatnonzero(network.hub_of != NONE)
    most = min(MOST_WAYS, max(MOST_PLACES // max(len(through), 1), 1))
    gain = losses.of_ways()
    way = np.lexsort((network.way_settlement, -gain, network.way_hub))
    first = np.searchsorted(network.way_hub, np.arange(network.hubs + 1))
    way = way[np.arange(len(way)) - first[network.way_hub] < most]
    first = np.searchsorted(network.way_hub[way], np.arange(network.hubs + 1))
    length = np.diff(first)[network.hub_of[through]]
    unit, way = np.repeat(through, length), way[ranges(first[network.hub_of[through]], length)]
    settlement = network.way_settlement[way]
    may = ~np.isin(unit * network.settlements + settlement, network.barred_keys)
    unit, settlement, way = unit[may], settlement[may], way[may]
    wish = network.hub_wish[unit] + network.way_wish[way]
    loss = losses.best[unit] - (aim.of_unit[unit] + aim.value * network.hub_wish[unit] + gain[way])
    loss = np.concatenate([losses.best[network.unit] - losses.of_direct(), loss])
    unit = np.concatenate([network.unit, unit])
    settlement = np.concatenate([network.settlement, settlement])
    wish = np.concatenate([network.wish, wish])
    order = np.lexsort((settlement, loss, unit))
    return unit[order], settlement[order], wish[order]
