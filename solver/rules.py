"""The rules of the model, read the checker's own way: what an allocation must keep, whatever it achieves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import Assignments
from solver.tables import BoolArray, IntArray, StrArray, alike


@dataclass(frozen=True)
class Violation:
    """code: the part of the model that is broken; sentence: where, with identifiers and numbers."""

    code: str
    sentence: str


@dataclass(frozen=True, eq=False)
class Placed:
    """The assigned households [a] as indices: household (ascending), class, settlement.

    needs: who needs step-free; accepts: who accepts the settlement; value: what each gains, spare bedrooms deducted.
    """

    household: IntArray
    house_class: IntArray
    settlement: IntArray
    needs: BoolArray
    accepts: BoolArray
    value: IntArray


def position(identifiers: StrArray, wanted: StrArray) -> IntArray:
    """Index of each identifier in a sorted column, NONE where it is not there."""
    if not len(identifiers):
        return np.full(len(wanted), NONE)
    at = np.minimum(np.searchsorted(identifiers, wanted), len(identifiers) - 1)
    return np.where(identifiers[at] == wanted, at, NONE)


def unknown(problem: Problem, placements: Assignments, code: str) -> Iterator[Violation]:
    """Households and classes that the problem does not have, and households out of order."""
    if len(placements.household) != len(placements.house_class):
        yield Violation(code, "there are not as many classes as households")
        return
    for identifiers, wanted, what in (
        (problem.households.id, placements.household, "household"),
        (problem.house_classes.id, placements.house_class, "class"),
    ):
        missing = np.flatnonzero(position(identifiers, wanted) == NONE)
        if len(missing):
            yield Violation(code, f"{what} {str(wanted[missing[0]])!r} is not in the problem")
    after = np.flatnonzero(placements.household[1:] <= placements.household[:-1])
    if len(after):
        name = str(placements.household[after[0] + 1])
        yield Violation(code, f"household {name!r} is there twice or not in the order of identifiers")


def home_of(problem: Problem, previous: Assignments) -> IntArray:
    """The class that each household [H] had before, NONE where it had none."""
    home = np.full(len(problem.households.id), NONE)
    home[position(problem.households.id, previous.household)] = position(problem.house_classes.id, previous.house_class)
    return home


def place(problem: Problem, placements: Assignments) -> Placed:
    """The assignments as indices; all of them must be known."""
    households, classes = problem.households, problem.house_classes
    household = position(households.id, placements.household)
    house_class = position(classes.id, placements.house_class)
    settlement = classes.settlement[house_class]
    accepts, value = _lookup(problem, household, settlement)
    spare = classes.bedrooms[house_class] - households.bedrooms_min[household]
    value = value - problem.spare_bedroom_penalty * spare
    return Placed(household, house_class, settlement, households.needs_step_free[household], accepts, value)


def _each(code: str, wrong: BoolArray, sentence: Callable[[int], str]) -> Iterator[Violation]:
    for index in np.flatnonzero(wrong).tolist():
        yield Violation(code, sentence(index))


def _classes(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 1."""
    classes = problem.house_classes
    taken = np.bincount(placed.house_class, minlength=len(classes.id))
    return _each(
        "class",
        taken > classes.count,
        lambda c: f"class {str(classes.id[c])!r} has {classes.count[c]} houses and is given {taken[c]} times",
    )


