"""Shadow prices are what bounds gain by one more; verified, they are what exhaustive search gains."""

import copy
from fractions import Fraction
from math import floor

import pytest

from solver import Parameters, Problem, solve
from solver.changes import solved_again
from solver.objectives import parse
from solver.proof import price_bound
from solver.shadow_prices import Resource, ShadowPrice, shadow_prices, verified
from tests.solver.exhaustive import best, tiny_problem
from tests.solver.small import Row, house_class, household, problem


def with_one_more(document: Row, resource: Resource) -> Row:
    new = copy.deepcopy(document)
    for row in new["house_classes"]:
        row["count"] += row["id"] == resource.house_class
    for row in new["settlements"]:
        if row["id"] == resource.settlement and resource.service is not None:
            row["capacities"][resource.service] += 1
    return new


@pytest.mark.parametrize("first", range(0, 80, 10))
def test_prices_and_gains_of_tiny_problems(first: int) -> None:
    for seed in range(first, first + 10):
        document = tiny_problem(seed)
        given = Problem.from_dict(document)
        solution = solve(given)
        top = best(document)
        if top is None:
            continue
        ranked = shadow_prices(given, solution)
        assert [tuple(p.price.values()) for p in ranked] == sorted(tuple(p.price.values()) for p in ranked)[::-1]
        achieved = {stage.name: stage.achieved for stage in solution.stages}
        for shadow in ranked:
            one_more = Problem.from_dict(with_one_more(document, shadow.resource))
            for stage, certificate in zip(solution.stages, solution.certificate, strict=True):
                gain = price_bound(one_more, certificate, achieved, None) - stage.price_bound
                assert gain - floor(shadow.price[stage.name]) in (0, 1), seed
        worths = verified(given, solution, ranked[:4])
        assert [tuple(w.gain.values()) for w in worths] == sorted(tuple(w.gain.values()) for w in worths)[::-1]
        for worth in worths:
            new = best(with_one_more(document, worth.shadow_price.resource))
            assert new is not None
            assert worth.proven
            assert tuple(worth.gain.values()) == tuple(a - b for a, b in zip(new, top, strict=True)), seed


def test_the_house_that_the_first_tier_lacks_comes_first() -> None:
    classes = [house_class("C"), house_class("D", bedrooms=3, settlement="T"), house_class("E", bedrooms=4)]
    people = [
        *(household(name) for name in "ab"),
        *(household(name, tier=2, bedrooms_min=3, bedrooms_max=3, options={"T": 5}) for name in "cd"),
    ]
    given = problem(people, classes, [{"id": "S"}, {"id": "T"}])
    ranked = shadow_prices(given, solve(given))
    assert [price.resource.house_class for price in ranked] == ["C", "D", "E"]
    assert ranked[0].price["tier 1"] == 1
    assert list(ranked[1].price.values())[:2] == [Fraction(0), Fraction(1)]
    assert set(ranked[2].price.values()) == {Fraction(0)}
    first, second, third = verified(given, solve(given), ranked)
    assert first.sentence == (
        "With one more house of class C in S (2 bedrooms), 1 more family would be housed (+1 in tier 1)."
    )
    assert (first.families, second.families, third.families) == (1, 1, 0)
    assert third.sentence == "With one more house of class E in S (4 bedrooms), 0 more families would be housed."


@pytest.mark.parametrize(
    "stages",
    [
        ("points", "value"),
        ("5 tier 1",),
        ("need: tier 1",),
        ("tier 1", "tier 1 + value"),
        ("tier 1, may lose 1", "value"),
    ],
)
def test_families_are_counted_whatever_the_stages_count(stages: tuple[str, ...]) -> None:
    given = problem([household("a"), household("b"), household("c", tier=2)])
    solution = solve(given, Parameters(stages=tuple(map(parse, stages))))
    (worth,) = verified(given, solution, shadow_prices(given, solution)[:1])
    assert (worth.families, worth.tiers) == (1, {1: 1, 2: 0})
    assert worth.sentence.endswith("1 more family would be housed (+1 in tier 1).")


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_families_are_those_that_the_re_solve_houses_where_stages_lose_some(first: int) -> None:
    for seed in range(first, first + 20):
        document = tiny_problem(seed)
        given = Problem.from_dict(document)
        stages = (*(f"tier {tier}, may lose 1" for tier in range(1, given.tiers + 1)), "value")
        solution = solve(given, Parameters(stages=tuple(map(parse, stages))))
        if not solution.certificate:
            continue
        for worth in verified(given, solution, shadow_prices(given, solution)[:2]):
            one_more = Problem.from_dict(with_one_more(document, worth.shadow_price.resource))
            again = solved_again(one_more, solution, Parameters())
            assert worth.families == len(again.assignments) - len(solution.assignments), seed


def test_one_more_house_may_house_fewer_families_where_wishes_come_first() -> None:
    people = [household(name, options={"S": 30}, uses={"school": 1}) for name in "ab"]
    people.append(household("c", tier=2, bedrooms_min=4, bedrooms_max=4, options={"S": 90}, uses={"school": 2}))
    classes = [house_class("C", count=2), house_class("D", bedrooms=4, count=0)]
    given = problem(people, classes, [{"id": "S", "capacities": {"school": 2}}])
    solution = solve(given, Parameters(stages=("value",)))
    worths = verified(given, solution, shadow_prices(given, solution))
    (worth,) = (each for each in worths if each.shadow_price.resource.house_class == "D")
    assert worth.sentence.endswith("1 fewer family would be housed (-2 in tier 1, +1 in tier 2).")


def test_a_place_of_a_full_service() -> None:
    given = problem(
        [household(name, uses={"school": 1, "well": 1}) for name in "ab"],
        [house_class(count=2)],
        [{"id": "S", "capacities": {"school": 1}}],
    )
    ranked = shadow_prices(given, solve(given))
    assert ranked[0].resource == Resource("service", "S", service="school")
    assert {price.resource.service for price in ranked} == {"school", None}
    (worth,) = verified(given, solve(given), ranked[:1])
    assert worth.sentence == "With one more place of school in S, 1 more family would be housed (+1 in tier 1)."


def test_refusals() -> None:
    given = problem([household("a")])
    other = problem([household("a"), household("b")], [house_class("X")])
    with pytest.raises(ValueError, match="class X"):
        shadow_prices(given, solve(other))
    unknown = ShadowPrice(Resource("service", "S", service="school"), {})
    with pytest.raises(ValueError, match="school in S"):
        verified(given, solve(given), [unknown])
    contradiction = problem([household("a", pinned="C"), household("b", pinned="C")])
    with pytest.raises(ValueError, match="infeasible"):
        shadow_prices(contradiction, solve(contradiction))
    with pytest.raises(ValueError, match="infeasible"):
        verified(contradiction, solve(contradiction), shadow_prices(given, solve(given)))
