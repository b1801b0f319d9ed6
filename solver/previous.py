"""What a solve starts from: another solution, of the same problem or of one much like it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.objectives import Objective
from solver.options import Options, fits, needs, values
from solver.prices import SAFE, Prices
from solver.problem import NONE, UNLIMITED, Problem
from solver.solution import Assignments, Solution, StageCertificate
from solver.tables import IntArray, StrArray


@dataclass(frozen=True, eq=False)
class Before:
    """given [H]: the class of each household in the previous solution. home [H]: the class that `keep` counts; None
    where no stage counts it. prices: those of the previous solution for each stage; gaps, lost: how much less it
    achieved there than its bound, and than its prices prove; None where it doesn't have the stage."""

    given: IntArray
    home: IntArray | None
    prices: tuple[Prices | None, ...]
    gaps: tuple[int | None, ...]
    lost: tuple[int | None, ...]
    sha256: str | None

    @classmethod
    def of(
        cls, problem: Problem, stages: Sequence[Objective], previous: Solution | None, homes: Assignments | None
    ) -> "Before":
        """homes: what `keep` counts, if not the assignments of the previous solution. What the problem doesn't know is
        left out. Raises ValueError where there is nothing to keep."""
        homes = homes if homes is not None or previous is None else previous.assignments
        stated = {} if previous is None else {stage.name: stage for stage in previous.stages}
        found = [stated.get(stage.name) for stage in stages]
        home = None
        if any(stage.keeps for stage in stages):
            if homes is None:
                raise ValueError("'keep' needs a previous solution: without one there is nothing to keep")
            home = given_in(problem, homes)
        return cls(
            given=given_in(problem, Assignments() if previous is None else previous.assignments),
            home=home,
            prices=tuple(_prices(problem, stages[: j + 1], previous) for j in range(len(stages))),
            gaps=tuple(None if each is None else each.bound - each.achieved for each in found),
            lost=tuple(None if each is None else each.price_bound - each.achieved for each in found),
            sha256=None if previous is None else previous.sha256,
        )

    def homes(self, problem: Problem) -> Assignments | None:
        """What `keep` counts, as a solution states it."""
        if self.home is None:
            return None
        had = np.flatnonzero(self.home != NONE)
        return Assignments(problem.households.id[had], problem.house_classes.id[self.home[had]])


def given_in(problem: Problem, assignments: Assignments) -> IntArray:
    """The class of each household [H] in some assignments; NONE where the problem doesn't know the one or the other."""
    household = _position(problem.households.id, assignments.household)
    house_class = _position(problem.house_classes.id, assignments.house_class)
    known = (household != NONE) & (house_class != NONE)
    given = np.full(len(problem.households.id), NONE, np.int64)
    given[household[known]] = house_class[known]
    return given


def _position(identifiers: StrArray, wanted: StrArray) -> IntArray:
    if not len(identifiers):
        return np.full(len(wanted), NONE)
    at = np.minimum(np.searchsorted(identifiers, wanted), len(identifiers) - 1)
    return np.where(identifiers[at] == wanted, at, NONE)


def still(problem: Problem, given: IntArray, before: IntArray) -> IntArray:
    """The allocation that is left of one. before [H]: the classes of a previous allocation; given [H]: those of who has
    to be housed, which stays. Who comes first in tier and points keeps a house or a place that has become scarce."""
    households = problem.households
    left = np.where(given == NONE, before, given)
    may = given != NONE
    may[_fitting(problem, before)] = True
    units = np.where(households.kin_group == NONE, np.arange(len(left)), len(left) + households.kin_group)
    at = np.append(problem.house_classes.settlement, NONE)[np.where(may, left, NONE)]
    lowest, highest = np.full((2, len(left) + len(households.kin_groups)), NONE)
    lowest[:] = len(problem.settlements.id)
    np.minimum.at(lowest, units, at)
    np.maximum.at(highest, units, at)
    left[(lowest != highest)[units] | (at == NONE)] = NONE
    first = np.lexsort((np.arange(len(left)), -households.points, households.tier, given == NONE))
    turn = np.full(len(lowest), len(left))
    np.minimum.at(turn, units[first], np.arange(len(left)))
    out = _without_room(problem, left, turn[units])
    while len(out):
        left[np.isin(units, units[out])] = NONE
        out = _without_room(problem, left, turn[units])
    return left


def _fitting(problem: Problem, before: IntArray) -> IntArray:
    """Who could have its class of before, all others apart."""
    households = problem.households
    who = np.flatnonzero((before != NONE) & ((households.pinned == NONE) | (households.pinned == before)))
    kinds, need_of = needs(problem)
    who = who[fits(problem, kinds)[need_of[who], before[who]]]
    settlement = problem.house_classes.settlement[before[who]]
    parts = [np.zeros(0, np.int64)]
    for first in range(0, len(who), 20_000):
        chunk = slice(first, first + 20_000)
        accepts, _ = values(problem, who[chunk])
        parts.append(who[chunk][accepts[np.arange(len(accepts)), settlement[chunk]]])
    return np.concatenate(parts)


