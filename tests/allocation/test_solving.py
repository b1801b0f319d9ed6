"""Runs are solved in a child process, by one worker at a time, and survive whatever happens to either."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, select, text, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from app import console
from app.access.permissions import OPERATOR
from app.allocation import claims, proof, proposals, queries, runs, solving
from app.allocation.claims import Claim, ClaimLost
from app.allocation.models import Proposal, Run, RunState
from app.allocation.solving import ChildFailed
from app.audit.models import AuditHead
from app.database import Database, utc_now
from app.logs import configure
from app.settings import Settings
from app.worker import HEAD_SECONDS, Worker, work_one
from solver import Problem, Solution, Status, check, solve
from solver.generate import generate
from tests.allocation.conftest import Register, decide, proposed, read, request

PATIENCE_SECONDS = 60


@pytest.fixture(scope="session")
def long_problem() -> str:
    """A problem that no test waits for."""
    return generate(20_000, 40, 1).to_json()


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, and fail if it does not come."""
    deadline, tick = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        tick.wait(0.02)


def is_child(pid: int) -> bool:
    try:
        return b"app.allocation.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return False


def children(of: int) -> list[int]:
    """Return the solving children of a process, from the table of processes."""
    lists = [each.read_text() for each in Path(f"/proc/{of}/task").glob("*/children")]
    return [pid for text in lists for pid in map(int, text.split()) if is_child(pid)]


