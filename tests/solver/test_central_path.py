"""Steps of an interior point method stay inside, and its starts are far enough from the boundary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from solver.central_path import FloatArray, Vectors, corrected, reach

inside = st.floats(1e-9, 1e6)
anywhere = st.floats(-1e6, 1e6)


@st.composite
def vectors(draw: st.DrawFn, size: tuple[int, int], values: st.SearchStrategy[float]) -> Vectors:
    def part(n: int) -> FloatArray:
        return draw(arrays(np.float64, n, elements=values))

    columns, rows = size
    return Vectors(part(columns), part(rows), part(rows), part(columns))


sizes = st.shared(st.tuples(st.integers(1, 6), st.integers(1, 6)))
points = sizes.flatmap(lambda size: vectors(size, inside))
steps = sizes.flatmap(lambda size: vectors(size, anywhere))


@given(points, steps, steps, st.floats(0, 1))
def test_a_step_stays_inside_and_reaches_as_far_as_its_whole_correction_lets_it(
    at: Vectors, step: Vectors, correction: Vectors, least: float
) -> None:
    best, reached = corrected(at, step, correction, least)
    assert all((part > 0).all() for part in at.moved(best, *reached))
    whole = reach(at, step.moved(correction, 1.0, 1.0))
    assert reached[0] >= whole[0] * (1 - 1e-9)
    assert reached[1] >= whole[1] * (1 - 1e-9)
    assert max(reached) <= 1


@given(points, st.floats(1e-12, 1e3), st.floats(1, 1e4))
def test_what_is_near_the_boundary_is_raised_and_nothing_else_is_moved(at: Vectors, least: float, scale: float) -> None:
    centred = at.centred(scale, least)
    pairs = (at.column, at.reduced, centred.column, centred.reduced), (at.slack, at.price, centred.slack, centred.price)
    for v, w, a, b in pairs:
        assert (a * b >= least * (1 - 1e-9)).all()
        enough = v * w >= least * (1 + 1e-9)
        assert a[enough] == pytest.approx(v[enough])
        assert b[enough] == pytest.approx(w[enough])
        assert (a >= v * (1 - 1e-12)).all()
        assert (b >= w * (1 - 1e-12)).all()
