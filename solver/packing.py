"""Places units one by one, exactly: houses of a settlement are shared out anew among its needs where that makes room.

Compiled loops over the columns of a `Network`; the state is the settlement of every unit.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.network import Network
from solver.problem import NONE, UNLIMITED
from solver.tables import IntArray

FloatArray = NDArray[np.float64]


class Rooms(NamedTuple):
    """What is left, and who takes what. A bin is a class's unreserved (2c) or reserved part (2c + 1); an arc lets a
    key take from a bin: those of key k are first[k]:first[k + 1], those into bin b into[into_first[b]:into_first[b+1]];
    spare: the bedrooms too many that it leaves.
    """

    first: IntArray
    bin: IntArray
    key: IntArray
    into_first: IntArray
    into: IntArray
    spare: IntArray
    flow: IntArray
    room: IntArray
    places: IntArray
    queue: IntArray
    before: IntArray
    taken_arc: IntArray
    given_arc: IntArray


class Choices(NamedTuple):
    """Where units may live, best first: direct placements by unit, settlements by hub, and what is barred."""

    direct_first: IntArray
    direct: IntArray
    settlement: IntArray
    hub_of: IntArray
    hub_first: IntArray
    hub_settlement: IntArray
    barred_first: IntArray
    barred: IntArray
    seat_first: IntArray
    seat_need: IntArray
    seat_count: IntArray
    uses: IntArray
    needs: int


def rooms(network: Network) -> Rooms:
    """Everything that is left for the free, nothing taken."""
    classes, keys = len(network.count), network.settlements * network.needs
    room = np.column_stack([network.unreserved, network.count - network.unreserved]).ravel()
    key = np.concatenate([network.supply_key, network.supply_key[~network.limited]])
    into = np.concatenate([2 * network.supply_class, 2 * network.supply_class[~network.limited] + 1])
    spare = np.concatenate([network.spare, network.spare[~network.limited]])
    order = np.lexsort((into % 2 == 0, into, spare, key))
    key, into = key[order], into[order]
    by_bin = np.argsort(into, kind="stable")
    places = np.where(network.places == UNLIMITED, np.iinfo(np.int64).max, network.places)
    return Rooms(
        first=np.searchsorted(key, np.arange(keys + 1)),
        bin=into,
        key=key,
        into_first=np.searchsorted(into[by_bin], np.arange(2 * classes + 1)),
        into=by_bin,
        spare=spare[order],
        flow=np.zeros(len(key), np.int64),
        room=room.astype(np.int64),
        places=places,
        queue=np.zeros(keys, np.int64),
        before=np.zeros(keys, np.int64),
        taken_arc=np.zeros(keys, np.int64),
        given_arc=np.zeros(keys, np.int64),
    )


def choices(network: Network, direct_score: FloatArray, way_score: FloatArray) -> Choices:
    """Placements [n] and ways [w] by score, ties by settlement."""
    direct = np.lexsort((network.settlement, -direct_score, network.unit))
    way = np.lexsort((network.way_settlement, -way_score, network.way_hub))
    households = np.flatnonzero(network.free)
    seats, count = np.unique(
        network.unit_of[households] * network.needs + network.need_of[households], return_counts=True
    )
    units = np.arange(network.units + 1)
    return Choices(
        direct_first=np.searchsorted(network.unit, units),
        direct=direct,
        settlement=network.settlement,
        hub_of=network.hub_of,
        hub_first=np.searchsorted(network.way_hub, np.arange(network.hubs + 1)),
        hub_settlement=network.way_settlement[way],
        barred_first=network.barred.start,
        barred=network.barred.column,
        seat_first=np.searchsorted(seats // network.needs, units),
        seat_need=seats % network.needs,
        seat_count=count,
        uses=network.uses,
        needs=network.needs,
    )


@njit(cache=True, nogil=True)
def _give(rooms: Rooms, key: int) -> bool:
    """One more house for a key, by an augmenting path; False where there is none."""
    head, tail = 0, 1
    rooms.queue[0] = key
    rooms.before[key] = -1
    found = -1
    while head < tail and found < 0:
        k = rooms.queue[head]
        head += 1
        for arc in range(rooms.first[k], rooms.first[k + 1]):
            b = rooms.bin[arc]
            if rooms.room[b] > 0:
                rooms.room[b] -= 1
                rooms.flow[arc] += 1
                found = k
                break
            for i in range(rooms.into_first[b], rooms.into_first[b + 1]):
                other = rooms.into[i]
                to = rooms.key[other]
                if rooms.flow[other] > 0 and not _queued(rooms, to, tail):
                    rooms.before[to] = k
                    rooms.given_arc[to] = arc
                    rooms.taken_arc[to] = other
                    rooms.queue[tail] = to
                    tail += 1
    if found < 0:
        return False
    while rooms.before[found] >= 0:
        rooms.flow[rooms.taken_arc[found]] -= 1
        rooms.flow[rooms.given_arc[found]] += 1
        found = rooms.before[found]
    return True


@njit(cache=True, nogil=True)
def _queued(rooms: Rooms, key: int, tail: int) -> bool:
    return bool((rooms.queue[:tail] == key).any())


@njit(cache=True, nogil=True)
def _give_back(rooms: Rooms, key: int) -> None:
    for arc in range(rooms.first[key + 1] - 1, rooms.first[key] - 1, -1):
        if rooms.flow[arc] > 0:
            rooms.flow[arc] -= 1
            rooms.room[rooms.bin[arc]] += 1
            return


@njit(cache=True, nogil=True)
def _try(rooms: Rooms, choices: Choices, unit: int, settlement: int) -> bool:
    """Houses a unit whole in a settlement, or leaves everything as it was."""
    services = choices.uses.shape[1]
    for k in range(services):
        if choices.uses[unit, k] > rooms.places[settlement, k]:
            return False
    for seat in range(choices.seat_first[unit], choices.seat_first[unit + 1]):
        key = settlement * choices.needs + choices.seat_need[seat]
        for given in range(choices.seat_count[seat]):
            if not _give(rooms, key):
                for _ in range(given):
                    _give_back(rooms, key)
                for earlier in range(choices.seat_first[unit], seat):
                    for _ in range(choices.seat_count[earlier]):
                        _give_back(rooms, settlement * choices.needs + choices.seat_need[earlier])
                return False
    for k in range(services):
        rooms.places[settlement, k] -= choices.uses[unit, k]
    return True


@njit(cache=True, nogil=True)
def put(rooms: Rooms, choices: Choices, order: IntArray, at: IntArray) -> None:
    """Takes what the units in `order` that are placed take; who doesn't fit any more loses the place."""
    for unit in order:
        if at[unit] != NONE and not _try(rooms, choices, unit, at[unit]):
            at[unit] = NONE


