"""Rule 3: households that do not need step-free take at most count − reserved of a class."""

from solver import check, solve
from tests.solver.small import house_class, household, problem, solved, with_assignments

LEVEL = house_class(step_free=True, count=3, reserved=2)
ABLE = [household("a", points=9), household("b", points=8)]


def test_reserved_houses_stay_empty_rather_than_go_to_others() -> None:
    assert solved(problem(ABLE, [LEVEL])) == {"a": "C"}


def test_reserved_houses_go_to_those_who_need_step_free() -> None:
    needing = [household(name, needs_step_free=True) for name in "xyz"]
    assert solved(problem(needing, [LEVEL])) == {"x": "C", "y": "C", "z": "C"}


def test_reserved_houses_in_the_wrong_hands_are_found() -> None:
    given = problem(ABLE, [LEVEL])
    wrong = with_assignments(solve(given), ("a", "C"), ("b", "C"))
    assert "reserved" in [found.code for found in check(given, wrong)]
