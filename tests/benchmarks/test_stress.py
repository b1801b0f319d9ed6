"""Every family of instances: feasible, reproducible, and hard in the way that its name says."""

import numpy as np
import pytest

from benchmarks.stress import FAMILIES, GIANT, Instance
from solver import Parameters, Problem, Status, check, solve
from solver.problem import NONE

SIZE = (120, 3, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_feasible_and_reproducible(family: str) -> None:
    problem = Instance(family, *SIZE).problem()
    assert problem.sha256 == Instance(family, *SIZE).problem().sha256
    assert problem.sha256 != Instance(family, *SIZE[:2], 2).problem().sha256
    solution = solve(problem, Parameters(time_limit_seconds=1))
    assert solution.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert check(problem, solution) == []


def test_only_the_usual_family_is_the_usual_one() -> None:
    assert len({Instance(family, *SIZE).problem().sha256 for family in FAMILIES}) == len(FAMILIES)


def houses(problem: Problem) -> int:
    return int(problem.house_classes.count.sum())


def test_families_differ_in_what_their_names_say() -> None:
    built = {family: Instance(family, *SIZE).problem() for family in FAMILIES}
    usual = built["default"]
    assert (built["loose"].settlements.capacity > usual.settlements.capacity).all()
    assert (built["kin"].households.kin_group != NONE).sum() > 2 * (usual.households.kin_group != NONE).sum()
    assert houses(built["slack"]) > houses(usual) > houses(built["slack-2"]) > houses(built["scarce"])
    assert not built["nowhere"].households.has_anywhere.any()
    assert built["everywhere"].households.has_anywhere.all()
    assert len(built["many-settlements"].settlements.id) == 2_000
    assert len(built["one-settlement"].settlements.id) == 1


def test_without_capacity_only_those_who_use_nothing_are_housed() -> None:
    problem = Instance("no-capacity", *SIZE).problem()
    assert (problem.settlements.capacity == 0).all()
    solution = solve(problem)
    housed = np.isin(problem.households.id, solution.assignments.household)
    assert housed.any()
    assert not housed[problem.households.uses.row].any()


def test_one_kin_group_can_just_be_housed_and_one_never() -> None:
    problem = Instance("one-giant-kin-group", 600, 3, 1).problem()
    members = np.bincount(problem.households.kin_group[problem.households.kin_group != NONE])
    size = dict(zip(problem.households.kin_groups.tolist(), members.tolist(), strict=True))
    most = np.bincount(problem.house_classes.settlement, problem.house_classes.count).max()
    assert size["K-giant"] == GIANT
    assert size["K-larger-than-any-settlement"] == most + 1
    alone = giants_alone(problem)
    solution = solve(alone, Parameters(time_limit_seconds=5))
    housed = np.isin(alone.households.id, solution.assignments.household)
    assert housed.sum() == GIANT


def giants_alone(problem: Problem) -> Problem:
    """The problem with the two giant groups alone, which `tier 1` then is about."""
    document = problem.to_dict()
    rows = document["households"]
    assert isinstance(rows, list)
    document["households"] = [row | {"tier": 1} for row in rows if str(row.get("kin_group")).startswith("K-")]
    return Problem.from_dict(document)


def test_a_kin_group_larger_than_a_settlement_needs_enough_households() -> None:
    with pytest.raises(ValueError, match="too few households"):
        Instance("one-giant-kin-group", 10, 1, 1).problem()
