"""Among households that differ in id and lottery alone, the better outcome goes to the smaller number."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import Problem, check, solve
from solver.lottery import kinds
from tests.solver.exhaustive import tiny_problem
from tests.solver.small import Row, document, house_class, household, problem, solved


def test_the_smaller_number_is_housed() -> None:
    assert solved(problem([household("a", lottery=3), household("b", lottery=1), household("c", lottery=2)])) == {
        "b": "C"
    }


def test_the_smaller_number_gets_the_higher_value() -> None:
    classes = [house_class("small"), house_class("spare", bedrooms=3)]
    people = [household("a", lottery=2, bedrooms_max=3), household("b", lottery=1, bedrooms_max=3)]
    assert solved(problem(people, classes)) == {"a": "spare", "b": "small"}


def test_of_equal_value_the_smaller_number_gets_the_first_class() -> None:
    people = [household("a", lottery=2), household("b", lottery=1)]
    assert solved(problem(people, [house_class("C"), house_class("D")])) == {"a": "D", "b": "C"}


def test_equal_numbers_go_by_identifier() -> None:
    assert solved(problem([household("b"), household("a")])) == {"a": "C"}


@pytest.mark.parametrize("field", [{"points": 0, "tier": 2}, {"uses": {"school": 1}}, {"kin_group": "k"}])
def test_the_lottery_does_not_swap_those_who_differ(field: dict[str, object]) -> None:
    """The first in the lottery differs in a field, so the other's house is not dealt to it."""
    given_problem = problem([household("a", lottery=1, options={"S": 1}, **field), household("b", lottery=2)])
    solution = solve(given_problem)
    assert dict(solution.assignments) == {"b": "C"}
    assert check(given_problem, solution) == []


@given(numbers=st.lists(st.integers(1, 6), min_size=2, max_size=7), houses=st.integers(0, 5), spare=st.integers(0, 3))
@settings(max_examples=40)
def test_outcomes_follow_the_numbers(numbers: list[int], houses: int, spare: int) -> None:
    people = [household(f"h{i}", lottery=n, bedrooms_max=3) for i, n in enumerate(numbers)]
    classes = [house_class("C", count=houses), house_class("spare", bedrooms=3, count=spare)]
    given_problem = Problem.from_dict(document(people, classes))
    solution = solve(given_problem)
    rank = {"C": 0, "spare": 1, None: 2}
    housed: dict[str, str] = dict(solution.assignments)
    order = sorted(range(len(numbers)), key=lambda i: (numbers[i], f"h{i}"))
    outcomes = [rank[housed.get(f"h{i}")] for i in order]
    assert all(before <= after for before, after in pairwise(outcomes))
    assert check(given_problem, solution) == []


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_a_kind_is_all_but_id_and_lottery(first: int) -> None:
    for seed in range(first, first + 100):
        given_problem = Problem.from_dict(tiny_problem(seed))
        written: Row = given_problem.to_dict()
        rows = written["households"]
        alike = [{key: field for key, field in row.items() if key not in ("id", "lottery")} for row in rows]
        kind = kinds(given_problem).tolist()
        for i, one in enumerate(alike):
            assert [kind[i] == other for other in kind] == [one == other for other in alike], seed
