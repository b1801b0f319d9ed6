"""The JSON form and the columns of a problem: what is accepted, what is refused and how it is named."""

import copy
import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver import InvalidProblem, Problem
from solver.generate import generate
from solver.problem import HouseClasses, Settlements, SparseRows
from solver.problem_json import CHUNK
from tests.solver.exhaustive import Row, tiny_problem
from tests.solver.small import document, house_class, household

GOOD = document(
    [household("h", uses={"school": 1}, profile="p", kin_group="k", pinned="C", forbidden=["T"], anywhere=0)],
    [house_class(reserved=1, count=2, step_free=True)],
    [{"id": "S", "capacities": {"school": 0}}, {"id": "T"}],
    profiles=[{"id": "p", "values": {"S": 4}}],
)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60)
def test_json_goes_round(seed: int) -> None:
    problem = Problem.from_dict(tiny_problem(seed))
    again = Problem.from_json(problem.to_json().encode())
    assert again.to_json() == problem.to_json()
    assert (again, hash(again), again.sha256) == (problem, hash(problem), problem.sha256)


DEFAULTS = {"points": 0, "reserved": 0, "lottery": 0, "forbidden": [], "options": {}, "uses": {}} | {
    field: {} if field in ("capacities", "values") else None
    for field in ("capacities", "values", "anywhere", "profile", "kin_group", "pinned")
}
CLUMSY = ['"', "\\", "\\u0041", "/", "ä", "a\u0308", "😀", "بيت", "בית", "\uffee", "a b", "{", "]", ":", ","]
names = st.lists(
    st.sampled_from(CLUMSY) | st.text(st.characters(exclude_categories=("C", "Z")), max_size=5),
    min_size=32,
    max_size=32,
)


def canonical(document: Row) -> bytes:
    """The one spelling of a document, found without the library: the hash is a promise to other programs."""
    document = copy.deepcopy(document)
    for table in ("settlements", "house_classes", "profiles", "households"):
        document[table].sort(key=lambda row: row["id"])
        for row in document[table]:
            for field in ("uses", "values"):
                row[field] = {name: number for name, number in row.get(field, {}).items() if number}
            row["forbidden"] = sorted(row.get("forbidden", []))
            for field in [field for field, value in row.items() if field in DEFAULTS and value == DEFAULTS[field]]:
                del row[field]
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def renamed(document: Any, names: dict[str, str]) -> Any:
    """The document with every identifier replaced, wherever it is."""
    if isinstance(document, dict):
        return {names.get(key, key): renamed(value, names) for key, value in document.items()}
    if isinstance(document, list):
        return [renamed(value, names) for value in document]
    return names.get(document, document) if isinstance(document, str) else document


@given(seed=st.integers(0, 10**6), new=names)
@settings(max_examples=100)
def test_the_hash_is_that_of_the_documents_canonical_json(seed: int, new: list[str]) -> None:
    old = [f"{letter}{i}" for letter in "schpk" for i in range(6)] + ["clinic", "school"]
    document = renamed(tiny_problem(seed), {a: f"{b}{i}" for i, (a, b) in enumerate(zip(old, new, strict=True))})
    problem = Problem.from_dict(document)
    assert problem.to_json().encode() == canonical(document)
    assert problem.sha256 == hashlib.sha256(canonical(document)).hexdigest()
    assert problem.to_dict() == json.loads(canonical(document))


def test_the_hash_does_not_depend_on_how_many_households_are_written_at_a_time() -> None:
    town = generate(CHUNK + 1, 30, 1)
    assert town.to_json().encode() == canonical(town.to_dict())
    assert town.sha256 == hashlib.sha256(canonical(town.to_dict())).hexdigest()


def test_fields_with_an_empty_default_may_be_left_out_or_stated() -> None:
    stated = copy.deepcopy(GOOD)
    stated["settlements"][1]["capacities"] = {}
    stated["households"][0] |= {"lottery": 0, "points": 0}
    stated["households"][0]["uses"]["clinic"] = 0
    assert Problem.from_dict(stated).to_json() == Problem.from_dict(GOOD).to_json()


def test_the_stages_are_the_tiers_points_and_value() -> None:
    assert Problem.from_dict(document([household("a", tier=3)])).stages == (
        "tier 1",
        "tier 2",
        "tier 3",
        "points",
        "value",
    )
    assert Problem.from_dict(document([])).stages == ("points", "value")


def changed(table: str, field: str, value: object) -> Row:
    wrong = copy.deepcopy(GOOD)
    wrong[table][0][field] = value
    return wrong


