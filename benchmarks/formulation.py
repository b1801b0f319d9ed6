"""The model as a 0/1 program in its textbook form, for general solvers: one column per household and class or house.

Written from the model's page, not from the solver's own program, which chooses settlements and shares out classes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from solver import Problem
from solver.options import fits, needs, values
from solver.problem import NONE, UNLIMITED
from solver.tables import BoolArray, IntArray

CHUNK = 2_000
"""Households at a time."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Every way to house a household alone [n]: in which class, in which slot, and what it gains there.

    A slot is a class with all its houses, or a single house; `places` [slots] says how many it takes.
    """

    household: IntArray
    house_class: IntArray
    slot: IntArray
    gain: IntArray
    places: IntArray

    def given(self, taken: IntArray, households: int) -> IntArray:
        """The class of every household [H], NONE where it has none. taken: 0 or 1 for each candidate at least."""
        given = np.full(households, NONE, np.int64)
        chosen = taken[: len(self.household)] > 0
        given[self.household[chosen]] = self.house_class[chosen]
        return given

    def only(self, kept: BoolArray) -> "Candidates":
        """Some of them, of the same slots."""
        household, house_class, slot, gain = self.household, self.house_class, self.slot, self.gain
        return Candidates(household[kept], house_class[kept], slot[kept], gain[kept], self.places)


@dataclass(frozen=True, eq=False)
class Formulation:
    """Maximise stage by stage: least ≤ rows @ x ≤ most, x in {0, 1}.

    Columns: the candidates [n], then every kin group and settlement that could hold it whole. stages: {name: weight of
    every column}.
    """

    candidates: Candidates
    rows: sparse.csr_array
    least: IntArray
    most: IntArray
    stages: dict[str, IntArray]


def candidates(problem: Problem, *, by_house: bool) -> Candidates:
    """Rules 2 and 6, and 3 where the slots are houses: the reserved ones are then the last of their class."""
    classes, households = problem.house_classes, problem.households
    kinds, need_of = needs(problem)
    pin, step_free = kinds[:, 3, None], kinds[:, 2, None] > 0
    serves = fits(problem, kinds) & ((pin == NONE) | (pin == np.arange(len(classes.id))))
    serves &= (classes.count - np.where(step_free, 0, classes.reserved)) > 0
    parts = [(np.zeros(0, np.int64),) * 3]
    for first in range(0, len(need_of), CHUNK):
        chunk = np.arange(first, min(first + CHUNK, len(need_of)))
        accepts, value = values(problem, chunk)
        row, house_class = np.nonzero(accepts[:, classes.settlement] & serves[need_of[chunk]])
        spare = classes.bedrooms[house_class] - households.bedrooms_min[chunk[row]]
        gain = value[row, classes.settlement[house_class]] - problem.spare_bedroom_penalty * spare
        parts.append((chunk[row], house_class, gain))
    household, house_class, gain = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not by_house:
        return Candidates(household, house_class, house_class, gain, classes.count)
    unreserved = classes.count - classes.reserved
    copies = np.where(households.needs_step_free[household], classes.count[house_class], unreserved[house_class])
    column = np.repeat(np.arange(len(household)), copies)
    position = np.arange(len(column)) - np.repeat(np.cumsum(copies) - copies, copies)
    slot = (np.cumsum(classes.count) - classes.count)[house_class[column]] + position
    houses = np.ones(int(classes.count.sum()), np.int64)
    return Candidates(household[column], house_class[column], slot, gain[column], houses)


def formulation(problem: Problem, *, by_house: bool) -> Formulation:
    """All six rules, as rows over the candidates."""
    households, classes, places = problem.households, problem.house_classes, len(problem.settlements.id)
    found = _with_whole_kin(problem, candidates(problem, by_house=by_house))
    size, everyone = len(found.household), np.arange(len(found.household))
    settlement = classes.settlement[found.house_class]
    group = households.kin_group[found.household]
    kin = np.flatnonzero(group != NONE)
    joint, of = np.unique(group[kin] * places + settlement[kin], return_inverse=True)
    width = size + len(joint)
    one = np.ones(width, np.int64)

    member, entry = np.unique(found.household[kin] * places + settlement[kin], return_inverse=True)
    together = np.zeros(len(member), np.int64)
    together[entry] = of
    uses = np.zeros((len(households.id), len(problem.services)), np.int64)
    uses[households.uses.row, households.uses.column] = households.uses.value
    user, service = np.nonzero((uses[found.household] > 0) & (problem.settlements.capacity[settlement] != UNLIMITED))
    limited = everyone[~households.needs_step_free[found.household] & (classes.reserved > 0)[found.house_class]]
    if by_house:  # reserved houses have no candidates that do not need them
        limited = limited[:0]
    pinned = (households.pinned != NONE).astype(np.int64)
    blocks = [
        (found.household, everyone, one[:size], pinned, np.ones_like(pinned)),
        (found.slot, everyone, one[:size], 0 * found.places, found.places),
        (found.house_class[limited], limited, one[limited], 0 * classes.count, classes.count - classes.reserved),
        (
            settlement[user] * len(problem.services) + service,
            user,
            uses[found.household[user], service],
            np.zeros(problem.settlements.capacity.size, np.int64),
            problem.settlements.capacity.ravel(),
        ),
        (
            np.concatenate([entry, np.arange(len(member))]),
            np.concatenate([kin, size + together]),
            np.concatenate([one[kin], -one[: len(member)]]),
            0 * member,
            0 * member,
        ),
    ]
    rows, least, most = _stacked(blocks, width)
    return Formulation(found, rows, least, most, stage_weights(problem, found, width))


def _with_whole_kin(problem: Problem, found: Candidates) -> Candidates:
    """Without those in settlements where another member of the kin group has no candidate."""
    group, places = problem.households.kin_group, len(problem.settlements.id)
    settlement = problem.house_classes.settlement[found.house_class]
    kin = group[found.household] != NONE
    member = np.unique(found.household[kin] * places + settlement[kin])
    joint = group[member // places] * places + member % places
    keys, count = np.unique(joint, return_counts=True)
    whole = keys[count == np.bincount(group[group != NONE], minlength=1)[keys // places]]
    return found.only(~kin | np.isin(group[found.household] * places + settlement, whole))


Block = tuple[IntArray, IntArray, IntArray, IntArray, IntArray]
"""Entries: row, column, weight; rows: least, most."""


def _stacked(blocks: list[Block], width: int) -> tuple[sparse.csr_array, IntArray, IntArray]:
    """One matrix of all blocks; rows that nothing could break are left out."""
    matrices, least, most = [], [], []
    for row, column, weight, low, high in blocks:
        matrix = sparse.csr_array((weight, (row, column)), shape=(len(low), width))
        kept = (np.diff(matrix.indptr) > 0) | (low > 0)
        matrices.append(matrix[kept])
        least.append(low[kept])
        most.append(high[kept])
    return sparse.csr_array(sparse.vstack(matrices)), np.concatenate(least), np.concatenate(most)


def stage_weights(problem: Problem, found: Candidates, width: int | None = None) -> dict[str, IntArray]:
    """What every candidate gives each stage, with zeros up to `width` columns."""
    nothing = np.zeros((width or len(found.gain)) - len(found.gain), np.int64)

    def each(name: str) -> IntArray:
        if name == "value":
            return found.gain
        if name == "points":
            return problem.households.points[found.household]
        tier = int(name.removeprefix("tier "))
        return np.where(problem.households.tier[found.household] == tier, 1, 0)

    return {name: np.concatenate([each(name), nothing]) for name in problem.stages}
