"""Top trading cycles, and its check, against trying everything on small instances."""

from collections.abc import Iterator
from itertools import chain, combinations, pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tenancy.trading_cycles import faults, trade

Owned = dict[str, str]
Ranked = dict[str, list[str]]


def _allocated(owned: Owned, ranked: Ranked) -> Owned:
    got = dict(owned)
    for cycle in trade(owned, ranked):
        got |= {family: owned[other] for family, other in zip(cycle, [*cycle[1:], cycle[0]], strict=True)}
    return got


@st.composite
def _markets(draw: st.DrawFn, most: int = 4) -> tuple[Owned, Ranked]:
    """Families that own a house each, and rank some of the others; the houses that nobody owns may be named too."""
    families = [f"family-{number}" for number in range(draw(st.integers(1, most)))]
    owned = {family: f"house-{family}" for family in families}
    ranked = {}
    for family in families:
        others = [*(house for house in owned.values() if house != owned[family]), "nobody's"]
        order = draw(st.permutations(others))
        ranked[family] = order[: draw(st.integers(0, len(order)))]
    return owned, ranked


def _liking(owned: Owned, ranked: Ranked, family: str, house: str) -> int:
    """How much a family likes a house: the less the better; what it neither named nor owns is the worst."""
    order = [*ranked[family], owned[family]]
    return order.index(house) if house in order else len(order)


def _groups(families: list[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(families, size) for size in range(1, len(families) + 1))


def _blocked(owned: Owned, ranked: Ranked, got: Owned) -> bool:
    """Whether some families could share out their own houses, nobody worse off and one better: by trying everything."""

    def gains(family: str, house: str) -> int:
        return _liking(owned, ranked, family, got[family]) - _liking(owned, ranked, family, house)

    for group in _groups(list(owned)):
        for houses in permutations([owned[family] for family in group]):
            gained = [gains(family, house) for family, house in zip(group, houses, strict=True)]
            if min(gained) >= 0 and max(gained) > 0:
                return True
    return False


@given(_markets())
@settings(max_examples=150)
def test_nobody_is_worse_off_and_no_families_could_do_better_among_themselves(market: tuple[Owned, Ranked]) -> None:
    owned, ranked = market
    got = _allocated(owned, ranked)
    assert sorted(got.values()) == sorted(owned.values())
    assert all(got[family] in [*ranked[family], owned[family]] for family in owned)
    assert not _blocked(owned, ranked, got)  # with all of them as one group, this is Pareto efficiency
    assert faults(owned, ranked, got) == []


@given(_markets())
@settings(max_examples=60)
def test_the_check_finds_whatever_trying_everything_finds(market: tuple[Owned, Ranked]) -> None:
    owned, ranked = market
    for houses in permutations(owned.values()):
        got = dict(zip(owned, houses, strict=True))
        named = all(got[family] in [*ranked[family], owned[family]] for family in owned)
        assert (faults(owned, ranked, got) == []) == (named and not _blocked(owned, ranked, got))


@given(_markets(most=3), st.data())
@settings(max_examples=100)
def test_naming_another_order_gains_nothing(market: tuple[Owned, Ranked], data: st.DataObject) -> None:
    owned, ranked = market
    liar = data.draw(st.sampled_from(sorted(owned)))
    honest = _liking(owned, ranked, liar, _allocated(owned, ranked)[liar])
    others = [house for house in owned.values() if house != owned[liar]]
    for size in range(len(others) + 1):
        for told in permutations(others, size):
            got = _allocated(owned, ranked | {liar: list(told)})[liar]
            assert _liking(owned, ranked, liar, got) >= honest


@given(_markets(most=8), st.randoms())
@settings(max_examples=50)
def test_the_order_in_which_families_come_decides_nothing(market: tuple[Owned, Ranked], random: object) -> None:
    owned, ranked = market
    families = list(owned)
    random.shuffle(families)  # type: ignore[attr-defined]  # it is a Random
    shuffled = {family: owned[family] for family in families}
    assert trade(shuffled, ranked) == trade(owned, ranked)
    assert faults(owned, ranked, _allocated(owned, ranked)) == []


def test_a_large_market_is_settled() -> None:
    """Everybody wants the house after its own, but for one who keeps its own: nobody can move."""
    families = [f"f{number:04}" for number in range(2000)]
    owned = {family: f"h{family}" for family in families}
    ranked = {family: [owned[other]] for family, other in pairwise(families)}
    assert trade(owned, ranked) == []
    assert trade(owned, ranked | {families[-1]: [owned[families[0]]]}) == [families]


def test_what_is_no_allocation_is_said() -> None:
    owned, ranked = {"a": "1", "b": "2"}, {"a": ["2"], "b": ["1"]}
    assert "Not every" in faults(owned, ranked, {"a": "1"})[0]
    assert "Not every" in faults(owned, ranked, {"a": "2", "b": "2"})[0]
    assert faults(owned, {"a": [], "b": ["1"]}, {"a": "2", "b": "1"}) == ["a gets 2, which it did not ask for."]
    assert len(faults(owned, ranked, owned)) == 2
    with pytest.raises(ValueError, match="same house"):
        trade({"a": "1", "b": "1"}, {})
