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
    placeable = set(options.placement_group.tolist())
    at: dict[int, int] = {}
    for household in pinned.tolist():
        group = int(households.kin_group[household])
        settlement = int(classes.settlement[households.pinned[household]])
        name = str(households.kin_groups[group])
        if at.setdefault(group, settlement) != settlement:
            raise Contradiction(f"members of kin group {name!r} are pinned to different settlements")
        if group not in placeable:
            place_name = str(problem.settlements.id[settlement])
            raise Contradiction(
                f"household {str(households.id[household])!r} is pinned to settlement {place_name!r}, "
                f"where not every member of its kin group {name!r} has a class that fits and that it accepts"
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
    """Gives every forced household one of its classes: a maximum flow household → part of class → class."""
    households, classes = problem.households, problem.house_classes
    household, entry = np.unique(options.household[forced], return_inverse=True)
    people, width = len(household), len(classes.id)
    source, sink = people + 2 * width, people + 2 * width + 1
    unreserved = np.where(households.needs_step_free[options.household[forced]], people + width, people)
    every = np.arange(width)
    flow = max_flow.SimpleMaxFlow()
    arcs = flow.add_arcs_with_capacity(entry, unreserved + options.house_class[forced], np.ones_like(entry))
    flow.add_arcs_with_capacity(np.full(people, source), np.arange(people), np.ones(people, np.int64))
    flow.add_arcs_with_capacity(people + every, people + width + every, classes.count - classes.reserved)
    flow.add_arcs_with_capacity(people + width + every, np.full(width, sink), classes.count)
    flow.solve(source, sink)
    chosen: IntArray = forced[flow.flows(arcs) > 0]
    if len(chosen) < people:
        left = np.setdiff1d(household, options.household[chosen])
        settlement = options.settlement[forced[np.searchsorted(household[entry], left)]]
        raise Contradiction(
            f"in settlement {str(problem.settlements.id[settlement[0]])!r} the classes are too small for those "
            f"pinned to it and their kin: nothing is left for {_name(problem, left)}"
        )
    return chosen
