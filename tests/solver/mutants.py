"""A solution in its JSON form with one thing changed: each may be wrong in its own way."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from solver.solution import Assignments
from tests.solver.exhaustive import Row
from tests.solver.recomputed import Recomputed


def put(document: Any, path: Sequence[str | int], to: object) -> Any:
    """The JSON document with one place changed; all else is shared."""
    key, *rest = path
    copy = document.copy()
    copy[key] = put(document[key], rest, to) if rest else to
    return copy


def numbers(document: Any, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Every integer of a JSON document, and where it is."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in entries:
        if isinstance(value, dict | list):
            yield from numbers(value, *path, key)
        elif type(value) is int:
            yield (*path, key), value


def assignments(given: dict[str, str]) -> Assignments:
    households = sorted(given)
    return Assignments(np.array(households, np.str_), np.array([given[h] for h in households], np.str_))


def mutants(town: Recomputed, document: Row) -> Iterator[Row]:
    """The solution with one assignment, number, name or price changed, dropped or added."""
    yield from (document | {"assignments": pairs} for pairs in other_assignments(town, document["assignments"]))
    for path, value in numbers(document["stages"]):
        yield from (put(document, ["stages", *path], value + step) for step in (-1, 1))
    for path, value in numbers(document["certificate"]):
        yield from (put(document, ["certificate", *path], to) for to in {value + 1, value - 1, 0, 3 * value} - {value})
    for i, stage in enumerate(document["certificate"]["stages"]):
        for part in ("prices", "multipliers"):
            for k in range(len(stage[part])):
                yield put(document, ["certificate", "stages", i, part], stage[part][:k] + stage[part][k + 1 :])
        for price in resources(town):
            yield put(document, ["certificate", "stages", i, "prices"], [*stage["prices"], price])
    for i in range(len(document["stages"])):
        yield from (put(document, ["stages", i, "scope"], scope) for scope in ("any", "housed"))
        yield from (put(document, ["stages", i, "proof"], proof) for proof in ("prices", "search"))
    yield from (document | {"status": status} for status in ("optimal", "feasible"))
    yield put(document, ["statistics", "problem_sha256"], "0" * 64)


def mutants_of_stages(town: Recomputed, document: Row) -> Iterator[Row]:
    """The solution with what a stage counts, keeps or is witnessed by changed, or what `keep` counts."""
    if "previous" in document:
        yield from (document | {"previous": pairs} for pairs in other_assignments(town, document["previous"]))
        yield {key: value for key, value in document.items() if key != "previous"}
    for i, stage in enumerate(document["stages"]):
        for key in ("terms", "required", "final", "witness"):
            if key in stage:
                yield put(document, ["stages", i], {k: value for k, value in stage.items() if k != key})
        yield put(document, ["stages", i, "terms"], stage.get("terms", {stage["name"]: 1}) | {"points": 9})
        for witness in other_assignments(town, stage.get("witness", [])):
            yield put(document, ["stages", i, "witness"], witness)


def other_assignments(town: Recomputed, pairs: list[Row]) -> Iterator[list[Row]]:
    housed = {row["household"] for row in pairs}
    for i, row in enumerate(pairs):
        others = (row | {"house_class": other} for other in town.classes if other != row.get("house_class"))
        yield from ([*pairs[:i], other, *pairs[i + 1 :]] for other in others)
        yield pairs[:i] + pairs[i + 1 :]
        yield [*pairs[:i], row, *pairs[i:]]
        yield [*pairs[:i], *pairs[i + 1 :], row]
    for name in sorted(town.households.keys() - housed):
        for house_class in town.classes:
            more = [*pairs, {"household": name, "house_class": house_class}]
            yield sorted(more, key=lambda row: str(row["household"]))


def resources(town: Recomputed) -> Iterator[Row]:
    """A price of 2 on everything, whether it is scarce or not."""
    for name in town.classes:
        yield from ({"kind": kind, "class": name, "price": 2} for kind in ("class", "unreserved"))
    for place in town.problem["settlements"]:
        for service in ("clinic", "school"):
            yield {"kind": "service", "settlement": place["id"], "service": service, "price": 2}
