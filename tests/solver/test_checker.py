"""The checker finds whatever is changed in a good solution, one number or name at a time."""

import ast
import copy
import inspect
import random
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import Parameters, Problem, Solution, Status, check, checker, lagrangian, objectives, proof, rules, solve
from solver.generate import generate
from solver.objectives import Objective
from solver.proof import price_bound
from solver.rules import home_of
from solver.solution import Assignments
from tests.solver.exhaustive import Row, allocations, best, tiny_problem, tiny_stages
from tests.solver.mutants import assignments, mutants, mutants_of_stages, put, resources
from tests.solver.recomputed import Recomputed
from tests.solver.small import document, household, problem, with_assignments


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
    return Solution.from_dict(put(solution.to_dict(), path, to))


def for_the_housed(town: Recomputed, document: Row) -> Row:
    """The same allocation, with `value` proven for the housed set alone."""
    certificate = document["certificate"]["stages"][-1] | {"multipliers": []}
    given = {row["household"]: row["house_class"] for row in document["assignments"]}
    bound = town.bound(certificate, given, housed=True, kept={})
    assert bound is not None
    stage = document["stages"][-1] | {"scope": "housed", "bound": bound, "price_bound": bound, "proof": "prices"}
    stages = [*document["stages"][:-1], stage]
    closed = all(row["bound"] == row["achieved"] for row in stages)
    return document | {
        "stages": stages,
        "certificate": {"stages": [*document["certificate"]["stages"][:-1], certificate]},
        "status": "optimal" if closed else "feasible",
    }


def disagreements(problem: Problem, town: Recomputed, documents: Iterable[Row]) -> list[tuple[set[str], set[str]]]:
    """Where the checker names other parts of the model than the slow recomputation: both answers."""
    stages = [Objective(*decided) for decided in town.decided]
    answers = (
        ({found.code for found in check(problem, Solution.from_dict(document), stages)}, town.codes(document))
        for document in documents
    )
    return [(found, expected) for found, expected in answers if found != expected]


@pytest.mark.parametrize("scope", ["any", "housed"])
@pytest.mark.parametrize(
    ("seed", "shape"),
    [
        (1, {"pinned_share": 0.2, "kin_share": 0.3, "tiers": 2}),
        (2, {"anywhere_share": 0.8, "kin_share": 0.5, "places_per_need": 0.6}),
        (3, {"kin_share": 0.0, "forbidden_share": 0.4, "profiles": 0, "most_points": 1}),
    ],
)
def test_every_change_is_named_exactly_where_it_is_wrong(seed: int, shape: dict[str, Any], scope: str) -> None:
    problem = generate(22, 2, seed, **shape)
    town = Recomputed(problem.to_dict(), problem.sha256)
    document: Row = solve(problem).to_dict()
    document = document if scope == "any" else for_the_housed(town, document)
    assert disagreements(problem, town, [document]) == []
    assert check(problem, Solution.from_dict(document)) == []
    others = [mutant for mutant in mutants(town, document) if mutant != document]
    some = random.Random(seed).sample(others, min(len(others), 300))
    assert disagreements(problem, town, some) == []
    wrong = [codes for codes in map(town.codes, some) if codes]
    assert 50 < len(wrong) < len(some)
    assert {"assignments", "achieved", "price_bound"} <= set().union(*wrong)


