"""Units move in and out of the houses of settlements, which are shared out anew each time, with as few spare bedrooms
as there can be: compiled loops.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.packing import Rooms
from solver.problem import NONE
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

NEVER = 1 << 40
"""What a house costs that cannot be had."""


class Places(NamedTuple):
    """Where units may live: unit u at settlement[first[u]:first[u + 1]], what loses least first, each with its score;
    what it uses, and its seats: how many houses of which need. spare [arcs]: bedrooms too many; penalty: what one
    costs. part [S]: the settlements that are annealed together. leave: whether units may go without a place."""

    first: IntArray
    settlement: IntArray
    score: FloatArray
    uses: IntArray
    seat_first: IntArray
    seat_need: IntArray
    seat_count: IntArray
    needs: int
    spare: IntArray
    penalty: float
    part: IntArray
    leave: bool


class Own(NamedTuple):
    """What belongs to one of the annealings that run at once: the state of its dice, and room to search for houses."""

    dice: NDArray[np.uint64]
    queue: IntArray
    cost: IntArray


@njit(cache=True, nogil=True)
def _take(rooms: Rooms, places: Places, own: Own, key: int) -> int:
    """One more house for a key, the cheapest way for all: the spare bedrooms that it costs, or NEVER."""
    base = key // places.needs * places.needs
    own.cost[:] = NEVER
    own.cost[key - base] = 0
    own.queue[0] = key
    rooms.before[key] = NONE
    best, last, last_arc = NEVER, NONE, NONE
    head, tail = 0, 1
    while head < tail:
        k = own.queue[head]
        head += 1
        for arc in range(rooms.first[k], rooms.first[k + 1]):
            b = rooms.bin[arc]
            cost = own.cost[k - base] + places.spare[arc]
            if rooms.room[b] > 0:
                if cost < best:
                    best, last, last_arc = cost, k, arc
                continue
            for i in range(rooms.into_first[b], rooms.into_first[b + 1]):
                other = rooms.into[i]
                to = rooms.key[other]
                less = cost - places.spare[other]
                if rooms.flow[other] > 0 and less < own.cost[to - base] and tail < len(own.queue):
                    own.cost[to - base] = less
                    rooms.before[to] = k
                    rooms.given_arc[to] = arc
                    rooms.taken_arc[to] = other
                    own.queue[tail] = to
                    tail += 1
    if last == NONE:
        return NEVER
    rooms.flow[last_arc] += 1
    rooms.room[rooms.bin[last_arc]] -= 1
    while rooms.before[last] != NONE:
        rooms.flow[rooms.taken_arc[last]] -= 1
        rooms.flow[rooms.given_arc[last]] += 1
        last = rooms.before[last]
    return best


@njit(cache=True, nogil=True)
def _release(rooms: Rooms, places: Places, own: Own, key: int) -> int:
    """One house of a key less, and what it leaves to whom it helps most: the spare bedrooms that it costs, below 0."""
    base = key // places.needs * places.needs
    own.cost[:] = NEVER
    own.cost[key - base] = 0
    own.queue[0] = key
    rooms.before[key] = NONE
    best, last, last_arc = NEVER, NONE, NONE
    head, tail = 0, 1
    while head < tail:
        k = own.queue[head]
        head += 1
        for arc in range(rooms.first[k], rooms.first[k + 1]):
            if rooms.flow[arc] == 0:
                continue
            b = rooms.bin[arc]
            cost = own.cost[k - base] - places.spare[arc]
            if cost < best:
                best, last, last_arc = cost, k, arc
            for i in range(rooms.into_first[b], rooms.into_first[b + 1]):
                other = rooms.into[i]
                to = rooms.key[other]
                more = cost + places.spare[other]
                if more < own.cost[to - base] and tail < len(own.queue):
                    own.cost[to - base] = more
                    rooms.before[to] = k
                    rooms.given_arc[to] = other
                    rooms.taken_arc[to] = arc
                    own.queue[tail] = to
                    tail += 1
    rooms.flow[last_arc] -= 1
    rooms.room[rooms.bin[last_arc]] += 1
    while rooms.before[last] != NONE:
        rooms.flow[rooms.given_arc[last]] += 1
        rooms.flow[rooms.taken_arc[last]] -= 1
        last = rooms.before[last]
    return best


@njit(cache=True, nogil=True)
def enter(rooms: Rooms, places: Places, own: Own, unit: int, settlement: int) -> int:
    """Houses a unit whole: the spare bedrooms that it costs; or leaves everything as it was, and NEVER."""
    if not served(rooms, places, unit, settlement, NONE):
        return NEVER
    total = 0
    for seat in range(places.seat_first[unit], places.seat_first[unit + 1]):
        key = settlement * places.needs + places.seat_need[seat]
        for given in range(places.seat_count[seat]):
            cost = _take(rooms, places, own, key)
            if cost == NEVER:
                for _ in range(given):
                    _release(rooms, places, own, key)
                for earlier in range(places.seat_first[unit], seat):
                    for _ in range(places.seat_count[earlier]):
                        _release(rooms, places, own, settlement * places.needs + places.seat_need[earlier])
                return NEVER
            total += cost
    for k in range(places.uses.shape[1]):
        rooms.places[settlement, k] -= places.uses[unit, k]
    return total


@njit(cache=True, nogil=True)
def leave(rooms: Rooms, places: Places, own: Own, unit: int, settlement: int) -> int:
    total = 0
    for seat in range(places.seat_first[unit], places.seat_first[unit + 1]):
        for _ in range(places.seat_count[seat]):
            total += _release(rooms, places, own, settlement * places.needs + places.seat_need[seat])
    for k in range(places.uses.shape[1]):
        rooms.places[settlement, k] += places.uses[unit, k]
    return total


@njit(cache=True, nogil=True)
def served(rooms: Rooms, places: Places, unit: int, settlement: int, instead: int) -> bool:
    """Whether services have places for a unit, were another one gone."""
    for k in range(places.uses.shape[1]):
        left = rooms.places[settlement, k]
        if instead != NONE:
            left += places.uses[instead, k]
        if places.uses[unit, k] > left:
            return False
    return True
