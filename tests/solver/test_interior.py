"""The relaxations: the same optimum as a simplex method, and prices that prove it."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]  # ships no type marker

from solver import Problem
from solver import prices as pricing
from solver.exact import FloatArray, Program
from solver.generate import generate
from solver.interior import ONE_THREAD, Interior, Relaxed
from solver.network import network
from solver.options import options
from solver.problem import NONE
from solver.progress import Deadline
from solver.relaxation import Relaxations
from solver.relaxed_prices import whole
from solver.smoothed import Smoothed
from solver.tables import IntArray
from solver.weights import weights_of

FAMILIES = [
    generate(120, 4, 1, forbidden_share=0.0),
    generate(90, 3, 2, forbidden_share=0.0, kin_share=0.4, anywhere_share=0.0),
    generate(150, 5, 3, forbidden_share=0.0, anywhere_share=1.0, places_per_need=0.7),
]


def columns(town: Problem, interior: Interior, name: str) -> FloatArray:
    """What every column gives a stage."""
    if name == "value":
        return interior.value()
    each = town.households.points if name == "points" else town.households.tier == int(name[5:])
    return interior.weights(interior.network.of_units(each.astype(np.int64)))


def ladder(
    town: Problem, way: Interior | Smoothed, targets: Sequence[int] | None = None
) -> tuple[list[Relaxed], list[int]]:
    """The relaxation of every stage under what those before prove, and what that is, rounded down, unless it is told:
    the columns of a first-order method keep to the rows only nearly."""
    interior = way if isinstance(way, Interior) else way.interior
    rows: list[tuple[FloatArray, int]] = []
    relaxed: list[Relaxed] = []
    for name in town.stages:
        weights = columns(town, interior, name)
        start = relaxed[-1].near if relaxed else None
        relaxed.append(way.maximise(weights, rows, start, Deadline(time.monotonic() + 60)))
        reached = int(float(weights @ relaxed[-1].column) + 1e-3)
        rows.append((weights, reached if targets is None else targets[len(rows)]))
    return relaxed, [least for _, least in rows]


@pytest.mark.parametrize("town", FAMILIES)
def test_every_stage_has_the_optimum_that_a_simplex_finds(town: Problem) -> None:
    """Nobody is forbidden a settlement here: a hub doesn't know of that, and the exact bound does."""
    net = network(town, np.full(len(town.households.id), NONE), np.ones(len(town.households.id), np.bool_))
    interior, choices = Interior(net), options(town)
    simplex = Relaxations(Program(town, choices, 0))
    exact_rows: list[tuple[IntArray, int]] = []
    for name, relaxed in zip(town.stages, ladder(town, interior)[0], strict=True):
        exact_weights = weights_of(town, choices, name)
        expected = simplex.relax(exact_weights, exact_rows, 60)
        assert expected is not None
        optimum = float(exact_weights @ expected.columns)
        assert float(columns(town, interior, name) @ relaxed.column) == pytest.approx(optimum, rel=1e-4, abs=1e-2)
        exact_rows.append((exact_weights, int(optimum + 1e-3)))


@pytest.mark.parametrize("town", FAMILIES)
@pytest.mark.parametrize("less", [0, 1, 7])
def test_a_stage_under_other_targets_is_the_same_from_an_iterate_of_its_own(town: Problem, less: int) -> None:
    net = network(town, np.full(len(town.households.id), NONE), np.ones(len(town.households.id), np.bool_))
    interior = Interior(net)
    relaxed, targets = ladder(town, interior)
    for stage, name in enumerate(town.stages):
        weights = columns(town, interior, name)
        rows = [
            (columns(town, interior, each), least - less)
            for each, least in zip(town.stages[:stage], targets, strict=False)
        ]
        afresh, again = (
            interior.maximise(weights, rows, start, Deadline(time.monotonic() + 60))
            for start in (None, relaxed[stage].near)
        )
        optimum = float(weights @ afresh.column)
        assert float(weights @ again.column) == pytest.approx(optimum, rel=1e-4, abs=1e-2), name


@pytest.mark.parametrize("town", FAMILIES[:2])
def test_a_first_order_method_proves_nearly_as_much(town: Problem) -> None:
    net = network(town, np.full(len(town.households.id), NONE), np.ones(len(town.households.id), np.bool_))
    interior, choices = Interior(net), options(town)
    newton, targets = ladder(town, interior)
    first_order, _ = ladder(town, Smoothed(interior), targets)
    for stage, name in enumerate(town.stages):
        exact_weights = [weights_of(town, choices, each) for each in town.stages[: stage + 1]]
        heaviest = [float(np.abs(each).max()) for each in exact_weights]
        optimum, bound = (
            pricing.bound(
                town, choices, whole(net, relaxed[stage], heaviest, stage), exact_weights, targets[:stage]
            ).floor
            for relaxed in (newton, first_order)
        )
        assert optimum <= bound <= optimum + max(1, 0.03 * optimum), name


@pytest.mark.parametrize("way", [Interior, Smoothed])
def test_past_the_deadline_prices_are_still_prices(way: type[Interior] | type[Smoothed]) -> None:
    town = FAMILIES[0]
    net = network(town, np.full(len(town.households.id), NONE), np.ones(len(town.households.id), np.bool_))
    interior = Interior(net)
    relaxing = interior if way is Interior else Smoothed(interior)
    relaxed = relaxing.maximise(interior.value(), [], None, Deadline(time.monotonic() - 1))
    for prices in (relaxed.house_class, relaxed.unreserved, relaxed.service, relaxed.key):
        assert np.isfinite(prices).all()
        assert (prices >= 0).all()


def test_blas_has_one_thread_until_the_last_of_several_solves_has_ended() -> None:
    def threads() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    before = threads()
    assert before
    with threadpool_limits(limits=2, user_api="blas"), ExitStack() as first, ExitStack() as second:
        first.enter_context(ONE_THREAD)
        second.enter_context(ONE_THREAD)
        first.close()
        assert set(threads()) == {1}
        second.close()
        assert set(threads()) == {2}
    assert threads() == before
