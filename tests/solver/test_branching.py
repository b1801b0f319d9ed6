"""Parts of a stage: nothing is lost by them, and nothing in them is worth more than they say."""

import numpy as np
import pytest

from solver.branching import LONG, Node, OutOfTime, Tree
from solver.exact import Program, Verdict
from solver.generate import generate
from solver.options import options
from solver.prices import EVERYTHING, Branch
from solver.relaxation import Relaxations
from solver.weights import weights_of


@pytest.fixture(scope="module")
def program() -> Program:
    town = generate(60, 3, 5, kin_share=0.4, places_per_need=0.8)
    return Program(town, options(town), 0)


def tree(program: Program, stage: str, kept: dict[str, int]) -> Tree:
    weights = [weights_of(program.problem, program.options, name) for name in (*kept, stage)]
    return Tree(program, Relaxations(program), weights, list(kept.values()))


def best(program: Program, grown: Tree, only: Branch) -> int | None:
    """What an allocation of a branch gives at most, by integer arithmetic."""
    columns = np.append(~only.closed(program.options), np.ones(len(program.options.supply_class), np.bool_))
    rows = list(zip(grown.weights, grown.kept, strict=False))
    found = program.search(grown.weights[-1], rows, columns, only.must(program.options), 60, exact=True)
    assert found.verdict in (Verdict.OPTIMAL, Verdict.IMPOSSIBLE)
    return None if found.taken is None else int(grown.weights[-1] @ found.taken)


@pytest.mark.parametrize(("stage", "kept"), [("points", {}), ("value", {"tier 1": 9, "points": 1_200})])
def test_parts_hold_all_that_is_better_than_what_is_known(program: Program, stage: str, kept: dict[str, int]) -> None:
    grown = tree(program, stage, kept)
    assert grown.open(EVERYTHING, 10**9, 60)
    most = best(program, grown, EVERYTHING)
    assert most is not None
    split = 0
    while grown.nodes and grown.ceiling >= most:
        node = grown.pop()
        if not grown.branch(node, most - 1, 1, 60):
            assert (best(program, grown, node.only) or 0) <= node.ceiling
            break
        split += 1
        ceilings = [each.ceiling for _, _, each in grown.nodes]
        within = [best(program, grown, each.only) for _, _, each in grown.nodes]
        assert most in within
        assert all(value is None or value <= ceiling for value, ceiling in zip(within, ceilings, strict=True))
    assert split > 0


def test_a_part_without_any_allocation_is_empty(program: Program) -> None:
    grown, choices = tree(program, "value", {}), program.options
    everywhere = tuple(np.flatnonzero(choices.unit == choices.unit[0]).tolist())
    nobody = Branch(taken=everywhere[:1], barred=everywhere)
    assert grown.node(nobody, 10**9, 60) is None or grown.node(nobody, 10**9, 60).ceiling < 0  # type: ignore[union-attr]


def test_what_earlier_stages_cannot_keep_is_worth_less_than_anything(program: Program) -> None:
    grown = tree(program, "value", {"tier 1": 10**6})
    node: Node | None = grown.node(Branch(barred=(0,)), 10**9, 60)
    assert node is not None
    assert node.ceiling < 0


def test_branching_out_of_time_says_so(program: Program) -> None:
    with pytest.raises(OutOfTime):
        tree(program, "points", {}).open(EVERYTHING, 10**9, -1.0)


def test_strides_are_longer_where_refuting_is_easy_and_shorter_where_it_is_hard(program: Program) -> None:
    grown = tree(program, "value", {})
    node = grown.node(EVERYTHING, 10**9, 60)
    assert node is not None
    first = node.stride
    assert first == node.usual > 0

    easy = node.after(node.ceiling - 10, nodes=1)
    assert (easy.ceiling, easy.stride, easy.strides) == (node.ceiling - 10, first, 0)
    twice_easy = easy.after(easy.ceiling - 10, nodes=1)
    assert (twice_easy.stride, twice_easy.strides) == (2 * first, 0)
    harder = twice_easy.after(twice_easy.ceiling - 10, nodes=5)
    assert (harder.stride, harder.strides) == (first, 1)
    hard = harder.after(harder.ceiling - 10, nodes=100)
    assert (hard.stride, hard.strides) == (first // 2, 2)
    assert hard.after(hard.ceiling - 1, nodes=1).stride == first
    assert hard.searched == 4


def test_strides_grow_without_end_where_refuting_stays_easy(program: Program) -> None:
    """Else a value that is stated in cents, or a single one of a million, takes searches by the thousand."""
    grown = tree(program, "value", {})
    node = grown.node(EVERYTHING, 10**9, 60)
    assert node is not None
    usual = node.usual
    for _ in range(LONG):
        node = node.after(node.ceiling - node.stride, nodes=1)
    assert node.stride == 2 * usual
    for doubled in range(1, 11):
        node = node.after(node.ceiling - node.stride, nodes=1)
        assert node.stride == 2 * usual << doubled
    assert node.after(node.ceiling - 1, nodes=100).stride == (usual << 10) // 2


def test_what_was_searched_is_not_branched_any_more(program: Program) -> None:
    grown = tree(program, "points", {})
    assert grown.open(EVERYTHING, 10**9, 60)
    node = grown.pop()
    assert not grown.branch(node.after(node.ceiling - 1, nodes=1), None, 1, 60)
    assert grown.branch(node, None, 1, 60)