def _needs(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 2."""
    households, classes = problem.households, problem.house_classes
    bedrooms = classes.bedrooms[placed.house_class]
    fits = (bedrooms >= households.bedrooms_min[placed.household]) & (
        bedrooms <= households.bedrooms_max[placed.household]
    )
    ids = households.id[placed.household]
    yield from _each(
        "bedrooms", ~fits, lambda i: f"household {str(ids[i])!r} is given {bedrooms[i]} bedrooms, out of its range"
    )
    steps = placed.needs & ~classes.step_free[placed.house_class]
    yield from _each(
        "step_free", steps, lambda i: f"household {str(ids[i])!r} needs step-free and is given a class that is not"
    )


def _reserved(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 3."""
    classes = problem.house_classes
    taken = np.bincount(placed.house_class[~placed.needs], minlength=len(classes.id))
    most = classes.count - classes.reserved
    return _each(
        "reserved",
        taken > most,
        lambda c: (
            f"class {str(classes.id[c])!r} has {most[c]} houses for households that do not need step-free, "
            f"and {taken[c]} such households"
        ),
    )


def _services(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 4."""
    settlement_of = np.full(len(problem.households.id), NONE)
    settlement_of[placed.household] = placed.settlement
    uses = problem.households.uses
    at = settlement_of[uses.row]
    used = np.zeros_like(problem.settlements.capacity)
    np.add.at(used, (at[at != NONE], uses.column[at != NONE]), uses.value[at != NONE])
    capacity = problem.settlements.capacity
    for s, k in np.argwhere((capacity != UNLIMITED) & (used > capacity)).tolist():
        yield Violation(
            "service",
            f"settlement {str(problem.settlements.id[s])!r} has {capacity[s, k]} places of "
            f"{str(problem.services[k])!r} and {used[s, k]} are used",
        )


def _kin_groups(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 5."""
    households = problem.households
    settlement_of = np.full(len(households.id), NONE)
    settlement_of[placed.household] = placed.settlement
    members = np.flatnonzero(households.kin_group != NONE)
    group, at = households.kin_group[members], settlement_of[members]
    lowest = np.full(len(households.kin_groups), len(problem.settlements.id))
    highest = np.full(len(households.kin_groups), NONE)
    np.minimum.at(lowest, group, at)
    np.maximum.at(highest, group, at)
    return _each(
        "kin_group",
        lowest != highest,
        lambda g: f"kin group {str(households.kin_groups[g])!r} is not housed whole in one settlement",
    )


def _pins(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 6, pins."""
    households = problem.households
    given = np.full(len(households.id), NONE)
    given[placed.household] = placed.house_class
    return _each(
        "pinned",
        (households.pinned != NONE) & (given != households.pinned),
        lambda h: f"household {str(households.id[h])!r} is not given the class that it is pinned to",
    )


def _lookup(problem: Problem, household: IntArray, settlement: IntArray) -> tuple[BoolArray, IntArray]:
    """Whether each placed household accepts its settlement, and what it gains there."""
    households, width = problem.households, len(problem.settlements.id)
    wanted = household * width + settlement
    accepts = households.has_anywhere[household]
    profile = households.profile[household]
    value = np.where(accepts, households.anywhere[household], 0)
    has_profile = accepts & (profile != NONE)
    value[has_profile] += problem.profiles.value[profile[has_profile], settlement[has_profile]]
    listed = households.options.row * width + households.options.column
    entry = _entry(listed, wanted)
    value = np.where(entry == NONE, value, np.append(households.options.value, 0)[entry])
    forbidden = households.forbidden.row * width + households.forbidden.column
    return (accepts | (entry != NONE)) & (_entry(forbidden, wanted) == NONE), value


def _entry(keys: IntArray, wanted: IntArray) -> IntArray:
    """Position of each wanted key among ascending keys, NONE where it is not there."""
    if not len(keys):
        return np.full(len(wanted), NONE)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, NONE)


def _accepted(problem: Problem, placed: Placed) -> Iterator[Violation]:
    """Rule 6, forbidden settlements; and who may live where."""
    return _each(
        "settlement",
        ~placed.accepts,
        lambda i: (
            f"household {str(problem.households.id[placed.household[i]])!r} is placed in settlement "
            f"{str(problem.settlements.id[placed.settlement[i]])!r}, which it does not accept or which is forbidden"
        ),
    )


RULES = (_classes, _needs, _reserved, _services, _kin_groups, _pins, _accepted)


def pins_hold(problem: Problem) -> bool:
    """Whether the pinned, and their kin with them, can all be housed where nobody else is: else pins contradict."""
    households, classes = problem.households, problem.house_classes
    at = np.append(classes.settlement, NONE)[households.pinned]
    of_group = np.full(len(households.kin_groups) + 1, NONE)
    pinned_kin = np.flatnonzero((at != NONE) & (households.kin_group != NONE))
    of_group[households.kin_group[pinned_kin]] = at[pinned_kin]
    at = np.where(at == NONE, of_group[households.kin_group], at)
    forced = np.flatnonzero(at != NONE)
    there = [np.flatnonzero(classes.settlement == s) for s in range(len(problem.settlements.id))]
    pins, places = households.pinned[forced].tolist(), at[forced].tolist()
    choices = [there[s] if pin == NONE else np.array([pin]) for pin, s in zip(pins, places, strict=True)]
    person = np.repeat(np.arange(len(forced)), np.array([len(each) for each in choices], np.int64))
    house_class = np.concatenate([np.zeros(0, np.int64), *choices])
    each = place(problem, Assignments(households.id[forced[person]], classes.id[house_class]))
    once = replace(each, household=forced, settlement=at[forced])  # these two rules ask no more of them
    if any(True for rule in (_services, _kin_groups) for _ in rule(problem, once)):
        return False
    bedrooms = classes.bedrooms[house_class]
    may = each.accepts & (classes.step_free[house_class] | ~each.needs)
    may &= (bedrooms >= households.bedrooms_min[each.household]) & (bedrooms <= households.bedrooms_max[each.household])
    wanted: list[list[int]] = [[] for _ in choices]
    for who, seat, needs in zip(person[may].tolist(), house_class[may].tolist(), each.needs[may].tolist(), strict=True):
        wanted[who] += [len(classes.id) + seat, seat] if needs else [seat]
    room = [*(classes.count - classes.reserved).tolist(), *classes.reserved.tolist()]
    taken: list[set[int]] = [set() for _ in room]
    return all(_seated(who, wanted, room, taken) for who in range(len(wanted)))


def _seated(newcomer: int, wanted: list[list[int]], room: list[int], taken: list[set[int]]) -> bool:
    """Takes a seat for one more, whoever has one moving on where that leaves one free; False where nothing does."""
    moves: dict[int, tuple[int, int | None]] = {}
    """seat → who would take it, and which seat that leaves."""
    queue: list[tuple[int, int | None]] = [(newcomer, None)]
    for who, left in queue:
        for seat in wanted[who]:
            if seat in moves:
                continue
            moves[seat] = who, left
            if len(taken[seat]) < room[seat]:
                _move(seat, moves, taken)
                return True
            queue += [(other, seat) for other in taken[seat]]
    return False


def _move(free: int, moves: dict[int, tuple[int, int | None]], taken: list[set[int]]) -> None:
    seat: int | None = free
    while seat is not None:
        who, left = moves[seat]
        taken[seat].add(who)
        if left is not None:
            taken[left].remove(who)
        seat = left


def lottery(problem: Problem, placed: Placed, home: IntArray) -> Iterator[Violation]:
    """Stage T + 3: better outcomes (housed, higher value, smaller class identifier) to smaller numbers."""
    households = problem.households
    house_class = np.full(len(households.id), len(problem.house_classes.id))
    value = np.zeros(len(households.id), np.int64)
    house_class[placed.household] = placed.house_class
    value[placed.household] = placed.value
    kind = _kinds(problem, home)
    equals = np.flatnonzero(kind >= 0)
    order = equals[np.lexsort((equals, households.lottery[equals], kind[equals]))]
    before, after = order[:-1], order[1:]
    out = house_class == len(problem.house_classes.id)
    worse = np.where(
        out[before] | out[after],
        out[before] & ~out[after],
        (value[before] < value[after]) | ((value[before] == value[after]) & (house_class[before] > house_class[after])),
    )
    return _each(
        "lottery",
        (kind[before] == kind[after]) & worse,
        lambda i: (
            f"household {str(households.id[after[i]])!r} fares better than {str(households.id[before[i]])!r}, "
            "which is the same to the problem and comes first in the lottery"
        ),
    )


def _kinds(problem: Problem, home: IntArray) -> IntArray:
    """Households that differ in id and lottery alone share a number, where those to keep their class do so of the same
    one; below 0: there is no other of the kind."""
    households = problem.households
    return alike(
        households.points,
        households.options,
        households.anywhere,
        households.kin_group,
        households.profile,
        households.uses,
        households.tier,
        households.bedrooms_min,
        households.bedrooms_max,
        households.needs_step_free,
        households.has_anywhere,
        households.pinned,
        households.forbidden,
        home,
    )
