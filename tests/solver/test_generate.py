"""Generated instances are valid, feasible and shaped as asked for."""

import numpy as np
import pytest

from solver import Status, check, solve
from solver.generate import generate


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"kin_share": 0.0, "profiles": 0},
        {"kin_share": 0.5, "places_per_need": 0.3},
        {"pinned_share": 0.9, "tiers": 1, "most_points": 0},
        {"anywhere_share": 1.0, "forbidden_share": 1.0},
    ],
)
@pytest.mark.parametrize(("households", "settlements"), [(0, 1), (1, 1), (60, 4)])
def test_every_instance_is_solved(households: int, settlements: int, shape: dict[str, float]) -> None:
    town = generate(households, settlements, 5, **shape)  # type: ignore[arg-type]  # shares and counts alike
    solution = solve(town)
    assert solution.status is Status.OPTIMAL
    assert check(town, solution) == []


def test_the_shape_is_what_was_asked_for() -> None:
    town = generate(4000, 10, 3, kin_share=0.2, anywhere_share=0.5, pinned_share=0.1, tiers=4)
    households = town.households
    assert town.house_classes.count.sum() == round(4000 / 1.3)
    assert town.tiers == 4
    assert abs(np.mean(households.kin_group >= 0) - 0.2) < 0.01
    assert abs(np.mean(households.has_anywhere) - 0.5) < 0.03
    assert 0.01 < np.mean(households.pinned >= 0) <= 0.12
    assert sorted(households.lottery.tolist()) == list(range(1, 4001))
    sizes = np.bincount(households.kin_group[households.kin_group >= 0])
    assert set(sizes.tolist()) <= {2, 3, 4}


@pytest.mark.parametrize(("households", "settlements", "tiers"), [(-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_impossible_shape_is_refused(households: int, settlements: int, tiers: int) -> None:
    with pytest.raises(ValueError, match="no fewer than"):
        generate(households, settlements, 1, tiers=tiers)
