"""Requesting a run, and deciding on what it proposes."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import pinning, policies, proof, reserving
from app.allocation.draw import addresses
from app.allocation.gather import gather
from app.allocation.models import Proposal, ProposalState, Run, RunSettlement, RunState
from app.allocation.pinning import Impossible
from app.allocation.reserving import Moves
from app.allocation.snapshot import Snapshot, build, problem_of, sha256
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid
from app.housing import houses as stock
from app.housing.models import HouseState, Settlement
from app.housing.queries import within
from app.housing.readiness import loaded_for_gates, ready_settlements
from app.lifecycles import require_transition
from app.queue import ring_on_commit
from app.references import new_reference, normalised
from app.registry.models import ApplicationState
from solver import InvalidProblem, Problem
from solver.solve import EXACT

TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.AWAITING_SEED: frozenset({RunState.QUEUED, RunState.CANCELLED}),
    RunState.QUEUED: frozenset({RunState.SOLVING, RunState.FAILED, RunState.CANCELLED}),
    RunState.SOLVING: frozenset({RunState.QUEUED, RunState.PROPOSED, RunState.FAILED, RunState.CANCELLED}),
    RunState.PROPOSED: frozenset({RunState.DRAWN, RunState.REJECTED}),
    RunState.DRAWN: frozenset({RunState.OFFERS_ISSUED}),
}
UNDECIDED = frozenset({RunState.AWAITING_SEED, RunState.QUEUED, RunState.SOLVING, RunState.PROPOSED})
OWN_SEED_SOURCE = "drawn by this service; not public"
LONGEST_SEED = 200


def request(
    session: Session,
    *,
    settlements: Sequence[str] | None,
    time_limit_seconds: int,
    actor: Principal,
    seed_source: str | None = None,
    move_issued: bool = False,
) -> Run:
    """Freeze what there is to allocate, and queue its solution.

    `settlements` are public references; None takes every ready one where `actor` may. `seed_source` announces where the
    seed will come from: the run then waits for it, its snapshot fixed before anybody can know the seed. Without it the
    service draws one, which is not public. `move_issued` puts families with a reserved house that they have not
    accepted into the problem again, with their houses, and a stage that keeps as many as can be where they are. Raises
    Invalid for a settlement that is unknown to the actor, Conflict for one that isn't ready or that another undecided
    run holds, where there is nothing to allocate, and where placements contradict each other.
    """
    chosen = _chosen(session, settlements, actor)
    _refuse_held(session, chosen)
    policies.ensure_default(session)
    version, policy = policies.in_force(session)
    reference, now = new_reference("RUN"), utc_now()
    rows = gather(
        session,
        run=reference,
        on=now.date(),
        policy_reference=version.reference,
        policy=policy,
        settlements=chosen,
        move_issued=move_issued,
    )
    try:
        snapshot = build(rows)
    except Impossible as impossible:
        raise Conflict(str(impossible)) from impossible
    _refuse_nothing_to_do(snapshot)
    text, seed = snapshot.text(), secrets.token_hex(32) if seed_source is None else None
    try:  # before the seed is there too: what cannot be solved is refused now
        problem = Problem.from_dict(problem_of(snapshot, seed or ""))
        pinning.require_possible(
            problem, snapshot.placements, {part.reference: part.name for part in snapshot.settlements}
        )
    except InvalidProblem as error:
        raise Conflict(f"This cannot be solved as it stands: {error}.") from error
    except Impossible as impossible:
        raise Conflict(str(impossible)) from impossible
    run = Run(
        reference=reference,
        state=RunState.AWAITING_SEED if seed is None else RunState.QUEUED,
        policy_version_id=version.id,
        requested_at=now,
        requested_by_id=actor.user_id,
        time_limit_seconds=time_limit_seconds,
        seed=seed,
        seed_source=OWN_SEED_SOURCE if seed_source is None else seed_source,
        seed_is_public=seed is None,
        snapshot=text,
        snapshot_sha256=sha256(text),
        problem=None if seed is None else problem.to_json(),
        previous_run_id=_previous(session, chosen, len(snapshot.problem["households"])),
        settlements=[RunSettlement(settlement=settlement, held=True) for settlement in chosen],
    )
    try:
        with session.begin_nested():
            session.add(run)
    except IntegrityError:
        _refuse_held(session, chosen)  # another run took one of them at the same moment
        raise
    audit.record(session, actor, Act.RUN_REQUEST, run)
    ring_on_commit(session)
    return run


def enter_seed(session: Session, run: Run, seed: str, actor: Principal) -> Run:
    """Enter the seed that came from the announced source, once, and queue the run.

    Whoever decides on the run does it, never who requested it: what was frozen and what it is drawn by are two people's
    work. Raises Forbidden, Invalid, and Conflict unless the run waits for its seed.
    """
    if not seed.strip() or len(seed) > LONGEST_SEED:
        raise Invalid(f"A seed has from 1 to {LONGEST_SEED} characters.", [FieldError("#/body/seed", "Not a seed.")])
    actor.require_another(run.requested_by_id, "requested this run")
    run = locked(session, run)
    for part in run.settlements:
        actor.require(Permission.RUN_DECIDE, district=part.settlement.district, settlement=part.settlement.reference)
    if run.state is not RunState.AWAITING_SEED:
        raise Conflict(f"Run {run.reference} is {run.state.value}: its seed is settled, or not wanted any more.")
    move(run, RunState.QUEUED)
    run.problem = Problem.from_dict(problem_of(Snapshot.model_validate_json(run.snapshot), seed)).to_json()
    run.seed, run.seed_entered_at, run.seed_entered_by_id = seed, utc_now(), actor.user_id
    audit.record(session, actor, Act.RUN_ENTER_SEED, run)
    ring_on_commit(session)
    return run


def _previous(session: Session, settlements: Sequence[Settlement], households: int) -> int | None:
    """Return the last solved run over any of the settlements, for a run that is large: a small one is quick anyway."""
    if households <= EXACT:
        return None
    return session.scalar(
        select(Run.id)
        .join(RunSettlement, RunSettlement.run_id == Run.id)
        .where(Run.solution.is_not(None), RunSettlement.settlement_id.in_([each.id for each in settlements]))
        .order_by(Run.id.desc())
        .limit(1)
    )


def _chosen(session: Session, references: Sequence[str] | None, actor: Principal) -> list[Settlement]:
    scope = actor.scope(Permission.RUN_REQUEST)
    if references is None:
        chosen = [
            settlement
            for settlement in ready_settlements(session)
            if scope.covers(district=settlement.district, settlement=settlement.reference)
        ]
        if not chosen:
            raise Conflict("No settlement where you may request a run is ready. Look at their gates.")
        return chosen
    query = (
        select(Settlement)
        .where(Settlement.reference.in_(map(normalised, references)), within(scope))
        .options(*loaded_for_gates())
    )
    chosen = list(session.scalars(query.order_by(Settlement.reference)))
    known = {settlement.reference for settlement in chosen}
    unknown = [
        FieldError(f"#/body/settlements/{number}", f"There is no settlement {reference} where you may request a run.")
        for number, reference in enumerate(references)
        if normalised(reference) not in known
    ]
    if unknown or not chosen:
        raise Invalid("Name settlements where you may request a run.", unknown)
    closed = [sentence for settlement in chosen if (sentence := reserving.closed(settlement))]
    if closed:
        raise Conflict(" ".join(closed))
    return chosen


def _refuse_held(session: Session, settlements: Sequence[Settlement]) -> None:
    held = session.execute(
        select(Run.reference, Run.state, Settlement.name, Settlement.reference)
        .join(RunSettlement, RunSettlement.run_id == Run.id)
        .join(RunSettlement.settlement)
        .where(RunSettlement.held, RunSettlement.settlement_id.in_([settlement.id for settlement in settlements]))
        .order_by(Run.id, Settlement.reference)
    ).first()
    if held is not None:
        run, state, name, settlement = held
        raise Conflict(f"Run {run} is {state} and holds {name} ({settlement}). Decide on that run or cancel it first.")


def _refuse_nothing_to_do(snapshot: Snapshot) -> None:
    names = ", ".join(part.name for part in snapshot.settlements)
    if not snapshot.house_classes:
        raise Conflict(f"No house can be allocated in {names}: none is handed over and free.")
    if not any(household.eligible for household in snapshot.households):
        raise Conflict(
            "No application that waits for a house is eligible. Those that were submitted are verified and decided on "
            "first: `hearth applications verify`, `hearth applications decide`."
        )


def locked(session: Session, run: Run) -> Run:
    """Return `run` as it stands now, locked until the transaction ends, with settlements and documents loaded."""
    settlement = selectinload(Run.settlements).joinedload(RunSettlement.settlement)
    return session.scalars(
        select(Run)
        .where(Run.id == run.id)
        .options(
            undefer(Run.snapshot),
            undefer(Run.problem),
            undefer(Run.solution),
            settlement.selectinload(Settlement.milestones),
            settlement.selectinload(Settlement.land_release_areas),
        )
        .with_for_update(of=Run)
        .execution_options(populate_existing=True)
    ).one()


def move(run: Run, to: RunState) -> None:
    """Bring `run`, with its settlements loaded, to a state; a decided run holds no settlement.

    Raises Conflict, naming both states, when it may not follow.
    """
    require_transition("run", TRANSITIONS, run.state, to)
    run.state = to
    if to not in UNDECIDED:
        for part in run.settlements:
            part.held = False


def _decide(
    session: Session,
    run: Run,
    to: RunState,
    permission: Literal[Permission.RUN_REQUEST, Permission.RUN_DECIDE],
    actor: Principal,
    reason: str | None,
) -> Run:
    run = locked(session, run)
    for part in run.settlements:
        actor.require(permission, district=part.settlement.district, settlement=part.settlement.reference)
    move(run, to)
    run.decided_at, run.decided_by_id, run.decision_reason = utc_now(), actor.user_id, reason
    return run


def cancel(session: Session, run: Run, actor: Principal) -> Run:
    """End a run that waits for its seed, is queued or being solved; its worker stops within seconds and writes nothing.

    Raises Forbidden, and Conflict from any other state.
    """
    run = _decide(session, run, RunState.CANCELLED, Permission.RUN_REQUEST, actor, None)
    run.claim, run.finished_at = None, run.decided_at
    audit.record(session, actor, Act.RUN_CANCEL, run)
    return run


def reject(session: Session, run: Run, reason: str, actor: Principal) -> Run:
    """Refuse what a run proposes: it is discarded, and the settlements are free for another run.

    Raises Forbidden, and Conflict unless the run is proposed.
    """
    run = _decide(session, run, RunState.REJECTED, Permission.RUN_DECIDE, actor, reason)
    session.execute(
        update(Proposal)
        .where(Proposal.run_id == run.id, Proposal.state == ProposalState.PROPOSED)
        .values(state=ProposalState.DISCARDED, decided_at=run.decided_at)
    )
    audit.record(session, actor, Act.RUN_REJECT, run, reason=reason)
    return run


def approve(session: Session, run: Run, actor: Principal) -> Run:
    """Accept what a run proposes: draw the addresses and reserve each house for its household.

    Everything is verified again under row locks first. Families that the run moves lose their reservation and offer in
    the same transaction. Raises Forbidden, also for who requested the run, and Conflict unless the run is proposed, or
    where a settlement, a house, a reservation or an application is not any more what the run rests on.
    """
    actor.require_another(run.requested_by_id, "requested this run")
    run = _decide(session, run, RunState.DRAWN, Permission.RUN_DECIDE, actor, None)
    if faults := proof.faults(run):
        raise Conflict(f"The stored solution does not hold: {' '.join(faults[: reserving.NAMED_AT_MOST])}")
    snapshot = Snapshot.model_validate_json(run.snapshot)
    proposals = session.scalars(
        select(Proposal)
        .where(Proposal.run_id == run.id, Proposal.state == ProposalState.PROPOSED)
        .options(joinedload(Proposal.household))
    ).all()
    given = addresses(
        run.seed or "",
        run.reference,
        ((proposal.household.reference, proposal.house_class or "") for proposal in proposals),
        {part.id: part.houses for part in snapshot.house_classes},
        snapshot.kept,
    )
    houses = reserving.houses(session, run, snapshot, given)
    moves = Moves.of(snapshot.held, given)
    reserving.take_back(session, run, snapshot.held, moves, houses)
    moving = [proposal for proposal in proposals if proposal.household.reference not in moves.kept]
    applications = reserving.applications(session, run, moving)
    classes = {each.household.reference: each.house_class or "" for each in proposals}
    reserving.require_placements(session, snapshot, classes, given)
    for proposal in proposals:
        house = houses[given[proposal.household.reference]]
        if proposal.household.reference in moves.kept:  # its reservation and its offer go on
            proposal.state, proposal.house_id, proposal.decided_at = ProposalState.KEPT, house.id, run.decided_at
            continue
        application = applications[proposal.application_id]
        proposal.state, proposal.house_id, proposal.decided_at = ProposalState.RESERVED, house.id, run.decided_at
        application.state, application.settlement_id = ApplicationState.ALLOCATED, house.settlement_id
        stock.move(house, HouseState.RESERVED)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("A house or household of this run was reserved at the same moment. Reject the run.") from error
    reserving.require_places(session, snapshot, moving)
    told = {"kept": len(moves.kept), "moved": len(moves.moved), "ended": len(moves.lost)} if snapshot.held else {}
    audit.record(session, actor, Act.RUN_APPROVE, run, details=told)
    return run
