"""Compiles the loops of large problems, once for a machine, so that no time limit pays for it."""

import time

from solver.generate import generate
from solver.large import Large
from solver.parameters import Parameters
from solver.previous import Before
from solver.progress import Reporter

LONG = 3_600.0
"""Seconds: nothing in so small a problem takes as long."""


def compile_loops() -> None:
    """Solves a small problem as large ones are: what Numba compiles for it is kept for the next process, beside the
    source or in NUMBA_CACHE_DIR. The first time takes half a minute or more, then a few seconds."""
    problem = generate(60, 3, 1)
    stages = Parameters().stages_of(problem)
    before = Before.of(problem, stages, None, None)
    large = Large(problem, stages, before, 1, LONG, Reporter(None, time.monotonic()))
    large.settle(*large.decide())
