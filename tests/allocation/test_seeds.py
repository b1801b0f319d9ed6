"""The hash of what was frozen is published before anybody can know the seed, which is entered once."""

import json

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import claims, proof, queries, runs
from app.allocation.models import RunState
from app.allocation.snapshot import sha256
from app.database import Database
from app.errors import Conflict, Forbidden, Invalid
from app.housing.models import Settlement
from tests import factories
from tests.allocation.conftest import Register, decide, read, request, solved
from tests.concurrency import at_once
from tests.conftest import ActingAs

SOURCE = "Ball draw of 3 May 2026"


def entered(database: Database, reference: str, seed: str) -> str:
    """Enter a seed; return the state of the run, or the refusal's detail."""
    try:
        decide(database, reference, runs.enter_seed, seed)
    except Conflict as refused:
        return refused.detail
    return read(database, reference).state.value


def test_a_run_never_says_of_a_public_seed_that_it_is_not(database: Database, register: Register) -> None:
    for source, public in ((None, False), ("", True), (SOURCE, True)):
        reference = request(database, seed_source=source)
        run = read(database, reference)
        assert (run.seed_is_public, run.seed_source == runs.OWN_SEED_SOURCE) == (public, not public)
        decide(database, reference, runs.cancel)


def test_a_run_waits_for_its_seed_and_its_snapshot_does_not_change(database: Database, register: Register) -> None:
    reference = request(database, seed_source=SOURCE)
    waiting = read(database, reference)
    assert (waiting.state, waiting.seed, waiting.problem) == (RunState.AWAITING_SEED, None, None)
    with database.session(writes=True) as session:
        assert claims.take(session) is None
        factories.house(session, session.get_one(Settlement, 1), bedrooms=1)  # later than the snapshot
    assert entered(database, reference, "4 17 23") == "queued"
    run = read(database, reference)
    assert (run.snapshot, run.snapshot_sha256) == (waiting.snapshot, sha256(waiting.snapshot))
    assert (run.seed, run.seed_source, run.seed_is_public) == ("4 17 23", SOURCE, True)
    assert run.seed_entered_at is not None
    assert run.seed_entered_at >= run.requested_at
    assert solved(database) == reference
    with database.session(writes=False) as session:
        assert proof.verify(session, queries.run(session, OPERATOR, reference)) == []


def test_a_seed_is_entered_once(database: Database, register: Register) -> None:
    reference = request(database, seed_source=SOURCE)
    assert entered(database, reference, "first") == "queued"
    assert "its seed is settled" in entered(database, reference, "second")
    assert read(database, reference).seed == "first"
    own = read(database, reference)
    decide(database, own.reference, runs.cancel)
    service_drawn = request(database)
    assert "its seed is settled" in entered(database, service_drawn, "another")


def test_of_two_seeds_at_once_one_is_entered(database: Database, register: Register) -> None:
    reference = request(database, seed_source=SOURCE)
    answers = at_once(*(lambda seed=seed: entered(database, reference, seed) for seed in ("one", "two")))
    assert max(answers) == "queued"
    assert "its seed is settled" in min(answers)
    run = read(database, reference)
    assert run.seed == ("one", "two")[answers.index("queued")]
    assert run.problem is not None


def test_who_requested_a_run_does_not_enter_its_seed(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        both = factories.user(session, Role.PLANNER, Role.APPROVER)
        planner = factories.user(session, Role.PLANNER)
        elsewhere = factories.user(session, Role.APPROVER, district="South")
    reference = request(database, seed_source=SOURCE, actor=both)
    for actor in (both, planner, elsewhere):
        with pytest.raises(Forbidden), database.session(writes=True) as session:
            runs.enter_seed(session, queries.run(session, OPERATOR, reference), "4 17", actor)
    for seed in ("", "  ", "x" * 201):
        with pytest.raises(Invalid):
            decide(database, reference, runs.enter_seed, seed)
    assert read(database, reference).state is RunState.AWAITING_SEED


def test_a_run_without_its_seed_can_be_cancelled_and_nothing_else(database: Database, register: Register) -> None:
    reference = request(database, seed_source=SOURCE)
    with pytest.raises(Conflict, match="awaiting_seed and cannot become drawn"):
        decide(database, reference, runs.approve)
    decide(database, reference, runs.cancel)
    assert "not wanted any more" in entered(database, reference, "4 17")
    request(database)


def test_everybody_reads_the_hash_before_the_seed(
    service: TestClient, database: Database, register: Register, acting_as: ActingAs
) -> None:
    reference = request(database, seed_source=SOURCE)
    address = f"/api/v1/draws/{reference}"
    published = service.get(address).json()
    assert published["snapshot_sha256"] == read(database, reference).snapshot_sha256
    assert (published["seed"], published["seed_source"], published["state"]) == (None, SOURCE, "awaiting_seed")
    assert sorted(published["settlements"]) == ["Hillside", "Valley"]
    approver: httpx2.Client = acting_as(Role.APPROVER)
    assert approver.post(f"/runs/{reference}/seed", json={"seed": "4 17"}).json()["state"] == "queued"
    assert service.get(address).json()["seed"] == "4 17"
    decide(database, reference, runs.cancel)
    hidden = request(database)  # whose seed the service drew
    listed = {each["reference"]: each for each in service.get("/api/v1/draws").json()["items"]}
    assert (listed[reference]["state"], listed[reference]["seed"]) == ("cancelled", "4 17")
    assert (listed[hidden]["seed"], listed[hidden]["seed_is_public"]) == (None, False)
    assert service.get("/api/v1/draws/RUN-00000000").status_code == 404
    texts = json.dumps(listed)
    assert not any(household in texts for household in register.families.values())
