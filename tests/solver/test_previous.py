"""Solving again: from a previous solution, and with the fewest moves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import Objective, Parameters, Problem, Solution, Status, changes, check, solve
from solver.generate import generate
from solver.previous import given_in, still
from solver.problem import NONE
from solver.solution import Assignments
from tests.solver.exhaustive import tiny_problem
from tests.solver.small import Row, house_class, household, problem
from tests.solver.test_determinism import shuffled

TIERS = tuple(f"tier {tier}" for tier in range(1, 6))
KEEPING = (*TIERS, "points", "keep", "value")


@pytest.fixture(scope="module")
def town() -> Problem:
    return generate(220, 3, 3, kin_share=0.2, places_per_need=0.8)


@pytest.fixture(scope="module")
def before(town: Problem) -> Solution:
    return solve(town)


def test_keep_keeps_the_class_where_wishes_would_move_it() -> None:
    """a lives in S; once T has a house too, it would rather live there."""
    people, places = [household("a", options={"S": 1, "T": 9})], [{"id": "S"}, {"id": "T"}]
    first = solve(problem(people, [house_class("C")], places))
    more = problem(people, [house_class("C"), house_class("D", settlement="T")], places)
    for stages, expected in ((None, "D"), (("tier 1", "keep", "value"), "C"), (("tier 1", "value", "keep"), "D")):
        again = solve(more, Parameters(stages=stages), previous=first)
        assert dict(again.assignments) == {"a": expected}
        assert (again.status, check(more, again, stages)) == (Status.OPTIMAL, [])


def test_a_move_may_be_weighed_against_wishes() -> None:
    people, places = [household("a", options={"S": 1, "T": 9})], [{"id": "S"}, {"id": "T"}]
    first = solve(problem(people, [house_class("C")], places))
    more = problem(people, [house_class("C"), house_class("D", settlement="T")], places)
    for weight, expected in ((7, "D"), (9, "C")):
        stages = ("tier 1", Objective("stay or wish", {"value": 1, "keep": weight}))
        assert dict(solve(more, Parameters(stages=stages), previous=first).assignments) == {"a": expected}


def test_the_lottery_is_among_those_who_keep_the_same_class_alone() -> None:
    """Of two equals the one that lives there stays, whatever its number."""
    people = [household("a", lottery=2), household("b", lottery=1)]
    alone = solve(problem(people[:1]))
    both, stages = problem(people), ("tier 1", "keep", "points", "value")
    again = solve(both, Parameters(stages=stages), previous=alone)
    assert dict(again.assignments) == {"a": "C"}
    assert check(both, again, stages) == []
    assert dict(solve(both, previous=alone).assignments) == {"b": "C"}


def test_who_is_pinned_where_it_was_never_moves(town: Problem, before: Solution) -> None:
    given = given_in(town, before.assignments)
    housed = np.flatnonzero(given != NONE)
    pinned = np.full(len(given), NONE)
    pinned[housed[::2]] = given[housed[::2]]
    accepted = replace(town, households=replace(town.households, pinned=pinned))
    better = changes.with_houses(accepted, str(town.house_classes.id[0]), 5)
    again = solve(better, Parameters(stages=KEEPING), previous=before)
    assert (again.status, check(better, again, KEEPING)) == (Status.OPTIMAL, [])
    after = given_in(better, again.assignments)
    assert (after[housed[::2]] == given[housed[::2]]).all()


def more_houses(town: Problem, before: Solution) -> Problem:
    return changes.with_houses(town, str(town.house_classes.id[1]))


def refusal(town: Problem, before: Solution) -> Problem:
    """The first household without kin that was housed may no longer live where it was."""
    given = given_in(town, before.assignments)
    h = int(np.flatnonzero((given != NONE) & (town.households.kin_group == NONE))[0])
    place = town.settlements.id[town.house_classes.settlement[given[h]]]
    document: Any = town.to_dict()
    document["households"][h]["forbidden"] = [str(place)]
    return Problem.from_dict(document)


def late_application(town: Problem, before: Solution) -> Problem:
    document: Any = town.to_dict()
    document["households"].append(document["households"][0] | {"id": "late", "tier": 1, "kin_group": None})
    return Problem.from_dict(document)


def fewer_of_everything(town: Problem, before: Solution) -> Problem:
    """A household left, a class is gone, a school has fewer places."""
    document: Any = town.to_dict()
    del document["households"][5], document["house_classes"][0]
    capacities = document["settlements"][0]["capacities"]
    document["settlements"][0]["capacities"] = {service: places // 2 for service, places in capacities.items()}
    return Problem.from_dict(document)


@pytest.mark.parametrize("change", [more_houses, refusal, late_application, fewer_of_everything])
def test_from_a_previous_solution_every_stage_achieves_the_same(
    town: Problem, before: Solution, change: Callable[[Problem, Solution], Problem]
) -> None:
    changed = change(town, before)
    cold, warm = solve(changed), solve(changed, previous=before)
    assert (cold.status, warm.status) == (Status.OPTIMAL, Status.OPTIMAL)
    assert [s.achieved for s in warm.stages] == [s.achieved for s in cold.stages]
    assert check(changed, warm) == []
    assert warm.statistics.previous_sha256 == before.sha256
    kept = solve(changed, Parameters(stages=KEEPING), previous=before)
    assert check(changed, kept, KEEPING) == []
    assert [s.achieved for s in kept.stages][:6] == [s.achieved for s in cold.stages][:6]
    assert kept.stages[6].achieved >= len(set(before.assignments) & set(warm.assignments))


@pytest.mark.parametrize("stages", [None, KEEPING])
def test_the_same_previous_solution_gives_the_same_bytes(
    town: Problem, before: Solution, stages: tuple[str, ...] | None
) -> None:
    changed = more_houses(town, before)
    expected = solve(changed, Parameters(stages=stages), previous=before).canonical_bytes()
    threads = solve(changed, Parameters(stages=stages, threads=2), previous=before)
    rows = solve(shuffled(changed, 1), Parameters(stages=stages), previous=Solution.from_json(before.to_json()))
    assert [threads.canonical_bytes(), rows.canonical_bytes()] == [expected, expected]


@given(seed=st.integers(0, 10**6), other=st.integers(0, 10**6))
@settings(max_examples=60)
def test_any_solution_will_do_to_start_from(seed: int, other: int) -> None:
    """That of another problem, whose households, classes and prices happen to have names of this one."""
    tiny, stranger = Problem.from_dict(tiny_problem(seed)), solve(Problem.from_dict(tiny_problem(other)))
    cold, warm = solve(tiny), solve(tiny, previous=stranger)
    assert warm.status is cold.status
    assert [s.achieved for s in warm.stages] == [s.achieved for s in cold.stages]
    assert check(tiny, warm) == []


def test_what_the_problem_does_not_know_is_left_out() -> None:
    stranger = solve(problem([household("z"), household("a", tier=2)], [house_class("X", count=2)]))
    given = problem([household("a")])
    again = solve(given, Parameters(stages=("tier 1", "keep")), previous=stranger)
    assert (again.status, dict(again.assignments)) == (Status.OPTIMAL, {"a": "C"})
    assert again.previous is not None
    assert len(again.previous) == 0
    assert again.stages[1].achieved == 0
    assert check(given, again, ("tier 1", "keep")) == []


def test_a_solution_without_an_answer_is_as_good_as_none() -> None:
    nothing = solve(problem([household("a", pinned="C"), household("b", pinned="C")]))
    given = problem([household("a")])
    assert dict(solve(given, previous=nothing).assignments) == {"a": "C"}
    assert solve(given, Parameters(stages=("keep",)), previous=nothing).stages[0].achieved == 0


def test_prices_past_64_bits_are_not_taken_over() -> None:
    given = problem([household(name) for name in "ab"])
    document: Row = solve(given).to_dict()
    for stage in document["certificate"]["stages"]:
        stage["denominator"] *= 10**30
        stage["prices"] = [{"kind": "class", "class": "C", "price": 10**30}]
    again = solve(given, previous=Solution.from_dict(document))
    assert (again.status, check(given, again)) == (Status.OPTIMAL, [])


@given(seed=st.integers(0, 10**6), dice=st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_what_is_left_of_an_allocation_breaks_no_rule(seed: int, dice: Any) -> None:
    """Of classes dealt at random, pins apart."""
    document = tiny_problem(seed)
    for row in document["households"]:
        row["pinned"] = None
    tiny = Problem.from_dict(document)
    classes = len(tiny.house_classes.id)
    dealt = np.array([dice.randrange(NONE, classes) for _ in tiny.households.id], np.int64)
    left = still(tiny, np.full(len(dealt), NONE), dealt)
    assert ((left == dealt) | (left == NONE)).all()
    housed = np.flatnonzero(left != NONE)
    placed = Assignments(tiny.households.id[housed], tiny.house_classes.id[left[housed]])
    broken = {found.code for found in check(tiny, replace(solve(tiny), assignments=placed))}
    assert broken <= {"achieved", "bound", "lottery", "price_bound", "proof", "status"}


def test_all_of_an_allocation_that_still_holds_is_left(town: Problem, before: Solution) -> None:
    dealt = given_in(town, before.assignments)
    assert (still(town, np.full(len(dealt), NONE), dealt) == dealt).all()
