"""Sharing out the houses of a settlement among those who are placed there."""

import numpy as np

from solver import Problem
from solver.options import options
from solver.problem import NONE
from solver.seating import deal, seat
from tests.solver.small import Row, house_class, household, problem

CLASSES = [
    house_class("large", bedrooms=3, count=2),
    house_class("right", bedrooms=2, count=1),
    house_class("step-free", bedrooms=2, step_free=True, reserved=1),
]


def seated(given: Problem) -> dict[str, str] | None:
    """{household: class} where all placements are taken; None where the houses are too few."""
    choices = options(given)
    classes = given.house_classes
    placed = np.ones(choices.placements, np.bool_)
    taken = seat(classes.count, classes.count - classes.reserved, choices, placed)
    if taken is None:
        return None
    house_class = deal(choices, taken)
    assert (house_class != NONE).all()
    ids = given.house_classes.id[house_class].tolist()
    return dict(zip(given.households.id.tolist(), ids, strict=True))


def people(*names: str, **fields: object) -> list[Row]:
    return [household(name, bedrooms_max=3, **fields) for name in names]


def test_spare_bedrooms_are_as_few_as_can_be() -> None:
    given = seated(problem([*people("a", "b"), household("c", bedrooms_min=3, bedrooms_max=3)], CLASSES))
    assert given is not None
    assert given.pop("c") == "large"
    assert sorted(given.values()) == ["large", "right"]


def test_the_reserved_house_goes_to_who_needs_it() -> None:
    given = seated(problem([*people("a", "b", "c"), *people("d", needs_step_free=True)], CLASSES))
    assert given is not None
    assert given["d"] == "step-free"


def test_too_few_houses() -> None:
    assert seated(problem(people("a", "b", "c", "d"), CLASSES)) is None


def test_kin_share_one_placement() -> None:
    given = problem(people("a", "b", kin_group="k"), CLASSES)
    assert options(given).placements == 1
    assert seated(given) is not None


def test_kin_have_a_placement_only_where_all_of_them_have_an_option() -> None:
    classes = [*CLASSES, house_class("far", settlement="T")]
    rows = [
        household("a", kin_group="k", options={"S": 1, "T": 1}),
        household("b", kin_group="k", options={"T": 1}),
    ]
    given = options(problem(rows, classes, [{"id": "S"}, {"id": "T"}]))
    assert given.settlement.tolist() == [1]
