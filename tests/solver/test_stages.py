"""The order of the stages, what bounds them, and what becomes of them when time runs out."""

import time
from dataclasses import replace

import numpy as np
import pytest

from solver import Cancelled, Parameters, Problem, Progress, Status, check, solve
from solver.exact import Program, Verdict
from solver.generate import generate
from solver.options import options
from solver.stages import Ladder
from solver.weights import weights_of
from tests.solver.small import house_class, household, problem, solved

RIVALS = [
    household("early", tier=1, points=1, options={"S": 1}),
    household("needy", tier=2, points=9, options={"S": 5}),
    household("keen", tier=2, points=1, options={"S": 99}),
]


@pytest.mark.parametrize(
    ("stages", "winner"),
    [
        (None, "early"),
        (("points", "tier 1"), "needy"),
        (("value",), "keen"),
        (("tier 2", "value"), "keen"),
        (("tier 2", "points", "value"), "needy"),
    ],
)
def test_the_first_stage_that_tells_them_apart_decides(stages: tuple[str, ...] | None, winner: str) -> None:
    given = problem(RIVALS)
    solution = solve(given, Parameters(stages=stages))
    assert dict(solution.assignments) == {winner: "C"}
    assert solution.status is Status.OPTIMAL
    assert check(given, solution, stages) == []


def test_wishes_decide_where_after_points_decide_who() -> None:
    people = [household("a", points=2, options={"S": 1, "T": 9}), household("b", points=1, options={"S": 1, "T": 20})]
    classes = [house_class("C"), house_class("D", settlement="T")]
    assert solved(problem(people, classes, [{"id": "S"}, {"id": "T"}])) == {"a": "C", "b": "D"}


def test_spare_bedrooms_cost() -> None:
    classes = [house_class("large", bedrooms=4), house_class("right", bedrooms=2)]
    assert solved(problem([household("a", bedrooms_max=4)], classes)) == {"a": "right"}


def test_a_household_is_housed_even_where_its_value_is_negative() -> None:
    assert solved(problem([household("a", options={"S": -50})])) == {"a": "C"}


def test_anywhere_gives_its_own_value_and_the_profile_s() -> None:
    people = [household("a", options={"S": 3}, anywhere=1, profile="p")]
    classes = [house_class("C"), house_class("D", settlement="T"), house_class("E", settlement="U")]
    places = [{"id": "S"}, {"id": "T"}, {"id": "U"}]
    profiles = [{"id": "p", "values": {"S": 50, "T": 1, "U": 4}}]
    assert solved(problem(people, classes, places, profiles=profiles)) == {"a": "E"}


def test_points_and_values_beyond_the_precision_of_floats_are_exact() -> None:
    """Four families, three houses, points of a thousand million: one point more or less decides."""
    people = [household(name, points=10**9 - i, options={"S": 10**9 - 7 * i}) for i, name in enumerate("abcd")]
    kin = [household(name, kin_group="k", points=10**9 - 2, options={"S": -(10**9)}) for name in "xy"]
    given = problem([*people, *kin], [house_class(count=3, reserved=0)])
    solution = solve(given)
    assert dict(solution.assignments) == dict.fromkeys("abc", "C")
    assert (solution.status, check(given, solution)) == (Status.OPTIMAL, [])


def test_a_gap_that_prices_cannot_close_is_closed_by_search() -> None:
    """Two families of two pupils and three places: prices prove 1.5, one is housed."""
    people = [household(name, uses={"school": 2}) for name in "ab"]
    places = [{"id": "S", "capacities": {"school": 3}}]
    kin = [household(name, kin_group=name, uses={"school": 1}, tier=2) for name in "cd"]
    given = problem([*people, *kin], [house_class(count=4)], places)
    solution = solve(given)
    assert solution.status is Status.OPTIMAL
    assert [stage.achieved for stage in solution.stages][:2] == [1, 1]
    assert check(given, solution) == []


