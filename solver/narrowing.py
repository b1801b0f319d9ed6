"""What no allocation can do, so that no relaxation counts on half of it: a kin group in a settlement that has fewer
houses, or places of a service, than all of it needs.

Whether houses are of the right size is not looked at: prices know of that, nearly always, and then they prove the bound
without another word.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from solver.options import values
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
    accepted = np.logical_and.reduceat(values(problem, members)[0], begin)
    vain = np.zeros_like(accepted)

    def short(asked: IntArray, there: IntArray) -> None:
        nonlocal vain
        vain |= np.add.reduceat(asked, begin)[:, None] > there

    uses = np.zeros((len(members), len(problem.services)), np.int64)
    uses[kin.uses.row, kin.uses.column] = kin.uses.value
    limits = np.where(capacity == UNLIMITED, np.iinfo(np.int64).max, capacity)
    for used, places in zip(uses.T, limits.T, strict=True):
        short(used, places)
    houses = np.zeros(len(capacity), np.int64)
    np.add.at(houses, classes.settlement, classes.count)
    short(np.ones(len(members), np.int64), houses)
    entry, settlement = np.nonzero(np.repeat(vain & accepted, np.diff(begin, append=len(members)), axis=0))
    return members[entry], settlement
