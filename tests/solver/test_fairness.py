"""Justified envy: who was passed over, against every swap that exhaustive search allows."""

import random
from collections.abc import Iterator

import pytest

from solver import Problem, explain, solve
from solver.confirmation import confirm
from solver.explain import Reason
from solver.fairness import Claim, JustifiedEnvy, justified_envy
from tests.solver.exhaustive import allocations, tiny_problem
from tests.solver.small import Row, house_class, household, problem, with_assignments

Allocation = dict[str, str]
Swap = tuple[str, str, str | None]


def valid_allocations(document: Row) -> list[Allocation]:
    return [{name: row["id"] for name, row in chosen.items()} for chosen in allocations(document)]


def swaps(document: Row, given: Allocation, valid: set[frozenset[tuple[str, str]]]) -> Iterator[Swap]:
    """Everyone who is not housed, in every class, where nobody leaves or one who comes after it does."""
    priority = {row["id"]: (row["tier"], -row["points"]) for row in document["households"]}
    for name in priority.keys() - given.keys():
        for row in document["house_classes"]:
            if frozenset((given | {name: row["id"]}).items()) in valid:
                yield name, row["id"], None
        for taker, house in given.items():
            others = {other: at for other, at in given.items() if other != taker}
            after = priority[taker] > priority[name]
            if after and frozenset((others | {name: house}).items()) in valid:
                yield name, house, taker


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_claims_are_those_of_exhaustive_search(first: int) -> None:
    for seed in range(first, first + 50):
        document = tiny_problem(seed)
        every = valid_allocations(document)
        if not every:
            continue
        given_problem = Problem.from_dict(document)
        valid = {frozenset(chosen.items()) for chosen in every}
        for given in random.Random(seed).choices(every, k=3):
            solution = with_assignments(solve(given_problem), *sorted(given.items()))
            found = justified_envy(given_problem, solution).claims
            expected = set(swaps(document, given, valid))
            assert {claim.household for claim in found} == {name for name, _, _ in expected}, seed
            assert {(claim.household, claim.house_class, claim.envied) for claim in found} <= expected, seed
            for claim in found:
                empty = {swap for swap in expected if swap[0] == claim.household and swap[2] is None}
                assert (claim.envied is None) == bool(empty), seed


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_the_best_allocation_leaves_no_claim(first: int) -> None:
    """To meet a claim would house more of a better tier, or more points: optimality excludes it."""
    for seed in range(first, first + 50):
        given_problem = Problem.from_dict(tiny_problem(seed))
        solution = solve(given_problem)
        if solution.status.value == "optimal":
            assert justified_envy(given_problem, solution).claims == (), seed


def test_the_last_of_those_who_come_after_is_named() -> None:
    people = [household("a", points=9), *(household(name, points=p) for name, p in (("b", 5), ("c", 3), ("d", 3)))]
    given = problem(
        [*people, household("e", points=9, kin_group="k"), household("f", kin_group="k")], [house_class(count=3)]
    )
    found = justified_envy(given, with_assignments(solve(given), ("b", "C"), ("c", "C"), ("d", "C")))
    assert found.claims == (Claim("a", "C", "c"),)
    assert (found.examined, found.with_kin) == (1, 2)


def test_a_claim_is_told_with_its_house_and_who_has_it() -> None:
    given = problem([household("a", points=9), household("b")])
    passed_over = with_assignments(solve(given), ("b", "C"))
    told = explain(given, passed_over)[0]
    assert (told.reason, told.facts) == (Reason.PASSED_OVER, {"claimed_class": "C", "envied": "b"})
    (trial,) = confirm(given, passed_over, 1).trials
    assert (trial.reason, trial.change, trial.holds) == (Reason.PASSED_OVER, "first of all", True)
    assert "A house in class C in S, which it could have had, went to b, who comes after it." in told.sentence


def test_a_claim_to_an_empty_house_names_nobody() -> None:
    given = problem([household("a")])
    told = explain(given, with_assignments(solve(given)))[0]
    assert told.facts["claimed_class"] == "C"
    assert "envied" not in told.facts
    assert "stands empty" in told.sentence


def test_a_solution_without_answer_is_refused() -> None:
    given = problem([household("a", pinned="C"), household("b", pinned="C")])
    with pytest.raises(ValueError, match="infeasible"):
        justified_envy(given, solve(given))


def test_a_solution_of_another_problem_is_refused() -> None:
    given = problem([household("a")])
    with pytest.raises(ValueError, match="nobody"):
        justified_envy(given, with_assignments(solve(given), ("nobody", "C")))


def test_where_there_are_no_households_nobody_is_passed_over() -> None:
    empty = problem([])
    solution = solve(empty)
    assert justified_envy(empty, solution) == JustifiedEnvy((), 0, 0)
    assert list(explain(empty, solution)) == []
    assert confirm(empty, solution, 1).not_housed == 0
