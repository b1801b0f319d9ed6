"""solve against exhaustive search on random tiny problems with every rule and stage in play."""

import pytest

from benchmarks.tiny_problems import difference, difference_in_order

PROBLEMS, IN_ORDER, BATCH = 2_000, 200, 50
FIRST_SEED = 1_000_000


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + PROBLEMS, BATCH))
def test_every_stage_is_the_best_there_is_and_checks_clean(first: int) -> None:
    wrong = {seed: sentence for seed in range(first, first + BATCH) if (sentence := difference(seed)[1])}
    assert wrong == {}


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + IN_ORDER, BATCH))
def test_sums_stages_that_lose_and_keep_are_the_best_in_any_order(first: int) -> None:
    seeds = range(first, first + BATCH)
    wrong = {seed: sentence for seed in seeds if (sentence := difference_in_order(seed)[1])}
    assert wrong == {}


def test_the_family_holds_problems_of_every_kind() -> None:
    kinds = {difference(seed)[0] for seed in range(FIRST_SEED, FIRST_SEED + 60)}
    assert kinds == {"infeasible", "optimal by prices", "optimal by search"}
