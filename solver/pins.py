"""Rule 6: pinned households are placed as pinned, or the problem is infeasible and the contradiction is named."""

import numpy as np
from ortools.graph.python import max_flow  # type: ignore[import-untyped]  # ships no type marker

from solver.options import Options, fits, values
from solver.problem import NONE, UNLIMITED, Problem
from solver.tables import IntArray


class Contradiction(Exception):  # noqa: N818 - a finding, turned into a solution that is infeasible
    """Pins that no allocation can satisfy together; the text names them."""


def place(problem: Problem, options: Options) -> IntArray:
    """The options (indices) of every unit that has to be housed: pinned households, and the kin of pinned ones.

    Raises Contradiction.
    """
    _refuse_impossible_pins(problem)
    _refuse_impossible_kin(problem, options)
    count = len(problem.households.id)
    unit = np.where(options.placement == NONE, options.household, NONE)
    kin = options.placement != NONE
    unit[kin] = count + options.placement_group[options.placement[kin]]
    forced = np.flatnonzero(options.must[unit])
    _refuse_overfull(problem, options, forced)
    return _seat(problem, options, forced)


def _name(problem: Problem, households: IntArray, most: int = 5) -> str:
    names = [repr(str(name)) for name in problem.households.id[households[:most]]]
    return ", ".join(names) + (f" and {len(households) - most} more" if len(households) > most else "")


def _refuse_impossible_pins(problem: Problem) -> None:
    households, classes = problem.households, problem.house_classes
    pinned = np.flatnonzero(households.pinned != NONE)
    house_class = households.pinned[pinned]
    accepts, _ = values(problem)
    forbidden = np.zeros_like(accepts)
    forbidden[households.forbidden.row, households.forbidden.column] = True
    settlement = classes.settlement[house_class]
    for wrong, reason in (
        (forbidden[pinned, settlement], "whose settlement is forbidden to it"),
        (~accepts[pinned, settlement], "in a settlement that it does not accept"),
        (~fits(problem)[pinned, house_class], "which does not fit its need"),
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
    placeable = set(options.placement_group.tolist())
    for household in pinned.tolist():
        group = int(households.kin_group[household])
        if group not in placeable:
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
    household, first = np.unique(options.household[forced], return_index=True)
    settlement = options.settlement[forced[first]]
    need = np.zeros_like(problem.settlements.capacity)
    np.add.at(need, settlement, options.uses[household])
    capacity = problem.settlements.capacity
    for s, k in np.argwhere((capacity != UNLIMITED) & (need > capacity)).tolist():
        raise Contradiction(
            f"settlement {str(problem.settlements.id[s])!r} has {int(capacity[s, k])} places of "
            f"{str(problem.services[k])!r} and those pinned to it, with their kin, use {int(need[s, k])}: "
            f"{_name(problem, household[settlement == s])}"
        )


def _seat(problem: Problem, options: Options, forced: IntArray) -> IntArray:
    """The pinned take their classes, their kin share out the rest: a maximum flow household → part → class."""
    households, classes = problem.households, problem.house_classes
    is_pinned = households.pinned[options.household[forced]] != NONE
    pins, kin = forced[is_pinned], forced[~is_pinned]
    width = len(classes.id)
    free = ~households.needs_step_free[options.household[pins]]
    count = classes.count - np.bincount(options.house_class[pins], minlength=width)
    unreserved = classes.count - classes.reserved - np.bincount(options.house_class[pins[free]], minlength=width)
    household, entry = np.unique(options.household[kin], return_inverse=True)
    people = len(household)
    source, sink = people + 2 * width, people + 2 * width + 1
    part = np.where(households.needs_step_free[options.household[kin]], people + width, people)
    every = np.arange(width)
    flow = max_flow.SimpleMaxFlow()
    arcs = flow.add_arcs_with_capacity(entry, part + options.house_class[kin], np.ones_like(entry))
    flow.add_arcs_with_capacity(np.full(people, source), np.arange(people), np.ones(people, np.int64))
    flow.add_arcs_with_capacity(people + every, people + width + every, unreserved)
    flow.add_arcs_with_capacity(people + width + every, np.full(width, sink), count)
    flow.solve(source, sink)
    seated = kin[flow.flows(arcs) > 0]
    left = np.setdiff1d(household, options.household[seated])
    if len(left):
        settlement = options.settlement[kin[options.household[kin] == left[0]][0]]
        raise Contradiction(
            f"in settlement {str(problem.settlements.id[settlement])!r} there are too few houses for the kin of those "
            f"who are pinned there: nothing is left for {_name(problem, left)}"
        )
    placed: IntArray = np.concatenate([pins, seated])
    return placed
