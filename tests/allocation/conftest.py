"""A small register: two settlements, five houses, seven families of whom one may not take part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from sqlalchemy import event

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import claims, proposals, queries, runs
from app.allocation.models import Proposal, Run
from app.database import Database
from app.policy.facts import Accommodation
from app.settings import Settings
from solver import Problem, solve
from tests import factories


@dataclass(frozen=True)
class Register:
    """Public references of what `register` made."""

    valley: str
    hillside: str
    families: dict[str, str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of this test's own."""
    return Settings(data_dir=tmp_path, solver_threads=1, solver_time_limit_seconds=20)


@pytest.fixture
def register(database: Database) -> Register:
    """A committed register, in which everyone's outcome is known.

    Three houses of one bedroom in Valley, one of them step-free; two of two in Hillside.
    """
    with database.session(writes=True) as session:
        valley = factories.settlement(session, "Valley", openings={"health": 2})
        hillside = factories.settlement(session, "Hillside", district="South")
        for step_free in (True, False, False):
            factories.house(session, valley, bedrooms=1, step_free=step_free)
        for _ in range(2):
            factories.house(session, hillside, bedrooms=3)
        unsafe, dormitory = Accommodation.UNSAFE_BUILDING, Accommodation.DORMITORY
        families = {
            "wheelchair": factories.applicant(session, valley, needs_step_free=True),
            "unsafe": factories.applicant(session, valley, current_accommodation=unsafe, occupation="health"),
            "dormitory": factories.applicant(session, valley, current_accommodation=dormitory),
            "rented": factories.applicant(session, valley),
            "large": factories.applicant(session, hillside, valley, children=2),
            "anywhere": factories.applicant(session, anywhere=True, children=3),
            "without consent": factories.applicant(session, valley, consent_on=None),
        }
        return Register(
            valley.reference,
            hillside.reference,
            {name: application.household.reference for name, application in families.items()},
        )


@pytest.fixture
def snapshots_held() -> Iterator[list[int]]:
    """How many runs' snapshots were held at once, each time that one was loaded."""
    held: WeakSet[Run] = WeakSet()
    counts: list[int] = []

    def loaded(run: Run, _context: object) -> None:
        if "snapshot" in run.__dict__:
            held.add(run)
            counts.append(len(held))

    event.listen(Run, "load", loaded)
    yield counts
    event.remove(Run, "load", loaded)


def request(database: Database, **fields: Any) -> str:
    """Request a run in a transaction of its own. Returns its reference."""
    ordinary: dict[str, Any] = {"settlements": None, "time_limit_seconds": 20, "actor": OPERATOR}
    with database.session(writes=True) as session:
        return runs.request(session, **ordinary | fields).reference


def proposed(database: Database, **fields: Any) -> str:
    """Request a run and solve it in this process. Returns its reference."""
    reference = request(database, **fields)
    assert solved(database) == reference
    return reference


def solved(database: Database) -> str:
    """Solve the run that has waited longest in this process. Returns its reference."""
    with database.session(writes=True) as session:
        claim = claims.take(session)
    assert claim is not None
    outcome = proposals.outcome_of(claim.snapshot, claim.problem, solve(Problem.from_json(claim.problem)).to_json())
    with database.session(writes=True) as session:
        proposals.record(session, claim, outcome)
    return claim.reference


def drawn(database: Database, **fields: Any) -> str:
    """Request a run, solve it and approve it. Returns its reference."""
    reference = proposed(database, **fields)
    decide(database, reference, runs.approve)
    return reference


def decide(database: Database, reference: str, operation: Callable[..., object], *arguments: str) -> None:
    """Approve, reject or cancel a run, as somebody who did not request it, in a transaction of its own."""
    with database.session(writes=True) as session:
        actor = factories.user(session, Role.PLANNER, Role.APPROVER)
        operation(session, queries.run_in_short(session, OPERATOR, reference), *arguments, actor)


def read(database: Database, reference: str) -> Run:
    """Return a run as it stands, with its documents."""
    with database.session(writes=False) as session:
        return queries.run(session, OPERATOR, reference)


def said(database: Database, reference: str) -> dict[str, Proposal]:
    """Return household reference → proposal of a run, with house and application."""
    with database.session(writes=False) as session:
        return {
            row.household.reference: row for row in session.scalars(queries.proposals(session, OPERATOR, reference))
        }
