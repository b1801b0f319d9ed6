"""Top trading cycles (Shapley and Scarf 1974, after Gale): who swaps houses with whom, and a check by other means.

Pure: families and houses are any text. Every family owns a house and ranks, strictly, the houses that it would rather
have; those it does not name it does not take. The result is the one allocation in the core: no family is worse off than
with its own house, no families could do better among themselves, and none gains by naming another order (Roth 1982).
"""

from collections.abc import Mapping, Sequence

import networkx as nx

Owned = Mapping[str, str]
"""Family → house."""
Ranked = Mapping[str, Sequence[str]]
"""Family → the houses that it would rather have than its own, the best first."""


def trade(owned: Owned, ranked: Ranked) -> list[list[str]]:
    """Return the cycles in which families swap: each gets the house of the next, the last that of the first.

    Families that keep their own house are in none. Houses that nobody owns are passed over. The same input in another
    order gives the same cycles, sorted. Raises ValueError where two own one house.
    """
    owner = {house: family for family, house in owned.items()}
    if len(owner) < len(owned):
        raise ValueError("two families own the same house")
    left = set(owned)
    wanted = {
        family: iter([*(house for house in ranked.get(family, ()) if house in owner), owned[family]])
        for family in owned
    }
    points_at = {family: owner[next(wanted[family])] for family in owned}
    cycles = []
    path: list[str] = []
    for start in sorted(owned):
        family = start
        while start in left:
            while points_at[family] not in left:  # its house is gone: the next best
                points_at[family] = owner[next(wanted[family])]
            if family in path:
                cycle = path[path.index(family) :]
                del path[path.index(family) :]
                left -= set(cycle)
                if len(cycle) > 1:
                    first = cycle.index(min(cycle))
                    cycles.append([*cycle[first:], *cycle[:first]])
                family = path[-1] if path else start
                if path:
                    path.pop()  # it is looked at anew: it pointed into the cycle
                continue
            path.append(family)
            family = points_at[family]
    return sorted(cycles)


def faults(owned: Owned, ranked: Ranked, got: Mapping[str, str]) -> list[str]:
    """Return what is wrong with an allocation, by family → house, in sentences: nothing, if it is in the strict core.

    Works from the ranks alone, not from how cycles are found. A family blocks with others if they could give each the
    house of another of them so that none is worse off than with what it got, and one is better off: that is a way round
    through the graph in which each family points at the owners of houses that are no worse for it, with one better.
    """
    rank = {
        family: {house: number for number, house in enumerate([*ranked.get(family, ()), owned[family]])}
        for family in owned
    }
    wrong = []
    if set(got) != set(owned) or sorted(got.values()) != sorted(owned.values()):
        return ["Not every family gets one of the houses, or not every house goes to one family."]
    for family, house in got.items():
        if house not in rank[family]:
            wrong.append(f"{family} gets {house}, which it did not ask for.")
    if wrong:
        return wrong
    owner = {house: family for family, house in owned.items()}
    no_worse: nx.DiGraph[str] = nx.DiGraph()
    no_worse.add_nodes_from(owned)
    better = []
    for family in owned:
        for house, number in rank[family].items():
            if house in owner and number <= rank[family][got[family]]:
                no_worse.add_edge(family, owner[house])
                if number < rank[family][got[family]]:
                    better.append((family, owner[house], house))
    part = {
        family: number
        for number, families in enumerate(nx.strongly_connected_components(no_worse))
        for family in families
    }
    return [
        f"{family} would rather have {house}, and could: with others, none of whom would be worse off."
        for family, other, house in better
        if part[family] == part[other]
    ]
