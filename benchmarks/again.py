"""What a small change costs to solve again: from scratch, from the solution before it, and with the fewest moves.

    python -m benchmarks.again 300/6 1000/20 10000/100 [--seeds 1 2] [--time-limit 60] [--json FILE]

Sizes are households/settlements. Three changes, each alone: one more house of a class; one household may no longer live
in the settlement where it was housed; one application of tier 1 comes late. Moves: how many of those who were housed
before are in another class, or in none. Seconds are of `solve` alone; every solution is checked.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.solver import size
from benchmarks.stress import Instance
from benchmarks.tables import Table
from benchmarks.wanted import gap_text, time_limit
from solver import Parameters, Problem, Solution, changes, check, solve

Row = dict[str, Any]


def one_more_house(problem: Problem, solution: Solution) -> Problem:
    """Of the class that most households were given."""
    given = [house_class for _, house_class in solution.assignments]
    return changes.with_houses(problem, max(sorted(set(given)), key=given.count))


def refusal(problem: Problem, solution: Solution) -> Problem:
    """The settlement of the first household that was housed, has no kin and is not pinned is forbidden to it."""
    document: Any = problem.to_dict()
    rows: dict[str, Row] = {row["id"]: row for row in document["households"]}
    places: dict[str, str] = {row["id"]: row["settlement"] for row in document["house_classes"]}
    free = ((rows[name], c) for name, c in solution.assignments if not rows[name].keys() & {"kin_group", "pinned"})
    row, house_class = next(free)
    row["forbidden"] = sorted({*row.get("forbidden", []), places[house_class]})
    return Problem.from_dict(document)


def late_application(problem: Problem, solution: Solution) -> Problem:
    """One like the first that was housed, of tier 1 and alone."""
    document: Any = problem.to_dict()
    first = next(iter(solution.assignments))[0]
    like = next(row for row in document["households"] if row["id"] == first)
    late = {key: value for key, value in like.items() if key not in ("kin_group", "pinned")}
    document["households"].append(late | {"id": "late", "tier": 1, "lottery": len(document["households"]) + 1})
    return Problem.from_dict(document)


CHANGES: dict[str, Callable[[Problem, Solution], Problem]] = {
    "one more house": one_more_house,
    "a refusal": refusal,
    "a late application": late_application,
}


def timed(problem: Problem, parameters: Parameters, previous: Solution | None) -> tuple[float, Solution]:
    """Ends the program where the solution does not pass the checker."""
    started = time.perf_counter()
    solution = solve(problem, parameters, previous=previous)
    seconds = time.perf_counter() - started
    for violation in check(problem, solution, parameters.stages):
        raise SystemExit(f"{violation.code}: {violation.sentence}")
    return seconds, solution


def moves(before: Solution, after: Solution) -> int:
    """How many of those who were housed are elsewhere now, or nowhere."""
    return len(set(before.assignments) - set(after.assignments))


def figures(how: str, seconds: float, before: Solution, after: Solution) -> Row:
    stages = [{"name": stage.name, "achieved": stage.achieved, "bound": stage.bound} for stage in after.stages]
    status = after.status.value
    return {"how": how, "seconds": seconds, "status": status, "moves": moves(before, after), "stages": stages}


def measure(instance: Instance, parameters: Parameters) -> list[Row]:
    """Every change of an instance, solved in each way."""
    problem = instance.problem()
    seconds, before = timed(problem, parameters, None)
    found = [{"instance": str(instance), "change": "none"} | figures("from scratch", seconds, before, before)]
    fewest = (*problem.stages[:-1], "keep", "value")
    for name, change in CHANGES.items():
        changed = change(problem, before)
        for how, stages, previous in (
            ("from scratch", None, None),
            ("from before", None, before),
            ("fewest moves", fewest, before),
        ):
            decided = Parameters(stages, parameters.time_limit_seconds, threads=parameters.threads)
            seconds, after = timed(changed, decided, previous)
            found.append({"instance": str(instance), "change": name} | figures(how, seconds, before, after))
    return found


def table(rows: list[Row]) -> Table:
    """One line a solve; the largest gap is that of the worst stage, per cent of its bound."""
    made = Table(rows[0]["instance"], ("change", "how", "seconds", "status", "largest gap", "moves"))
    for row in rows:
        gaps = [(stage["bound"] - stage["achieved"], max(abs(stage["bound"]), 1), stage) for stage in row["stages"]]
        gap, _, stage = max(gaps, key=lambda entry: entry[0] / entry[1])
        text = f"{stage['name']}: {gap_text(stage['achieved'], stage['bound'])}" if gap else "none"
        made.rows.append((row["change"], row["how"], f"{row['seconds']:.2f}", row["status"], text, f"{row['moves']:,}"))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=size, nargs="+", metavar="HOUSEHOLDS/SETTLEMENTS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="(60, or what the size must keep to)")
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    out, found = Console(highlight=False, soft_wrap=True), []
    for households, settlements in options.sizes:
        limit = options.time_limit or time_limit(households)
        for seed in options.seeds:
            instance = Instance("default", households, settlements, seed)
            rows = measure(instance, Parameters(time_limit_seconds=limit, threads=options.threads))
            found += rows
            out.print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
