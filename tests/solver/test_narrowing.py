"""Kin groups that a settlement can't hold: to forbid it takes no allocation away, and bounds know of it."""

import sys

import pytest

from solver import Parameters, Problem, Status, check, narrowing, solve
from solver.generate import generate
from solver.narrowing import narrowed
from tests.solver.exhaustive import allocations, tiny_problem
from tests.solver.small import Row, house_class, household, problem


def forbidden(narrow: Problem) -> set[tuple[str, str]]:
    households, settlements = narrow.households, narrow.settlements
    pairs = zip(households.forbidden.row, households.forbidden.column, strict=True)
    return {(str(households.id[h]), str(settlements.id[s])) for h, s in pairs}


def kin(count: int, **fields: object) -> list[Row]:
    return [household(f"K{i}", kin_group="K", **fields) for i in range(count)]


TWO = [{"id": "R", "capacities": {"school": 3}}, {"id": "S", "capacities": {"school": 5}}]
LIKED = {"R": 5, "S": 5}


def test_what_every_settlement_could_hold_is_left_as_it_is() -> None:
    classes = [house_class("C", count=2), house_class("D", settlement="R", count=2)]
    town = problem(kin(2, options=LIKED, uses={"school": 1}), classes, TWO)
    assert narrowed(town) is town


@pytest.mark.parametrize(
    ("members", "classes"),
    [
        (
            kin(2, options=LIKED, uses={"school": 2}),
            [house_class("C", count=2), house_class("D", settlement="R", count=2)],
        ),
        (kin(2, options=LIKED), [house_class("C", count=2), house_class("D", settlement="R", count=1)]),
        (
            [*kin(2, options=LIKED), household("L", kin_group="K", options=LIKED, bedrooms_max=3)],
            [house_class("C", count=3), house_class("D", settlement="R", count=2)],
        ),
    ],
    ids=["places", "houses", "houses of all sizes"],
)
def test_a_settlement_without_enough_for_the_whole_group_is_forbidden_to_it(
    members: list[Row], classes: list[Row]
) -> None:
    town = problem(members, classes, TWO)
    assert forbidden(narrowed(town)) == {(row["id"], "R") for row in members}


def test_a_settlement_that_they_do_not_accept_is_left_alone() -> None:
    town = problem(kin(3), [house_class("C", count=3), house_class("D", settlement="R", count=1)], TWO)
    assert narrowed(town) is town


def test_what_is_forbidden_already_stays_so() -> None:
    alone = household("H", options=LIKED, forbidden=["S"])
    town = problem([*kin(2, options=LIKED), alone], [house_class("C", count=2), house_class("D", settlement="R")], TWO)
    assert forbidden(narrowed(town)) == {("H", "S"), ("K0", "R"), ("K1", "R")}


def test_a_pinned_group_that_has_no_room_is_still_named() -> None:
    town = problem(kin(2, pinned="C"), [house_class("C", count=1)])
    assert narrowed(town) is town
    found = solve(town)
    assert found.status is Status.INFEASIBLE
    assert "pinned" in (found.reason or "")


def test_no_allocation_is_lost() -> None:
    documents = {seed: tiny_problem(seed) for seed in range(200)}
    towns = {seed: Problem.from_dict(document) for seed, document in documents.items()}
    narrow = {seed: narrowed(town) for seed, town in towns.items() if narrowed(town) is not town}
    assert len(narrow) > 10
    for seed, town in narrow.items():
        assert sorted(map(str, allocations(town.to_dict()))) == sorted(map(str, allocations(towns[seed].to_dict())))


def test_in_small_portions_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    hamlets = generate(300, 60, 1, kin_share=0.5)
    at_once = narrowed(hamlets)
    assert at_once is not hamlets
    monkeypatch.setattr(narrowing, "CHUNK", 1)
    assert narrowed(hamlets) == at_once


def test_the_solution_before_is_a_start_where_a_group_is_too_large() -> None:
    hamlet = problem(
        [*kin(4), *(household(f"H{i}", tier=2, options={"S": i}) for i in range(6))], [house_class("C", count=3)]
    )
    first = solve(hamlet)
    again = solve(hamlet, previous=first)
    assert check(hamlet, again) == []
    assert [stage.achieved for stage in again.stages] == [stage.achieved for stage in first.stages] == [0, 3, 0, 12]


def test_a_group_larger_than_any_settlement_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[solve.__module__], "EXACT", 0)
    others = [household(f"H{i}", tier=2) for i in range(20)]
    town = problem([*kin(15), *others], [house_class("C", count=10)])
    found = solve(town, Parameters(time_limit_seconds=60))
    assert check(town, found) == []
    assert [(stage.achieved, stage.bound) for stage in found.stages[:2]] == [(0, 0), (10, 10)]
    assert found.stages[0].proof == "search", "by prices alone two thirds of the group are housed"
    assert found.stages[0].price_bound > 0
