"""The smallest change houses the household, and what was refuted doesn't: against exhaustive search."""

import copy
from collections import Counter

import pytest

from solver import Problem, Solution, solve
from solver.counterfactual import Change, Kind, SmallestChange, smallest_change
from tests.solver.exhaustive import allocations, best, tiny_problem, vector
from tests.solver.small import Row, house_class, household, problem, with_assignments

PLACES: list[Row] = [{"id": "S", "capacities": {"school": 1}}, {"id": "T"}]


def changed(document: Row, name: str, change: Change) -> Row:
    """The JSON form with the change made, by what the change says alone."""
    new = copy.deepcopy(document)
    rows = {row["id"]: row for row in new["households"]}
    group = rows[name].get("kin_group")
    if change.kind in (Kind.ANY_SETTLEMENT, Kind.HOUSE_ELSEWHERE):
        for row in rows.values():
            if row is rows[name] or (group and row.get("kin_group") == group):
                row["anywhere"] = row.get("anywhere") or 0
    if change.kind is Kind.WITHOUT_KIN:
        rows[name]["kin_group"] = None
    for settlement in new["settlements"]:
        if settlement["id"] == change.settlement:
            for service, more in change.places:
                settlement["capacities"][service] += more
    if change.bedrooms is not None:
        size: Row = {"settlement": change.settlement, "bedrooms": change.bedrooms, "step_free": change.step_free}
        new["house_classes"].append({"id": "added", "count": 1} | size)
    return new


def houses_someone_at_best(document: Row, name: str, *, housed: bool) -> bool:
    """Whether one of the best allocations houses the household, or leaves it out."""
    top = best(document)
    return any((name in chosen) is housed for chosen in allocations(document) if vector(document, chosen) == top)


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_changes_house_it_or_not_as_exhaustive_search_says(first: int) -> None:
    for seed in range(first, first + 10):
        document = tiny_problem(seed)
        given = Problem.from_dict(document)
        solution = solve(given)
        if solution.status.value != "optimal":
            continue
        names = {row["id"] for row in document["households"]} - dict(solution.assignments).keys()
        for name in sorted(names)[:2]:
            found = smallest_change(given, solution, name, tries=2, every=True)
            for verified in found.verified:
                assert verified.proven
                assert houses_someone_at_best(changed(document, name, verified.change), name, housed=True), seed
            for change in found.refuted:
                assert houses_someone_at_best(changed(document, name, change), name, housed=False), seed


def smallest(given: Problem, name: str = "x") -> SmallestChange:
    return smallest_change(given, solve(given), name)


CASES: list[tuple[Kind, Problem, str]] = [
    (
        Kind.ANY_SETTLEMENT,
        problem([household("x", options={"T": 1})], settlements=PLACES),
        "With any settlement accepted, x would be housed in S.",
    ),
    (
        Kind.WITHOUT_KIN,
        problem([household("x", kin_group="k"), household("y", kin_group="k")]),
        "With its kin group left, x would be housed in S.",
    ),
    (
        Kind.PLACES,
        problem([household("x", uses={"school": 3})], settlements=[{"id": "S", "capacities": {"school": 1}}]),
        "With 2 more places of school in S, x would be housed in S.",
    ),
    (
        Kind.HOUSE,
        problem([household("x"), household("y", points=1)]),
        "With one more house in S (2 bedrooms), x would be housed in S.",
    ),
    (
        Kind.HOUSE,
        problem([household("x", bedrooms_min=5, bedrooms_max=6, needs_step_free=True)]),
        "With one more house in S (5 bedrooms, step-free), x would be housed in S.",
    ),
    (
        Kind.HOUSE_ELSEWHERE,
        problem(
            [household("x", uses={"school": 1}), household("y", points=1)],
            [house_class("C"), house_class("D", settlement="T", count=0)],
            [{"id": "S", "capacities": {"school": 0}}, {"id": "T"}],
        ),
        "With any settlement accepted and one more house in T (2 bedrooms), x would be housed in T.",
    ),
]


@pytest.mark.parametrize(("kind", "given", "sentence"), CASES, ids=[f"{case[0]} {i}" for i, case in enumerate(CASES)])
def test_the_smallest_change_of_each_kind(kind: Kind, given: Problem, sentence: str) -> None:
    found = smallest(given)
    assert [verified.change.kind for verified in found.verified] == [kind]
    assert found.sentence == sentence


def test_fewer_places_than_it_lacks_where_others_can_make_room() -> None:
    """y, who uses the two places of S, would live in T as well: one place more, not three, and x is housed."""
    classes = [house_class("C", count=2), house_class("D", settlement="T", bedrooms=3)]
    people = [
        household("x", uses={"school": 3}),
        household("y", uses={"school": 2}, options={"S": 20, "T": 1}, bedrooms_max=3),
    ]
    found = smallest(problem(people, classes, [{"id": "S", "capacities": {"school": 2}}, {"id": "T"}]))
    assert found.verified[0].change.places == (("school", 1),)


def test_nothing_is_enough_for_who_comes_last_of_many() -> None:
    given = problem([household("x", tier=3), *(household(f"y{i}") for i in range(4))])
    found = smallest(given)
    assert found.verified == ()
    assert [change.kind for change in found.refuted] == [Kind.HOUSE]
    assert found.sentence == ("Of the changes that were tried, none would house x: one more house in S (2 bedrooms).")


def test_every_change_is_tried_where_that_is_asked_for() -> None:
    given = problem(
        [household("x"), household("y", points=1)],
        [house_class("C"), house_class("D", settlement="T")],
        [{"id": "S"}, {"id": "T"}],
    )
    found = smallest_change(given, solve(given), "x", every=True)
    kinds = Counter(verified.change.kind for verified in found.verified)
    assert kinds == {Kind.ANY_SETTLEMENT: 1, Kind.HOUSE: 1, Kind.HOUSE_ELSEWHERE: 1}
    assert found.refuted == ()


def test_no_more_of_a_kind_are_tried_than_asked_for() -> None:
    classes = [house_class(f"C{i}") for i in range(3)]
    given = problem([household("x", tier=2), *(household(f"y{i}") for i in range(6))], classes)
    assert len(smallest_change(given, solve(given), "x", tries=2).refuted) == 2


def without_answer() -> tuple[Problem, Solution]:
    given = problem([household("a", pinned="C"), household("b", pinned="C"), household("x")])
    return given, solve(given)


def test_refusals() -> None:
    given = problem([household("a")])
    solution = solve(given)
    with pytest.raises(ValueError, match="'nobody'"):
        smallest_change(given, solution, "nobody")
    with pytest.raises(ValueError, match="'a' is housed"):
        smallest_change(given, solution, "a")
    with pytest.raises(ValueError, match="tries"):
        smallest_change(given, solution, "a", tries=0)
    with pytest.raises(ValueError, match="stranger"):
        smallest_change(given, with_assignments(solution, ("stranger", "C")), "a")
    with pytest.raises(ValueError, match="infeasible"):
        smallest_change(*without_answer(), "x")
