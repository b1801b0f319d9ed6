"""Which houses serve those who are placed in a settlement: an integral flow need → class, the cheapest for all."""

import numpy as np
from ortools.graph.python import min_cost_flow  # type: ignore[import-untyped]  # ships no type marker

from solver.options import Options
from solver.problem import NONE
from solver.tables import BoolArray, IntArray


def seat(count: IntArray, unreserved: IntArray, options: Options, placed: BoolArray) -> IntArray | None:
    """Placements that are taken [n] → how often every column is [n + m]; None where the houses are too few.

    count, unreserved [C]: houses of each class, and how many of them anyone may take.
    The classes of a settlement and their unreserved parts nest, so that sharing them out is a flow of whole houses.
    """
    taken = np.concatenate([placed.astype(np.int64), np.zeros(len(options.supply_class), np.int64)])
    demand = np.zeros(len(options.supply_start) - 1, np.int64)
    seats = placed[options.seat_placement]
    np.add.at(demand, options.seat_key[seats], options.seat_count[seats])
    supplies = np.flatnonzero(demand[options.supply_key] > 0)
    if not len(supplies):
        return taken
    keys, origin = np.unique(options.supply_key[supplies], return_inverse=True)
    width, every = len(count), np.arange(len(count))
    part_of = len(keys) + every
    whole = part_of + width
    sink = len(keys) + 2 * width
    part = np.where(options.limited[supplies], len(keys), len(keys) + width)
    flow = min_cost_flow.SimpleMinCostFlow()
    arcs = flow.add_arcs_with_capacity_and_unit_cost(
        origin, part + options.supply_class[supplies], demand[options.supply_key[supplies]], options.cost[supplies]
    )
    free = np.zeros(width, np.int64)
    flow.add_arcs_with_capacity_and_unit_cost(part_of, whole, unreserved, free)
    flow.add_arcs_with_capacity_and_unit_cost(whole, np.full(width, sink), count, free)
    flow.set_nodes_supplies(np.append(np.arange(len(keys)), sink), np.append(demand[keys], -demand[keys].sum()))
    if flow.solve() != flow.OPTIMAL:
        return None
    taken[options.placements + supplies] = flow.flows(arcs)
    return taken


def deal(options: Options, taken: IntArray) -> IntArray:
    """The class of every household [H], NONE where it is not housed, in the order of rows within a need."""
    house_class = np.full(len(options.unit_of), NONE, np.int64)
    at = np.full(len(options.must), NONE, np.int64)
    placed = taken[: options.placements] > 0
    at[options.unit[placed]] = options.settlement[placed]
    housed = np.flatnonzero(at[options.unit_of] != NONE)
    key = options.key(housed, at[options.unit_of[housed]])
    house_class[housed[np.argsort(key, kind="stable")]] = np.repeat(options.supply_class, taken[options.placements :])
    return house_class
