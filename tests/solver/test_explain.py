"""Every household has one explanation, the first that applies, with facts that can be verified."""

import numpy as np
import pytest

from solver import Objective, Parameters, Problem, Solution, check, explain, solve
from solver.confirmation import confirm
from solver.explain import Explanation, Reason
from solver.fairness import justified_envy
from solver.generate import generate
from solver.objectives import parse
from solver.solution import Assignments
from tests.solver.exhaustive import tiny_problem, tiny_stages
from tests.solver.small import Row, document, house_class, household, problem, with_assignments


def explained(given: Problem) -> dict[str, Explanation]:
    return {explanation.household: explanation for explanation in explain(given, solve(given))}


def test_housed_with_its_rank_among_its_own_options() -> None:
    classes = [house_class("C"), house_class("D", settlement="T"), house_class("E", settlement="T", bedrooms=3)]
    people = [
        household("a", points=1, options={"S": 9, "T": 2}, bedrooms_max=3),
        household("b", options={"S": 50}),
    ]
    found = explained(problem(people, classes, [{"id": "S"}, {"id": "T"}]))["a"]
    assert found.reason is Reason.HOUSED
    assert found.facts == {"house_class": "D", "settlement": "T", "rank": 2, "options": 3, "better": ["C"]}
    assert "number 2 of its 3 options" in found.sentence


@pytest.mark.parametrize(
    ("house", "fields"),
    [
        ("never built", {"count": 0}),
        ("kept for those who need step-free", {"step_free": True, "reserved": 1}),
        ("beside a school that is too small for it", {}),
    ],
)
def test_what_could_not_serve_it_went_to_nobody(house: str, fields: Row) -> None:
    places: list[Row] = [{"id": "S"}, {"id": "T", "capacities": {} if fields else {"school": 1}}]
    family = household("a", options={"S": 1, "T": 9}, uses={"school": 2})
    found = explained(problem([family], [house_class("C"), house_class("D", settlement="T", **fields)], places))["a"]
    assert (found.facts["rank"], found.facts["options"], found.facts["better"]) == (1, 1, []), house


def test_who_is_pinned_is_told_so() -> None:
    classes = [house_class("C"), house_class("D", settlement="T")]
    family = household("a", options={"S": 1, "T": 9}, pinned="C")
    found = explained(problem([family], classes, [{"id": "S"}, {"id": "T"}]))["a"]
    assert (found.facts["rank"], found.facts["better"]) == (2, ["D"])
    assert found.sentence.endswith("It is pinned there.")