@njit(cache=True, nogil=True)
def fill(rooms: Rooms, choices: Choices, order: IntArray, at: IntArray) -> None:
    """Gives every unit in `order` that is not placed the best that is left."""
    for unit in order:
        if at[unit] != NONE:
            continue
        for i in range(choices.direct_first[unit], choices.direct_first[unit + 1]):
            settlement = choices.settlement[choices.direct[i]]
            if _try(rooms, choices, unit, settlement):
                at[unit] = settlement
                break
        hub = choices.hub_of[unit]
        if at[unit] != NONE or hub == NONE:
            continue
        for i in range(choices.hub_first[hub], choices.hub_first[hub + 1]):
            settlement = choices.hub_settlement[i]
            if not _barred(choices, unit, settlement) and _try(rooms, choices, unit, settlement):
                at[unit] = settlement
                break


@njit(cache=True, nogil=True)
def _barred(choices: Choices, unit: int, settlement: int) -> bool:
    row = choices.barred[choices.barred_first[unit] : choices.barred_first[unit + 1]]
    return bool((row == settlement).any())


@njit(cache=True, nogil=True)
def squeeze(rooms: Rooms, choices: Choices, missing: IntArray, at: IntArray, tries: int, in_all: int) -> int:
    """Houses units for whom nothing is left by moving another one elsewhere: `tries` a unit, `in_all` together. Returns
    how many are left."""
    head = np.full(len(rooms.places), NONE, np.int64)
    after = np.full(len(at), NONE, np.int64)
    before = np.full(len(at), NONE, np.int64)
    for unit in range(len(at) - 1, -1, -1):
        if at[unit] != NONE:
            _link(head, after, before, unit, at[unit])
    left = np.zeros(1, np.int64)
    for unit in missing:
        spent = min(tries, in_all)
        left[0] = spent
        i = 0
        while at[unit] == NONE and left[0] > 0:
            settlement = _choice(choices, unit, i)
            i += 1
            if settlement == NONE:
                break
            if settlement >= 0:
                _evict(rooms, choices, unit, settlement, at, head, after, before, left)
        in_all -= spent - left[0]
    return in_all


