"""Small problems in the JSON form: one settlement `S`, one class `C` of two bedrooms, unless told otherwise."""

from collections.abc import Sequence
from typing import Any

from solver import Problem, Solution, solve

Row = dict[str, Any]


def house_class(name: str = "C", **fields: Any) -> Row:
    return {"id": name, "settlement": "S", "bedrooms": 2, "step_free": False, "count": 1} | fields


def household(name: str, **fields: Any) -> Row:
    row = {"tier": 1, "points": 0, "bedrooms_min": 2, "bedrooms_max": 2, "needs_step_free": False}
    return {"id": name, "options": {"S": 10}} | row | fields


def document(
    households: Sequence[Row],
    classes: Sequence[Row] = (),
    settlements: Sequence[Row] = (),
    **fields: Any,
) -> Row:
    return {
        "format": "hearth-problem/1",
        "spare_bedroom_penalty": 1,
        "settlements": list(settlements) or [{"id": "S"}],
        "house_classes": list(classes) or [house_class()],
        "profiles": [],
        "households": list(households),
    } | fields


def problem(
    households: Sequence[Row], classes: Sequence[Row] = (), settlements: Sequence[Row] = (), **fields: Any
) -> Problem:
    return Problem.from_dict(document(households, classes, settlements, **fields))


def solved(problem: Problem) -> dict[str, str]:
    """{household: class} of the optimal solution."""
    solution = solve(problem)
    assert solution.status.value == "optimal"
    return dict(solution.assignments)


def with_assignments(solution: Solution, *pairs: tuple[str, str]) -> Solution:
    """The solution with other assignments, all else as it was."""
    document: Row = solution.to_dict()
    document["assignments"] = [{"household": h, "house_class": c} for h, c in pairs]
    return Solution.from_dict(document)
