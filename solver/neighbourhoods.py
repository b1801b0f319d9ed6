"""Exact search on a few neighbouring settlements at a time, over what prices leave open."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from solver.exact import Block, linear_model
from solver.interior import Relaxed
from solver.network import Network
from solver.options import Options
from solver.problem import NONE, UNLIMITED
from solver.tables import BoolArray, IntArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Aim:
    """What a household's place is worth: of_unit [U] wherever it lives, `value` times its value there, and `keep` where
    it stays."""

    of_unit: FloatArray
    value: float
    keep: float = 0.0

    def of(self, network: Network, unit: IntArray, settlement: IntArray, wish: IntArray) -> FloatArray:
        """Of placements [n], houses apart."""
        worth: FloatArray = self.of_unit[unit] + self.value * wish
        return worth + self.keep * network.staying(unit, settlement) if self.keep else worth


@dataclass(frozen=True, eq=False)
class Losses:
    """What it would cost, by the prices of a relaxation, to leave the best: its aim, prices, and the best [U]."""

    network: Network
    aim: Aim
    key: FloatArray
    service: FloatArray
    best: FloatArray

    @classmethod
    def of(cls, network: Network, aim: Aim, relaxed: Relaxed) -> "Losses":
        best = np.zeros(network.units)
        service = relaxed.service
        made = cls(network, aim, relaxed.key, service, best)
        hub = np.full(network.hubs, -np.inf)
        np.maximum.at(hub, network.way_hub, made.of_ways())
        entering = np.flatnonzero(network.hub_of != NONE)
        through = aim.of_unit[entering] + aim.value * network.hub_wish[entering] + hub[network.hub_of[entering]]
        np.maximum.at(best, entering, through)
        np.maximum.at(best, network.unit, made.of_direct())
        return made

    def of_ways(self) -> FloatArray:
        """What a way gives but for the unit itself."""
        network = self.network
        charge = np.einsum("wk,wk->w", self.service[network.way_settlement], network.hub_uses[network.way_hub])
        gain: FloatArray = self.aim.value * network.way_wish - self.key[network.way_key] - charge
        return gain

    def of_direct(self) -> FloatArray:
        return self._scores(self.network)

    def loss(self, options: Options) -> FloatArray:
        loss: FloatArray = self.best[options.unit] - self._scores(options)
        return loss

    def charges(self, placements: Options | Network) -> tuple[FloatArray, FloatArray]:
        """What prices charge for placements: the houses that they take, and their places."""
        seats: FloatArray = placements.seat_count * self.key[placements.seat_key]
        houses = np.bincount(placements.seat_placement, seats, len(placements.unit)).astype(np.float64)
        uses = self.network.uses[placements.unit]
        places: FloatArray = np.einsum("nk,nk->n", self.service[placements.settlement], uses)
        return houses, places

    def _scores(self, placements: Options | Network) -> FloatArray:
        houses, places = self.charges(placements)
        gain = self.aim.of(self.network, placements.unit, placements.settlement, placements.wish)
        scores: FloatArray = gain - houses - places
        return scores


def order_of_neighbours(network: Network) -> IntArray:
    """Settlements in an order that keeps together those that the same units ask for."""
    ones = np.ones(len(network.unit))
    asks = scipy.sparse.csr_matrix((ones, (network.unit, network.settlement)), (network.units, network.settlements))
    shared = (asks.T @ asks).tocsr()
    return scipy.sparse.csgraph.reverse_cuthill_mckee(shared, symmetric_mode=True).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A search in some settlements: its model, the placements that its first variables stand for, and who may move."""

    model: bytes
    unit: IntArray
    settlement: IntArray
    open: BoolArray

    def moves(self, at: IntArray, values: FloatArray | None) -> tuple[IntArray, IntArray]:
        """Which units move, and where to (NONE: out), by the values that a search found."""
        if values is None:
            nothing = np.zeros(0, np.int64)
            return nothing, nothing
        taken = values[: len(self.unit)] > 0.5
        to = np.where(self.open, NONE, at)
        to[self.unit[taken]] = self.settlement[taken]
        moved = np.flatnonzero(to != at)
        return moved, to[moved]


