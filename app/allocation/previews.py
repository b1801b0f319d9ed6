"""Previewing a draft of the policy over the live register, and working those that are solved."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session, joinedload, undefer

from app import audit
from app.access.permissions import SERVICE, Permission, Principal
from app.allocation import comparison, declines, policies
from app.allocation.claims import MOST_ATTEMPTS, ClaimLost
from app.allocation.gather import gather
from app.allocation.models import PolicyState, PolicyVersion
from app.allocation.order import objectives
from app.allocation.pinning import Impossible
from app.allocation.preview_models import PolicyPreview, PreviewState
from app.allocation.snapshot import Snapshot, build, problem_of, sha256
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, NotFound
from app.housing.readiness import ready_settlements
from app.policy.facts import HouseholdFacts
from app.policy.parameters import Policy
from app.queue import ring_on_commit
from app.references import new_reference
from app.registry.facts import facts_of
from app.registry.models import Application, ApplicationState, Household
from solver import InvalidProblem, Problem, Solution, Status, canonical_json, check

NOT_WAITING = (
    ApplicationState.DRAFT,
    ApplicationState.ALLOCATED,
    ApplicationState.HOUSED,
    ApplicationState.WITHDRAWN,
)
UNDER_WAY = (PreviewState.QUEUED, PreviewState.SOLVING)
SOLVED = (Status.OPTIMAL, Status.FEASIBLE)
LONGEST_FAILURE = 1000
_FACTS = TypeAdapter(list[HouseholdFacts])


def loaded(query: Select[PolicyPreview]) -> Select[PolicyPreview]:
    """Load what the previews of `query` name."""
    return query.options(
        joinedload(PolicyPreview.draft), joinedload(PolicyPreview.in_force), joinedload(PolicyPreview.requested_by)
    )


def get(session: Session, reference: str, *, whole: bool = False) -> PolicyPreview:
    """Return one preview as it stands, `whole` with its households. Raises NotFound."""
    query = loaded(select(PolicyPreview).where(PolicyPreview.reference == reference))
    if whole:
        query = query.options(undefer(PolicyPreview.households))
    found = session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such preview.")
    return found


def request(
    session: Session, draft: PolicyVersion, *, solve: bool, time_limit_seconds: int, actor: Principal
) -> PolicyPreview:
    """Compare a draft with the policy in force for every household that waits.

    With `solve`, also who would be housed under each, over what every ready settlement has now: two problems from the
    same register, with the same lottery, which a worker solves. Raises Forbidden, and Conflict where `draft` is none,
    or there is nothing to solve.
    """
    actor.require(Permission.POLICY_PREVIEW)
    if draft.state is not PolicyState.DRAFT:
        raise Conflict(f"Policy {draft.reference} is {draft.state.value}; only a draft can be previewed.")
    version, in_force = policies.in_force(session)
    after, reference, now = policies.policy_of(draft), new_reference("PV"), utc_now()
    facts, origins = _register(session, now.date())
    compared = comparison.compare(facts, in_force, after)
    groups = comparison.groups(facts, origins)
    preview = PolicyPreview(
        reference=reference,
        state=PreviewState.QUEUED if solve else PreviewState.DONE,
        draft=draft,
        in_force=version,
        requested_at=now,
        requested_by_id=actor.user_id,
        register_sha256=sha256(canonical_json.dumps(_FACTS.dump_python(facts, mode="json"))),
        is_solved=solve,
        time_limit_seconds=time_limit_seconds,
        summary={"assessed": comparison.summary(compared, groups), "solved": None},
        households=canonical_json.dumps(comparison.rows(compared)),
        finished_at=None if solve else now,
    )
    if solve:
        policies_now = ((version.reference, in_force), (draft.reference, after))
        problems, stages = _problems(session, reference, now.date(), policies_now)
        preview.frozen = canonical_json.dumps({"groups": groups, "problems": problems, "stages": stages})
        ring_on_commit(session)
    session.add(preview)
    audit.record(session, actor, Act.POLICY_PREVIEW, preview)
    return get(session, reference)


def _register(session: Session, on: date) -> tuple[list[HouseholdFacts], dict[str, str | None]]:
    """Return the facts of every household that waits, by reference, and where each is from."""
    household = joinedload(Application.household)
    waiting = session.scalars(
        select(Application)
        .join(Application.household)
        .where(Application.state.not_in(NOT_WAITING), Household.erased_at.is_(None))
        .order_by(Household.reference)
        .options(household.selectinload(Household.people), household.joinedload(Household.origin))
    ).all()
    past = declines.past_offers(session, on)
    found = [
        facts_of(each.household, on=on, has_home=False, declines=declines.of(past, each.household_id))
        for each in waiting
    ]
    origins = {
        each.household.reference: each.household.origin.reference if each.household.origin else None for each in waiting
    }
    return found, origins


def _problems(
    session: Session, reference: str, on: date, versions: Sequence[tuple[str, Policy]]
) -> tuple[list[dict[str, Any]], list[tuple[str, ...]]]:
    """Return the solver's problem under each of the policies, of what every ready settlement has now, and the stages
    of each."""
    places, seed = ready_settlements(session), secrets.token_hex(32)
    problems, stages = [], []
    for name, policy in versions:
        rows = gather(session, run=reference, on=on, policy_reference=name, policy=policy, settlements=places)
        try:
            snapshot: Snapshot = build(rows)
            if not snapshot.house_classes or not snapshot.problem["households"]:
                raise Conflict(f"Under policy {name} there is nothing to solve: no free house, or nobody eligible.")
            problems.append(Problem.from_dict(problem_of(snapshot, seed)).to_dict())
            stages.append(snapshot.stages)
        except (Impossible, InvalidProblem) as error:
            raise Conflict(f"Under policy {name} this cannot be solved: {error}") from error
    return problems, stages


def cancel(session: Session, preview: PolicyPreview, actor: Principal) -> PolicyPreview:
    """End a preview that waits or is being solved; what was compared without solving stays.

    Raises Forbidden, and Conflict where it has ended.
    """
    actor.require(Permission.POLICY_PREVIEW)
    session.refresh(preview, ["state"], with_for_update=True)
    if preview.state not in UNDER_WAY:
        raise Conflict(f"Preview {preview.reference} is {preview.state.value}: there is nothing to cancel.")
    _end(preview, PreviewState.CANCELLED)
    audit.record(session, actor, Act.POLICY_PREVIEW_CANCEL, preview)
    return get(session, preview.reference)


@dataclass(frozen=True)
class PreviewClaim:
    """A preview in the hands of one worker: its two problems, as texts, and the stages of each."""

    preview_id: int
    reference: str
    token: str
    problems: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    time_limit_seconds: int


def take(session: Session, silent_for: timedelta) -> PreviewClaim | None:
    """Claim the preview that has waited longest, or whose worker is silent; None where there is none."""
    silent = (PolicyPreview.state == PreviewState.SOLVING, PolicyPreview.heartbeat_at < utc_now() - silent_for)
    preview = session.scalar(
        select(PolicyPreview)
        .where(or_(PolicyPreview.state == PreviewState.QUEUED, silent[0] & silent[1]))
        .order_by(PolicyPreview.id)
        .limit(1)
        .options(undefer(PolicyPreview.frozen))
        .with_for_update(skip_locked=True)
    )
    if preview is None:
        return None
    if preview.attempts >= MOST_ATTEMPTS:
        _fail(session, preview, f"Tried {preview.attempts} times. Its worker stopped without a word.")
        return None
    preview.state, preview.claim = PreviewState.SOLVING, secrets.token_hex(16)
    preview.attempts, preview.heartbeat_at, preview.progress = preview.attempts + 1, utc_now(), []
    frozen = json.loads(preview.frozen or "")
    problems = tuple(canonical_json.dumps(each) for each in frozen["problems"])
    # What was frozen before stages were is solved in the model's own order.
    stages = tuple(tuple(each) for each in frozen.get("stages", [()] * len(problems)))
    return PreviewClaim(preview.id, preview.reference, preview.claim, problems, stages, preview.time_limit_seconds)


def beat(session: Session, claim: PreviewClaim, progress: Sequence[dict[str, Any]]) -> None:
    """Say that the worker lives, and how far it is. Raises ClaimLost."""
    alive = session.scalar(
        update(PolicyPreview)
        .where(PolicyPreview.id == claim.preview_id, PolicyPreview.claim == claim.token)
        .values(heartbeat_at=utc_now(), progress=list(progress))
        .returning(PolicyPreview.id)
        .execution_options(synchronize_session=False)
    )
    if alive is None:
        raise ClaimLost(claim.reference)


def give_back(session: Session, claim: PreviewClaim) -> None:
    """Queue the preview again as if it had not been tried. Raises ClaimLost."""
    preview = _fenced(session, claim)
    preview.state, preview.claim, preview.attempts = PreviewState.QUEUED, None, preview.attempts - 1


def fail(session: Session, claim: PreviewClaim, failure: str) -> None:
    """End the preview with a sentence that says why. Raises ClaimLost."""
    _fail(session, _fenced(session, claim), failure)


def finish(session: Session, claim: PreviewClaim, solutions: Sequence[str]) -> None:
    """Check both solutions, and keep who would be housed under each. Raises ClaimLost."""
    preview = _fenced(session, claim)
    found = [Solution.from_json(text) for text in solutions]
    for problem, stages, solution in zip(claim.problems, claim.stages, found, strict=True):
        if solution.status not in SOLVED or check(Problem.from_json(problem), solution, objectives(stages)):
            _fail(session, preview, f"The solver says {solution.status.value}, or its answer does not hold.")
            return
    groups = json.loads(preview.frozen or "")["groups"]
    rows, counts = comparison.solved(json.loads(preview.households), groups, found[0], found[1])
    preview.households, preview.summary = canonical_json.dumps(rows), {**preview.summary, "solved": counts}
    _end(preview, PreviewState.DONE)
    audit.record(session, SERVICE, Act.POLICY_PREVIEW_SOLVE, preview)


def _fenced(session: Session, claim: PreviewClaim) -> PolicyPreview:
    query = select(PolicyPreview).where(PolicyPreview.id == claim.preview_id, PolicyPreview.claim == claim.token)
    both = (undefer(PolicyPreview.frozen), undefer(PolicyPreview.households))
    found = session.scalar(query.options(*both).with_for_update())
    if found is None:
        raise ClaimLost(claim.reference)
    return found


def _fail(session: Session, preview: PolicyPreview, failure: str) -> None:
    preview.failure = failure[:LONGEST_FAILURE]
    _end(preview, PreviewState.FAILED)
    audit.record(session, SERVICE, Act.POLICY_PREVIEW_FAIL, preview, reason=preview.failure)


def _end(preview: PolicyPreview, state: PreviewState) -> None:
    preview.state, preview.claim, preview.frozen, preview.finished_at = state, None, None, utc_now()
