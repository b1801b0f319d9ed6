"""Rule 6: pinned households are placed as pinned, or the problem is infeasible and the contradiction is named."""

import numpy as np
from ortools.graph.python import max_flow  # type: ignore[import-untyped]  # ships no type marker

from solver.options import Options, fits, needs, options, values
from solver.problem import NONE, UNLIMITED, Problem
from solver.seating import deal
from solver.tables import IntArray


class Contradiction(Exception):  # noqa: N818 - a finding, turned into a solution that is infeasible
    """Pins that no allocation can satisfy together; the text names them."""


def place(problem: Problem, options: Options) -> IntArray:
    """How often each column is taken where only those who have to be housed are: the pinned, and their kin.

    Raises Contradiction.
    """
    _refuse_impossible_pins(problem)
    _refuse_impossible_kin(problem, options)
    forced = np.flatnonzero(options.must[options.unit_of])
    _refuse_overfull(problem, options, forced)
    return _seat(problem, options, forced)


def settled(problem: Problem) -> IntArray:
    """The class of every household [H] that has to be housed, as `place` finds it; NONE for the others."""
    households = problem.households
    must = households.pinned != NONE
    groups = households.kin_group[must]
    must |= np.isin(households.kin_group, groups[groups != NONE])
    given = np.full(len(must), NONE, np.int64)
    who = np.flatnonzero(must)
    if len(who):
        alone = problem.among(who)
        choices = options(alone)
        given[who] = deal(choices, place(alone, choices))
    return given


def _name(problem: Problem, households: IntArray, most: int = 5) -> str:
    names = [repr(str(name)) for name in problem.households.id[households[:most]]]
    return ", ".join(names) + (f" and {len(households) - most} more" if len(households) > most else "")


def _refuse_impossible_pins(problem: Problem) -> None:
    households, classes = problem.households, problem.house_classes
    pinned = np.flatnonzero(households.pinned != NONE)
    house_class = households.pinned[pinned]
    accepts, _ = values(problem, pinned)
    forbidden, rows = np.zeros_like(accepts), households.forbidden.take(pinned)
    forbidden[rows.row, rows.column] = True
    kinds, need_of = needs(problem)
    each, settlement = np.arange(len(pinned)), classes.settlement[house_class]
    for wrong, reason in (
        (forbidden[each, settlement], "whose settlement is forbidden to it"),
        (~accepts[each, settlement], "in a settlement that it does not accept"),
        (~fits(problem, kinds)[need_of[pinned], house_class], "which does not fit its need"),
    ):
        if wrong.any():
            which = int(np.argmax(wrong))
            household, pin = households.id[pinned[which]], classes.id[house_class[which]]
            raise Contradiction(f"household {str(household)!r} is pinned to class {str(pin)!r}, {reason}")


def _refuse_impossible_kin(problem: Problem, options: Options) -> None:
    households, classes = problem.households, problem.house_classes
    pinned = np.flatnonzero((households.pinned != NONE) & (households.kin_group != NONE))
    at: dict[int, int] = {}
    for household in pinned.tolist():
        group = int(households.kin_group[household])
        settlement = int(classes.settlement[households.pinned[household]])
        if at.setdefault(group, settlement) != settlement:
            name = str(households.kin_groups[group])
            raise Contradiction(f"members of kin group {name!r} are pinned to different settlements")
    placeable = set(options.unit.tolist())
    for household in pinned.tolist():
        group = int(households.kin_group[household])
        if int(options.unit_of[household]) not in placeable:
            place_name = str(problem.settlements.id[at[group]])
            raise Contradiction(
                f"household {str(households.id[household])!r} is pinned to settlement {place_name!r}, where not every "
                f"member of its kin group {str(households.kin_groups[group])!r} has a class that fits and is accepted"
            )


