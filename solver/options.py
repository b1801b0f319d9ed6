"""Where each household may live: rules 2 and 6 of the model turned into a list of (household, class, value)."""

from dataclasses import dataclass

import numpy as np

from solver.problem import NONE, Problem
from solver.tables import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Options:
    """Columns [n], sorted by household, then class: one row for every class that a household may be given.

    A kin group is one unit; its options are placements [m], one for each settlement where every member has an
    option. `placement` is the placement that an option belongs to, NONE for a household on its own. Units are
    numbered: household h is h, kin group g is H + g. `must` [H + G]: pinned units, which have to be housed.
    uses [H, K] are the places that a household needs; `group_uses` [m, K] those of a whole placement.
    """

    household: IntArray
    house_class: IntArray
    settlement: IntArray
    value: IntArray
    placement: IntArray
    placement_group: IntArray
    placement_settlement: IntArray
    must: BoolArray
    uses: IntArray
    group_uses: IntArray

    @property
    def size(self) -> int:
        return len(self.household)


def values(problem: Problem) -> tuple[BoolArray, IntArray]:
    """Whether a household accepts a settlement, and what it gains there: two arrays [H, S]."""
    households = problem.households
    shape = (len(households.id), len(problem.settlements.id))
    profile_value = np.vstack([problem.profiles.value, np.zeros((1, shape[1]), np.int64)])
    accepts = np.repeat(households.has_anywhere[:, None], shape[1], axis=1)
    value = households.anywhere[:, None] + profile_value[households.profile]
    accepts[households.options.row, households.options.column] = True
    value[households.options.row, households.options.column] = households.options.value
    accepts[households.forbidden.row, households.forbidden.column] = False
    return accepts, value


def fits(problem: Problem) -> BoolArray:
    """Whether a class meets the need of a household in bedrooms and steps: [H, C]."""
    households, classes = problem.households, problem.house_classes
    enough = classes.bedrooms >= households.bedrooms_min[:, None]
    not_too_many = classes.bedrooms <= households.bedrooms_max[:, None]
    return enough & not_too_many & (classes.step_free | ~households.needs_step_free[:, None])


def options(problem: Problem) -> Options:
    """Every option of every household, pinned ones having theirs alone."""
    households, classes = problem.households, problem.house_classes
    count, groups = len(households.id), len(households.kin_groups)
    accepts, value_at = values(problem)
    may = fits(problem) & accepts[:, classes.settlement]
    pinned = np.flatnonzero(households.pinned != NONE)
    only = np.zeros((len(pinned), len(classes.id)), np.bool_)
    only[np.arange(len(pinned)), households.pinned[pinned]] = True
    may[pinned] &= only
    household, house_class = np.nonzero(may)
    settlement = classes.settlement[house_class]
    spare = classes.bedrooms[house_class] - households.bedrooms_min[household]
    value = value_at[household, settlement] - problem.spare_bedroom_penalty * spare
    group = households.kin_group[household]
    whole_group, whole_at, placement_at = _placements(problem, household, settlement)
    placement = np.where(group == NONE, NONE, placement_at[group, settlement])
    keep = (group == NONE) | (placement != NONE)
    uses = np.zeros((count, len(problem.services)), np.int64)
    uses[households.uses.row, households.uses.column] = households.uses.value
    group_uses = np.zeros((groups, len(problem.services)), np.int64)
    kin = households.kin_group != NONE
    np.add.at(group_uses, households.kin_group[kin], uses[kin])
    must = np.zeros(count + groups, np.bool_)
    must[np.where(kin, count + households.kin_group, np.arange(count))[pinned]] = True
    return Options(
        household=household[keep],
        house_class=house_class[keep],
        settlement=settlement[keep],
        value=value[keep],
        placement=placement[keep],
        placement_group=whole_group,
        placement_settlement=whole_at,
        must=must,
        uses=uses,
        group_uses=group_uses[whole_group],
    )


def _placements(problem: Problem, household: IntArray, settlement: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Group and settlement of every placement where all members have an option; its number by [G + 1, S]."""
    kin_group = problem.households.kin_group
    groups, places = len(problem.households.kin_groups), len(problem.settlements.id)
    has_option = np.zeros((len(kin_group), places), np.int64)
    has_option[household, settlement] = 1
    members = np.flatnonzero(kin_group != NONE)
    with_option = np.zeros((groups, places), np.int64)
    np.add.at(with_option, kin_group[members], has_option[members])
    size = np.bincount(kin_group[members], minlength=groups)
    group, settlement = np.nonzero(with_option == size[:, None])
    number = np.full((groups + 1, places), NONE, np.int64)
    number[group, settlement] = np.arange(len(group))
    return group, settlement, number
