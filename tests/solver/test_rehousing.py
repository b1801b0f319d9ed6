"""Windows of settlements among which families move when time runs out."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solver.options import options
from solver.rehousing import neighbours, windows
from tests.solver.small import house_class, household, problem


@given(st.permutations(range(30)).flatmap(lambda order: st.integers(1, 30).map(lambda n: order[:n])))
def test_windows_grow_until_they_hold_every_settlement(order: list[int]) -> None:
    seen = [window.tolist() for window in windows(np.array(order))]
    assert seen[-1] == order
    assert all(set(window) <= set(order) for window in seen)
    smallest = [window for window in seen if len(window) <= len(seen[0])]
    assert set().union(*smallest) == set(order)


def test_neighbours_stand_next_to_each_other() -> None:
    """A chain of settlements, each of whose families would live in the next one too."""
    chain = ["S3", "S0", "S4", "S1", "S2"]
    people = [household(f"h{a}", options={a: 9, b: 8}) for a, b in pairwise(chain)]
    classes = [house_class(f"C{name}", settlement=name) for name in chain]
    town = problem(people, classes, [{"id": name} for name in sorted(chain)])
    order = [town.settlements.id[i] for i in neighbours(options(town), 5)]
    assert order in (chain, chain[::-1])
