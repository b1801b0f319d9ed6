"""The same problem and seed give the same bytes: in another order of rows, with more threads, in another process."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solver import Parameters, Problem, Solution, solve
from solver.generate import generate
from tests.solver.exhaustive import tiny_problem


@pytest.fixture(scope="module")
def town() -> Problem:
    return generate(220, 3, 3, kin_share=0.2, places_per_need=0.8)


@pytest.fixture(scope="module")
def expected(town: Problem) -> bytes:
    return solve(town).canonical_bytes()


def shuffled(problem: Problem, seed: int) -> Problem:
    """The same rows in another order, and their fields too."""
    dice = random.Random(seed)

    def mix(value: Any) -> Any:
        if isinstance(value, dict):
            keys = dice.sample(sorted(value), len(value))
            return {key: mix(value[key]) for key in keys}
        return dice.sample([mix(entry) for entry in value], len(value)) if isinstance(value, list) else value

    return Problem.from_dict(mix(problem.to_dict()))


@pytest.mark.parametrize("seed", [1, 2])
def test_another_order_of_rows(town: Problem, expected: bytes, seed: int) -> None:
    other = shuffled(town, seed)
    assert other.to_json() == town.to_json()
    assert solve(other).canonical_bytes() == expected


def test_another_number_of_threads(town: Problem, expected: bytes) -> None:
    assert solve(town, Parameters(threads=2)).canonical_bytes() == expected


def test_another_process(town: Problem, expected: bytes, tmp_path: Path) -> None:
    problem, solution = tmp_path / "problem.json", tmp_path / "solution.json"
    problem.write_text(town.to_json())
    subprocess.run([sys.executable, "-m", "solver", "solve", problem, "-o", solution], check=True)
    assert Solution.from_json(solution.read_bytes()).canonical_bytes() == expected


def test_every_tiny_problem_in_another_order_of_rows() -> None:
    for seed in range(40):
        tiny = Problem.from_dict(tiny_problem(seed))
        assert solve(shuffled(tiny, seed)).canonical_bytes() == solve(tiny).canonical_bytes()


def test_generated_instances_are_the_same_for_the_same_seed() -> None:
    assert generate(50, 2, 9) == generate(50, 2, 9)
    assert generate(50, 2, 9) != generate(50, 2, 10)