PLACES: list[Row] = [{"id": "S", "capacities": {"school": 1}}, {"id": "T"}]
CASES: list[tuple[str, Problem, Reason, dict[str, object]]] = [
    (
        "nothing of its size",
        problem([household("x", bedrooms_min=5, bedrooms_max=6)]),
        Reason.NO_CLASS_FITS,
        {"bedrooms_min": 5, "bedrooms_max": 6, "needs_step_free": 0},
    ),
    (
        "no house of its size was built",
        problem([household("x")], [house_class(count=0)]),
        Reason.NO_CLASS_FITS,
        {"bedrooms_min": 2, "bedrooms_max": 2, "needs_step_free": 0},
    ),
    (
        "it asked for other places",
        problem([household("x", options={"T": 1})], settlements=PLACES),
        Reason.NOT_ASKED_FOR,
        {"settlements": ["S"]},
    ),
    (
        "it forbade the only place",
        problem([household("x", forbidden=["S"])]),
        Reason.NOT_ASKED_FOR,
        {"settlements": ["S"]},
    ),
    (
        "a better tier",
        problem([household("x", tier=2, points=9), household("y", points=4)]),
        Reason.TAKEN_BY_PRIORITY,
        {"lowest_tier": 1, "lowest_points": 4, "tier": 2, "points": 9, "bound": []},
    ),
    (
        "more points, the lowest of those who got one",
        problem([household("x"), *(household(n, points=p) for n, p in (("y", 4), ("z", 7)))], [house_class(count=2)]),
        Reason.TAKEN_BY_PRIORITY,
        {"lowest_tier": 1, "lowest_points": 4, "tier": 1, "points": 0, "bound": []},
    ),
    (
        "more points, but for one who is pinned",
        problem(
            [household("x", points=5), household("y", points=7), household("z", pinned="C")], [house_class(count=2)]
        ),
        Reason.TAKEN_BY_PRIORITY,
        {"lowest_tier": 1, "lowest_points": 7, "tier": 1, "points": 5, "bound": ["z"]},
    ),
    (
        "houses that are kept for those who need step-free",
        problem([household("x")], [house_class(step_free=True, reserved=1)]),
        Reason.NO_CLASS_FITS,
        {"bedrooms_min": 2, "bedrooms_max": 2, "needs_step_free": 0},
    ),
    (
        "houses left and the school full",
        problem([household("x", uses={"school": 2})], settlements=PLACES),
        Reason.SERVICES_FULL,
        {"services": ["school in S"]},
    ),
    (
        "kin without a house for all",
        problem([household(n, kin_group="k") for n in "xy"]),
        Reason.KIN_NOT_WHOLE,
        {"kin_group": "k", "settlement": "S", "without_house": []},
    ),
    (
        "kin of whom one fits nowhere there",
        problem([household("x", kin_group="k"), household("y", kin_group="k", bedrooms_min=4, bedrooms_max=4)]),
        Reason.KIN_NOT_WHOLE,
        {"kin_group": "k", "settlement": "S", "without_house": ["y"]},
    ),
    (
        "the lottery among equals",
        problem(
            [household("x", lottery=8), household("y", lottery=3), household("z", lottery=5)], [house_class(count=2)]
        ),
        Reason.LOST_LOTTERY,
        {"lottery": 8, "last_lottery": 5},
    ),
    (
        "an equal whom the house suits better",
        problem([household("x"), household("y", options={"S": 90})]),
        Reason.EQUALS_FIT_BETTER,
        {"equals": ["y"]},
    ),
    (
        "one of fewer points in a house that is kept for step-free",
        problem(
            [household("x", points=5), household("y", points=9), household("z", needs_step_free=True)],
            [house_class(step_free=True, count=2, reserved=1)],
        ),
        Reason.TAKEN_BY_PRIORITY,
        {"lowest_tier": 1, "lowest_points": 9, "tier": 1, "points": 5, "bound": []},
    ),
    (
        "an equal without need of step-free, beside one with it",
        problem(
            [household("x"), household("y", options={"S": 90}), household("z", needs_step_free=True)],
            [house_class(step_free=True, count=2, reserved=1)],
        ),
        Reason.EQUALS_FIT_BETTER,
        {"equals": ["y"]},
    ),
    (
        "an equal, as one alone is no kin group",
        problem([household("x", kin_group="k"), household("y", options={"S": 90})]),
        Reason.EQUALS_FIT_BETTER,
        {"equals": ["y"]},
    ),
    (
        "one of fewer points who is pinned",
        problem([household("x", points=9), household("y", pinned="C")]),
        Reason.HELD_TOGETHER,
        {"households": ["y"]},
    ),
]