def ended(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@contextmanager
def working(database: Database, settings: Settings) -> Iterator[Worker]:
    worker = Worker(database, settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def long_run(database: Database, problem: str) -> str:
    """Request a run, and give it a problem that takes long."""
    reference = request(database)
    with database.session(writes=True) as session:
        session.execute(update(Run).where(Run.reference == reference).values(problem=problem, time_limit_seconds=600))
    return reference


def taken(database: Database) -> Claim:
    with database.session(writes=True) as session:
        claim = claims.take(session)
    assert claim is not None
    return claim


def outcome(claim: Claim) -> proposals.Outcome:
    return proposals.outcome_of(claim.snapshot, claim.problem, solve(Problem.from_json(claim.problem)).to_json())


def count(database: Database) -> int:
    with database.session(writes=False) as session:
        return session.scalar(select(func.count()).select_from(Proposal)) or 0


def silence(database: Database) -> None:
    """Let the heartbeats of all runs be an hour old."""
    with database.session(writes=True) as session:
        session.execute(update(Run).values(heartbeat_at=utc_now() - timedelta(hours=1)))


def test_a_worker_solves_in_a_child_and_keeps_the_proof(
    database: Database, register: Register, settings: Settings
) -> None:
    seen: list[list[str]] = []
    reference = request(database)
    assert work_one(database, settings, watch=lambda progress: seen.append([each["stage"] for each in progress])) == (
        reference
    )
    run = read(database, reference)
    assert (run.state, run.attempts, run.claim) == (RunState.PROPOSED, 1, None)
    assert (
        seen[-1]
        == [each["stage"] for each in run.progress]
        == [*(f"tier {n}" for n in (1, 2, 3, 4)), "points", "value"]
    )
    with database.session(writes=False) as session:
        assert proof.verify(session, queries.run(session, OPERATOR, reference)) == []
    assert children(os.getpid()) == []
    assert work_one(database, settings) is None


def test_the_child_gives_what_the_library_gives(database: Database, register: Register) -> None:
    request(database)
    problem = taken(database).problem
    text = solving.solve(problem, time_limit_seconds=20, threads=1, seed=0, beat=lambda _progress: None)
    assert Solution.from_json(text).canonical_bytes() == solve(Problem.from_json(problem)).canonical_bytes()


def test_a_ring_wakes_the_worker(database: Database, register: Register, settings: Settings) -> None:
    with working(database, settings):
        reference = request(database)
        until(lambda: read(database, reference).state is RunState.PROPOSED)


def test_a_cancelled_run_stops_its_child_and_writes_nothing(
    database: Database, register: Register, settings: Settings, long_problem: str
) -> None:
    reference = long_run(database, long_problem)
    with working(database, settings):
        until(lambda: children(os.getpid()))
        assert read(database, reference).state is RunState.SOLVING
        decide(database, reference, runs.cancel)
        until(lambda: not children(os.getpid()))
    run = read(database, reference)
    assert (run.state, run.claim, run.solution) == (RunState.CANCELLED, None, None)
    assert count(database) == 0


def test_a_stopped_worker_gives_its_run_back(
    database: Database, register: Register, settings: Settings, long_problem: str
) -> None:
    reference = long_run(database, long_problem)
    with working(database, settings):
        until(lambda: children(os.getpid()))
    run = read(database, reference)
    assert (run.state, run.claim, run.attempts) == (RunState.QUEUED, None, 0)
    assert children(os.getpid()) == []


@pytest.mark.parametrize("commits", [1, 2, 3])
def test_an_interrupted_command_gives_its_run_back(
    database: Database, register: Register, settings: Settings, long_problem: str, commits: int
) -> None:
    reference = long_run(database, long_problem)
    ahead = iter(range(1, commits))

    def interrupt(_connection: Connection) -> None:
        if next(ahead, None) is None:
            os.kill(os.getpid(), signal.SIGINT)

    event.listen(database.engine, "commit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        console.follow(database, settings, reference)
    event.remove(database.engine, "commit", interrupt)
    run = read(database, reference)
    assert (run.state, run.claim, run.attempts) == (RunState.QUEUED, None, 0)
    assert children(os.getpid()) == []


def test_whoever_follows_a_run_replaces_a_silent_worker(
    database: Database, register: Register, settings: Settings
) -> None:
    reference = request(database)
    taken(database)
    silence(database)
    console.follow(database, settings, reference)
    run = read(database, reference)
    assert (run.state, run.attempts) == (RunState.PROPOSED, 2)


@pytest.mark.parametrize(("attempts", "state"), [(0, RunState.QUEUED), (2, RunState.FAILED)])
def test_a_killed_child_is_tried_again_but_not_for_ever(
    database: Database, register: Register, settings: Settings, long_problem: str, attempts: int, state: RunState
) -> None:
    reference = long_run(database, long_problem)
    with database.session(writes=True) as session:
        session.execute(update(Run).values(attempts=attempts))
    thread = threading.Thread(target=work_one, args=(database, settings))
    thread.start()
    until(lambda: children(os.getpid()))
    os.kill(children(os.getpid())[0], signal.SIGKILL)
    thread.join()
    run = read(database, reference)
    assert (run.state, run.attempts, run.claim) == (state, attempts + 1, None)
    if state is RunState.FAILED:
        assert run.failure is not None
        assert run.failure.startswith("Tried 3 times. The solver was ended by SIGKILL")
    else:
        assert run.failure is None


def test_a_child_that_cannot_solve_fails_the_run_with_its_sentence(
    database: Database, register: Register, settings: Settings
) -> None:
    reference = long_run(database, '{"format":"something else"}')
    assert work_one(database, settings) == reference
    run = read(database, reference)
    assert (run.state, run.attempts) == (RunState.FAILED, 1)
    assert run.failure == "The solver ended with code 1: format: must be 'hearth-problem/1'"
    with database.session(writes=False) as session:
        assert not any(part.held for part in queries.run(session, OPERATOR, reference).settlements)


def test_a_solution_that_does_not_hold_is_never_proposed(database: Database, register: Register) -> None:
    request(database)
    claim = taken(database)
    solution = solve(Problem.from_json(claim.problem)).to_json()
    for broken, sentence in (
        ("{}", "cannot be read"),
        (solution.replace("/1/stairs", "/1/step-free"), "does not hold"),
    ):
        with pytest.raises(proposals.NoOutcome, match=sentence):
            proposals.outcome_of(claim.snapshot, claim.problem, broken)


def test_a_run_that_cannot_be_satisfied_fails_with_the_reason(
    database: Database, register: Register, settings: Settings
) -> None:
    reference = request(database)
    problem = Problem.from_json(read(database, reference).problem or "").to_dict()
    house_class = f"{register.hillside}/3/stairs"
    households: list[dict[str, object]] = problem["households"]  # type: ignore[assignment]  # the format says so
    for row in households:
        row["pinned"] = house_class
    contradiction = Problem.from_dict(problem)
    assert solve(contradiction).status is Status.INFEASIBLE
    assert check(contradiction, solve(contradiction)) == []
    with database.session(writes=True) as session:
        session.execute(update(Run).values(problem=contradiction.to_json()))
    work_one(database, settings)
    run = read(database, reference)
    assert run.state is RunState.FAILED
    assert run.failure is not None
    assert run.failure.startswith("The solver says infeasible: ")


def test_a_fault_of_ours_fails_the_run_and_not_the_worker(
    database: Database, register: Register, settings: Settings
) -> None:
    reference = request(database)
    with database.session(writes=True) as session:
        session.execute(update(Run).values(snapshot="{}"))
    assert work_one(database, settings) == reference
    with database.session(writes=False) as session:
        state, failure = session.execute(select(Run.state, Run.failure)).one()
    assert (state, failure) == (RunState.FAILED, "A fault of the service, logged under the run's reference.")


def test_nothing_beside_a_run_ends_it(database: Database, register: Register, settings: Settings) -> None:
    reference = request(database)
    with database.session(writes=True) as session:
        session.execute(text("ALTER TABLE offers RENAME TO lost_offers"))
    with working(database, settings), capture_logs() as logs:
        until(lambda: read(database, reference).state not in (RunState.QUEUED, RunState.SOLVING))
    run = read(database, reference)
    assert (run.state, run.attempts) == (RunState.PROPOSED, 1)
    assert "_expire_offers" in {each.get("look") for each in logs}


def test_a_worker_whose_signing_key_is_gone_says_so_and_works_on(
    database: Database, register: Register, settings: Settings
) -> None:
    reference = request(database)
    with database.session(writes=True) as session:
        head = {"hash": "0" * 64, "signed_at": "2020-01-01T00:00:00.000000Z", "public_key": "A", "signature": "A"}
        session.add(AuditHead(sequence=1, **head))
    began = time.monotonic()
    configure("warning")  # another test may have been content with errors
    with capture_logs() as logs, working(database, settings.model_copy(update={"audit_head_minutes": 60})):
        until(lambda: read(database, reference).state not in (RunState.QUEUED, RunState.SOLVING))
        until(lambda: any(each["event"] == "audit_head_not_signed" for each in logs))
    assert read(database, reference).state is RunState.PROPOSED
    said = [each["event"] for each in logs].count("audit_head_not_signed")
    assert said <= 1 + (time.monotonic() - began) / HEAD_SECONDS
    assert not settings.audit_signing_key.exists()


def test_a_silent_workers_run_is_another_workers(database: Database, register: Register, settings: Settings) -> None:
    reference = request(database)
    first = taken(database)
    assert work_one(database, settings) is None
    silence(database)
    assert work_one(database, settings) == reference
    run = read(database, reference)
    assert (run.state, run.attempts) == (RunState.PROPOSED, 2)
    written = count(database)
    acts: tuple[Callable[[Session], None], ...] = (
        lambda session: claims.beat(session, first, []),
        lambda session: claims.fail(session, first, "Late."),
        lambda session: claims.give_back(session, first),
        lambda session: claims.try_again(session, first, "Late."),
    )
    for act in acts:
        with pytest.raises(ClaimLost), database.session(writes=True) as session:
            act(session)
    assert (read(database, reference).state, count(database)) == (RunState.PROPOSED, written)


def test_a_worker_that_lost_its_claim_writes_nothing(database: Database, register: Register) -> None:
    reference = request(database)
    first = taken(database)
    silence(database)
    with database.session(writes=True) as session:
        assert claims.recover(session, timedelta(minutes=1)) == [reference]
    second = taken(database)
    found = outcome(first)
    with pytest.raises(ClaimLost), database.session(writes=True) as session:
        proposals.record(session, first, found)
    assert (read(database, reference).state, count(database)) == (RunState.SOLVING, 0)
    with database.session(writes=True) as session:
        proposals.record(session, second, found)
    assert (read(database, reference).state, count(database)) == (RunState.PROPOSED, len(register.families))


def test_a_run_whose_workers_all_fall_silent_fails(database: Database, register: Register) -> None:
    reference = request(database)
    for _ in range(claims.MOST_ATTEMPTS):
        taken(database)
        silence(database)
        with database.session(writes=True) as session:
            claims.recover(session, timedelta(minutes=1))
    run = read(database, reference)
    assert (run.state, run.failure) == (RunState.FAILED, "Tried 3 times. Its worker stopped without a word.")


def test_runs_are_taken_in_the_order_of_their_requests(database: Database, register: Register) -> None:
    first = request(database, settlements=[register.hillside])
    second = request(database, settlements=[register.valley])
    assert [taken(database).reference, taken(database).reference] == [first, second]
    with database.session(writes=True) as session:
        assert claims.take(session) is None


def test_one_run_is_never_taken_twice(database: Database, register: Register) -> None:
    request(database)
    barrier = threading.Barrier(2)
    found: list[Claim | None] = []

    def take() -> None:
        barrier.wait()
        with database.session(writes=True) as session:
            found.append(claims.take(session))

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [claim is None for claim in found].count(True) == 1


def test_what_a_beat_raises_ends_the_child(long_problem: str) -> None:
    def beat(_progress: solving.Progress) -> None:
        if children(os.getpid()):
            raise ClaimLost("RUN-00000000")

    with pytest.raises(ClaimLost):
        solving.solve(long_problem, time_limit_seconds=600, threads=1, seed=0, beat=beat)
    assert children(os.getpid()) == []


def test_a_child_without_an_answer_is_a_failure() -> None:
    with pytest.raises(ChildFailed, match="must be more than 0"):
        solving.solve("{}", time_limit_seconds=0, threads=1, seed=0, beat=lambda _progress: None)


def test_a_killed_parent_leaves_no_child_and_no_files(tmp_path: Path, long_problem: str) -> None:
    problem, temporary = tmp_path / "problem.json", tmp_path / "temporary"
    temporary.mkdir()
    problem.write_text(long_problem, encoding="utf-8")
    code = (
        "import pathlib, sys; from app.allocation import solving; solving.solve(pathlib.Path(sys.argv[1]).read_text(), "
        "time_limit_seconds=600, threads=1, seed=0, beat=lambda progress: None)"
    )
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen([sys.executable, "-c", code, str(problem)], env=environment) as parent:
        until(lambda: children(parent.pid))
        child = children(parent.pid)[0]
        assert list(temporary.glob("hearth-run-*/problem.json"))
        parent.kill()
    until(lambda: ended(child))
    assert list(temporary.iterdir()) == []


def test_the_solver_gets_nothing_but_the_problem(database: Database, register: Register) -> None:
    run = read(database, proposed(database))
    assert set(Problem.from_json(run.problem or "").households.id.tolist()) <= set(register.families.values())
