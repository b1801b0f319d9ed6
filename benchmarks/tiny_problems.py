"""Compares solve with exhaustive search on thousands of random tiny problems, and checks every solution.

python -m benchmarks.tiny_problems [--problems 5000] [--first-seed 0] [--json FILE]
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from solver import Problem, Status, check, solve
from tests.solver.exhaustive import best, tiny_problem


def difference(seed: int) -> tuple[str, str]:
    """What a problem turned out to be (its status and proof), and what is wrong with its solution, if anything."""
    document = tiny_problem(seed)
    problem = Problem.from_dict(document)
    solution = solve(problem)
    expected = best(document)
    proof = "by prices" if all(stage.proof == "prices" for stage in solution.stages) else "by search"
    kind = "infeasible" if solution.status is Status.INFEASIBLE else f"{solution.status.value} {proof}"
    if violations := check(problem, solution):
        return kind, violations[0].sentence
    if expected is None:
        return kind, "" if solution.status is Status.INFEASIBLE else "solved, though the pins contradict"
    achieved = tuple(stage.achieved for stage in solution.stages)
    if solution.status is not Status.OPTIMAL or achieved != expected:
        return kind, f"{solution.status.value} with {achieved}, the best is {expected}"
    return kind, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=5000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    started = time.perf_counter()
    kinds: Counter[str] = Counter()
    differences: dict[int, str] = {}
    for seed in range(options.first_seed, options.first_seed + options.problems):
        kind, wrong = difference(seed)
        kinds[kind] += 1
        if wrong:
            differences[seed] = wrong
    seconds = time.perf_counter() - started
    for kind, count in sorted(kinds.items()):
        print(f"{kind:<22}{count:>8}")
    print(f"{'differences':<22}{len(differences):>8}")
    print(f"{'seconds':<22}{seconds:>8.1f}")
    for seed, wrong in differences.items():
        print(f"seed {seed}: {wrong}", file=sys.stderr)
    if options.json:
        figures = {"problems": options.problems, "kinds": dict(kinds), "differences": differences}
        options.json.write_text(json.dumps(figures | {"seconds": round(seconds, 1)}, indent=2) + "\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