@pytest.mark.parametrize("unit", [1, 10_000])
def test_the_unit_of_values_changes_no_proof(unit: int) -> None:
    town = generate(200, 4, 1)
    households = town.households
    same = replace(
        town,
        spare_bedroom_penalty=town.spare_bedroom_penalty * unit,
        profiles=replace(town.profiles, value=town.profiles.value * unit),
        households=replace(
            households,
            options=replace(households.options, value=households.options.value * unit),
            anywhere=households.anywhere * unit,
        ),
    )
    solution = solve(same, Parameters(time_limit_seconds=30))
    assert solution.status is Status.OPTIMAL
    assert solution.stages[-1].achieved == 14_460 * unit


def test_a_single_household_of_great_value_is_refused_in_few_searches() -> None:
    family = household("a", options={"S": 1_000_000}, uses={"school": 2})
    solution = solve(
        problem([family], settlements=[{"id": "S", "capacities": {"school": 1}}]), Parameters(time_limit_seconds=20)
    )
    assert [(stage.achieved, stage.bound) for stage in solution.stages] == [(0, 0)] * 3


@pytest.mark.parametrize("seed", [0, 2, 4, 5])
def test_a_value_that_search_closes_is_the_best_that_integer_arithmetic_finds(seed: int) -> None:
    town = generate(60, 3, seed, kin_share=0.25)
    solution = solve(town)
    assert (solution.status, check(town, solution)) == (Status.OPTIMAL, [])
    assert solution.stages[-1].proof == "search"
    choices = options(town)
    *weights, value = (weights_of(town, choices, name) for name in town.stages)
    rows = [(stage, result.achieved) for stage, result in zip(weights, solution.stages, strict=False)]
    every = np.ones(choices.columns, np.bool_)
    found = Program(town, choices, 0).search(value, rows, every, choices.must, 60, exact=True)
    assert (found.verdict, found.bound) == (Verdict.OPTIMAL, solution.stages[-1].achieved)


@pytest.mark.parametrize(("seed", "places"), [(1, 0.7), (5, 0.85)])
def test_later_stages_keep_all_that_earlier_ones_achieved(
    monkeypatch: pytest.MonkeyPatch, seed: int, places: float
) -> None:
    """Of the parts of `points` that are left open when the best is found, all are worth less."""
    ladders: list[Ladder] = []
    climb = Ladder.climb

    def seen(ladder: Ladder) -> bool:
        ladders.append(ladder)
        return climb(ladder)

    monkeypatch.setattr(Ladder, "climb", seen)
    town = generate(60, 3, seed, kin_share=0.5, places_per_need=places)
    solution = solve(town)
    assert solution.status is Status.OPTIMAL
    assert ladders[0].targets == [stage.achieved for stage in solution.stages]


@pytest.mark.parametrize("exact", [False, True])
def test_a_cutoff_hides_nothing_that_reaches_it(*, exact: bool) -> None:
    town = generate(60, 3, 5, kin_share=0.25)
    choices = options(town)
    program, points = Program(town, choices, 0), weights_of(town, choices, "points")
    every = np.ones(choices.columns, np.bool_)

    def best(cutoff: int | None) -> int | None:
        found = program.search(points, (), every, choices.must, 60, cutoff=cutoff, exact=exact)
        if found.taken is not None:
            assert program.keeps(found.taken)
        return None if found.taken is None else int(points @ found.taken)

    most = best(None)
    assert most is not None
    assert best(most) == most
    assert best(most - 7) == most
    assert (best(most + 1) or 0) <= most