def _refuse_overfull(problem: Problem, options: Options, forced: IntArray) -> None:
    households, classes = problem.households, problem.house_classes
    pinned = np.flatnonzero(households.pinned != NONE)
    for rows, capacity, what in (
        (pinned, classes.count, "houses"),
        (
            pinned[~households.needs_step_free[pinned]],
            classes.count - classes.reserved,
            "houses for households that do not need step-free",
        ),
    ):
        taken = np.bincount(households.pinned[rows], minlength=len(classes.id))
        for house_class in np.flatnonzero(taken > capacity).tolist():
            names = _name(problem, rows[households.pinned[rows] == house_class])
            raise Contradiction(
                f"class {str(classes.id[house_class])!r} has {int(capacity[house_class])} {what} "
                f"and {int(taken[house_class])} households are pinned to it: {names}"
            )
    settlement = _at(options)[options.unit_of[forced]]
    units, first = np.unique(options.unit_of[forced], return_index=True)
    need = np.zeros_like(problem.settlements.capacity)
    np.add.at(need, settlement[first], options.uses[units])
    capacity = problem.settlements.capacity
    for s, k in np.argwhere((capacity != UNLIMITED) & (need > capacity)).tolist():
        raise Contradiction(
            f"settlement {str(problem.settlements.id[s])!r} has {int(capacity[s, k])} places of "
            f"{str(problem.services[k])!r} and those pinned to it, with their kin, use {int(need[s, k])}: "
            f"{_name(problem, forced[settlement == s])}"
        )


def _at(options: Options) -> IntArray:
    """The settlement of every unit [U] that has to be housed: its pins leave it one."""
    at = np.full(len(options.must), NONE, np.int64)
    at[options.unit] = options.settlement
    return at


def _seat(problem: Problem, options: Options, forced: IntArray) -> IntArray:
    """The pinned take their classes, their kin share out the rest: a maximum flow household → part → class."""
    households, classes = problem.households, problem.house_classes
    is_pinned = households.pinned[forced] != NONE
    pins, kin = forced[is_pinned], forced[~is_pinned]
    width, places = len(classes.id), _at(options)
    free = ~households.needs_step_free[pins]
    count = classes.count - np.bincount(households.pinned[pins], minlength=width)
    unreserved = classes.count - classes.reserved - np.bincount(households.pinned[pins[free]], minlength=width)
    key = options.key(np.arange(len(options.unit_of)), places[options.unit_of])
    first, last = options.supply_start[key[kin]], options.supply_start[key[kin] + 1]
    entry = np.repeat(np.arange(len(kin)), last - first)
    supply = np.concatenate([np.arange(0), *map(np.arange, first, last)])
    people = len(kin)
    source, sink = people + 2 * width, people + 2 * width + 1
    part = np.where(options.limited[supply], people, people + width)
    every = np.arange(width)
    flow = max_flow.SimpleMaxFlow()
    arcs = flow.add_arcs_with_capacity(entry, part + options.supply_class[supply], np.ones_like(entry))
    flow.add_arcs_with_capacity(np.full(people, source), np.arange(people), np.ones(people, np.int64))
    flow.add_arcs_with_capacity(people + every, people + width + every, unreserved)
    flow.add_arcs_with_capacity(people + width + every, np.full(width, sink), count)
    flow.solve(source, sink)
    seated = flow.flows(arcs) > 0
    left = np.setdiff1d(np.arange(people), entry[seated])
    if len(left):
        settlement = places[options.unit_of[kin[left[0]]]]
        raise Contradiction(
            f"in settlement {str(problem.settlements.id[settlement])!r} there are too few houses for the kin of those "
            f"who are pinned there: nothing is left for {_name(problem, kin[left])}"
        )
    taken = np.zeros(options.columns, np.int64)
    taken[: options.placements] = options.must[options.unit]
    np.add.at(taken, options.placements + options.supply_start[key[pins]], 1)
    np.add.at(taken, options.placements + supply[seated], 1)
    return taken
