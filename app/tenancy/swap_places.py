"""School and clinic places where families swap: nobody comes to where there are none left for them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.allocation.places import Places
from app.policy.assess import Service
from app.tenancy.trading_cycles import Owned, Ranked, faults, trade


@dataclass(frozen=True)
class Member:
    """A family that would swap: what it uses, and the settlement that it lives in."""

    uses: Mapping[Service, int]
    place: int


Change = Counter[tuple[int, Service]]
"""Settlement and service → how many more would use it; fewer, where negative."""


def change(moves: Iterable[tuple[Member, int]]) -> Change:
    """Return what changes where families move, each to a settlement. Within one nothing does."""
    more: Change = Counter()
    for member, to in moves:
        for service, number in member.uses.items() if member.place != to else ():
            more[to, service] += number
            more[member.place, service] -= number
    return more


def cycles(
    owned: Owned, ranked: Ranked, members: Mapping[str, Member], stands_in: Mapping[str, int], places: Places
) -> list[list[str]]:
    """Return the cycles of top trading cycles that no school and no clinic is too small for.

    `stands_in`: house → its settlement. Where a cycle would bring more to a service than it has places left, those of
    it who would come there and use it rank the houses there no more, and all whose cycle does not hold are asked again.
    What is found is checked by other means each time. Raises RuntimeError where it does not hold. `places` counts what
    was found.
    """
    left, wanted = dict(owned), {family: list(houses) for family, houses in ranked.items()}
    kept: list[list[str]] = []
    while True:
        found = trade(left, wanted)
        got = dict(left)
        for cycle in found:
            got |= _given(left, cycle)
        if wrong := faults(left, wanted, got):
            raise RuntimeError(f"the swaps that were found do not hold: {wrong[0]}")
        is_cut = False
        for cycle in found:
            given = _given(left, cycle)
            more = change((members[family], stands_in[house]) for family, house in given.items())
            lacking = places.lacking(more)
            if not lacking:
                places.add(more)
                kept.append(cycle)
                continue
            is_cut = True
            for family, house in given.items():
                there = stands_in[house]
                if there != members[family].place and any(
                    place == there and members[family].uses.get(service, 0) for place, service in lacking
                ):
                    wanted[family] = [each for each in wanted[family] if stands_in[each] != there]
        for cycle in kept:
            for family in cycle:
                left.pop(family, None)
        if not is_cut:
            return sorted(kept)


def _given(owned: Owned, cycle: list[str]) -> dict[str, str]:
    """Return family → the house that it gets: that of the next."""
    return {family: owned[following] for family, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True)}
