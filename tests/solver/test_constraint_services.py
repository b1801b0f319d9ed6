"""Rule 4: the places of a service in a settlement are not exceeded; what is not listed is not limited."""

from solver import check, solve
from tests.solver.small import house_class, household, problem, solved, with_assignments

SCHOOL = [{"id": "S", "capacities": {"school": 3}}]
PUPILS = [household("a", points=5, uses={"school": 2}), household("b", points=4, uses={"school": 2})]
HOUSES = [house_class(count=9)]


def test_a_full_school_keeps_a_household_out() -> None:
    assert solved(problem(PUPILS, HOUSES, SCHOOL)) == {"a": "C"}


def test_a_full_school_keeps_nobody_out_who_does_not_use_it() -> None:
    assert solved(problem([*PUPILS, household("c")], HOUSES, SCHOOL)) == {"a": "C", "c": "C"}


def test_a_service_that_is_not_listed_is_not_limited() -> None:
    assert len(solved(problem(PUPILS, HOUSES, [{"id": "S", "capacities": {"clinic": 0}}]))) == 2


def test_a_service_of_no_places_takes_nobody_who_uses_it() -> None:
    assert solved(problem(PUPILS, HOUSES, [{"id": "S", "capacities": {"school": 0}}])) == {}


def test_more_pupils_than_places_are_found() -> None:
    given = problem(PUPILS, HOUSES, SCHOOL)
    wrong = with_assignments(solve(given), ("a", "C"), ("b", "C"))
    assert "settlement 'S' has 3 places of 'school' and 4 are used" in [v.sentence for v in check(given, wrong)]
