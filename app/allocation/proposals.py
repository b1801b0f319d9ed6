"""What a run says of every household: worked out from the solution, checked, then written at once or not at all."""

from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import SERVICE
from app.allocation import claims
from app.allocation.claims import Claim
from app.allocation.explanations import Explanation, explain
from app.allocation.models import Proposal, ProposalState, RunSettlement, RunState
from app.allocation.order import objectives
from app.allocation.placement_prices import Price
from app.allocation.runs import move
from app.allocation.snapshot import Snapshot
from app.audit import Act
from app.database import utc_now
from app.housing.models import Settlement
from app.registry.models import Application
from solver import InvalidSolution, Problem, Solution, Status, check

SOLVED = (Status.OPTIMAL, Status.FEASIBLE)


class NoOutcome(Exception):  # noqa: N818 - a result, said in a sentence
    """The solver's answer cannot be proposed."""


@dataclass(frozen=True)
class Outcome:
    """A checked solution, and what it means for each household of the snapshot."""

    solution: str
    snapshot: Snapshot
    assignments: dict[str, str]
    explanations: dict[str, Explanation]
    placement_prices: list[Price] | None = None


def outcome_of(snapshot_text: str, problem_text: str, solution_text: str) -> Outcome:
    """Check a solution independently of the solver, and explain it. Raises NoOutcome."""
    snapshot, problem = Snapshot.model_validate_json(snapshot_text), Problem.from_json(problem_text)
    try:
        solution = Solution.from_json(solution_text)
    except InvalidSolution as error:
        raise NoOutcome(f"The solver's answer cannot be read: {error}.") from error
    if violations := check(problem, solution, objectives(snapshot.stages)):
        raise NoOutcome(f"The solver's answer does not hold: {violations[0].sentence}.")
    if solution.status not in SOLVED:
        raise NoOutcome(f"The solver says {solution.status.value}: {solution.reason}.")
    return Outcome(solution_text, snapshot, dict(solution.assignments), explain(snapshot, problem, solution))


def record(session: Session, claim: Claim, outcome: Outcome) -> None:
    """Write what the run proposes, one proposal for each household that took part.

    Raises ClaimLost where the run was cancelled or is another worker's by now; then nothing is written.
    """
    run = claims.fenced(session, claim)
    classes = {part.id: part.settlement for part in outcome.snapshot.house_classes}
    places = dict(
        session.execute(
            select(Settlement.reference, Settlement.id)
            .join(RunSettlement, RunSettlement.settlement_id == Settlement.id)
            .where(RunSettlement.run_id == run.id)
        ).all()
    )
    applications = {
        reference: (application, household)
        for reference, application, household in session.execute(
            select(Application.reference, Application.id, Application.household_id)
        )
    }
    rows = []
    for part in outcome.snapshot.households:
        application, household = applications[part.application]
        house_class = outcome.assignments.get(part.reference)
        state = ProposalState.NOT_HOUSED if part.eligible else ProposalState.INELIGIBLE
        explanation = outcome.explanations[part.reference]
        rows.append(
            {
                "run_id": run.id,
                "household_id": household,
                "application_id": application,
                "state": state if house_class is None else ProposalState.PROPOSED,
                "tier": part.tier,
                "points": part.points,
                "settlement_id": None if house_class is None else places[classes[house_class]],
                "house_class": house_class,
                "reason": explanation.reason,
                "explanation": explanation.sentence,
                "grounds": explanation.grounds,
            }
        )
    session.execute(insert(Proposal), rows)
    move(run, RunState.PROPOSED)
    run.solution, run.claim, run.finished_at = outcome.solution, None, utc_now()
    run.placement_prices = outcome.placement_prices
    # Who is proposed what is in the solution, whose hash is told with the run.
    audit.record(session, SERVICE, Act.RUN_PROPOSE, run, details={"proposals": len(rows)})