def _without_room(problem: Problem, left: IntArray, turn: IntArray) -> IntArray:
    """Those who come too late in `turn` [H] for a class, for its unreserved part, or for a place of a service."""
    households, classes = problem.households, problem.house_classes
    housed = np.flatnonzero(left != NONE)
    free = housed[~households.needs_step_free[housed]]
    out = [
        _too_late(left[housed], np.ones(len(housed), np.int64), classes.count, turn[housed], housed),
        _too_late(left[free], np.ones(len(free), np.int64), classes.count - classes.reserved, turn[free], free),
    ]
    uses, capacity = households.uses, problem.settlements.capacity
    entry = np.flatnonzero((left != NONE)[uses.row])
    row, service = uses.row[entry], uses.column[entry]
    settlement = classes.settlement[left[row]]
    limited = capacity[settlement, service] != UNLIMITED
    key = (settlement * capacity.shape[1] + service)[limited]
    out.append(_too_late(key, uses.value[entry][limited], capacity.ravel(), turn[row][limited], row[limited]))
    return np.unique(np.concatenate(out))


def _too_late(key: IntArray, amount: IntArray, most: IntArray, turn: IntArray, household: IntArray) -> IntArray:
    """The households of the entries that, by turn, go past what there is at most of their key."""
    total = np.zeros(len(most), np.int64)
    np.add.at(total, key, amount)
    scarce = np.flatnonzero((total > most)[key])
    order = scarce[np.lexsort((turn[scarce], key[scarce]))]
    running = np.cumsum(amount[order])
    start = np.flatnonzero(np.diff(key[order], prepend=NONE))
    running -= np.repeat((running - amount[order])[start], np.diff(np.append(start, len(order))))
    return household[order[running > most[key[order]]]]


def taken(problem: Problem, options: Options, left: IntArray) -> IntArray:
    """How often each column [n + m] is taken by an allocation [H]."""
    housed = np.flatnonzero(left != NONE)
    settlement = problem.house_classes.settlement[left[housed]]
    places, width = len(problem.settlements.id), max(len(problem.house_classes.id), 1)
    columns = np.zeros(options.columns, np.int64)
    wanted = np.unique(options.unit_of[housed] * places + settlement)
    columns[np.searchsorted(options.unit * places + options.settlement, wanted)] = 1
    supplies = options.supply_key * width + options.supply_class
    supply = np.searchsorted(supplies, options.key(housed, settlement) * width + left[housed])
    np.add.at(columns, options.placements + supply, 1)
    return columns


def _prices(problem: Problem, stages: Sequence[Objective], previous: Solution | None) -> Prices | None:
    """The previous solution's for the last of the stages; None where it has none, or where they are beyond 64 bits."""
    found = () if previous is None else zip(previous.stages, previous.certificate, strict=False)
    for stage, certificate in found:
        if stage.name == stages[-1].name and dict(stage.counts) == dict(stages[-1].terms):
            numbers = [
                certificate.denominator,
                *certificate.multipliers.values(),
                *(p.price for p in certificate.prices),
            ]
            if certificate.denominator > 0 and all(0 <= number < SAFE for number in numbers):
                return _known(problem, certificate, [stage.name for stage in stages[:-1]])
    return None


def _known(problem: Problem, certificate: StageCertificate, earlier: Sequence[str]) -> Prices:
    """What the problem knows of a certificate."""
    classes, services = len(problem.house_classes.id), len(problem.services)
    index = {name: c for c, name in enumerate(problem.house_classes.id.tolist())}
    place = {name: s for s, name in enumerate(problem.settlements.id.tolist())}
    kind = {name: k for k, name in enumerate(problem.services.tolist())}
    house_class, unreserved = np.zeros((2, classes + 1), np.int64)
    service = np.zeros((len(place) + 1, services + 1), np.int64)
    for price in certificate.prices:
        if price.kind == "service":
            service[place.get(price.settlement or "", NONE), kind.get(price.service or "", NONE)] = price.price
        else:
            column = house_class if price.kind == "class" else unreserved
            column[index.get(price.house_class or "", NONE)] = price.price
    limited = problem.settlements.capacity != UNLIMITED
    multipliers = tuple(certificate.multipliers.get(name, 0) for name in earlier)
    scarce = np.where(limited, service[:-1, :-1], 0)
    return Prices(certificate.denominator, house_class[:-1], unreserved[:-1], scarce, multipliers)
