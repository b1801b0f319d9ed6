"""Units change places by chance, one for another, in an annealing: compiled loops over the columns of a `Network`.

A try takes a unit to another settlement. Where it doesn't fit, it puts another unit out, which goes where the first
came from, or elsewhere, and may put out a third. Houses are shared out anew at each step, with as few spare bedrooms as
there can be.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.packing import Rooms
from solver.problem import NONE
from solver.rooming import NEVER, Own, Places, enter, leave, served
from solver.tables import IntArray

FloatArray = NDArray[np.float64]

NOWHERE = -2
"""No place to go to."""
CHAIN = 3
"""Units that one try moves at most."""
SCANNED = 40
"""Units of a settlement that are looked at for one to be put out."""
COOLING = 256
"""Tries at one temperature."""


class Crowd(NamedTuple):
    """Who lives where: settlements and scores of units [U]; the units of settlement s are member[first[s]:first[s] +
    living[s]], unit u at position[u] of these."""

    at: IntArray
    score: FloatArray
    first: IntArray
    member: IntArray
    living: IntArray
    position: IntArray


class Tried(NamedTuple):
    """A chain of units, where each of them comes from and goes to, its score there; what they gain together [1]."""

    unit: IntArray
    source: IntArray
    target: IntArray
    score: FloatArray
    gain: FloatArray


@njit(cache=True, nogil=True)
def _roll(own: Own, sides: int) -> int:
    """A number below `sides` (xorshift: the same on every machine)."""
    x = own.dice[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    own.dice[0] = x
    return int((x >> np.uint64(33)) % np.uint64(sides))


@njit(cache=True, nogil=True)
def _chance(own: Own) -> float:
    return (_roll(own, 1 << 30) + 0.5) / (1 << 30)


@njit(cache=True, nogil=True)
def _settle(crowd: Crowd, unit: int, to: int, score: float) -> None:
    at = crowd.at[unit]
    if at != NONE:
        crowd.living[at] -= 1
        last = crowd.member[crowd.first[at] + crowd.living[at]]
        crowd.member[crowd.position[unit]] = last
        crowd.position[last] = crowd.position[unit]
    crowd.at[unit] = to
    crowd.score[unit] = score
    if to != NONE:
        crowd.position[unit] = crowd.first[to] + crowd.living[to]
        crowd.member[crowd.position[unit]] = unit
        crowd.living[to] += 1


@njit(cache=True, nogil=True)
def move_in(
    rooms: Rooms, places: Places, crowd: Crowd, own: Own, units: IntArray, to: IntArray, score: FloatArray
) -> bool:
    """Houses units [n] in settlements [n]; False where they don't fit together."""
    for i in range(len(units)):
        if enter(rooms, places, own, units[i], to[i]) == NEVER:
            return False
        _settle(crowd, units[i], to[i], score[i])
    return True


@njit(cache=True, nogil=True)
def _wanted(places: Places, own: Own, unit: int) -> int:
    """One of the places where a unit may live, what loses least more often; NONE where it has none."""
    first, end = places.first[unit], places.first[unit + 1]
    if first == end:
        return NONE
    chance = _chance(own)
    wanted: int = first + int(chance * chance * (end - first))
    return wanted


@njit(cache=True, nogil=True)
def _place(places: Places, unit: int, settlement: int) -> int:
    for i in range(places.first[unit], places.first[unit + 1]):
        if places.settlement[i] == settlement:
            return i
    return NONE


@njit(cache=True, nogil=True)
def anneal(
    rooms: Rooms,
    places: Places,
    crowd: Crowd,
    own: Own,
    part: int,
    units: IntArray,
    tries: int,
    hot: float,
    cold: float,
) -> None:
    """Tries to move units, of one part of the settlements, while the temperature falls."""
    tried = Tried(
        np.zeros(CHAIN, np.int64), np.zeros(CHAIN, np.int64), np.zeros(CHAIN, np.int64), np.zeros(CHAIN), np.zeros(1)
    )
    temperature = hot
    for n in range(tries if len(units) else 0):
        if n % COOLING == 0:
            temperature = hot * (cold / hot) ** (n / tries)
        unit = units[_roll(own, len(units))]
        to, at = _wanted(places, own, unit), crowd.at[unit]
        if to == NONE or places.settlement[to] == at or places.part[places.settlement[to]] != part:
            continue
        threshold = temperature * math.log(_chance(own))
        tried.unit[0], tried.source[0] = unit, at
        tried.target[0], tried.score[0] = places.settlement[to], places.score[to]
        tried.gain[0] = places.score[to] - crowd.score[unit]
        if at != NONE:
            tried.gain[0] -= places.penalty * leave(rooms, places, own, unit, at)
        length = _move(rooms, places, crowd, own, part, tried, threshold)
        if length > 0 and tried.gain[0] >= threshold:
            for i in range(length):
                _settle(crowd, tried.unit[i], tried.target[i], tried.score[i])
        else:
            _undo(rooms, places, own, tried, length)


