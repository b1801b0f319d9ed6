"""What becomes of a problem that is searched for its optimum when the time doesn't suffice for a proof."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from solver import Cancelled, Parameters, Problem, Progress, Solution, Status, check, solve
from solver.compiling import compile_loops
from solver.generate import generate

SECONDS = 8
"""More than what is looked for here takes."""


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """No time limit pays for it."""
    compile_loops()


@pytest.fixture(scope="module")
def town() -> Problem:
    return generate(300, 6, 3, kin_share=0.3, places_per_need=0.8, pinned_share=0.1)


@pytest.fixture
def _nothing_is_proven() -> Iterator[None]:
    """All of the time is kept back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[solve.__module__], "_kept_back", lambda limit, _: limit)
        yield


def achieved(solution: Solution) -> list[int]:
    return [stage.achieved for stage in solution.stages]


@pytest.mark.usefixtures("_nothing_is_proven")
def test_what_is_kept_back_of_the_time_goes_into_a_better_allocation(town: Problem) -> None:
    at_once = solve(town, Parameters(time_limit_seconds=1e-6))
    found = solve(town, Parameters(time_limit_seconds=SECONDS))
    assert found.status is Status.FEASIBLE
    assert check(town, found) == check(town, at_once) == []
    assert achieved(found) > achieved(at_once)
    pinned = np.flatnonzero(town.households.pinned >= 0)
    assert len(pinned)
    assert set(town.households.id[pinned].tolist()) <= set(found.assignments.household.tolist())


@pytest.mark.usefixtures("_nothing_is_proven")
@pytest.mark.parametrize("stages", [("value", "points"), ("tier 1", "keep", "points", "value")])
def test_in_another_order_of_stages_too(town: Problem, stages: tuple[str, ...]) -> None:
    before = solve(town, Parameters(time_limit_seconds=1e-6))
    found = solve(town, Parameters(time_limit_seconds=SECONDS, stages=stages), previous=before)
    assert check(town, found, stages) == []
    assert achieved(found) > achieved(solve(town, Parameters(time_limit_seconds=1e-6, stages=stages), previous=before))


@pytest.mark.usefixtures("_nothing_is_proven")
def test_who_is_proven_to_be_housed_stays_so_and_lives_better() -> None:
    town = generate(300, 6, 1, kin_share=0.0, places_per_need=1.5)
    *who, value = town.stages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[solve.__module__], "_kept_back", lambda *_: 0.0)
        before = solve(town, Parameters(stages=tuple(who)))
    assert before.status is Status.OPTIMAL
    at_once = solve(town, Parameters(time_limit_seconds=1e-6), previous=before)
    found = solve(town, Parameters(time_limit_seconds=SECONDS), previous=before)
    assert check(town, found) == []
    assert found.stages[-1].name == value
    assert achieved(found)[:-1] == achieved(before) == achieved(at_once)[:-1]
    assert set(found.assignments.household.tolist()) == set(before.assignments.household.tolist())
    assert achieved(found)[-1] > achieved(at_once)[-1]


@pytest.mark.usefixtures("_nothing_is_proven")
def test_a_cancelled_solve_ends_then_too(town: Problem) -> None:
    calls = 0

    def enough(_: Progress) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:  # the first says what is open when the rest of the time begins
            raise Cancelled

    assert solve(town, Parameters(time_limit_seconds=SECONDS), enough).status is Status.CANCELLED
