"""Wanted figures: what is met and what is missed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.wanted import WANTED, Gap, judged, time_limit


def figures(households: int, settlements: int, seconds: float, memory: int, gaps: dict[str, int]) -> dict[str, Any]:
    stages = [{"name": name, "achieved": 1_000 - gap, "bound": 1_000} for name, gap in gaps.items()]
    limits = {"households": households, "settlements": settlements, "seconds": seconds, "peak_memory_mb": memory}
    return limits | {"breaks": {}, "stages": stages}


def verdicts(measured: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {what: (must, aim) for what, _, _, must, _, aim in judged(measured)}


def test_within_every_limit() -> None:
    found = verdicts(figures(10_000, 100, 20.0, 500, {"tier 1": 0, "tier 3": 3, "points": 1, "value": 1}))
    assert found == {
        "time": ("met", "met"),
        "memory": ("", ""),
        "checked": ("met", ""),
        "tier 1": ("met", "met"),
        "tier 3": ("met", "met"),
        "points": ("met", "met"),
        "value": ("met", "met"),
    }


def test_past_the_limits() -> None:
    found = verdicts(figures(10_000, 100, 20.1, 500, {"tier 1": 1, "tier 3": 6, "points": 11, "value": 2}))
    assert found["time"] == ("met", "missed")
    assert found["tier 1"] == ("missed", "met")
    assert found["tier 3"] == ("missed", "missed")
    assert found["points"] == ("missed", "missed")
    assert found["value"] == ("met", "missed")


def test_memory_counts_where_it_is_wanted() -> None:
    assert verdicts(figures(1_000_000, 200, 300.0, 3_000, {}))["memory"] == ("met", "missed")
    assert verdicts(figures(100_000, 200, 300.0, 1_025, {}))["memory"] == ("missed", "")


def test_a_solution_that_breaks_a_rule_misses() -> None:
    assert verdicts(figures(1_000, 20, 1.0, 100, {}) | {"breaks": {"class": 1}})["checked"] == ("missed", "")


def test_nothing_is_wanted_of_other_sizes() -> None:
    assert judged(figures(999, 20, 1.0, 100, {"tier 1": 5})) == []


@pytest.mark.parametrize(("households", "seconds"), [(1, 60), (1_000, 60), (1_001, 60), (10_001, 360), (10**7, 1_200)])
def test_a_size_is_given_what_the_next_larger_must_keep_to_or_a_minute(households: int, seconds: float) -> None:
    assert time_limit(households) == seconds


def test_an_aim_asks_no_less_of_time_than_a_must() -> None:
    assert all(aim.seconds < must.seconds for must, aim in WANTED.values())


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(1, 100), st.integers(0, 100))
def test_a_gap_holds_up_to_its_limit_and_no_further(bound: int, gap: int, percent: int, absolute: int) -> None:
    most = max(absolute, percent * bound / 100)
    assert Gap(percent, absolute).holds(bound - gap, bound) == (gap <= most)
