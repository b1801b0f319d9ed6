"""Where every unit may live: rules 2 and 6 of the model as a list of (unit, settlement), and which classes serve whom.

Households of one need (bedrooms, steps, pin) are served by the same classes. So a unit chooses a settlement, and the
classes of each settlement are shared out among needs: a few times fewer columns than one per household and class.
"""

from dataclasses import dataclass

import numpy as np

from solver.problem import NONE, Problem
from solver.tables import BoolArray, IntArray

CHUNK = 20_000
"""Households at a time: the tables of all households and settlements are never held."""


@dataclass(frozen=True, eq=False)
class Homes:
    """Who may keep the house class that it had before. settlement, need [H]: where, and the need by which it is served
    there (NONE: it may not); keeps [m]: whether a supply leaves a household its class; cost [m]: the cheapest first."""

    settlement: IntArray
    need: IntArray
    keeps: BoolArray
    cost: IntArray


@dataclass(frozen=True, eq=False)
class Options:
    """Placements [n], sorted by unit, then settlement; supplies [m], sorted by settlement, need, class.

    Units are numbered: household h is h, kin group g is H + g (`unit_of` [H]). A kin group has a placement where
    every member has an option; `wish` is what its members gain there, spare bedrooms apart. Seats [q] say how many
    houses for which need a placement takes. A supply lets a class serve a need, with `spare` bedrooms too many;
    `limited`: its households don't need step-free. Those at `supply_start[key]` up to the next have the key
    settlement · needs + need. `must` [U]: pinned units, which have to be housed. uses [U, K]: places of services.
    """

    unit_of: IntArray
    need_of: IntArray
    unit: IntArray
    settlement: IntArray
    wish: IntArray
    seat_placement: IntArray
    seat_key: IntArray
    seat_count: IntArray
    needs: int
    supply_key: IntArray
    supply_class: IntArray
    supply_start: IntArray
    spare: IntArray
    limited: BoolArray
    must: BoolArray
    uses: IntArray
    homes: Homes | None = None

    @property
    def cost(self) -> IntArray:
        """What a supply [m] costs those who are seated in a settlement: spare bedrooms, unless homes tell otherwise."""
        return self.spare if self.homes is None else self.homes.cost

    def key(self, household: IntArray, settlement: IntArray) -> IntArray:
        """The key by which households [h] are served in settlements [h]."""
        need = self.need_of[household]
        if self.homes is not None:
            need = np.where(self.homes.settlement[household] == settlement, self.homes.need[household], need)
        return settlement * self.needs + need

    @property
    def placements(self) -> int:
        return len(self.unit)

    @property
    def columns(self) -> int:
        """Placements, then supplies."""
        return len(self.unit) + len(self.supply_class)


def values(problem: Problem, rows: IntArray) -> tuple[BoolArray, IntArray]:
    """Whether some households [r] accept a settlement, and what they gain there: two arrays [r, S]."""
    households = problem.households
    shape = (len(rows), len(problem.settlements.id))
    profile_value = np.vstack([problem.profiles.value, np.zeros((1, shape[1]), np.int64)])
    accepts = np.repeat(households.has_anywhere[rows, None], shape[1], axis=1)
    value = households.anywhere[rows, None] + profile_value[households.profile[rows]]
    options, forbidden = households.options.take(rows), households.forbidden.take(rows)
    accepts[options.row, options.column] = True
    value[options.row, options.column] = options.value
    accepts[forbidden.row, forbidden.column] = False
    return accepts, value


def needs(problem: Problem) -> tuple[IntArray, IntArray]:
    """The needs [k, 4] (bedrooms_min, bedrooms_max, needs_step_free, pinned), and which is each household's [H]."""
    households = problem.households
    columns = np.column_stack(
        [households.bedrooms_min, households.bedrooms_max, households.needs_step_free, households.pinned]
    ).astype(np.int64)
    rows, need_of = np.unique(columns, axis=0, return_inverse=True)
    return rows, need_of.reshape(-1)


