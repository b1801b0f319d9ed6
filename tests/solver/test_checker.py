"""The checker finds whatever is changed in a good solution, one number or name at a time."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import Problem, Solution, Status, check, solve
from solver.generate import generate
from solver.solution import Assignments, StageCertificate
from tests.solver.exhaustive import Row, allocations, best, tiny_problem
from tests.solver.small import household, problem, with_assignments


@pytest.fixture(scope="module")
def town() -> Problem:
    return generate(60, 3, 7, kin_share=0.2, pinned_share=0.05)


@pytest.fixture(scope="module")
def good(town: Problem) -> Solution:
    solution = solve(town)
    assert solution.status is Status.OPTIMAL
    assert check(town, solution) == []
    return solution


def changed(solution: Solution, *path: str | int, to: object) -> Solution:
    """The solution with one place of its JSON form changed."""
    document: Any = copy.deepcopy(solution.to_dict())
    place = document
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] != to
    place[path[-1]] = to
    return Solution.from_dict(document)


def numbers(document: Any, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Every integer of a JSON document, and where it is."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in entries:
        if isinstance(value, dict | list):
            yield from numbers(value, *path, key)
        elif type(value) is int:
            yield (*path, key), value


@pytest.mark.parametrize("step", [-1, 1])
def test_a_changed_number_in_a_stage_is_found(town: Problem, good: Solution, step: int) -> None:
    stages = good.to_dict()["stages"]
    missed = [
        path for path, value in numbers(stages) if not check(town, changed(good, "stages", *path, to=value + step))
    ]
    assert missed == []


@pytest.mark.parametrize("factor", [-1, 0, 3])
def test_a_changed_price_or_multiplier_is_found_exactly_where_it_proves_another_bound(
    town: Problem, good: Solution, factor: int
) -> None:
    outcomes = set()
    for path, value in numbers(good.to_dict()["certificate"]):
        if path[-1] != "denominator":
            wrong = changed(good, "certificate", *path, to=value * factor)
            stage = int(path[1])
            same = factor >= 0 and lagrangian(town, wrong, stage) == wrong.stages[stage].price_bound
            assert bool(check(town, wrong)) != same
            outcomes.add(same)
    assert False in outcomes


def lagrangian(problem: Problem, solution: Solution, stage: int) -> int:
    """The floor of D, computed from the JSON forms, household by household."""
    document: Row = problem.to_dict()
    certificate = solution.certificate[stage]
    classes = document["house_classes"]
    price: dict[tuple[str, ...], int] = {}
    for entry in certificate.prices:
        name = (entry.settlement, entry.service) if entry.kind == "service" else (entry.house_class,)
        price[entry.kind, *(part or "" for part in name)] = entry.price
    total = 0
    for entry in classes:
        total += price.get(("class", entry["id"]), 0) * entry["count"]
        total += price.get(("unreserved", entry["id"]), 0) * (entry["count"] - entry.get("reserved", 0))
    for entry in document["settlements"]:
        for service, places in entry.get("capacities", {}).items():
            total += price.get(("service", entry["id"], service), 0) * places
    achieved = {earlier.name: earlier.achieved for earlier in solution.stages[:stage]}
    total -= sum(multiplier * achieved[name] for name, multiplier in certificate.multipliers.items())
    units: dict[str, list[Row]] = {}
    for row in document["households"]:
        units.setdefault(row.get("kin_group") or "/" + row["id"], []).append(row)
    for members in units.values():
        by_settlement = []
        for place in document["settlements"]:
            best = [_member(document, certificate, price, row, place["id"]) for row in members]
            if None not in best:
                by_settlement.append(sum(score for score in best if score is not None))
        pinned = any(row.get("pinned") for row in members)
        total += max(by_settlement if pinned else [*by_settlement, 0])
    return total // certificate.denominator


def _member(
    document: Row, certificate: StageCertificate, price: dict[tuple[str, ...], int], row: Row, place: str
) -> int | None:
    weight = dict(certificate.multipliers) | {certificate.name: certificate.denominator}
    scores = []
    for entry in document["house_classes"]:
        alone = {**row, "kin_group": None}
        world = document | {"settlements": [{"id": entry["settlement"]}], "house_classes": [entry | {"count": 1}]}
        world["house_classes"][0]["reserved"] = 0
        world["households"] = [alone]
        if entry["settlement"] != place or max(allocations(world), key=len, default={}) == {}:
            continue
        vector = best(world | {"households": [alone | {"pinned": entry["id"]}]})
        assert vector is not None
        score = weight.get(f"tier {row['tier']}", 0) + weight.get("points", 0) * row.get("points", 0)
        score += weight.get("value", 0) * vector[-1] - price.get(("class", entry["id"]), 0)
        score -= 0 if row["needs_step_free"] else price.get(("unreserved", entry["id"]), 0)
        used = row.get("uses", {}).items()
        scores.append(score - sum(price.get(("service", place, name), 0) * n for name, n in used))
    return max(scores, default=None)


def test_the_bound_of_every_stage_is_what_the_formula_gives(town: Problem, good: Solution) -> None:
    assert [lagrangian(town, good, stage) for stage in range(len(good.stages))] == [
        stage.price_bound for stage in good.stages
    ]


def test_a_household_left_out_is_found(town: Problem, good: Solution) -> None:
    pairs = list(good.assignments)
    missed = [i for i in range(len(pairs)) if not check(town, with_assignments(good, *pairs[:i], *pairs[i + 1 :]))]
    assert missed == []


def test_another_class_is_found(town: Problem, good: Solution) -> None:
    pairs = list(good.assignments)
    missed = []
    for i in range(0, len(pairs), 5):
        name, given_class = pairs[i]
        for other in town.house_classes.id.tolist():
            moved = with_assignments(good, *pairs[:i], (name, other), *pairs[i + 1 :])
            if other != given_class and not check(town, moved):
                missed.append((name, other))
    assert missed == []


@pytest.mark.parametrize("status", [Status.FEASIBLE, Status.INFEASIBLE, Status.CANCELLED])
def test_another_status_is_found(town: Problem, good: Solution, status: Status) -> None:
    assert "status" in [found.code for found in check(town, changed(good, "status", to=status.value))]


def test_optimal_with_an_open_bound_is_found(town: Problem, good: Solution) -> None:
    looser = changed(good, "stages", 0, "bound", to=good.stages[0].bound + 1)
    assert {"status", "bound"} <= {found.code for found in check(town, looser)}


@pytest.mark.parametrize(
    ("path", "to", "code"),
    [
        (("stages", 0, "name"), "tier 2", "stages"),
        (("certificate", "stages", 0, "name"), "tier 2", "certificate"),
        (("certificate", "stages", 0, "denominator"), 0, "certificate"),
        (("certificate", "stages", 0, "multipliers"), [{"stage": "points", "multiplier": 1}], "certificate"),
        (("certificate", "stages", 1, "multipliers"), [{"stage": "tier 1", "multiplier": -1}], "certificate"),
        (("statistics", "problem_sha256"), "0" * 64, "problem"),
        (("stages", 0, "scope"), "any", "scope"),
        (("reason",), "because", "status"),
    ],
)
def test_a_changed_name_or_form_is_found(
    town: Problem, good: Solution, path: tuple[str | int, ...], to: object, code: str
) -> None:
    document: Any = copy.deepcopy(good.to_dict())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    assert code in [found.code for found in check(town, Solution.from_dict(document))]


@pytest.mark.parametrize(
    "price",
    [
        {"kind": "class", "class": "nowhere", "price": 1},
        {"kind": "unreserved", "class": "nowhere", "price": 1},
        {"kind": "class", "class": "C01", "settlement": "S1", "price": 1},
        {"kind": "service", "settlement": "S1", "service": "ferry", "price": 1},
        {"kind": "service", "settlement": "nowhere", "service": "school", "price": 1},
        {"kind": "class", "class": "C01", "price": -1},
    ],
)
def test_a_price_on_what_does_not_exist_or_below_zero_is_found(
    town: Problem, good: Solution, price: dict[str, object]
) -> None:
    wrong = changed(good, "certificate", "stages", 0, "prices", to=[price])
    assert "certificate" in [found.code for found in check(town, wrong)]


def test_a_resource_with_two_prices_is_found(town: Problem, good: Solution) -> None:
    price = {"kind": "class", "class": "C01", "price": 1}
    wrong = changed(good, "certificate", "stages", 0, "prices", to=[price, price])
    assert "certificate" in [found.code for found in check(town, wrong)]


def test_the_wrong_proof_is_found(town: Problem, good: Solution) -> None:
    other = "search" if good.stages[0].proof == "prices" else "prices"
    assert [found.code for found in check(town, changed(good, "stages", 0, "proof", to=other))] == ["proof"]


@pytest.mark.parametrize("pair", [("nobody", "C01"), ("H01", "nothing")])
def test_unknown_identifiers_are_found(town: Problem, good: Solution, pair: tuple[str, str]) -> None:
    assert [found.code for found in check(town, with_assignments(good, pair))] == ["assignments"]


def test_assignments_out_of_order_are_found(town: Problem, good: Solution) -> None:
    wrong = with_assignments(good, *reversed(list(good.assignments)))
    assert [found.code for found in check(town, wrong)] == ["assignments"]


def test_columns_of_unequal_length_are_found(town: Problem, good: Solution) -> None:
    short = Assignments(good.assignments.household, good.assignments.house_class[1:])
    wrong = Solution(good.status, short, good.stages, good.certificate, good.statistics)
    assert [found.code for found in check(town, wrong)] == ["assignments"]


def test_a_lottery_that_favours_the_larger_number_is_found() -> None:
    equals = problem([household("a", lottery=2), household("b", lottery=1)])
    right = solve(equals)
    assert dict(right.assignments) == {"b": "C"}
    assert [found.code for found in check(equals, with_assignments(right, ("a", "C")))] == ["lottery"]


def test_the_order_that_the_programme_decided_is_demanded(town: Problem, good: Solution) -> None:
    order = ("points", *good_names(good)[:-2], "value")
    assert [found.code for found in check(town, good, stages=order)] == ["stages"]


def good_names(solution: Solution) -> tuple[str, ...]:
    return tuple(stage.name for stage in solution.stages)


@given(seed=st.integers(0, 10**6), choice=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_no_other_allocation_passes_as_optimal_unless_it_is(seed: int, choice: Any) -> None:
    """Any allocation that keeps the rules, put in the place of the optimal one, is refused if it is worth less."""
    document = tiny_problem(seed)
    tiny = Problem.from_dict(document)
    solution = solve(tiny)
    if solution.status is Status.INFEASIBLE:
        assert best(document) is None
        return
    other = choice.choice(list(allocations(document)))
    pairs = sorted((name, row["id"]) for name, row in other.items())
    codes = {found.code for found in check(tiny, with_assignments(solution, *pairs))}
    alone = {row["id"]: row for row in document["households"]}
    points = sum(alone[name]["points"] for name, _ in pairs)
    if points != next(stage.achieved for stage in solution.stages if stage.name == "points"):
        assert "achieved" in codes
    assert codes <= {"achieved", "lottery", "price_bound"}
