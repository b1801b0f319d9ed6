"""Whatever people do, in whatever order: no house with two families, no family with two houses, nothing lost."""

import os
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import NewDatabase
from tests.lifecycle.further_ways import FurtherWays

STEPS = int(os.environ.get("HEARTH_TEST_STEPS", "120"))
"""Steps on each database; HEARTH_TEST_STEPS=10000 takes some minutes."""
STEPS_AT_ONCE = min(STEPS, 120)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_order_of_acts_breaks_a_rule(kind: str, new_database_url: NewDatabase) -> None:
    """Random steps from registering to moving out, with refusals, closures and deadlines between."""

    class Machine(FurtherWays):
        new_database = staticmethod(partial(new_database_url, kind))

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(STEPS // STEPS_AT_ONCE, 1),
            stateful_step_count=STEPS_AT_ONCE,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
