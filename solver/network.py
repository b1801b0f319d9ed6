"""Who may live where, for large problems: direct placements, and hubs through which "anywhere" households flow.

A household that accepts any settlement has as many placements as there are settlements. Those that share a need, a
profile and the places they use gain the same everywhere, but for a constant of their own: they flow through one hub,
and a problem has a few placements a household again.
"""

from dataclasses import dataclass

import numpy as np

from solver.options import Options, fits, needs, values
from solver.problem import NONE, UNLIMITED, Problem
from solver.tables import BoolArray, IntArray, SparseRows

MOST_HUBS = 1_000
"""Hubs cost memory by their square; the rarest kinds get placements of their own instead."""


@dataclass(frozen=True, eq=False)
class Network:
    """Households that are free, as units: household h is unit h, kin group g is H + g (`unit_of` [H]).

    Direct placements [n] are sorted by unit, then settlement; `wish`: what the members gain there, spare bedrooms
    apart. Seats say how many houses for which key (settlement · needs + need) a placement takes. `hub_of` [U] is NONE
    without a hub; through its hub a unit gains `hub_wish` [U] and what the way [w] gives, except where it is barred
    (rows of units). stays: the settlement where members of a unit had a house, and how many; their placements there are
    direct. Ways are sorted by hub, then settlement. Supplies [m] let a class serve a key, as in `Options`.
    kinds [needs, 4]: as `solver.options.needs` gives them. count, unreserved [C] and places [S, K] are left for the
    free; services [K] are those that are limited somewhere.
    """

    problem: Problem
    needs: int
    unit_of: IntArray
    kinds: IntArray
    need_of: IntArray
    free: BoolArray
    uses: IntArray
    unit: IntArray
    settlement: IntArray
    wish: IntArray
    seat_placement: IntArray
    seat_key: IntArray
    seat_count: IntArray
    hub_of: IntArray
    hub_wish: IntArray
    way_hub: IntArray
    way_settlement: IntArray
    way_wish: IntArray
    way_key: IntArray
    hub_uses: IntArray
    barred: SparseRows
    supply_key: IntArray
    supply_class: IntArray
    spare: IntArray
    limited: BoolArray
    count: IntArray
    unreserved: IntArray
    places: IntArray
    stays: SparseRows

    @property
    def units(self) -> int:
        return len(self.hub_of)

    @property
    def hubs(self) -> int:
        return len(self.hub_uses)

    @property
    def settlements(self) -> int:
        return len(self.places)

    def of_units(self, each: IntArray) -> IntArray:
        """A column of households [H], summed over the members of every unit [U]; who isn't free counts nothing."""
        total = np.zeros(self.units, np.int64)
        np.add.at(total, self.unit_of[self.free], each[self.free])
        return total

    def staying(self, unit: IntArray, settlement: IntArray) -> IntArray:
        """How many members stay where they were, of units [n] in settlements [n]."""
        had = self.stays.row * self.settlements + self.stays.column
        wanted = unit * self.settlements + settlement
        at = np.searchsorted(had, wanted)
        return np.where(np.append(had, NONE)[at] == wanted, np.append(self.stays.value, 0)[at], 0)

    @property
    def barred_keys(self) -> IntArray:
        """Where units may not go through their hubs: unit · settlements + settlement."""
        return self.barred.row * self.settlements + self.barred.column

    def wishes(self, unit: IntArray, settlement: IntArray) -> IntArray:
        """What units [n] gain in settlements [n], where they may live."""
        wanted = unit * self.settlements + settlement
        at = np.searchsorted(self.unit * self.settlements + self.settlement, wanted)
        direct = np.append(self.unit * self.settlements + self.settlement, NONE)[at] == wanted
        wish = np.where(direct, np.append(self.wish, 0)[at], self.hub_wish[unit])
        through = np.flatnonzero(~direct)
        key = self.hub_of[unit[through]] * self.settlements + settlement[through]
        way = np.searchsorted(self.way_hub * self.settlements + self.way_settlement, key)
        wish[through] += self.way_wish[way]
        return wish

    def reached(self, units: IntArray, settlements: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Unit, settlement and wish of whatever these units [u] may reach through hubs in these settlements [s]."""
        units = units[self.hub_of[units] != NONE]
        ways = np.full((self.hubs, self.settlements), NONE, np.int64)
        ways[self.way_hub, self.way_settlement] = np.arange(len(self.way_hub))
        way = ways[np.ix_(self.hub_of[units], settlements)]
        row, column = np.nonzero(way != NONE)
        unit, settlement, way = units[row], settlements[column], way[row, column]
        barred = np.sort(self.barred_keys)
        key = unit * self.settlements + settlement
        at = np.minimum(np.searchsorted(barred, key), max(len(barred) - 1, 0))
        may = barred[at] != key if len(barred) else np.ones(len(key), np.bool_)
        unit, settlement, way = unit[may], settlement[may], way[may]
        return unit, settlement, self.hub_wish[unit] + self.way_wish[way]

    def placements(self, units: BoolArray, settlements: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Unit, settlement and wish of wherever units [U] may live among settlements [s]: direct, then through hubs."""
        inside = np.zeros(self.settlements, np.bool_)
        inside[settlements] = True
        direct = np.flatnonzero(units[self.unit] & inside[self.settlement])
        through = self.reached(np.flatnonzero(units), settlements)
        own = (self.unit[direct], self.settlement[direct], self.wish[direct])
        unit, settlement, wish = (np.concatenate(both) for both in zip(own, through, strict=True))
        return unit, settlement, wish

    def options(self, unit: IntArray, settlement: IntArray, wish: IntArray) -> Options:
        """Some placements (sorted by unit) in the form that the exact search takes, all units and keys as here."""
        placement, key, count = _seats(self.free, self.unit_of, self.need_of, self.needs, self.units, unit, settlement)
        return Options(
            unit_of=self.unit_of,
            need_of=self.need_of,
            unit=unit,
            settlement=settlement,
            wish=wish,
            seat_placement=placement,
            seat_key=key,
            seat_count=count,
            needs=self.needs,
            supply_key=self.supply_key,
            supply_class=self.supply_class,
            supply_start=np.searchsorted(self.supply_key, np.arange(self.settlements * self.needs + 1)),
            spare=self.spare,
            limited=self.limited,
            must=np.zeros(self.units, np.bool_),
            uses=self.uses,
        )


def network(problem: Problem, given: IntArray, only: BoolArray, home: IntArray | None = None) -> Network:
    """The network of `only` these households [H]. given [H]: the class of those that are settled, or NONE. home [H]:
    that which `keep` counts, or NONE."""
    households, classes = problem.households, problem.house_classes
    capacity = problem.settlements.capacity
    kept = np.flatnonzero((capacity != UNLIMITED).any(axis=0))
    everyone, groups, places = len(households.id), len(households.kin_groups), len(problem.settlements.id)
    unit_of = np.where(households.kin_group == NONE, np.arange(everyone), everyone + households.kin_group)
    uses = np.zeros((everyone + groups, len(problem.services)), np.int64)
    np.add.at(uses, (unit_of[households.uses.row], households.uses.column), households.uses.value)
    own = np.zeros((everyone, len(problem.services)), np.int64)
    own[households.uses.row, households.uses.column] = households.uses.value
    uses = uses[:, kept]
    count, unreserved = classes.count.copy(), classes.count - classes.reserved
    settled = np.flatnonzero(given != NONE)
    np.subtract.at(count, given[settled], 1)
    np.subtract.at(unreserved, given[settled], (~households.needs_step_free[settled]).astype(np.int64))
    left = np.where(capacity == UNLIMITED, UNLIMITED, capacity)
    np.subtract.at(left, classes.settlement[given[settled]], own[settled])
    left = np.where(capacity == UNLIMITED, UNLIMITED, left)[:, kept]
    unreserved = np.minimum(unreserved, count)
    free = only & (given == NONE)

    kinds, need_of = needs(problem)
    serves = fits(problem, kinds) & (kinds[:, 3, None] == NONE) & (count > 0)
    serves &= (kinds[:, 2, None] != 0) | (unreserved > 0)
    need, house_class = np.nonzero(serves)
    key = classes.settlement[house_class] * len(kinds) + need
    order = np.lexsort((house_class, key))
    need, house_class, key = need[order], house_class[order], key[order]
    offered = np.zeros((len(kinds), places), np.bool_)
    offered[need, classes.settlement[house_class]] = True

    single = free & (households.kin_group == NONE)
    hub_of, hubs = _hubs(problem, single & households.has_anywhere, need_of, own[:, kept])
    by_hub = np.append(hub_of, np.full(groups, NONE))
    stays = _stays(problem, free, serves, need_of, unit_of, home, everyone + groups)
    direct = _direct(problem, single, by_hub[:everyone] == NONE, need_of, offered, stays)
    kin = _kin(problem, free, unit_of, need_of, offered)
    unit, settlement, wish = (np.concatenate(parts) for parts in zip(direct, kin, strict=True))
    hub, at = np.nonzero(offered[hubs[:, 0]]) if len(hubs) else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    profile_value = np.vstack([problem.profiles.value, np.zeros((1, places), np.int64)])
    seat_placement, seat_key, seat_count = _seats(
        free, unit_of, need_of, len(kinds), everyone + groups, unit, settlement
    )
    return Network(
        problem=problem,
        needs=len(kinds),
        unit_of=unit_of,
        kinds=kinds,
        need_of=need_of,
        free=free,
        uses=uses,
        unit=unit,
        settlement=settlement,
        wish=wish,
        seat_placement=seat_placement,
        seat_key=seat_key,
        seat_count=seat_count,
        hub_of=by_hub,
        hub_wish=np.where(by_hub == NONE, 0, np.append(households.anywhere, np.zeros(groups, np.int64))),
        way_hub=hub,
        way_settlement=at,
        way_wish=profile_value[hubs[hub, 1], at],
        way_key=at * len(kinds) + hubs[hub, 0],
        hub_uses=hubs[:, 2:],
        barred=_barred(problem, by_hub, stays),
        supply_key=key,
        supply_class=house_class,
        spare=classes.bedrooms[house_class] - kinds[need, 0],
        limited=kinds[need, 2] == 0,
        count=count,
        unreserved=unreserved,
        places=left,
        stays=stays,
    )


def _stays(
    problem: Problem,
    free: BoolArray,
    serves: BoolArray,
    need_of: IntArray,
    unit_of: IntArray,
    home: IntArray | None,
    units: int,
) -> SparseRows:
    """Settlement and members of every unit that could stay in their classes."""
    if home is None:
        return SparseRows.empty(units)
    who = np.flatnonzero(free & (home != NONE))
    who = who[serves[need_of[who], home[who]]]
    width = max(len(problem.settlements.id), 1)
    key = unit_of[who] * width + problem.house_classes.settlement[home[who]]
    keys, members = np.unique(key, return_counts=True)
    return SparseRows(np.searchsorted(keys // width, np.arange(units + 1)), keys % width, members)


def _seats(
    free: BoolArray,
    unit_of: IntArray,
    need_of: IntArray,
    needs: int,
    units: int,
    unit: IntArray,
    settlement: IntArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Placement, key and count: how many houses for which need every placement takes."""
    households = np.flatnonzero(free)
    seats, count = np.unique(unit_of[households] * needs + need_of[households], return_counts=True)
    start = np.searchsorted(seats // needs, np.arange(units + 1))
    width = (start[1:] - start[:-1])[unit]
    placement = np.repeat(np.arange(len(unit)), width)
    seat = np.arange(len(placement)) + np.repeat(start[unit] - np.cumsum(width) + width, width)
    return placement, settlement[placement] * needs + seats[seat] % needs, count[seat]


def _hubs(problem: Problem, anywhere: BoolArray, need_of: IntArray, uses: IntArray) -> tuple[IntArray, IntArray]:
    """The hub of each household [H], and the hubs: need, profile and what one household uses [B, 2 + K]."""
    who = np.flatnonzero(anywhere)
    columns = np.column_stack([need_of[who], problem.households.profile[who], uses[who]])
    hubs, of, size = np.unique(columns, axis=0, return_inverse=True, return_counts=True)
    of = of.reshape(-1)
    kept = np.sort(np.argsort(-size, kind="stable")[:MOST_HUBS])
    number = np.full(len(hubs), NONE, np.int64)
    number[kept] = np.arange(len(kept))
    hub_of = np.full(len(anywhere), NONE, np.int64)
    hub_of[who] = number[of]
    return hub_of, hubs[kept]


def _direct(
    problem: Problem,
    single: BoolArray,
    everything: BoolArray,
    need_of: IntArray,
    offered: BoolArray,
    stays: SparseRows,
) -> tuple[IntArray, IntArray, IntArray]:
    """Unit, settlement and wish of single households: those they list, where they could stay, and all without a hub."""
    households, places = problem.households, offered.shape[1]
    listed, forbidden = households.options, households.forbidden
    row = listed.row
    key = row * places + listed.column
    may = single[row] & offered[need_of[row], listed.column]
    may &= ~np.isin(key, forbidden.row * places + forbidden.column)
    may &= ~(everything & households.has_anywhere)[row]
    parts = [(row[may], listed.column[may], listed.value[may])]
    wide = np.flatnonzero(single & everything & households.has_anywhere)
    for first in range(0, len(wide), 20_000):
        chunk = wide[first : first + 20_000]
        accepts, value = values(problem, chunk)
        unit, settlement = np.nonzero(accepts & offered[need_of[chunk]])
        parts.append((chunk[unit], settlement, value[unit, settlement]))
    own = np.flatnonzero((stays.row < len(single)) & ~np.isin(stays.row * places + stays.column, key))
    own = own[(single & households.has_anywhere & ~everything)[stays.row[own]]]
    own = own[~np.isin(stays.row[own] * places + stays.column[own], forbidden.row * places + forbidden.column)]
    profile_value = np.vstack([problem.profiles.value, np.zeros((1, places), np.int64)])
    stay, at = stays.row[own], stays.column[own]
    parts.append((stay, at, households.anywhere[stay] + profile_value[households.profile[stay], at]))
    unit, settlement, wish = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((settlement, unit))
    return unit[order], settlement[order], wish[order]


def _kin(
    problem: Problem, free: BoolArray, unit_of: IntArray, need_of: IntArray, offered: BoolArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Unit, settlement and wish of kin groups: where every member has an option."""
    households, places = problem.households, offered.shape[1]
    grouped = np.flatnonzero(households.kin_group != NONE)
    groups = len(households.kin_groups)
    accepted = np.zeros((groups, places), np.int64)
    wish = np.zeros((groups, places), np.int64)
    for first in range(0, len(grouped), 20_000):
        chunk = grouped[first : first + 20_000]
        accepts, value = values(problem, chunk)
        accepts &= offered[need_of[chunk]] & free[chunk, None]
        np.add.at(accepted, households.kin_group[chunk], accepts)
        np.add.at(wish, households.kin_group[chunk], np.where(accepts, value, 0))
    size = np.bincount(households.kin_group[grouped], minlength=groups)
    group, settlement = np.nonzero((accepted == size[:, None]) & (size[:, None] > 0))
    return len(unit_of) + group, settlement, wish[group, settlement]


def _barred(problem: Problem, hub_of: IntArray, stays: SparseRows) -> SparseRows:
    """Where a unit may not go through its hub: it lists the settlement itself, could stay, or is forbidden to live
    there."""
    households = problem.households
    row = np.concatenate([households.options.row, households.forbidden.row, stays.row])
    column = np.concatenate([households.options.column, households.forbidden.column, stays.column])
    has = hub_of[row] != NONE
    row, column = row[has], column[has]
    order = np.lexsort((column, row))
    start = np.searchsorted(row[order], np.arange(len(hub_of) + 1))
    return SparseRows(start, column[order], np.ones(len(order), np.int64))
