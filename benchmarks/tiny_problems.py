"""Compares solve with exhaustive search on thousands of random tiny problems, and checks every solution.

python -m benchmarks.tiny_problems [--problems 5000] [--first-seed 0] [--json FILE]
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from solver import Parameters, Problem, Solution, Status, check, solve
from solver.objectives import Objective
from solver.solution import Assignments
from tests.solver.exhaustive import best, best_in_order, tiny_problem, tiny_stages


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


def difference_in_order(seed: int) -> tuple[str, str]:
    """The same with random stages: sums, some that later ones may undercut, and `keep` anywhere among them; from
    scratch and from a previous solution."""
    document = tiny_problem(seed)
    problem = Problem.from_dict(document)
    described, before = tiny_stages(seed, document)
    stages = tuple(Objective(f"stage {j}", terms, lose) for j, (terms, lose) in enumerate(described))
    households = sorted(before)
    homes = Assignments(np.array(households, np.str_), np.array([before[h] for h in households], np.str_))
    expected = best_in_order(document, described, before)
    parameters = Parameters(stages=stages)
    solutions: list[Solution] = [solve(problem, parameters, homes=homes)]
    solutions.append(solve(problem, parameters, previous=solve(problem), homes=homes))
    solutions.append(solve(problem, parameters, previous=solutions[0], homes=homes))
    for solution in solutions:
        if violations := check(problem, solution, stages):
            return "wrong", violations[0].sentence
        if expected is None:
            if solution.status is not Status.INFEASIBLE:
                return "wrong", "solved, though the pins contradict"
            continue
        achieved = tuple(stage.achieved for stage in solution.stages)
        final = tuple(stage.achieved if stage.final is None else stage.final for stage in solution.stages)
        if solution.status is not Status.OPTIMAL or achieved != expected[0] or final not in expected[1]:
            return "wrong", f"{solution.status.value} with {achieved} and {final}, the best is {expected[0]}"
    keeps = "keep" if any(stage.keeps for stage in stages) else "no keep"
    return "infeasible" if expected is None else keeps, ""


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
        for compare in (difference, difference_in_order):
            kind, wrong = compare(seed)
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
