"""What a stage counts, in words and in numbers, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import InvalidSolution, Objective, Parameters, Solution, Status, check, solve
from solver.objectives import LARGEST_WEIGHT, is_term, parse, spelt
from tests.solver.small import Row, house_class, household, problem

TERMS = st.one_of(st.sampled_from(["points", "value", "keep"]), st.integers(1, 100).map(lambda tier: f"tier {tier}"))


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("points", Objective("points", {"points": 1})),
        (" tier  3 , may lose 2", Objective("tier 3", {"tier 3": 1}, 2)),
        ("points + 2 value", Objective("points + 2 value", {"points": 1, "value": 2})),
        ("value+points+value", Objective("2 value + points", {"value": 2, "points": 1})),
        ("stay or wish: 50 keep + value, may lose 10", Objective("stay or wish", {"keep": 50, "value": 1}, 10)),
    ],
)
def test_a_stage_in_words(text: str, stage: Objective) -> None:
    assert parse(text) == stage


@given(st.dictionaries(TERMS, st.integers(1, LARGEST_WEIGHT), min_size=1, max_size=6), st.integers(0, 10**18))
def test_what_is_spelt_is_read_again(terms: dict[str, int], lose: int) -> None:
    again = parse(f"{spelt(terms)}, may lose {lose}")
    assert (again.name, again.terms, again.may_lose) == (spelt(terms), terms, lose)
    assert again.plain is (len(terms) == 1 and set(terms.values()) == {1})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a term"),
        ("wishes", "'wishes' is not a term"),
        ("points + wishes", "'wishes' is not a term"),
        ("tier 0", "'tier 0' is not a term"),
        ("points, may lose -1", "is not a stage"),
        ("points, may lose some", "is not a stage"),
        ("0 points", "weight of points"),
        ("-2 points", "'-2 points' is not a term"),
        ("points: value", "named like a basic term"),
        (": points", "is empty"),
        ("a: b: points", "is not a stage"),
        (f"{LARGEST_WEIGHT + 1} value", "weight of value"),
    ],
)
def test_what_is_no_stage_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"terms": {}}, "at least one term"),
        ({"terms": {"wish": 1}}, "'wish' is not a term"),
        ({"terms": {"points": 1.5}}, "weight of points"),
        ({"may_lose": -1}, "may_lose must be an integer from 0"),
        ({"may_lose": True}, "may_lose must be an integer from 0"),
        ({"name": ""}, "is empty"),
        ({"name": "value"}, "named like a basic term"),
    ],
)
def test_numbers_and_names_out_of_range_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Objective(**{"name": "n", "terms": {"points": 1}} | fields)  # type: ignore[arg-type]  # wrong on purpose


def test_only_a_number_says_which_tier() -> None:
    assert [name for name in ("tier 1", "tier 12", "tier 01", "tier", "tiers 1", "Points") if is_term(name)] == [
        "tier 1",
        "tier 12",
    ]


def test_stages_of_other_problems_are_refused() -> None:
    given = problem([household("a", points=10**9, options={"S": 10**9})])
    for stages, words in (
        (("keep",), "'keep' needs a previous solution"),
        ((parse("tier 1 + tier 2"),), "counts a tier that this problem does not have"),
        ((Objective("points", {"points": 1}), "points"), "twice"),
    ):
        with pytest.raises(ValueError, match=words):
            solve(given, Parameters(stages=stages))
    many = problem([household(f"h{i}", points=10**9) for i in range(2_000)])
    with pytest.raises(ValueError, match="may add up to more"):
        solve(many, Parameters(stages=(parse(f"{LARGEST_WEIGHT} points"),)))


RIVALS: list[Row] = [
    household("early", tier=1, points=1, options={"S": 1}),
    household("needy", tier=2, points=9, options={"S": 5}),
    household("keen", tier=2, points=1, options={"S": 99}),
]


@pytest.mark.parametrize(
    ("stages", "winner", "first"),
    [
        (("tier 1, may lose 1", "points"), "needy", (1, 0, 0)),
        (("tier 1, may lose 1", "points + value"), "keen", (1, 0, 0)),
        (("points + value, may lose 85", "points"), "keen", (100, 15, 100)),
        (("points + value, may lose 86", "points"), "needy", (100, 14, 14)),
        (("points + value, may lose 87", "value"), "keen", (100, 13, 100)),
        (("9 tier 1 + points",), "early", (10, None, None)),
    ],
)
def test_what_may_be_lost_decides(
    stages: tuple[str, ...], winner: str, first: tuple[int, int | None, int | None]
) -> None:
    given, decided = problem(RIVALS), tuple(map(parse, stages))
    solution = solve(given, Parameters(stages=decided))
    stage = solution.stages[0]
    assert (solution.status, check(given, solution, decided)) == (Status.OPTIMAL, [])
    assert dict(solution.assignments) == {winner: "C"}
    assert (stage.achieved, stage.required, stage.final) == first


def test_a_relaxed_stage_names_the_allocation_that_achieves_it() -> None:
    given, decided = problem(RIVALS), tuple(map(parse, ("tier 1, may lose 1", "points")))
    solution = solve(given, Parameters(stages=decided))
    (stage, _) = solution.stages
    assert stage.witness is not None
    assert [(each.household, each.house_class) for each in stage.witness] == [("early", "C"), ("needy", None)]
    again = Solution.from_json(solution.to_json())
    assert (again.stages, again.sha256) == (solution.stages, solution.sha256)


def test_a_plain_stage_says_no_more_than_its_name() -> None:
    given = problem([household("a")], [house_class(count=1)])
    keys = {"name", "achieved", "bound", "price_bound", "proof"}
    document: Row = solve(given).to_dict()
    assert [set(row) for row in document["stages"]] == [keys, keys, keys | {"scope"}]
    assert "previous" not in document


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"terms": []}, "terms must be of type dict"),
        ({"terms": {"points": 1.5}}, "points must be of type int"),
        ({"required": "1"}, "required must be of type int"),
        ({"witness": [{"household": 1}]}, "household must be of type str"),
        ({"witness": [{"household": "a", "at": "S"}]}, "at is not a field"),
    ],
)
def test_stages_that_break_the_format_are_refused(fields: Row, words: str) -> None:
    document: Row = solve(problem([household("a")])).to_dict()
    document["stages"][0] |= fields
    with pytest.raises(InvalidSolution, match=words):
        Solution.from_dict(document)
