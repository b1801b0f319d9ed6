"""What a solved run comes to, in numbers: for the summary that a person reads."""

import hashlib
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.allocation import queries
from app.allocation.models import Run, RunState
from app.allocation.reserving import Moves
from app.allocation.snapshot import Snapshot
from app.errors import Conflict
from solver import Solution
from solver.solution import Stage


@dataclass(frozen=True)
class HousesUsed:
    """Houses of one settlement and size, in the measure of the policy."""

    settlement: str
    size: int
    step_free: bool
    used: int
    available: int


@dataclass(frozen=True)
class TierHoused:
    """Households of one tier: housed, of how many eligible."""

    tier: int
    housed: int
    households: int


@dataclass(frozen=True)
class RunReport:
    """A solved run. `stages` have name, achieved, bound, proof; `proof` sums them up in a line.

    `not_housed`: (reason, households), most frequent first, ineligible ones among them. `moves`: by class, where the
    run may move reservations.
    """

    reference: str
    state: RunState
    measure: str
    houses: tuple[HousesUsed, ...]
    tiers: tuple[TierHoused, ...]
    stages: tuple[Stage, ...]
    proof: str
    not_housed: tuple[tuple[str, int], ...]
    moves: Moves | None


def run_report(session: Session, run: Run) -> RunReport:
    """Return the report of a run, which must be loaded with its documents. Raises Conflict where it isn't solved."""
    if run.solution is None or run.problem is None:
        raise Conflict(f"Run {run.reference} is {run.state.value} and has no solution to report on.")
    snapshot, solution = Snapshot.model_validate_json(run.snapshot), Solution.from_json(run.solution)
    used = queries.housed_by_class(session, run)
    names = {part.reference: part.name for part in snapshot.settlements}
    return RunReport(
        reference=run.reference,
        state=run.state,
        measure=snapshot.households[0].need.measure.value,
        houses=tuple(
            HousesUsed(names[part.settlement], part.size, part.step_free, used.get(part.id, 0), len(part.houses))
            for part in sorted(
                snapshot.house_classes,
                key=lambda part: (names[part.settlement], part.settlement, part.size, part.step_free),
            )
        ),
        tiers=tuple(TierHoused(*row) for row in queries.housed_by_tier(session, run)),
        stages=solution.stages,
        proof=proof_line(solution, hashlib.sha256(run.problem.encode()).hexdigest()),
        not_housed=tuple(queries.reasons_not_housed(session, run)),
        moves=Moves.of(snapshot.homes, dict(solution.assignments)) if snapshot.held else None,
    )


def proof_line(solution: Solution, problem_sha256: str) -> str:
    """Say which stages are proven best, how far the others may be from it, and what was solved.

    What is the best for those alone who are housed is called so: others, with the same tiers and points, may gain more.
    """
    named = {
        stage.name: f"{stage.name} of those housed" if stage.scope == "housed" else stage.name
        for stage in solution.stages
    }
    open_stages = [stage for stage in solution.stages if stage.bound != stage.achieved]
    if not open_stages:
        claim = f"Proven optimal in every stage: {', '.join(named.values())}"
    else:
        gaps = ", ".join(f"{named[stage.name]} {stage.achieved} of at most {stage.bound}" for stage in open_stages)
        claim = f"Not proven optimal: {gaps}"
    return f"{claim}; checked independently; problem sha256 {problem_sha256}"
