"""The draw can be redone by anyone, gives each household one house, and depends on nothing but seed and references."""

import hmac
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.allocation.draw import addresses, lottery_numbers

REFERENCES = st.sets(st.text("0123456789ABCDEF", min_size=4, max_size=6), min_size=1, max_size=12)


def test_the_lottery_is_the_published_formula() -> None:
    households = ["HH-1", "HH-2", "HH-3", "HH-4"]

    def digest(household: str) -> str:
        return hmac.digest(b"4 17 23", f"RUN-1\nlottery\n{household}".encode(), "sha256").hex()

    expected = {
        household: 1 + sum(digest(other) < digest(household) for other in households) for household in households
    }
    assert lottery_numbers("4 17 23", "RUN-1", households) == expected


HOUSES = {"a": ("Y", "X"), "b": ("Z",)}


def test_the_address_draw_is_the_published_formula() -> None:
    given_houses = addresses("4 17 23", "RUN-1", [("HH-1", "a"), ("HH-2", "a"), ("HH-3", "b")], HOUSES)
    ordered = sorted(
        ("HH-1", "HH-2"), key=lambda each: hmac.digest(b"4 17 23", f"RUN-1\naddress\n{each}".encode(), "sha256")
    )
    assert given_houses == {ordered[0]: "X", ordered[1]: "Y", "HH-3": "Z"}


@given(REFERENCES, st.randoms())
def test_numbers_are_one_to_n_whatever_the_order(households: set[str], shuffled: random.Random) -> None:
    numbers = lottery_numbers("seed", "RUN-1", sorted(households))
    assert sorted(numbers.values()) == list(range(1, len(households) + 1))
    mixed = sorted(households)
    shuffled.shuffle(mixed)
    assert lottery_numbers("seed", "RUN-1", mixed) == numbers


@given(REFERENCES, st.integers(0, 5), st.randoms())
def test_everyone_gets_one_house_of_their_class(households: set[str], spare: int, shuffled: random.Random) -> None:
    classes = {"a": [], "b": []}  # type: dict[str, list[str]]
    assignments = [(household, "ab"[number % 2]) for number, household in enumerate(sorted(households))]
    for name, houses in classes.items():
        houses += [f"{name}{number:02}" for number in range(sum(each == name for _, each in assignments) + spare)]
    drawn = addresses("seed", "RUN-1", assignments, classes)
    assert all(drawn[household].startswith(name) for household, name in assignments)
    assert len(set(drawn.values())) == len(drawn) == len(households)
    shuffled.shuffle(assignments)
    for houses in classes.values():
        shuffled.shuffle(houses)
    assert addresses("seed", "RUN-1", assignments, classes) == drawn


def test_too_few_houses_are_refused() -> None:
    with pytest.raises(ValueError, match="2 households for 1 houses"):
        addresses("seed", "RUN-1", [("HH-1", "a"), ("HH-2", "a")], {"a": ["X"]})
