"""Branch and bound over the kin groups that a relaxation splits.

What relaxations overrate at most is kin: half of a group here, half there. Once it is decided where such groups live,
or do not live, the prices of what is left prove nearly all, and leave little open for an exact search.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from solver import prices as pricing
from solver.exact import FloatArray, Program
from solver.prices import NEVER, Bound, Branch
from solver.relaxation import Impossible, Relaxations
from solver.tables import IntArray


class OutOfTime(Exception):  # noqa: N818 - an event
    """The time limit was reached."""


WHOLE = 1e-6
"""A relaxed placement this close to 0 or 1 is not split."""
PROBES = 4
"""How many placements are tried before a node is branched on the best."""
NODES = 24
"""So many branchings, and no more."""
SPLIT = 20
"""How much value, in hundredths, is lost for each placement that a relaxation splits: the stride of a search. The best
is two or three of them below a ceiling, usually, and what is looked for much further below takes much longer."""
SHORTEST = 3
"""The least stride, but after a hard search."""
EASY, HARD = 1, 32
"""The nodes of a tree up to which a search was easy, and from which on it was hard: then the best is near, and the next
stride is half as long. After two easy ones it is far, and strides are twice as long."""
LONG = 16
"""After so many easy searches in a row a value counts more than here is usual: with each of them strides double."""


@dataclass(frozen=True, eq=False)
class Node:
    """A part of the allocations: nothing in it is worth more than the ceiling.

    bound: D there; split: placements of kin groups that its relaxation leaves between 0 and 1, the most promising
    first; splits: how many placements it leaves so in all; searched: how often the part was searched in vain; strides:
    how often of these not with ease; easy: how often in a row with ease (-1: the last time it was hard);
    doubled: how often the usual stride was, after very many.
    """

    ceiling: int
    only: Branch
    bound: Bound
    split: tuple[int, ...]
    splits: int
    searched: int = 0
    strides: int = 0
    easy: int = 0
    doubled: int = 0

    @property
    def usual(self) -> int:
        """The usual stride below its ceiling in which the best value of the part is looked for."""
        return max(SHORTEST, self.splits * SPLIT // 100) << self.doubled

    @property
    def stride(self) -> int:
        """The next such stride."""
        return self.usual * 2 if self.easy > 1 else self.usual // 2 if self.easy < 0 else self.usual

    def after(self, ceiling: int, nodes: int) -> "Node":
        """The part after a search in vain, whose tree had so many nodes: nothing in it is worth more than `ceiling`."""
        easy = max(self.easy, 0) + 1 if nodes <= EASY else -1 if nodes >= HARD else 0
        strides = self.strides + (nodes > EASY)
        doubled = self.doubled + (easy > LONG)
        return replace(self, ceiling=ceiling, searched=self.searched + 1, strides=strides, easy=easy, doubled=doubled)


class Tree:
    """The open nodes of one stage, the last of `weights` [n + m each], while earlier ones keep `kept`."""

    def __init__(
        self, program: Program, relaxations: Relaxations, weights: Sequence[IntArray], kept: Sequence[int]
    ) -> None:
        self.program, self.relaxations, self.weights, self.kept = program, relaxations, weights, kept
        options = program.options
        self.size = np.bincount(options.unit_of, minlength=len(options.must))
        self.nodes: list[tuple[int, int, Node]] = []
        self.pushed = self.branchings = 0

    def push(self, node: Node) -> None:
        """Opens a node; among equals the first comes out first."""
        heapq.heappush(self.nodes, (-node.ceiling, self.pushed, node))
        self.pushed += 1

    def open(self, only: Branch, ceiling: int, seconds: float) -> bool:
        """Opens a branch; False where no allocation in it keeps what has to be kept. Raises OutOfTime."""
        node = self.node(only, ceiling, seconds)
        if node is not None:
            self.push(node)
        return node is not None

    def pop(self) -> Node:
        """The node that promises most."""
        return heapq.heappop(self.nodes)[2]

    @property
    def ceiling(self) -> int:
        """Nothing in the open nodes is worth more."""
        return -self.nodes[0][0] if self.nodes else NEVER

    def node(self, only: Branch, ceiling: int, seconds: float) -> Node | None:
        """The allocations of a branch; None where there are none. Raises OutOfTime."""
        try:
            rows = list(zip(self.weights, self.kept, strict=False))
            relaxed = self.relaxations.relax(self.weights[-1], rows, seconds, only)
        except Impossible:
            return None
        if relaxed is None:
            raise OutOfTime
        problem, options = self.program.problem, self.program.options
        duals = (relaxed.house_class, relaxed.unreserved, relaxed.service, relaxed.multipliers)
        prices = pricing.rounded(problem, options, *duals, self.weights)
        bound = pricing.bound(problem, options, prices, self.weights, self.kept, only)
        return Node(min(ceiling, bound.floor), only, bound, *self._split(relaxed.columns))

    def _split(self, columns: FloatArray) -> tuple[tuple[int, ...], int]:
        options = self.program.options
        columns = columns[: options.placements]
        size = self.size[options.unit]
        splits = (columns > WHOLE) & (columns < 1 - WHOLE)
        split = np.flatnonzero(splits & (size > 1))
        even = np.round(np.abs(columns[split] - 0.5), 6)
        return tuple(split[np.lexsort((split, even, -size[split]))].tolist()), int(splits.sum())

    def branch(self, node: Node, known: int | None, least_gain: int, seconds: float) -> bool:
        """Splits a node where that lowers its ceiling by so much, and opens what is better than what is known."""
        if self.branchings == NODES or node.searched:
            return False
        known = NEVER if known is None else known
        best: tuple[int, int, list[Node]] | None = None
        for placement in node.split[:PROBES]:
            branches = (
                Branch((*node.only.taken, placement), node.only.barred),
                Branch(node.only.taken, (*node.only.barred, placement)),
            )
            children = [self.node(only, node.ceiling, seconds) for only in branches]
            open_ = [child for child in children if child is not None and child.ceiling > known]
            ceilings = [child.ceiling for child in open_]
            worth = (max(ceilings, default=known), min(ceilings, default=known) if len(open_) > 1 else known)
            if best is None or worth < best[:2]:
                best = (*worth, open_)
            if not open_:
                break
        if best is None or node.ceiling - best[0] < least_gain:
            return False
        for child in best[2]:
            self.push(child)
        self.branchings += 1
        return True
