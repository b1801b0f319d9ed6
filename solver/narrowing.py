"""What no allocation can do, so that no relaxation counts on half of it: a kin group in a settlement that has not the
houses or the places for all of it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from solver.options import fits, needs, values
from solver.problem import NONE, UNLIMITED, Problem, SparseRows
from solver.tables import IntArray

CHUNK = 2**21
"""Households times settlements that are looked at together."""


def narrowed(problem: Problem) -> Problem:
    """The problem with every settlement forbidden to a kin group that accepts it, and that it could not hold even if
    nobody else lived there: the allocations are the same. The same object where there is no such settlement.

    Groups with pinned members are left alone: that they can't be housed is a contradiction, which is named as such.
    """
    households, places = problem.households, len(problem.settlements.id)
    pinned = households.kin_group[households.pinned != NONE]
    members = np.flatnonzero((households.kin_group != NONE) & ~np.isin(households.kin_group, pinned))
    members = members[np.argsort(households.kin_group[members], kind="stable")]
    first = np.flatnonzero(np.diff(households.kin_group[members], prepend=NONE))
    wanted = np.arange(0, len(members), max(CHUNK // max(places, 1), 1))
    cuts = np.unique([*first[np.searchsorted(first, wanted, "right") - 1], len(members)])
    row, column = [households.forbidden.row], [households.forbidden.column]
    for begin, end in pairwise(cuts.tolist()):
        household, settlement = _in_vain(problem, members[begin:end])
        row.append(household)
        column.append(settlement)
    if not any(map(len, row[1:])):
        return problem
    key = np.unique(np.concatenate(row) * places + np.concatenate(column))
    start = np.searchsorted(key, np.arange(len(households.id) + 1) * places)
    forbidden = SparseRows(start, key % places, np.ones_like(key))
    return replace(problem, households=replace(households, forbidden=forbidden))


def _in_vain(problem: Problem, members: IntArray) -> tuple[IntArray, IntArray]:
    """Member and settlement of what groups accept that no settlement can give them. members [m]: all of some groups,
    in the order of groups."""
    kin, classes, capacity = problem.households.take(members), problem.house_classes, problem.settlements.capacity
    begin = np.flatnonzero(np.diff(kin.kin_group, prepend=NONE))
    kinds, need_of = needs(kin)
    serves = fits(problem, kinds)
    offered = np.zeros((len(kinds), len(capacity)), np.bool_)
    need, house_class = np.nonzero(serves)
    offered[need, classes.settlement[house_class]] = True
    accepted = np.logical_and.reduceat(values(problem, members)[0] & offered[need_of], begin)
    vain = np.zeros_like(accepted)

    def short(asked: IntArray, there: IntArray) -> None:
        nonlocal vain
        vain |= np.add.reduceat(asked, begin)[:, None] > there

    uses = np.zeros((len(members), len(problem.services)), np.int64)
    uses[kin.uses.row, kin.uses.column] = kin.uses.value
    limits = np.where(capacity == UNLIMITED, np.iinfo(np.int64).max, capacity)
    for used, places in zip(uses.T, limits.T, strict=True):
        short(used, places)
    for each, (fit, step_free) in enumerate(zip(serves, kinds[:, 2], strict=True)):
        houses = np.where(fit, classes.count if step_free else classes.count - classes.reserved, 0)
        short((need_of == each).astype(np.int64), _by_settlement(problem, houses))
    short(np.ones(len(members), np.int64), _by_settlement(problem, classes.count))
    entry, settlement = np.nonzero(np.repeat(vain & accepted, np.diff(begin, append=len(members)), axis=0))
    return members[entry], settlement


def _by_settlement(problem: Problem, houses: IntArray) -> IntArray:
    """What classes [C] have, for each settlement [S]."""
    total = np.zeros(len(problem.settlements.id), np.int64)
    np.add.at(total, problem.house_classes.settlement, houses)
    return total
