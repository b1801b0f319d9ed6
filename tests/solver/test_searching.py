"""Searches in processes of their own find what a search in this one finds."""

import time
from functools import partial

import numpy as np
import pytest
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no type marker

from solver import engines
from solver.progress import Cancelled, Deadline
from solver.searching import FloatArray, Searchers, Task, search


def task(capacity: float) -> Task:
    """A knapsack: 3a + 2b + 2c up to a capacity, worth 4, 3 and 2."""
    model = mathopt.Model()
    a, b, c = (model.add_binary_variable() for _ in range(3))
    model.add_linear_constraint(3 * a + 2 * b + 2 * c <= capacity)
    model.maximize(4 * a + 3 * b + 2 * c)
    return Task(model.export_model().SerializeToString(), 100, 0.0, time.monotonic() + 60)


def soon() -> Deadline:
    """A deadline that is not met: from now on, not from when this was imported."""
    return Deadline(time.monotonic() + 600)


def run(searchers: Searchers, tasks: list[Task], deadline: Deadline) -> list[FloatArray | None]:
    return searchers.run([partial(searchers.find, each) for each in tasks], deadline)


CAPACITIES = (2, 3, 5, 7)
FOUND = [[0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_any_number_of_processes_finds_the_same_in_the_same_order(workers: int) -> None:
    with Searchers(workers) as searchers:
        for _ in range(2):
            found = run(searchers, [task(capacity) for capacity in CAPACITIES], soon())
            assert [None if values is None else values.round().tolist() for values in found] == FOUND
        assert len(searchers.children) <= min(workers, len(CAPACITIES))


def test_nothing_is_found_where_nothing_can_be() -> None:
    with Searchers(2) as searchers:
        assert run(searchers, [task(-1), task(-1)], soon()) == [None, None]


def test_nothing_is_found_where_the_engine_loses_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise engines.Failed("numbers beyond its reach")

    monkeypatch.setattr(engines, "solve", lost)
    assert search(task(5)) is None


def test_past_the_deadline_nothing_need_be_found() -> None:
    late = Task(task(2).model, 100, 0.0, time.monotonic() - 1)
    with Searchers(1) as searchers:
        assert len(run(searchers, [late], Deadline(late.deadline))) == 1


def test_a_process_that_was_ended_from_outside_is_an_error() -> None:
    with Searchers(2) as searchers:
        tasks = [task(capacity) for capacity in CAPACITIES]
        run(searchers, tasks, soon())
        for child in searchers.children:
            child.kill()
            child.wait()
        with pytest.raises(OSError, match="ended from outside"):
            run(searchers, tasks, soon())


def test_processes_end_with_those_who_ask() -> None:
    with Searchers(2) as searchers:
        run(searchers, [task(2), task(3)], soon())
    assert all(child.returncode is not None for child in searchers.children)


def hard() -> Task:
    """A market split: no search ends it soon."""
    dice = np.random.default_rng(1)
    model = mathopt.Model()
    picks = [model.add_binary_variable() for _ in range(60)]
    for _ in range(6):
        row = dice.integers(1, 100, 60).tolist()
        short, over = model.add_variable(lb=0), model.add_variable(lb=0)
        amount = mathopt.fast_sum(a * x for a, x in zip(row, picks, strict=True))
        model.add_linear_constraint(amount + short - over == sum(row) // 2)
        model.objective.add_linear(-1 * short - 1 * over)
    model.objective.is_maximize = True
    return Task(model.export_model().SerializeToString(), 10**9, 0.0, time.monotonic() + 600)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_past_its_deadline_is_ended(workers: int) -> None:
    with Searchers(workers) as searchers:
        began = time.monotonic()
        assert run(searchers, [hard()] * 3, Deadline(time.monotonic() + 0.1)) == [None] * 3
        assert time.monotonic() - began < 30


def test_who_waits_may_cancel() -> None:
    def cancel() -> None:
        raise Cancelled

    begun: list[int] = []

    def job(number: int, searchers: Searchers) -> None:
        begun.append(number)
        searchers.find(hard())

    with Searchers(1) as searchers, pytest.raises(Cancelled):
        searchers.run(
            [partial(job, number, searchers) for number in range(3)], Deadline(time.monotonic() + 600, cancel)
        )
    assert begun == [0], "what has not begun is not begun any more"
    assert all(child.returncode is not None for child in searchers.children)