@pytest.mark.parametrize(("given", "reason", "facts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_first_reason_that_applies(given: Problem, reason: Reason, facts: dict[str, object]) -> None:
    found = explained(given)["x"]
    assert (found.reason, found.facts) == (reason, facts)
    for fact in facts.values():
        named = fact if isinstance(fact, list) else [fact]
        assert reason is Reason.NO_CLASS_FITS or all(str(name) in found.sentence for name in named)


def test_every_household_of_a_town_is_explained_as_it_was_decided() -> None:
    town = generate(300, 3, 2, kin_share=0.2, pinned_share=0.05)
    solution = solve(town)
    assert check(town, solution) == []
    explanations = explain(town, solution)
    assert [e.household for e in explanations] == town.households.id.tolist()
    housed = {e.household: e.facts["house_class"] for e in explanations if e.reason is Reason.HOUSED}
    assert housed == dict(solution.assignments)
    assert len({e.reason for e in explanations}) > 2


def test_each_is_the_same_alone_and_among_all() -> None:
    town = generate(120, 3, 4, households_per_house=2, kin_share=0.3, places_per_need=0.7)
    explanations = explain(town, solve(town))
    every = list(explanations)
    assert len(explanations) == len(every) == 120
    assert [explanations[i] for i in range(120)] == every
    assert explanations[3:9] == every[3:9]
    assert explanations[-1] == every[-1]
    with pytest.raises(IndexError):
        explanations[120]


def test_where_the_programme_stated_another_order_that_is_the_reason() -> None:
    people = [household("x", points=9), household("y", points=1, options={"S": 80})]
    given = problem(people)
    for stage in ("value", "points + 2 value", "points, may lose 9"):
        found = explain(given, solve(given, Parameters(stages=(parse(stage), parse("wishes: 3 value")))))[0]
        assert found.reason is Reason.ORDER_OF_PROGRAMME
        assert found.facts["stages"][:1] == [stage]  # type: ignore[index]  # it is a list
        assert (found.facts["claimed_class"], found.facts["envied"]) == ("C", "y")
        assert f"as the programme stated: {stage}" in found.sentence
        assert "kin" not in found.sentence


def test_where_the_programme_counts_value_first_a_house_may_stand_empty() -> None:
    given = problem([household("x", options={"S": -1})])
    (found,) = explain(given, solve(given, Parameters(stages=("value",))))
    assert (found.reason, found.facts) == (Reason.ORDER_OF_PROGRAMME, {"stages": ["value"], "claimed_class": "C"})


def test_an_order_that_ends_like_the_model_s_or_cannot_help_is_no_reason() -> None:
    people = [household("x", points=9), household("y", pinned="C", options={"S": 80})]
    given = problem(people)
    (found, _) = explain(given, solve(given, Parameters(stages=("value",))))
    assert (found.reason, found.facts) == (Reason.HELD_TOGETHER, {"households": ["y"]})
    given = problem([household("x", points=9), household("y", points=1)])
    passed_over = with_assignments(solve(given), ("y", "C"))
    for stages in (None, ("tier 1", "points"), ("need: tier 1", "points", "value", "tier 1")):
        wanted = None if stages is None else tuple(map(parse, stages))
        told = explain(given, with_assignments(solve(given, Parameters(stages=wanted)), ("y", "C")))[0]
        assert told == explain(given, passed_over)[0]


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_who_is_passed_over_by_the_best_allocation_is_told_of_the_order(first: int) -> None:
    found = 0
    for seed in range(first, first + 50):
        row = tiny_problem(seed)
        described, before = tiny_stages(seed, row)
        stages = tuple(Objective(f"stage {j}", terms, lose) for j, (terms, lose) in enumerate(described))
        homes = Assignments(*(np.array(column, np.str_) for column in zip(*sorted(before.items()), strict=True)))
        given = Problem.from_dict(row)
        solution = solve(given, Parameters(stages=stages), homes=homes)
        if solution.status.value != "optimal":
            continue
        passed_over = {claim.household for claim in justified_envy(given, solution).claims}
        told = {each.household for each in explain(given, solution) if each.reason is Reason.ORDER_OF_PROGRAMME}
        assert told == passed_over, seed
        trials = [t for t in confirm(given, solution, 6).trials if t.reason is Reason.ORDER_OF_PROGRAMME]
        assert all(trial.holds for trial in trials), seed
        found += len(trials)
    assert found


def test_every_household_is_explained_where_nobody_is_housed() -> None:
    given = problem([household("a", pinned="C"), household("b", pinned="C"), household("c")])
    found = explain(given, solve(given))
    assert [e.household for e in found] == ["a", "b", "c"]
    for each in found:
        assert each.reason is Reason.HELD_TOGETHER
        assert "pinned to it: 'a', 'b'" in each.sentence


def test_a_household_is_explained_where_there_is_no_settlement() -> None:
    given = Problem.from_dict(document([household("a", options={})]) | {"settlements": [], "house_classes": []})
    assert [e.reason for e in explain(given, solve(given))] == [Reason.NO_CLASS_FITS]


@pytest.mark.parametrize("pair", [("nobody", "C"), ("a", "nothing")])
def test_a_solution_of_another_problem_is_refused(pair: tuple[str, str]) -> None:
    given = problem([household("a")])
    wrong: Solution = with_assignments(solve(given), pair)
    with pytest.raises(ValueError, match=pair[0]):
        explain(given, wrong)