def neighbourhood(
    network: Network,
    at: IntArray,
    group: IntArray,
    guests: BoolArray,
    movable: BoolArray,
    aim: Aim,
    losses: Losses,
    most_columns: int,
    *,
    keep: bool,
    most_loss: float = np.inf,
    floors: Sequence[tuple[Aim, float]] = (),
) -> Neighbourhood | None:
    """The exact problem of some settlements [g] beside what is fixed there; None where nothing is open.

    guests [U]: units without a place that may come. movable [U]: who may move at all. Open are the placements of these
    that lose least, `most_columns` of them, and none that loses more than `most_loss`; the others stay as they are.
    keep: who has a place there gets one. floors: what must not fall by more than so much.
    """
    inside = np.zeros(network.settlements, np.bool_)
    inside[group] = True
    here = (at != NONE) & inside[np.maximum(at, 0)]
    unit, settlement, wish = network.placements((here | guests) & movable, np.flatnonzero(inside))
    order = np.lexsort((settlement, unit))
    options = network.options(unit[order], settlement[order], wish[order])
    current = at[options.unit] == options.settlement
    loss = losses.loss(options)
    others = loss[~current] if keep else np.concatenate([loss[~current], losses.best[here & movable]])
    if not len(others):
        return None
    most = np.partition(others, most_columns - 1)[most_columns - 1] if len(others) > most_columns else others.max()
    most = min(most, most_loss)
    moves = ~current & (loss <= most)
    may_leave = here & movable & (losses.best <= most) & (not keep)
    opened = may_leave.copy()
    opened[options.unit[moves]] = True
    columns = opened[options.unit] & (moves | current)
    must = here & opened & ~may_leave
    rows = [_floor(network, options, columns, columns & current, *each) for each in floors]
    model = _model(network, options, columns, must, here & ~opened, at, inside, aim, rows)
    return Neighbourhood(model, options.unit[columns], options.settlement[columns], here & opened)


def _model(
    network: Network,
    options: Options,
    columns: BoolArray,
    must: BoolArray,
    fixed: BoolArray,
    at: IntArray,
    inside: BoolArray,
    aim: Aim,
    rows: Sequence[Block],
) -> bytes:
    """Some placements, and the supplies of the settlements inside; weights are whole, which the search thanks us."""
    n = options.placements
    supplies = n + np.arange(len(network.supply_key))
    own = inside[network.supply_key // network.needs]
    both = np.concatenate([columns, own])
    households = np.flatnonzero(network.free & fixed[network.unit_of])
    keys = at[network.unit_of[households]] * network.needs + network.need_of[households]
    demand = np.bincount(keys, minlength=network.settlements * network.needs).astype(np.float64)
    places = np.where(network.places == UNLIMITED, np.inf, network.places)
    settled = np.flatnonzero(fixed)
    np.subtract.at(places, at[settled], network.uses[settled])
    use = options.uses[options.unit]
    entry, service = np.nonzero((use > 0) & columns[:, None])
    free_arm = np.full(len(demand), -np.inf)
    limited = network.limited
    blocks = [
        Block(
            options.unit,
            np.arange(n),
            np.ones(n, np.int64),
            np.where(must, 1.0, 0.0),
            np.ones(network.units),
        ),
        Block(
            np.concatenate([options.seat_key, network.supply_key]),
            np.concatenate([options.seat_placement, supplies]),
            np.concatenate([options.seat_count, np.full(len(supplies), -1)]),
            free_arm,
            -demand,
        ),
        _at_most(network.supply_class[own], supplies[own], network.count),
        _at_most(network.supply_class[own & limited], supplies[own & limited], network.unreserved),
        Block(
            options.settlement[entry] * places.shape[1] + service,
            entry,
            use[entry, service],
            np.full(places.size, -np.inf),
            places.ravel(),
        ),
        *rows,
    ]
    blocks = [_within(block, both) for block in blocks]
    penalty = network.problem.spare_bedroom_penalty
    worth = aim.of(network, options.unit, options.settlement, options.wish)
    weights = np.rint(np.concatenate([worth, -aim.value * penalty * network.spare]))
    most = np.concatenate([np.ones(n, np.int64), network.count[network.supply_class]])
    model, _ = linear_model(blocks, weights, both, most, np.arange(len(both)) < n)
    serialised: bytes = model.SerializeToString()
    return serialised


def _floor(network: Network, options: Options, columns: BoolArray, current: BoolArray, aim: Aim, loss: float) -> Block:
    """What is open gives an aim no less than it does now, but for a loss; houses apart."""
    weight = aim.of(network, options.unit, options.settlement, options.wish)
    entry = np.flatnonzero(columns & (weight != 0))
    least = np.array([float(weight[current].sum()) - loss])
    return Block(np.zeros_like(entry), entry, weight[entry], least, np.array([np.inf]))


def _at_most(house_class: IntArray, column: IntArray, most: IntArray) -> Block:
    return Block(
        house_class, column, np.ones(len(column), np.int64), np.full(len(most), -np.inf), most.astype(np.float64)
    )


def _within(block: Block, columns: BoolArray) -> Block:
    kept = columns[block.column]
    return Block(block.key[kept], block.column[kept], block.weight[kept], block.least, block.most)
