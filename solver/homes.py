"""The stage `keep`: which houses leave households the class that they had before.

A household that may keep its class is served, in that settlement alone, by a need of its own kind: the same classes as
before, one of which keeps it. Everywhere else it is like the others of its need, so that a problem grows by little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from solver.grouping import ranges
from solver.objectives import KEEP, Objective
from solver.options import Homes, Options
from solver.problem import NONE, Problem
from solver.tables import IntArray

DEAREST = 10**7
"""No supply costs more in the flow that seats households, whose costs are multiplied by its nodes."""


@dataclass(frozen=True, eq=False)
class Supplies:
    """Columns of supplies: see `Options`; keeps: whether one leaves a household its class."""

    key: IntArray
    house_class: IntArray
    spare: IntArray
    limited: IntArray
    keeps: IntArray


def with_homes(problem: Problem, options: Options, home: IntArray, stages: Sequence[Objective]) -> Options:
    """The same options, where who may keep the class `home` [H] (NONE: had none) is told apart from the others.

    stages: what houses are given by, within a settlement: as they count what households keep, and spare bedrooms.
    """
    who, placement = _who_may(problem, options, home)
    at = problem.house_classes.settlement[home[who]]
    width = max(len(problem.house_classes.id), 1)
    kinds, number = np.unique(options.need_of[who] * width + home[who], return_inverse=True)
    needs = options.needs + len(kinds)
    seat_placement, seat_key, seat_count = _seats(options, needs, placement, at * needs + options.need_of[who], number)
    supplies = _supplies(problem, options, needs, kinds // width, kinds % width)
    settlement, need = np.full((2, len(home)), NONE)
    settlement[who], need[who] = at, options.needs + number
    places = len(problem.settlements.id)
    return replace(
        options,
        seat_placement=seat_placement,
        seat_key=seat_key,
        seat_count=seat_count,
        needs=needs,
        supply_key=supplies.key,
        supply_class=supplies.house_class,
        supply_start=np.searchsorted(supplies.key, np.arange(places * needs + 1)),
        spare=supplies.spare,
        limited=supplies.limited > 0,
        homes=Homes(
            settlement,
            need,
            keeps=supplies.keeps > 0,
            cost=_cost(problem, stages, supplies),
        ),
    )


def _who_may(problem: Problem, options: Options, home: IntArray) -> tuple[IntArray, IntArray]:
    """The households that may keep their class, and the placement that lets each."""
    classes, places = problem.house_classes, len(problem.settlements.id)
    had = np.flatnonzero(home != NONE)
    at = classes.settlement[home[had]]
    key = (at * options.needs + options.need_of[had]) * len(classes.id) + home[had]
    served = np.isin(key, options.supply_key * len(classes.id) + options.supply_class)
    wanted, placed = options.unit_of[had] * places + at, options.unit * places + options.settlement
    placement = np.searchsorted(placed, wanted)
    may = served & (np.append(placed, NONE)[placement] == wanted)
    return had[may], placement[may]


def _seats(
    options: Options, needs: int, placement: IntArray, before: IntArray, number: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Seats by the new needs: one of the need `before` less and one of the own need more for whoever may keep."""
    key = options.seat_key // max(options.needs, 1) * needs + options.seat_key % max(options.needs, 1)
    own = before // max(needs, 1) * needs + options.needs + number
    width = int(max(key.max(initial=0), own.max(initial=0))) + 1
    entry = np.concatenate([options.seat_placement * width + key, placement * width + before, placement * width + own])
    change = np.repeat([-1, 1], len(placement))
    entries, of = np.unique(entry, return_inverse=True)
    count = np.zeros(len(entries), np.int64)
    np.add.at(count, of, np.concatenate([options.seat_count, change]))
    taken = count > 0
    return entries[taken] // width, entries[taken] % width, count[taken]


def _supplies(problem: Problem, options: Options, needs: int, need: IntArray, home: IntArray) -> Supplies:
    """Those of before, and for every own need the same again in the settlement of its class."""
    at = problem.house_classes.settlement[home]
    base = at * options.needs + need
    first, length = options.supply_start[base], options.supply_start[base + 1] - options.supply_start[base]
    copied, own = ranges(first, length), np.repeat(np.arange(len(need)), length)
    key = options.supply_key // max(options.needs, 1) * needs + options.supply_key % max(options.needs, 1)
    key = np.concatenate([key, at[own] * needs + options.needs + own])
    row = np.concatenate([np.arange(len(options.supply_key)), copied])
    keeps = np.concatenate([np.zeros(len(options.supply_key), np.int64), options.supply_class[copied] == home[own]])
    order = np.lexsort((options.supply_class[row], key))
    row = row[order]
    return Supplies(
        key[order], options.supply_class[row], options.spare[row], options.limited[row].astype(np.int64), keeps[order]
    )


def _cost(problem: Problem, stages: Sequence[Objective], supplies: Supplies) -> IntArray:
    """What each supply costs those who are seated, by the first stage that tells houses of a settlement apart."""
    spare, keeps, households = supplies.spare, supplies.keeps, len(problem.households.id)
    for stage in stages:
        value, keep = stage.weight("value") * problem.spare_bedroom_penalty, stage.weight(KEEP)
        if value and keep:
            cost = value * spare - keep * keeps
            scaled: IntArray = cost // max(int(np.abs(cost).max(initial=0)) // DEAREST, 1)
            return scaled
        if keep:
            return spare - min(int(spare.max(initial=0)) * households + 1, DEAREST) * keeps
        if value:
            break
    dear: IntArray = spare * min(households + 1, DEAREST // max(int(spare.max(initial=1)), 1)) - keeps
    return dear
