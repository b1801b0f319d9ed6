"""The JSON form of a solution: it goes round, and what is not one is refused."""

import copy
import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import InvalidSolution, Solution, Status, solve
from solver.solution import CHUNK, Assignments
from tests.solver.small import house_class, household, problem

SOLUTION = solve(
    problem(
        [household("a", uses={"school": 1}), household("b", tier=2, points=2, uses={"school": 1})],
        [house_class(count=1, step_free=True)],
        [{"id": "S", "capacities": {"school": 1}}],
    )
)


def test_json_goes_round() -> None:
    again = Solution.from_json(SOLUTION.to_json())
    assert again.to_json() == SOLUTION.to_json()
    assert again.sha256 == SOLUTION.sha256
    assert list(again.assignments) == [("a", "C")]
    assert (again.stages, again.certificate, again.status) == (
        SOLUTION.stages,
        SOLUTION.certificate,
        Status.OPTIMAL,
    )


@given(st.lists(st.text(min_size=1, max_size=4).filter(str.isprintable), unique=True))
def test_the_bytes_are_the_documents_canonical_json(names: list[str]) -> None:
    pairs = np.array(sorted(names), np.str_)
    solution = replace(SOLUTION, assignments=Assignments(pairs, pairs[::-1]))
    text = json.dumps(solution.to_dict(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert solution.to_json() == text
    lasting: Any = json.loads(text)
    for field in ("seconds", "peak_memory_bytes", "threads"):
        del lasting["statistics"][field]
    text = json.dumps(lasting, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert solution.canonical_bytes() == text.encode()
    assert solution.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_many_assignments_are_written_whole() -> None:
    pairs = np.array([f"{i:06}" for i in range(CHUNK + 1)], np.str_)
    solution = replace(SOLUTION, assignments=Assignments(pairs, pairs))
    again = Solution.from_json(solution.to_json())
    assert again.assignments.household.tolist() == pairs.tolist()
    assert again.assignments.house_class.tolist() == pairs.tolist()


def test_a_reason_goes_round() -> None:
    infeasible = solve(problem([household("a", pinned="C"), household("b", pinned="C")]))
    assert Solution.from_json(infeasible.to_json()).reason == infeasible.reason


def test_timings_memory_and_threads_are_not_in_the_canonical_bytes() -> None:
    document: Any = SOLUTION.to_dict()
    document["statistics"] |= {"seconds": {"total": 99.5}, "peak_memory_bytes": 1, "threads": 7}
    other = Solution.from_dict(document)
    assert other.canonical_bytes() == SOLUTION.canonical_bytes()
    document["statistics"]["seed"] = 8
    assert Solution.from_dict(document).canonical_bytes() != SOLUTION.canonical_bytes()


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["format"], "hearth-solution/2", "format must be"),
        (["status"], "perfect", "status must be one of"),
        (["stages", 0, "achieved"], 1.0, "stage: achieved must be of type int"),
        (["stages", 0, "achieved"], True, "stage: achieved must be of type int"),
        (["stages", 0, "proof"], "faith", "proof must be one of"),
        (["stages", 0, "extra"], 1, "extra is not a field"),
        (["stages", 0], [], "stage must be an object"),
        (["assignments", 0, "house"], "x", "house is not a field"),
        (["assignments", 0, "household"], 7, "household 7 must be of type str"),
        (["assignments", 0, "household"], "a\0", "cannot be printed"),
        (["assignments", 0, "house_class"], "\ud800", "cannot be printed"),
        (["assignments", 0], {"household": "a"}, "house_class is missing"),
        (["assignments", 0], {"household": 7, "house": "x"}, "household must be of type str"),
        (["assignments", 0], None, "assignment must be an object"),
        (["certificate", "extra"], 1, "extra is not a field"),
        (["certificate", "stages", 0, "prices"], [{"kind": "magic", "price": 1}], "kind must be one of"),
        (["certificate", "stages", 0, "multipliers"], [{"stage": "points"}], "multiplier is missing"),
        (["certificate", "stages", 0, "multipliers"], [{"stage": "x", "multiplier": 1}] * 2, "there twice"),
        (["statistics", "seconds"], {"total": "long"}, "must be a number"),
        pytest.param(["statistics", "seconds"], {"total": 10**400}, "must be a number", id="seconds"),
        (["statistics", "seconds"], {"total": float("inf")}, "must be a number"),
        (["statistics", "seconds"], {"\ud800": 1}, "must be a number"),
        (["statistics", "versions"], {"numpy": "\ud800"}, "cannot be printed"),
        (["statistics", "versions"], {"\ud800": "1"}, "cannot be printed"),
        (["stages", 0, "name"], "\ud800", "'name' has a character that cannot be printed"),
        pytest.param(["stages", 0, "price_bound"], -(10**1000), "more than 1000 digits", id="price_bound"),
        pytest.param(["certificate", "stages", 0, "denominator"], 10**4299, "more than 1000 digits", id="denominator"),
        (["reason"], "\ud800", "'reason' has a character that cannot be printed"),
        (["extra"], 1, "extra is not a field"),
    ],
)
def test_what_breaks_the_format_is_refused(path: list[str | int], value: object, sentence: str) -> None:
    document: Any = copy.deepcopy(SOLUTION.to_dict())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidSolution, match=sentence):
        Solution.from_dict(document)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": Infinity}', "{}"])
def test_text_that_is_no_solution_is_refused(text: str) -> None:
    with pytest.raises(InvalidSolution):
        Solution.from_json(text)
