"""Rule 1: a household gets at most one house; a class gives at most `count`."""

from solver import check, solve
from tests.solver.small import house_class, household, problem, solved, with_assignments

THREE = [household("a", points=1), household("b", points=3), household("c", points=2)]


def test_a_class_gives_no_more_than_its_count() -> None:
    assert solved(problem(THREE, [house_class(count=2)])) == {"b": "C", "c": "C"}


def test_a_class_without_houses_gives_none() -> None:
    assert solved(problem(THREE, [house_class(count=0)])) == {}


def test_a_household_takes_one_house_of_many() -> None:
    assert len(solved(problem([household("a")], [house_class("C"), house_class("D", count=5)]))) == 1


def test_an_overfull_class_is_found() -> None:
    given = problem(THREE, [house_class(count=2)])
    wrong = with_assignments(solve(given), ("a", "C"), ("b", "C"), ("c", "C"))
    assert "class 'C' has 2 houses and is given 3 times" in [found.sentence for found in check(given, wrong)]


def test_a_household_that_is_given_two_houses_is_found() -> None:
    given = problem([household("a")], [house_class("C"), house_class("D")])
    wrong = with_assignments(solve(given), ("a", "C"), ("a", "D"))
    assert [found.code for found in check(given, wrong)] == ["assignments"]
