"""Rule 2: bedrooms_min ≤ bedrooms ≤ bedrooms_max; who needs step-free gets step-free."""

import pytest

from solver import check, solve
from tests.solver.small import house_class, household, problem, solved, with_assignments


@pytest.mark.parametrize(("bedrooms", "housed"), [(1, False), (2, True), (3, True), (4, False)])
def test_the_bedrooms_are_in_the_range_of_the_household(bedrooms: int, housed: bool) -> None:
    given = problem([household("a", bedrooms_min=2, bedrooms_max=3)], [house_class(bedrooms=bedrooms)])
    assert solved(given) == ({"a": "C"} if housed else {})


@pytest.mark.parametrize("bedrooms", [1, 4])
def test_bedrooms_out_of_range_are_found(bedrooms: int) -> None:
    given = problem([household("a", bedrooms_min=2, bedrooms_max=3)], [house_class(bedrooms=bedrooms)])
    assert "bedrooms" in [found.code for found in check(given, with_assignments(solve(given), ("a", "C")))]


def test_a_household_that_needs_step_free_gets_nothing_else() -> None:
    classes = [house_class("steps", count=5), house_class("level", step_free=True)]
    given = problem([household("a", needs_step_free=True), household("b", needs_step_free=True)], classes)
    assert list(solved(given).values()) == ["level"]


def test_steps_for_a_household_that_needs_step_free_are_found() -> None:
    given = problem([household("a", needs_step_free=True)])
    assert "step_free" in [found.code for found in check(given, with_assignments(solve(given), ("a", "C")))]
