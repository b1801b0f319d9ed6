"""General solvers, told the model, find what exhaustive search finds; and their limits hold."""

from typing import Any

import pytest

from benchmarks import peers
from benchmarks.engines import ENGINES
from benchmarks.stress import Instance
from solver import Problem
from solver.problem import NONE
from tests.solver.exhaustive import best, tiny_problem

SECONDS = 60.0


def last(problem: Problem, peer: str) -> tuple[str, tuple[int, ...], dict[str, int]]:
    """The status of the last state, what the stages achieved, and the rules that the allocation breaks."""
    state, given = list(peers.attempt(problem, peer, SECONDS))[-1]
    if given is None:
        return state["status"], (), {}
    achieved = {stage["name"]: stage["achieved"] for stage in state["stages"]}
    return state["status"], tuple(achieved.values()), peers.broken_rules(problem, given, achieved)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("peer", ENGINES)
def test_a_peer_finds_the_optimum_of_exhaustive_search(peer: str, seed: int) -> None:
    document = tiny_problem(seed)
    expected = best(document)
    found = last(Problem.from_dict(document), peer)
    assert found == (("infeasible", (), {}) if expected is None else ("optimal", expected, {}))


def without_services_and_kin(document: dict[str, Any]) -> dict[str, Any]:
    settlements = [{"id": row["id"]} for row in document["settlements"]]
    households = [row | {"kin_group": None, "uses": {}} for row in document["households"]]
    return document | {"settlements": settlements, "households": households}


def test_an_assignment_is_the_optimum_where_there_are_no_services_and_no_kin() -> None:
    compared = 0
    for seed in range(300):
        document = without_services_and_kin(tiny_problem(seed))
        expected = best(document)
        if expected is not None:
            assert last(Problem.from_dict(document), peers.ASSIGNMENT) == (peers.WITHOUT, expected, {}), seed
            compared += 1
    assert compared > 200


def test_an_assignment_breaks_what_it_cannot_say() -> None:
    _, _, breaks = last(Instance("default", 100, 3, 1).problem(), peers.ASSIGNMENT)
    assert breaks.keys() == {"kin_group", "service"}


def test_without_time_nothing_is_reached() -> None:
    steps = list(peers.attempt(Instance("default", 30, 2, 1).problem(), "highs-classes", 1e-9))
    state, given = steps[-1]
    assert given is None
    assert state["status"] == "time"
    assert {stage["status"] for stage in state["stages"][1:]} == {"not reached"}


def test_every_broken_rule_is_counted() -> None:
    problem = Instance("default", 30, 2, 1).problem()
    step = list(peers.attempt(problem, "highs-classes", SECONDS))[-1]
    state, given = step
    assert given is not None
    achieved = {stage["name"]: stage["achieved"] for stage in state["stages"]}
    given[given != NONE] = given[given != NONE][0]
    assert {"class", "bedrooms", "achieved"} <= peers.broken_rules(problem, given, achieved).keys()


def test_a_process_reports_its_last_state_and_memory() -> None:
    state = peers.run(Instance("default", 30, 2, 1), "highs-classes", SECONDS, peers.MEMORY_GB)
    assert (state["peer"], state["status"], state["breaks"]) == ("highs-classes", "optimal", {})
    assert [stage["status"] for stage in state["stages"]] == ["optimal"] * 7
    assert state["peak_memory_mb"] > 50


def test_a_process_that_needs_too_much_memory_says_so() -> None:
    state = peers.run(Instance("default", 20_000, 2, 1), peers.ASSIGNMENT, SECONDS, 1.0)
    assert (state["status"], state["stages"], state["breaks"]) == ("out of memory", [], None)
    assert state["seconds"] > 0


def test_a_process_that_does_not_look_at_the_clock_is_ended() -> None:
    state = peers.run(Instance("default", 3_000, 2, 1), peers.ASSIGNMENT, 0.001 - peers.GRACE_SECONDS, peers.MEMORY_GB)
    assert (state["status"], state["stages"], state["breaks"]) == ("did not stop in time", [], None)


def test_a_process_that_fails_says_why() -> None:
    state = peers.run(Instance("default", 0, 0, 1), peers.ASSIGNMENT, SECONDS, peers.MEMORY_GB)
    assert state["status"].startswith("failed with 1: ValueError: needs no fewer than 0 households")
