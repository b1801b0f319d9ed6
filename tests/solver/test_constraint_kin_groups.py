"""Rule 5: a kin group is housed whole, in one settlement, or not at all."""

from solver import check, solve
from tests.solver.small import house_class, household, problem, solved, with_assignments

TWO_PLACES = [{"id": "S"}, {"id": "T"}]
KIN = [household(name, kin_group="k", options={"S": 5}, anywhere=1) for name in "ab"]


def test_kin_stay_out_together_where_they_cannot_be_housed_whole() -> None:
    assert solved(problem(KIN)) == {}


def test_kin_go_where_there_is_room_for_all() -> None:
    classes = [house_class("C"), house_class("D", settlement="T", count=2)]
    assert solved(problem(KIN, classes, TWO_PLACES)) == {"a": "D", "b": "D"}


def test_kin_are_not_split_over_settlements() -> None:
    classes = [house_class("C"), house_class("D", settlement="T")]
    assert solved(problem(KIN, classes, TWO_PLACES)) == {}


def test_kin_who_share_no_settlement_are_not_housed() -> None:
    apart = [household("a", kin_group="k"), household("b", kin_group="k", options={"T": 1})]
    classes = [house_class("C", count=2), house_class("D", settlement="T", count=2)]
    assert solved(problem(apart, classes, TWO_PLACES)) == {}


def test_half_a_kin_group_is_found() -> None:
    given = problem(KIN)
    wrong = with_assignments(solve(given), ("a", "C"))
    assert "kin group 'k' is not housed whole in one settlement" in [v.sentence for v in check(given, wrong)]


def test_a_kin_group_in_two_settlements_is_found() -> None:
    given = problem(KIN, [house_class("C"), house_class("D", settlement="T")], TWO_PLACES)
    wrong = with_assignments(solve(given), ("a", "C"), ("b", "D"))
    assert "kin_group" in [found.code for found in check(given, wrong)]