@njit(cache=True, nogil=True)
def _move(rooms: Rooms, places: Places, crowd: Crowd, own: Own, part: int, tried: Tried, threshold: float) -> int:
    """Lets the first of a chain move in where it wants, and each that is put out elsewhere: how many moved; below 0,
    and one less than minus those that moved in, where the last finds no place."""
    length = 0
    while True:
        unit, to = tried.unit[length], tried.target[length]
        cost = 0 if to == NONE else enter(rooms, places, own, unit, to)
        if cost != NEVER:
            tried.gain[0] -= places.penalty * cost
            return length + 1
        if length + 1 == CHAIN or not _put_out(rooms, places, crowd, own, part, tried, length, threshold):
            return -1 - length
        length += 1


@njit(cache=True, nogil=True)
def _put_out(
    rooms: Rooms, places: Places, crowd: Crowd, own: Own, part: int, tried: Tried, length: int, threshold: float
) -> bool:
    """Houses the last of a chain in the place of another, which is the next; or leaves everything as it was."""
    unit, to = tried.unit[length], tried.target[length]
    least = threshold - tried.gain[0] - CHAIN * places.penalty
    living = crowd.living[to]
    begin = crowd.first[to] + _roll(own, max(living, 1))
    for i in range(begin, begin + min(SCANNED, living)):
        other = crowd.member[i if i < crowd.first[to] + living else i - living]
        if not served(rooms, places, unit, to, other) or _moved(tried, length, other):
            continue
        choice = _instead(rooms, places, crowd, own, part, tried, other, length, least)
        if choice == NOWHERE:
            continue
        saved = leave(rooms, places, own, other, to)
        cost = enter(rooms, places, own, unit, to)
        if cost == NEVER:
            enter(rooms, places, own, other, to)
            continue
        tried.unit[length + 1], tried.source[length + 1] = other, to
        tried.target[length + 1] = NONE if choice == NONE else places.settlement[choice]
        tried.score[length + 1] = 0.0 if choice == NONE else places.score[choice]
        tried.gain[0] += tried.score[length + 1] - crowd.score[other] - places.penalty * (saved + cost)
        return True
    return False


@njit(cache=True, nogil=True)
def _undo(rooms: Rooms, places: Places, own: Own, tried: Tried, length: int) -> None:
    """Everybody of a chain goes back."""
    inside = length if length > 0 else -1 - length
    for i in range(inside):
        if tried.target[i] != NONE:
            leave(rooms, places, own, tried.unit[i], tried.target[i])
    for i in range(inside if length > 0 else inside + 1):
        at = tried.source[i]
        if at != NONE and enter(rooms, places, own, tried.unit[i], at) == NEVER:
            raise RuntimeError("what was there must fit again")


@njit(cache=True, nogil=True)
def _moved(tried: Tried, length: int, unit: int) -> bool:
    """Whether a unit is one of a chain."""
    for i in range(length + 1):  # noqa: SIM110 - a generator is not compiled
        if tried.unit[i] == unit:
            return True
    return False


@njit(cache=True, nogil=True)
def _instead(
    rooms: Rooms,
    places: Places,
    crowd: Crowd,
    own: Own,
    part: int,
    tried: Tried,
    unit: int,
    length: int,
    least: float,
) -> int:
    """The place where a unit could go that is put out for the last of a chain: what the first left, if it may live
    there. NONE: out altogether; NOWHERE where it had better stay."""
    settlement, left = tried.target[length], tried.source[0]
    choice = NONE
    if left != NONE and left != settlement and served(rooms, places, unit, left, NONE):
        choice = _place(places, unit, left)
    if choice == NONE and places.leave and _roll(own, 2) == 0:
        return NONE if -crowd.score[unit] >= least else NOWHERE
    if choice == NONE:
        choice = _wanted(places, own, unit)
        if choice == NONE or not _open(rooms, places, part, unit, choice, settlement, length + 2 == CHAIN):
            return NOWHERE
    return choice if places.score[choice] - crowd.score[unit] >= least else NOWHERE


@njit(cache=True, nogil=True)
def _open(rooms: Rooms, places: Places, part: int, unit: int, choice: int, settlement: int, last: bool) -> bool:
    """Whether a unit that is put out of a settlement may go for another place; the last of a chain puts nobody out."""
    to = places.settlement[choice]
    return to != settlement and places.part[to] == part and (not last or served(rooms, places, unit, to, NONE))
