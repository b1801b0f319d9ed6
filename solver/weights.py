"""What columns and households give a stage, in integers."""

from collections.abc import Mapping, Sequence

import numpy as np

from solver.objectives import KEEP, Objective, objective, required
from solver.options import Options, gains
from solver.problem import NONE, Problem
from solver.tables import IntArray


def weights_of(problem: Problem, options: Options, stage: str | Objective) -> IntArray:
    """What each column [n + m] gives a stage."""
    counted = objective(stage)
    of_unit = np.zeros(len(options.must), np.int64)
    np.add.at(of_unit, options.unit_of, gives(problem, counted))
    value = counted.weight("value")
    supplies = -value * problem.spare_bedroom_penalty * options.spare
    if options.homes is not None:
        supplies += counted.weight(KEEP) * options.homes.keeps
    return np.concatenate([of_unit[options.unit] + value * options.wish, supplies])


def gives(problem: Problem, counted: Objective) -> IntArray:
    """What each household [H] gives a stage wherever it lives."""
    each = counted.weight("points") * problem.households.points
    for tier, weight in counted.tiers.items():
        each[problem.households.tier == tier] += weight
    return each


def worth(problem: Problem, counted: Objective, house_class: IntArray, home: IntArray | None) -> int:
    """What an allocation gives a stage. house_class [H]: NONE where a household is not housed; home [H]: the class that
    each had before."""
    housed = house_class != NONE
    total = int(gives(problem, counted)[housed].sum())
    if counted.weight("value"):
        total += counted.weight("value") * int(gains(problem, house_class).sum())
    return total if home is None else total + counted.weight(KEEP) * int((housed & (house_class == home)).sum())


def reached_by(
    problem: Problem,
    stages: Sequence[Objective],
    found: Mapping[int, IntArray],
    house_class: IntArray,
    home: IntArray | None,
) -> tuple[list[int], dict[int, IntArray]]:
    """What stages achieved, and the witnesses [H] of those that later ones may undercut: what was found for each,
    unless the last allocation is better, or better in what had to be kept."""
    achieved: list[int] = []
    witnesses: dict[int, IntArray] = {}
    for index, stage in enumerate(stages):
        best = house_class
        if stage.may_lose:
            other, kept = found[index], required(stages, achieved)
            may = all(worth(problem, each, other, home) >= least for each, least in zip(stages, kept, strict=False))
            if may and worth(problem, stage, other, home) > worth(problem, stage, house_class, home):
                best = other
            witnesses[index] = best
        achieved.append(worth(problem, stage, best, home))
    return achieved, witnesses