def fits(problem: Problem, needs: IntArray) -> BoolArray:
    """Whether a class meets a need in bedrooms and steps, pins apart: [k, C]."""
    classes = problem.house_classes
    least, most, step_free, _ = needs.T
    enough = classes.bedrooms >= least[:, None]
    not_too_many = classes.bedrooms <= most[:, None]
    meets: BoolArray = enough & not_too_many & (classes.step_free | (step_free[:, None] == 0))
    return meets


def options(problem: Problem) -> Options:
    """Every placement of every unit, pinned ones having theirs alone."""
    households, classes = problem.households, problem.house_classes
    count, groups, places = len(households.id), len(households.kin_groups), len(problem.settlements.id)
    kinds, need_of = needs(problem)
    pin = kinds[:, 3, None]
    serves = fits(problem, kinds) & ((pin == NONE) | (pin == np.arange(len(classes.id))))
    need, house_class = np.nonzero(serves)
    key = classes.settlement[house_class] * len(kinds) + need
    order = np.lexsort((house_class, key))
    need, house_class, key = need[order], house_class[order], key[order]
    unit_of = np.where(households.kin_group == NONE, np.arange(count), count + households.kin_group)
    offered = np.zeros((len(kinds), places), np.bool_)
    offered[need, classes.settlement[house_class]] = True
    household, settlement, value = _wishes(problem, need_of, offered)
    entry = unit_of[household] * places + settlement
    keys, of, members = np.unique(entry, return_inverse=True, return_counts=True)
    whole = members == np.bincount(unit_of, minlength=count + groups)[keys // max(places, 1)]
    wish = np.zeros(len(keys), np.int64)
    np.add.at(wish, of, value)
    number = np.cumsum(whole) - 1
    kept = whole[of]
    width = max(len(kinds), 1)
    seats, seat_count = np.unique(number[of[kept]] * width + need_of[household[kept]], return_counts=True)
    uses = np.zeros((count + groups, len(problem.services)), np.int64)
    np.add.at(uses, (unit_of[households.uses.row], households.uses.column), households.uses.value)
    must = np.zeros(count + groups, np.bool_)
    must[unit_of[households.pinned != NONE]] = True
    at = keys[whole] % max(places, 1)
    return Options(
        unit_of=unit_of,
        need_of=need_of,
        unit=keys[whole] // max(places, 1),
        settlement=at,
        wish=wish[whole],
        seat_placement=seats // width,
        seat_key=at[seats // width] * len(kinds) + seats % width,
        seat_count=seat_count,
        needs=len(kinds),
        supply_key=key,
        supply_class=house_class,
        supply_start=np.searchsorted(key, np.arange(places * len(kinds) + 1)),
        spare=classes.bedrooms[house_class] - kinds[need, 0],
        limited=kinds[need, 2] == 0,
        must=must,
        uses=uses,
    )


def gains(problem: Problem, house_class: IntArray) -> IntArray:
    """What each household [H] gains in its class, less what its spare bedrooms cost; 0 where it has none."""
    households, classes = problem.households, problem.house_classes
    gain = np.zeros(len(house_class), np.int64)
    for first in range(0, len(house_class), CHUNK):
        chunk = first + np.flatnonzero(house_class[first : first + CHUNK] != NONE)
        given = house_class[chunk]
        _, value = values(problem, chunk)
        spare = classes.bedrooms[given] - households.bedrooms_min[chunk]
        gain[chunk] = value[np.arange(len(chunk)), classes.settlement[given]] - problem.spare_bedroom_penalty * spare
    return gain


def _wishes(problem: Problem, need_of: IntArray, offered: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Household, settlement and value of every settlement that a household accepts and where a class serves it."""
    nothing = np.zeros(0, np.int64)
    parts = [(nothing, nothing, nothing)]
    for first in range(0, len(need_of), CHUNK):
        chunk = np.arange(first, min(first + CHUNK, len(need_of)))
        accepts, value = values(problem, chunk)
        row, settlement = np.nonzero(accepts & offered[need_of[chunk]])
        parts.append((chunk[row], settlement, value[row, settlement]))
    household, settlement, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return household, settlement, value
