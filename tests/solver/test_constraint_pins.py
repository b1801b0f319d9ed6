"""Rule 6: pinned households are placed as pinned, forbidden settlements are not used, contradictions are named."""

from dataclasses import replace

import pytest

from solver import Problem, Solution, Status, check, solve
from tests.solver.exhaustive import allocations, tiny_problem
from tests.solver.small import Row, house_class, household, problem, solved, with_assignments

TWO_PLACES: list[Row] = [{"id": "S", "capacities": {"school": 1}}, {"id": "T"}]


def test_a_pin_wins_over_points() -> None:
    assert solved(problem([household("a", pinned="C", tier=3), household("b", points=99)])) == {"a": "C"}


def test_a_forbidden_settlement_is_not_used() -> None:
    given = problem([household("a", forbidden=["S"])])
    assert solved(given) == {}
    assert "settlement" in [found.code for found in check(given, with_assignments(solve(given), ("a", "C")))]


def test_a_settlement_that_was_not_asked_for_is_found() -> None:
    given = problem([household("a", options={})])
    assert solved(given) == {}
    assert "settlement" in [found.code for found in check(given, with_assignments(solve(given), ("a", "C")))]


def test_a_pin_that_is_not_kept_is_found() -> None:
    given = problem([household("a", pinned="C")], [house_class("C"), house_class("D")])
    assert "pinned" in [found.code for found in check(given, with_assignments(solve(given), ("a", "D")))]


def test_the_kin_of_a_pinned_household_is_housed_with_it() -> None:
    kin = [household("a", pinned="C", kin_group="k", tier=2), household("b", kin_group="k", tier=2)]
    given = problem([*kin, household("c", tier=1)], [house_class("C"), house_class("D")])
    assert solved(given) == {"a": "C", "b": "D"}


def pinned_kin(**second: object) -> list[Row]:
    return [household("a", pinned="C", kin_group="k"), household("b", kin_group="k", **second)]


CONTRADICTIONS: list[tuple[Problem, list[str]]] = [
    (problem([household("a", pinned="C"), household("b", pinned="C")]), ["'C' has 1 houses", "'a', 'b'"]),
    (problem([household("a", pinned="C", forbidden=["S"])]), ["'a'", "'C'", "forbidden"]),
    (problem([household("a", pinned="C", options={})]), ["'a'", "'C'", "does not accept"]),
    (problem([household("a", pinned="C", bedrooms_max=5, bedrooms_min=3)]), ["'a'", "'C'", "does not fit"]),
    (problem([household("a", pinned="C", needs_step_free=True)]), ["'a'", "'C'", "does not fit"]),
    (
        problem([household("a", pinned="C")], [house_class(step_free=True, reserved=1)]),
        ["'C' has 0 houses for households that do not need step-free", "'a'"],
    ),
    (
        problem(
            pinned_kin(pinned="D", options={"T": 1}), [house_class(), house_class("D", settlement="T")], TWO_PLACES
        ),
        ["kin group 'k'", "different settlements"],
    ),
    (problem(pinned_kin(options={})), ["'a'", "'S'", "'k'", "not every member"]),
    (problem(pinned_kin()), ["settlement 'S'", "nothing is left for 'b'"]),
    (
        problem([household(n, pinned="C", uses={"school": 1}) for n in "ab"], [house_class(count=2)], TWO_PLACES),
        ["settlement 'S' has 1 places of 'school'", "use 2", "'a', 'b'"],
    ),
]


@pytest.mark.parametrize(("given", "named"), CONTRADICTIONS)
def test_a_contradiction_is_infeasible_and_named(given: Problem, named: list[str]) -> None:
    solution = solve(given)
    assert solution.status is Status.INFEASIBLE
    assert solution.reason is not None
    assert [words for words in named if words not in solution.reason] == []
    assert check(given, solution) == []


def test_infeasible_without_pins_is_found() -> None:
    solution = solve(CONTRADICTIONS[0][0])
    given = problem([household("a"), household("b")])
    assert {found.code for found in check(given, solution)} == {"problem", "status"}


@pytest.mark.parametrize(
    "given",
    [
        problem([household("a", pinned="C"), household("b")]),
        problem([household("a", pinned="C", needs_step_free=True)], [house_class(step_free=True, reserved=1)]),
        problem(pinned_kin(), [house_class(), house_class("D")]),
        problem(  # b has to leave D, which alone suits e, for the seat that only its need opens to it
            [
                household("a", pinned="B", kin_group="k"),
                household("b", kin_group="k", needs_step_free=True, bedrooms_max=3),
                household("e", kin_group="k", bedrooms_min=3, bedrooms_max=3),
            ],
            [
                house_class("B"),
                house_class("D", bedrooms=3, step_free=True),
                house_class("E", step_free=True, reserved=1),
            ],
        ),
    ],
)
def test_infeasible_where_the_pinned_and_their_kin_fit_is_found(given: Problem) -> None:
    assert solve(given).status is Status.OPTIMAL
    assert [found.code for found in check(given, said_infeasible(given))] == ["status"]


def said_infeasible(given: Problem) -> Solution:
    found = solve(CONTRADICTIONS[0][0])
    return replace(found, statistics=replace(found.statistics, problem_sha256=given.sha256))


@pytest.mark.parametrize("first", range(0, 600, 200))
def test_infeasible_is_what_no_allocation_is_for(first: int) -> None:
    impossible = 0
    for seed in range(first, first + 200):
        document = tiny_problem(seed)
        tiny = Problem.from_dict(document)
        nothing = next(allocations(document), None) is None
        assert (check(tiny, said_infeasible(tiny)) == []) is nothing, seed
        impossible += nothing
    assert impossible