@given(seed=st.integers(0, 10**6), housed=st.booleans(), choice=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_changes_of_tiny_problems_are_named_too(seed: int, housed: bool, choice: Any) -> None:
    problem = Problem.from_dict(tiny_problem(seed))
    document: Row = solve(problem).to_dict()
    if document["status"] == "optimal":
        town = Recomputed(problem.to_dict(), problem.sha256)
        document = for_the_housed(town, document) if housed else document
        some = [document, *choice.choices(list(mutants(town, document)), k=5)]
        assert disagreements(problem, town, some) == []


@given(seed=st.integers(0, 10**6), choice=st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_changes_are_named_whatever_the_stages_count(seed: int, choice: Any) -> None:
    row = tiny_problem(seed)
    problem = Problem.from_dict(row)
    described, home = tiny_stages(seed, row)
    stages = [(f"stage {j}", terms, lose) for j, (terms, lose) in enumerate(described)]
    parameters = Parameters(stages=tuple(Objective(*stage) for stage in stages))
    document: Row = solve(problem, parameters, homes=assignments(home)).to_dict()
    if document["status"] == "optimal":
        town = Recomputed(problem.to_dict(), problem.sha256, stages)
        some = [document, *choice.choices(list(mutants(town, document)), k=6)]
        some += choice.choices(list(mutants_of_stages(town, document)), k=8)
        assert town.codes(document) == set()
        assert disagreements(problem, town, some) == []


@given(
    seed=st.integers(0, 10**6),
    denominator=st.sampled_from([1, 7, 10**6, 10**17, 10**30]),
    choice=st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_any_prices_prove_what_the_formula_gives(seed: int, denominator: int, choice: Any) -> None:
    """Also where the sums are past 64 bits."""
    problem = Problem.from_dict(tiny_problem(seed))
    town = Recomputed(problem.to_dict(), problem.sha256)
    stages = [("sum", {"tier 1": 2, "keep": 3}, 0), *town.decided, ("keep", {"keep": 1}, 0)]
    town = Recomputed(problem.to_dict(), problem.sha256, stages)
    terms = {name: counted for name, counted, _ in stages}
    given = dict(solve(problem).assignments)
    home = {name: choice.choice(sorted(town.classes)) for name in sorted(town.households) if choice.random() < 0.6}
    achieved = {name: town.achieved(name, given, home) for name in town.names}
    housed = np.isin(problem.households.id, list(given))
    units = lagrangian.Lagrangian(problem, home_of(problem, assignments(home)))
    for i, name in enumerate(town.names):
        prices = [row | {"price": choice.randrange(2 * denominator)} for row in resources(town)]
        certificate = {
            "name": name,
            "denominator": denominator,
            "prices": [row for row in prices if town.is_scarce(row) and choice.random() < 0.8],
            "multipliers": [
                {"stage": earlier, "multiplier": choice.randrange(denominator)} for earlier in town.names[:i]
            ],
        }
        read = Solution.from_dict(document_with(certificate)).certificate[0]
        earlier = {earlier: achieved[earlier] for earlier in town.names[:i]}
        expected = town.bound(certificate, given, housed=False, kept=earlier, home=home)
        assert price_bound(problem, read, earlier, None, units, terms) == expected
        certificate["multipliers"] = []
        read = Solution.from_dict(document_with(certificate)).certificate[0]
        expected = town.bound(certificate, given, housed=True, kept={}, home=home)
        assert price_bound(problem, read, {}, housed, units, terms) == expected


def document_with(certificate: Row) -> Row:
    """A solution that holds a certificate."""
    statistics = {"problem_sha256": "", "seed": 0, "threads": 1, "versions": {}, "seconds": {}, "peak_memory_bytes": 0}
    return {
        "format": "hearth-solution/1",
        "status": "feasible",
        "assignments": [],
        "stages": [],
        "certificate": {"stages": [certificate]},
        "statistics": statistics,
    }


@pytest.mark.parametrize("places", [0, 1])
def test_households_that_fit_nowhere_add_nothing(places: int) -> None:
    """No house at all, or no settlement at all."""
    settlements = [{"id": "S"}] * places
    rows = [household("a", options={}), household("b", options={}, anywhere=3, kin_group="k"), household("c", tier=2)]
    rows[2] |= {"options": {}, "anywhere": 4, "kin_group": "k"}
    nowhere = Problem.from_dict(document(rows) | {"settlements": settlements, "house_classes": []})
    assert check(nowhere, solve(nowhere)) == []


@pytest.mark.parametrize("module", [checker, rules, objectives, proof, lagrangian])
def test_the_checker_knows_no_solver(module: ModuleType) -> None:
    """Only what a problem and a solution are, and its own parts: what is wrong elsewhere cannot be wrong here too."""
    tree = ast.parse(inspect.getsource(module))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    parts = ("problem", "solution", "tables", "validation", "objectives", "rules", "proof", "lagrangian")
    library = {"collections", "collections.abc", "dataclasses", "itertools", "re", "typing"}
    assert named <= {f"solver.{name}" for name in parts} | library | {"numpy", "numpy.typing"}


@pytest.mark.parametrize("status", [Status.FEASIBLE, Status.INFEASIBLE, Status.CANCELLED])
def test_another_status_is_found(town: Problem, good: Solution, status: Status) -> None:
    assert "status" in [found.code for found in check(town, changed(good, "status", to=status.value))]


def test_optimal_with_an_open_bound_is_found(town: Problem, good: Solution) -> None:
    looser = changed(good, "stages", 0, "bound", to=good.stages[0].bound + 1)
    assert {"status", "bound"} <= {found.code for found in check(town, looser)}


@pytest.mark.parametrize(
    ("stages", "refused"),
    [
        (("value",), True),
        (("value", "tier 1"), True),
        (("tier 1, may lose 1", "value"), True),
        (("tier 1", "points", "value"), False),
    ],
)
def test_what_decides_who_is_housed_is_not_proven_for_those_alone_who_are(
    stages: tuple[str, ...], refused: bool
) -> None:
    """Else nobody would have to be housed, and the empty allocation were the best for those who are."""
    given = problem([household("a"), household("b", options={"S": 4})])
    wanted = [objectives.parse(stage) for stage in stages]
    document: Any = solve(given, Parameters(stages=tuple(wanted))).to_dict()
    row = next(row for row in document["stages"] if "value" in row["name"])
    row["scope"] = "housed"
    assert ("scope" in [found.code for found in check(given, Solution.from_dict(document), wanted)]) is refused


def test_an_empty_allocation_is_not_the_best_for_those_whom_it_houses() -> None:
    given = problem([household("a")])
    document: Any = solve(given, Parameters(stages=("value",))).to_dict()
    nothing = {"achieved": 0, "bound": 0, "price_bound": 0, "proof": "prices", "scope": "housed"}
    document["assignments"], document["stages"] = [], [document["stages"][0] | nothing]
    document["certificate"]["stages"][0] |= {"denominator": 1, "prices": [], "multipliers": []}
    assert [found.code for found in check(given, Solution.from_dict(document), ["value"])] == ["scope"]


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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tier", 2),
        ("points", 1),
        ("bedrooms_min", 1),
        ("bedrooms_max", 3),
        ("needs_step_free", True),
        ("options", {"S": 10, "T": 1}),
        ("anywhere", 0),
        ("profile", "p"),
        ("kin_group", "k"),
        ("uses", {"school": 1}),
        ("pinned", "C"),
        ("forbidden", ["T"]),
    ],
)
def test_the_lottery_is_among_equals_alone(field: str, value: object) -> None:
    """The larger number is favoured: wrong among equals, and no matter where one field tells them apart."""
    world = {"settlements": [{"id": "S"}, {"id": "T"}], "profiles": [{"id": "p"}]}
    for change, expected in ({}, True), ({field: value}, False):
        pair = problem([household("a", lottery=2), household("b", lottery=1, **change)], **world)
        favoured = with_assignments(solve(pair), ("a", "C"))
        assert ("lottery" in [found.code for found in check(pair, favoured)]) is expected


def test_the_order_that_the_programme_decided_is_demanded(town: Problem, good: Solution) -> None:
    order = ("points", *good_names(good)[:-2], "value")
    assert [found.code for found in check(town, good, stages=order)] == ["stages"]


def good_names(solution: Solution) -> tuple[str, ...]:
    return tuple(stage.name for stage in solution.stages)


@given(seed=st.integers(0, 10**6), choice=st.randoms(use_true_random=False))
@settings(max_examples=60)
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