def test_houses_that_nobody_likes_best_are_given_too() -> None:
    """Fourteen settlements with a house each, liked in the same order by all fourteen families."""
    names = [f"S{i:02}" for i in range(14)]
    people = [household(f"h{i:02}", options={}, anywhere=0, profile="p", points=i) for i in range(14)]
    classes = [house_class(f"C{name}", settlement=name) for name in names]
    profiles = [{"id": "p", "values": {name: 100 - i for i, name in enumerate(names)}}]
    given = problem(people, classes, [{"id": name} for name in names], profiles=profiles)
    solution = solve(given)
    assert solution.status is Status.OPTIMAL
    assert [stage.achieved for stage in solution.stages] == [14, sum(range(14)), sum(range(87, 101))]
    assert [stage.proof for stage in solution.stages] == ["prices"] * 3
    assert check(given, solution) == []


def test_an_empty_problem_is_optimal() -> None:
    given = problem([])
    solution = solve(given)
    assert (solution.status, len(solution.assignments), check(given, solution)) == (Status.OPTIMAL, 0, [])


@pytest.fixture(scope="module")
def town() -> Problem:
    return generate(900, 12, 1, kin_share=0.3, places_per_need=0.7)


@pytest.mark.parametrize("seconds", [1e-6, 0.2])
def test_out_of_time_is_feasible_with_bounds_that_hold(town: Problem, seconds: float) -> None:
    solution = solve(town, Parameters(time_limit_seconds=seconds))
    assert solution.status is Status.FEASIBLE
    assert check(town, solution) == []
    assert len(solution.assignments) > 0
    assert solution.stages[-1].bound > solution.stages[-1].achieved


def test_out_of_time_keeps_pins_and_kin() -> None:
    town = generate(200, 3, 4, kin_share=0.4, pinned_share=0.3, places_per_need=0.6)
    assert (town.households.pinned >= 0).any()
    assert check(town, solve(town, Parameters(time_limit_seconds=1e-6))) == []


def test_progress_is_reported_stage_by_stage() -> None:
    town = generate(100, 2, 1)
    heard: list[Progress] = []
    solution = solve(town, progress=heard.append)
    last = {progress.stage: progress for progress in heard}
    assert tuple(last) == town.stages
    assert [(p.achieved, p.bound) for p in last.values()] == [(s.achieved, s.bound) for s in solution.stages]
    assert [p.seconds for p in heard] == sorted(p.seconds for p in heard)


def test_a_callback_may_cancel() -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled

    town = generate(100, 2, 1)
    solution = solve(town, progress=stop)
    assert solution.status is Status.CANCELLED
    assert check(town, solution) == []


def test_a_callback_is_heard_in_the_middle_of_a_stage(town: Problem) -> None:
    heard: list[Progress] = []
    ended: list[float] = []

    def stop(progress: Progress) -> None:
        if replace(progress, seconds=0.0) in heard:
            ended.append(time.monotonic())
            raise Cancelled
        heard.append(replace(progress, seconds=0.0))

    solution = solve(town, progress=stop)
    assert solution.status is Status.CANCELLED
    assert time.monotonic() - ended[0] < 10  # two seconds where nobody else computes; the limit is a minute


def test_whoever_listens_changes_nothing() -> None:
    town = generate(150, 4, 2, kin_share=0.3)
    assert solve(town).canonical_bytes() == solve(town, progress=lambda _: None).canonical_bytes()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"time_limit_seconds": 0}, "time_limit_seconds"),
        ({"time_limit_seconds": float("nan")}, "time_limit_seconds"),
        ({"time_limit_seconds": None}, "time_limit_seconds"),
        ({"time_limit_seconds": "5"}, "time_limit_seconds"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"threads": 0}, "threads"),
        ({"threads": "2"}, "threads"),
        ({"threads": 1.5}, "threads"),
        ({"stages": ()}, "at least one"),
        ({"stages": ("points", "points")}, "twice"),
    ],
)
def test_parameters_out_of_range_are_refused(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Parameters(**fields)  # type: ignore[arg-type]  # wrong on purpose


def test_a_stage_that_the_problem_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="'tier 9' is not a stage"):
        solve(problem([household("a")]), Parameters(stages=("tier 9",)))
