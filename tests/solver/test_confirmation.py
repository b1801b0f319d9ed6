"""An explanation holds where what it names is taken away and the household is then housed."""

from dataclasses import replace

import numpy as np
import pytest

from solver import Parameters, Problem, explain, solve
from solver.confirmation import confirm
from solver.explain import Reason
from solver.generate import generate
from tests.solver.exhaustive import tiny_problem
from tests.solver.small import Row, house_class, household, problem
from tests.solver.test_explain import CASES

BOUND = problem([household("x", tier=2), household("y", pinned="C", points=4)])
FULL: list[Row] = [{"id": "S", "capacities": {"school": 0}}, {"id": "T", "capacities": {"school": 0}}]


@pytest.mark.parametrize(("given", "reason"), [case[1:3] for case in CASES], ids=[case[0] for case in CASES])
def test_the_explanations_of_plain_cases_hold(given: Problem, reason: Reason) -> None:
    trials = {trial.household: trial for trial in confirm(given, solve(given), 10).trials}
    assert trials["x"].reason is reason
    assert trials["x"].holds
    assert trials["x"].enough
    assert trials["x"].proven
    assert trials["x"].change


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (BOUND, Reason.TAKEN_BY_PRIORITY),
        (
            problem([household("x", options={"T": 1}, uses={"school": 1})], settlements=FULL),
            Reason.NOT_ASKED_FOR,
        ),
        (
            problem([household("x", bedrooms_min=5, bedrooms_max=5, uses={"school": 1})], settlements=FULL),
            Reason.NO_CLASS_FITS,
        ),
        (
            problem([household(name, kin_group="k", uses={"school": 1}) for name in "xy"], settlements=FULL),
            Reason.SERVICES_FULL,
        ),
    ],
    ids=["pinned, not prior", "no school there either", "no school for the house", "no second house for kin"],
)
def test_an_explanation_that_is_not_the_whole_story_does_not_hold(given: Problem, reason: Reason) -> None:
    trial = confirm(given, solve(given), 1).trials[0]
    assert (trial.household, trial.reason, trial.holds, trial.proven) == ("x", reason, False, True)


@pytest.mark.parametrize(
    ("given", "reason", "change"),
    [
        (
            problem(
                [household("x", tier=2, uses={"school": 2}), household("y", uses={"school": 1})],
                settlements=[{"id": "S", "capacities": {"school": 1}}],
            ),
            Reason.TAKEN_BY_PRIORITY,
            None,
        ),
        (
            problem(
                [household("x", tier=3), household("y", tier=2), household("z", tier=1, bedrooms_max=3)],
                [house_class("C"), house_class("D", bedrooms=3)],
            ),
            Reason.TAKEN_BY_PRIORITY,
            "tier 2 and 1 points",
        ),
        (
            problem(
                [household("x", tier=2, uses={"school": 1}), *(household(n, uses={"school": 1}) for n in "yz")],
                [house_class(count=2)],
                [{"id": "S", "capacities": {"school": 1}}],
            ),
            Reason.SERVICES_FULL,
            "places of services kept for it",
        ),
        (
            problem(
                [
                    household("x", kin_group="k", points=1),
                    household("brother", kin_group="k", bedrooms_min=4, bedrooms_max=4, forbidden=["S"]),
                ]
            ),
            Reason.KIN_NOT_WHOLE,
            "its kin group left",
        ),
    ],
    ids=["a school too small whoever it is", "enough", "others queue for the place", "a brother who can't live there"],
)
def test_the_change_that_the_sentence_suggests_may_not_be_enough(
    given: Problem, reason: Reason, change: str | None
) -> None:
    trial = next(t for t in confirm(given, solve(given), 9).trials if t.household == "x")
    assert (trial.reason, trial.holds, trial.proven) == (reason, change is not None, True)
    assert trial.enough == (change is not None and change.startswith("tier 2"))
    assert change in (None, trial.change)


def test_the_share_of_a_sample_is_drawn_by_the_seed() -> None:
    town = generate(60, 2, 5, households_per_house=2, places_per_need=0.8)
    solution = solve(town)
    found = confirm(town, solution, 6, seed=3, parameters=Parameters(time_limit_seconds=20))
    assert found == confirm(town, solution, 6, seed=3, parameters=Parameters(time_limit_seconds=20))
    assert found.not_housed == 60 - len(solution.assignments)
    assert len(found.trials) == 6
    assert found.share == sum(trial.holds for trial in found.trials) / 6
    assert found.share_enough == sum(trial.enough for trial in found.trials) / 6
    reasons = {told.household: told.reason for told in explain(town, solution)}
    assert all(reasons[trial.household] is trial.reason for trial in found.trials)
    other = confirm(town, solution, 6, seed=4, parameters=Parameters(time_limit_seconds=20))
    assert [t.household for t in other.trials] != [t.household for t in found.trials]


def test_lotteries_and_ties_always_hold() -> None:
    """The first number wins, and one point more decides: whatever else is in play."""
    ties = (Reason.LOST_LOTTERY, Reason.EQUALS_FIT_BETTER)
    found = 0
    for seed in range(150):
        given = Problem.from_dict(tiny_problem(seed))
        solution = solve(given)
        if any(told.reason in ties for told in explain(given, solution)):
            trials = [trial for trial in confirm(given, solution, 10).trials if trial.reason in ties]
            assert all(trial.holds for trial in trials), seed
            found += len(trials)
    assert found > 2


def test_nobody_to_ask() -> None:
    given = problem([household("a")])
    found = confirm(given, solve(given), 5)
    assert (found.not_housed, found.trials, found.share, found.share_enough) == (0, (), None, None)


def test_refusals() -> None:
    given = problem([household("a"), household("b")])
    with pytest.raises(ValueError, match="sample"):
        confirm(given, solve(given), -1)
    contradiction = problem([household("a", pinned="C"), household("b", pinned="C")])
    with pytest.raises(ValueError, match="infeasible"):
        confirm(contradiction, solve(contradiction), 1)


@pytest.mark.parametrize("seed", range(4))
def test_explanations_hold_where_the_reserve_binds(seed: int) -> None:
    town = generate(60, 2, seed, places_per_need=2.0, kin_share=0.0, step_free_share=0.25)
    households, classes = town.households, town.house_classes
    rare = np.random.default_rng(seed).random(60) < 0.4
    town = replace(
        town,
        house_classes=replace(classes, reserved=np.where(classes.step_free, classes.count * 2 // 3, 0)),
        households=replace(households, needs_step_free=households.needs_step_free & rare),
    )
    found = confirm(town, solve(town), 5)
    assert [trial for trial in found.trials if not trial.holds] == []