@pytest.mark.parametrize(
    ("table", "field", "value", "sentence"),
    [
        ("settlements", "capacities", {"school": -1}, "'school' must not be negative"),
        ("settlements", "capacities", [], "must be an object"),
        ("settlements", "district", "x", "is not a field of the format"),
        ("house_classes", "settlement", "X", "'X' is not in settlements"),
        ("house_classes", "count", -1, "must not be negative"),
        ("house_classes", "count", True, "must be an integer"),
        ("house_classes", "count", 2.0, "must be an integer"),
        ("house_classes", "count", 10**30, "from -1000000000 to 1000000000"),
        ("house_classes", "reserved", 3, "is more than count"),
        ("house_classes", "bedrooms", 1_001, "from 0 to 1000"),
        ("house_classes", "step_free", 1, "must be true or false"),
        ("profiles", "values", {"X": 1}, "'X' is not in settlements"),
        ("profiles", "values", {"S": None}, "'S' must be an integer"),
        ("households", "id", "", "is empty"),
        ("households", "id", 7, "must be a string"),
        ("households", "id", "x" * 201, "longer than 200"),
        ("households", "id", "a\nb", "cannot be printed"),
        ("households", "tier", 0, "from 1 to 100"),
        ("households", "points", -1, "must not be negative"),
        ("households", "bedrooms_min", 3, "is more than bedrooms_max"),
        ("households", "options", {"X": 1}, "'X' is not in settlements"),
        ("households", "options", {"S": 1.5}, "'S' must be an integer"),
        ("households", "anywhere", "yes", "must be an integer"),
        ("households", "profile", "X", "'X' is not in profiles"),
        ("households", "pinned", "X", "'X' is not in house_classes"),
        ("households", "kin_group", 3, "must be a string"),
        ("households", "uses", {"school": -1}, "'school' must not be negative"),
        ("households", "forbidden", ["X"], "'X' is not in settlements"),
        ("households", "forbidden", ["T", "T"], "names a settlement twice"),
        ("households", "forbidden", "T", "must be an array"),
        ("households", "forbidden", [None], "None must be a string"),
        ("households", "name", "Ana", "is not a field of the format"),
    ],
)
def test_what_breaks_the_format_is_refused_by_name(table: str, field: str, value: object, sentence: str) -> None:
    with pytest.raises(InvalidProblem) as refused:
        Problem.from_dict(changed(table, field, value))
    assert (refused.value.table, refused.value.field) == (table, field)
    assert sentence in refused.value.sentence
    row = {"settlements": "S", "house_classes": "C", "profiles": "p", "households": "h"}[table]
    assert field == "id" or refused.value.row == repr(row)


@pytest.mark.parametrize("table", ["settlements", "house_classes", "profiles", "households"])
def test_duplicates_and_missing_parts_are_refused_by_name(table: str) -> None:
    twice = copy.deepcopy(GOOD)
    twice[table].append(copy.deepcopy(twice[table][0]))
    with pytest.raises(InvalidProblem, match=f"{table} '.', id: is there twice"):
        Problem.from_dict(twice)
    without = copy.deepcopy(GOOD)
    del without[table][0]["id"]
    with pytest.raises(InvalidProblem, match=f"{table} row 1, id: is missing"):
        Problem.from_dict(without)
    for wrong in ({**GOOD, table: {}}, {**GOOD, table: [None]}, {k: v for k, v in GOOD.items() if k != table}):
        with pytest.raises(InvalidProblem, match=table):
            Problem.from_dict(wrong)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": NaN}', "NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', "key 'a' twice"),
        (b"\xff\xfe\xfa", "not JSON"),
        ("1" * 5000, "not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must be 'hearth-problem/1'"),
        (json.dumps({**GOOD, "spare_bedroom_penalty": -1}), "spare_bedroom_penalty: must not be negative"),
        (json.dumps({**GOOD, "spare_bedroom_penalty": 1.0}), "spare_bedroom_penalty: must be an integer"),
        (json.dumps({**GOOD, "extra": []}), "extra: is not a field"),
    ],
)
def test_text_that_is_no_problem_is_refused(text: str | bytes, sentence: str) -> None:
    with pytest.raises(InvalidProblem, match=sentence):
        Problem.from_json(text)


def test_columns_in_any_order_are_the_same_problem() -> None:
    town = generate(40, 3, 5, pinned_share=0.1)
    order = np.random.default_rng(1).permutation(len(town.house_classes.id))
    rank = np.argsort(order)
    classes = HouseClasses(**{name: column[order] for name, column in vars(town.house_classes).items()})
    pinned = np.where(town.households.pinned < 0, -1, rank[town.households.pinned])
    other = replace(town, house_classes=classes, households=replace(town.households, pinned=pinned))
    assert other.to_json() == town.to_json()


def wrong_columns() -> list[tuple[str, dict[str, Any]]]:
    town = generate(10, 2, 5)
    people: Any = town.households
    options = town.households.options
    forbidden = SparseRows(np.minimum(np.arange(11), 1), np.zeros(1, np.int64), np.full(1, 2))
    return [
        ("tier", {"households": replace(people, tier=people.tier.astype(np.int32))}),
        ("tier", {"households": replace(people, tier=people.tier[1:])}),
        ("kin_group", {"households": replace(people, kin_group=np.full(10, 99))}),
        ("kin_group", {"households": replace(people, kin_group=np.full(10, -1, np.int32))}),
        ("needs_step_free", {"households": replace(people, needs_step_free=people.tier)}),
        ("options", {"households": replace(people, options=replace(options, start=options.start[::-1].copy()))}),
        ("options", {"households": replace(people, options=replace(options, column=options.column * 0))}),
        ("options", {"households": replace(people, options=replace(options, start=options.start.astype(float)))}),
        ("options", {"households": replace(people, options=replace(options, column=options.column.astype(float)))}),
        ("forbidden", {"households": replace(people, forbidden=forbidden)}),
        ("id", {"households": replace(people, id=people.tier)}),
        ("capacities", {"settlements": Settlements(town.settlements.id, town.settlements.capacity[:, :1])}),
    ]


@pytest.mark.parametrize(("field", "columns"), wrong_columns())
def test_columns_that_contradict_the_model_are_refused(field: str, columns: dict[str, Any]) -> None:
    with pytest.raises(InvalidProblem) as refused:
        replace(generate(10, 2, 5), **columns)
    assert refused.value.field == field
