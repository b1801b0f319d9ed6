"""Everything that is drawn: lottery numbers before the solve, addresses after it.

The seed and the labels are public, so that anyone can redo a draw: the order of a household is
HMAC-SHA-256(key = seed, message = run reference, label and household reference on a line each).
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

LOTTERY, ADDRESS = "lottery", "address"


def order(seed: str, run: str, label: str, household: str) -> str:
    """Return what a household is sorted by in one draw, in hexadecimal."""
    return hmac.new(seed.encode(), f"{run}\n{label}\n{household}".encode(), hashlib.sha256).hexdigest()


def lottery_numbers(seed: str, run: str, households: Iterable[str]) -> dict[str, int]:
    """Return the number of each household: its rank in the draw, from 1."""
    drawn = sorted(households, key=lambda household: order(seed, run, LOTTERY, household))
    return {household: number for number, household in enumerate(drawn, 1)}


def addresses(
    seed: str,
    run: str,
    assignments: Iterable[tuple[str, str]],
    houses: Mapping[str, Sequence[str]],
    kept: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return household → house, given (household, class) pairs and the houses of each class.

    `kept`: household → the house that it gets, undrawn, where that is one of its class. In each class the others,
    sorted by reference, are given to the other households in their drawn order. Raises ValueError where a class has
    fewer houses than households.
    """
    kept = kept or {}
    by_class: dict[str, list[str]] = defaultdict(list)
    for household, house_class in assignments:
        by_class[house_class].append(household)
    given: dict[str, str] = {}
    for house_class, households in by_class.items():
        if len(households) > len(houses[house_class]):
            raise ValueError(f"class {house_class}: {len(households)} households for {len(houses[house_class])} houses")
        own = {household: kept[household] for household in households if kept.get(household) in houses[house_class]}
        others = set(households) - own.keys()
        drawn = sorted(others, key=lambda household: order(seed, run, ADDRESS, household))
        given |= own | dict(zip(drawn, sorted(set(houses[house_class]) - set(own.values())), strict=False))
    return given