@njit(cache=True, nogil=True)
def _evict(
    rooms: Rooms,
    choices: Choices,
    unit: int,
    settlement: int,
    at: IntArray,
    head: IntArray,
    after: IntArray,
    before: IntArray,
    left: IntArray,
) -> None:
    """Places a unit where another one lives that can go on elsewhere; or leaves everything as it was."""
    other = head[settlement]
    while other != NONE and left[0] > 0:
        left[0] -= 1
        _leave(rooms, choices, other, settlement)
        if _try(rooms, choices, unit, settlement):
            i = 0
            while left[0] > 0:
                to = _choice(choices, other, i)
                i += 1
                if to == NONE:
                    break
                left[0] -= 1
                if to >= 0 and to != settlement and _try(rooms, choices, other, to):
                    _unlink(head, after, before, other, settlement)
                    at[other] = to
                    _link(head, after, before, other, to)
                    at[unit] = settlement
                    _link(head, after, before, unit, settlement)
                    return
            _leave(rooms, choices, unit, settlement)
        if not _try(rooms, choices, other, settlement):
            raise RuntimeError("what was there must fit again")
        other = after[other]


@njit(cache=True, nogil=True)
def _link(head: IntArray, after: IntArray, before: IntArray, unit: int, settlement: int) -> None:
    after[unit] = head[settlement]
    before[unit] = NONE
    if head[settlement] != NONE:
        before[head[settlement]] = unit
    head[settlement] = unit


@njit(cache=True, nogil=True)
def _unlink(head: IntArray, after: IntArray, before: IntArray, unit: int, settlement: int) -> None:
    if before[unit] == NONE:
        head[settlement] = after[unit]
    else:
        after[before[unit]] = after[unit]
    if after[unit] != NONE:
        before[after[unit]] = before[unit]


@njit(cache=True, nogil=True)
def _leave(rooms: Rooms, choices: Choices, unit: int, settlement: int) -> None:
    for k in range(choices.uses.shape[1]):
        rooms.places[settlement, k] += choices.uses[unit, k]
    for seat in range(choices.seat_first[unit], choices.seat_first[unit + 1]):
        for _ in range(choices.seat_count[seat]):
            _give_back(rooms, settlement * choices.needs + choices.seat_need[seat])


@njit(cache=True, nogil=True)
def _choice(choices: Choices, unit: int, i: int) -> int:
    """The settlement of a unit's i-th choice, direct ones first; NONE past the last, -2 where it is barred."""
    direct = choices.direct_first[unit + 1] - choices.direct_first[unit]
    if i < direct:
        return int(choices.settlement[choices.direct[choices.direct_first[unit] + i]])
    hub = choices.hub_of[unit]
    if hub == NONE or choices.hub_first[hub] + i - direct >= choices.hub_first[hub + 1]:
        return NONE
    settlement = int(choices.hub_settlement[choices.hub_first[hub] + i - direct])
    return -2 if _barred(choices, unit, settlement) else settlement


@njit(cache=True, nogil=True)
def _share_out(
    choices: Choices, units: IntArray, first: IntArray, slot_first: IntArray, slots: IntArray, at: IntArray
) -> None:
    """Units of hub b, first[b]:first[b + 1], take its slots in turn, each the first that isn't barred to it."""
    for hub in range(len(first) - 1):
        used = np.zeros(slot_first[hub + 1] - slot_first[hub], np.bool_)
        low = 0
        for i in range(first[hub], first[hub + 1]):
            while low < len(used) and used[low]:
                low += 1
            for j in range(low, len(used)):
                settlement = slots[slot_first[hub] + j]
                if not used[j] and not _barred(choices, units[i], settlement):
                    used[j] = True
                    at[units[i]] = settlement
                    break


def share_out(network: Network, choices: Choices, units: IntArray, ways: IntArray, at: IntArray) -> None:
    """Places units that go through their hubs: way w [w] takes `ways` of them."""
    order = units[np.argsort(network.hub_of[units], kind="stable")]
    hubs = np.arange(network.hubs + 1)
    slots = np.repeat(network.way_settlement, ways)
    _share_out(
        choices,
        order,
        np.searchsorted(network.hub_of[order], hubs),
        np.searchsorted(np.repeat(network.way_hub, ways), hubs),
        slots,
        at,
    )


def by_priority(network: Network, first: list[IntArray]) -> IntArray:
    """Units in the order of what they give the stages, most first: first things first, ties by number."""
    return np.lexsort([np.arange(network.units), *(-gives for gives in reversed(first))])
