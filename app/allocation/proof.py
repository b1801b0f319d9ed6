"""Checking a run from its stored documents alone: hashes, lottery, solution, draw."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.allocation.draw import addresses
from app.allocation.models import APPROVED, Proposal, Run
from app.allocation.order import objectives
from app.allocation.snapshot import Snapshot, problem_of, sha256
from app.allocation.solving import Asked, Beat, solve
from app.errors import Conflict
from solver import Problem, Solution, check


@dataclass(frozen=True)
class Documents:
    """What a run rests on and came to, as texts, with its reference, its published hash and its seed."""

    run: str
    snapshot: str
    snapshot_sha256: str
    seed: str
    problem: str
    solution: str


def faults(run: Run) -> list[str]:
    """Return what is wrong with the documents of a solved run, which must be loaded; empty where nothing is."""
    if run.solution is None or run.problem is None or run.seed is None:
        return [f"Run {run.reference} is {run.state.value} and has no solution."]
    return faults_of(Documents(run.reference, run.snapshot, run.snapshot_sha256, run.seed, run.problem, run.solution))


def faults_of(documents: Documents) -> list[str]:
    """Return what is wrong with the documents of a solved run; empty where nothing is.

    Raises ValueError, KeyError and the like for what is no such document at all.
    """
    found = []
    snapshot = Snapshot.model_validate_json(documents.snapshot)
    if sha256(documents.snapshot) != documents.snapshot_sha256:
        found.append("The snapshot is not the one whose hash was published.")
    if snapshot.text() != documents.snapshot:
        found.append("The snapshot is not in its canonical spelling.")
    if snapshot.run != documents.run:
        found.append(f"The snapshot is that of run {snapshot.run}.")
    problem = Problem.from_json(documents.problem)
    if Problem.from_dict(problem_of(snapshot, documents.seed)) != problem:
        found.append("The problem is not what snapshot and seed give.")
    found += _unheld(snapshot)
    solution = Solution.from_json(documents.solution)
    if solution.previous is not None and dict(solution.previous) != snapshot.homes:
        found.append("Solution: what it keeps is not what was reserved.")
    violations = check(problem, solution, objectives(snapshot.stages))
    return found + [f"Solution: {violation.sentence}." for violation in violations]


def _unheld(snapshot: Snapshot) -> list[str]:
    """Return the placements that the snapshot's problem does not hold to."""
    rows = {row["id"]: row for row in snapshot.problem["households"]}
    return [
        f"Placement {part.reference} is not in the problem."
        for part in snapshot.placements
        if (rows[part.household].get("pinned") != part.pinned and part.pinned is not None)
        or not set(part.forbids) <= set(rows[part.household].get("forbidden", ()))
    ]


def verify(session: Session, run: Run) -> list[str]:
    """Verify a solved run, loaded with its documents, against its proposals; empty where all is right.

    Hashes, lottery numbers, the solution and its certificate, who was proposed what; after the draw every address.
    """
    found = faults(run)
    if run.solution is None or run.seed is None:
        return found
    assignments = dict(Solution.from_json(run.solution).assignments)
    proposals = session.scalars(
        select(Proposal)
        .where(Proposal.run_id == run.id)
        .options(joinedload(Proposal.household), joinedload(Proposal.house))
    ).all()
    proposed = {each.household.reference: each.house_class for each in proposals if each.house_class is not None}
    found += [
        f"Household {household}: solved as {assignments.get(household)}, proposed as {proposed.get(household)}."
        for household in sorted(assignments.keys() | proposed.keys())
        if assignments.get(household) != proposed.get(household)
    ]
    if run.state in APPROVED:
        snapshot = Snapshot.model_validate_json(run.snapshot)
        houses = {part.id: part.houses for part in snapshot.house_classes}
        drawn = addresses(run.seed, run.reference, assignments.items(), houses, snapshot.kept)
        held = {each.household.reference: each.house.reference if each.house else None for each in proposals}
        found += [
            f"Household {household}: the draw gives {drawn.get(household)}, its proposal {house}."
            for household, house in held.items()
            if house != drawn.get(household)
        ]
    return found


def replay(run: Run, *, threads: int, beat: Beat, previous: str | None = None) -> list[str]:
    """Solve the problem of a solved run anew; return how the solution differs, empty where every byte is the same.

    `previous`: the solution of the run that it started from. Only a solution that was not cut short by its time limit
    must come out the same. `beat` is called with the progress. Raises Conflict for a run without a solution, and
    ChildFailed.
    """
    if run.solution is None or run.problem is None:
        raise Conflict(f"Run {run.reference} is {run.state.value} and has no solution.")
    stored, snapshot = Solution.from_json(run.solution), Snapshot.model_validate_json(run.snapshot)
    seed = stored.statistics.seed
    again = Solution.from_json(
        solve(
            run.problem,
            time_limit_seconds=run.time_limit_seconds,
            threads=threads,
            seed=seed,
            beat=beat,
            asked=Asked(snapshot.stages, snapshot.homes, previous),
        )
    )
    if again.canonical_bytes() == stored.canonical_bytes():
        return []
    then, now = dict(stored.statistics.versions), dict(again.statistics.versions)
    if then != now:
        return [f"Solved with {then} then and with {now} now, which may choose otherwise among equals."]
    moved = len(set(stored.assignments) ^ set(again.assignments))
    return [f"{moved} assignments or their certificate came out otherwise."]
