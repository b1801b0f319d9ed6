"""Reading policies, runs and proposals: a run is seen by who may see every settlement of it."""

from collections.abc import Collection, Iterator

from sqlalchemy import ColumnElement, Select, case, exists, func, not_, or_, select, true
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from app.access.permissions import Permission, Principal
from app.allocation.models import APPROVED, Proposal, ProposalState, Run, RunSettlement
from app.errors import NotFound
from app.housing.models import Settlement
from app.housing.queries import within
from app.registry.models import Application, ApplicationState, Household
from app.registry.queries import visible_to


def _in_scope(principal: Principal, permission: Permission) -> ColumnElement[bool]:
    scope = principal.scope(permission)
    if scope.everywhere:
        return true()
    return not_(
        exists().where(
            RunSettlement.run_id == Run.id, RunSettlement.settlement_id == Settlement.id, not_(within(scope))
        )
    )


def loaded(query: Select[Run]) -> Select[Run]:
    """Load policy version, settlements and users with the runs of `query`."""
    return query.options(
        joinedload(Run.policy_version),
        joinedload(Run.requested_by),
        joinedload(Run.seed_entered_by),
        joinedload(Run.decided_by),
        selectinload(Run.settlements).joinedload(RunSettlement.settlement),
    )


def runs(principal: Principal) -> Select[Run]:
    """Select the runs that `principal` may see, loaded."""
    return loaded(select(Run).where(_in_scope(principal, Permission.RUN_READ)))


def actable_run(session: Session, principal: Principal, permission: Permission, reference: str) -> Run:
    """Return one run over whose settlements `principal` has `permission`. Raises NotFound."""
    query = select(Run).where(Run.reference == reference, _in_scope(principal, permission))
    return _found(session.scalar(query))


def run(session: Session, principal: Principal, reference: str) -> Run:
    """Return one run with its documents. Raises NotFound, also for one out of scope."""
    documents = (undefer(Run.snapshot), undefer(Run.problem), undefer(Run.solution))
    return _found(session.scalar(runs(principal).where(Run.reference == reference).options(*documents)))


def run_in_short(session: Session, principal: Principal, reference: str) -> Run:
    """Return one run without its documents. Raises NotFound, also for one out of scope."""
    return _found(session.scalar(runs(principal).where(Run.reference == reference)))


def solution_of(session: Session, run_id: int | None) -> str | None:
    """Return the solution of a run, as text."""
    return session.scalar(select(Run.solution).where(Run.id == run_id)) if run_id is not None else None


def in_short(session: Session, run_id: int) -> Run:
    """Return one run as it stands now, without its documents."""
    query = loaded(select(Run).where(Run.id == run_id))
    return session.scalars(query.execution_options(populate_existing=True)).one()


def runs_naming(session: Session, households: Collection[str], *conditions: ColumnElement[bool]) -> Iterator[Run]:
    """Give the runs whose snapshots name any of the households, the first one first, with snapshot and policy version.

    One at a time, so that no more than that is held: a snapshot is of everybody, and megabytes.
    """
    names = (Run.snapshot.contains(f'"{each}"', autoescape=True) for each in households)
    for run_id in session.scalars(select(Run.id).where(*conditions, or_(*names)).order_by(Run.id)).all():
        one = select(Run).where(Run.id == run_id).options(joinedload(Run.policy_version), undefer(Run.snapshot))
        yield session.scalars(one).one()


def _found(run: Run | None) -> Run:
    if run is None:
        raise NotFound("There is no such run that you may see.")
    return run


def proposals(session: Session, principal: Principal, run_reference: str) -> Select[Proposal]:
    """Select a run's proposals for the households that `principal` may see, with what they name.

    Raises NotFound where there is no such run, it lies elsewhere and names none of those households, or it is not drawn
    and `principal` may read only what was decided.
    """
    run = _found(session.scalar(select(Run).where(Run.reference == run_reference)))
    permission = Permission.PROPOSAL_READ if run.state in APPROVED else Permission.PROPOSAL_REVIEW
    scope = principal.scope(permission)
    if not scope:
        _found(None)
    seen = visible_to(principal, permission)
    here = exists().where(RunSettlement.run_id == run.id, RunSettlement.settlement_id == Settlement.id, within(scope))
    named = exists().where(Proposal.run_id == run.id, Proposal.household_id == Household.id, seen)
    if not scope.everywhere and not session.scalar(select(or_(here, named))):
        _found(None)
    return (
        select(Proposal)
        .join(Proposal.run)
        .join(Proposal.household)
        .where(Run.reference == run_reference, seen)
        .options(
            joinedload(Proposal.household).load_only(Household.reference),
            joinedload(Proposal.application),
            joinedload(Proposal.settlement),
            joinedload(Proposal.house),
        )
    )


def has_home(session: Session, household: Household) -> bool:
    """Whether a house is reserved for the household, or it lives in one."""
    placed = (ApplicationState.ALLOCATED, ApplicationState.HOUSED)
    held = select(Application.id).where(Application.household_id == household.id, Application.state.in_(placed))
    return session.scalar(held) is not None


def housed_by_tier(session: Session, run: Run) -> list[tuple[int, int, int]]:
    """Return (tier, households housed, eligible households), by tier, of a solved run."""
    housed = func.sum(case((Proposal.settlement_id.is_not(None), 1), else_=0))
    query = (
        select(Proposal.tier, housed, func.count())
        .where(Proposal.run_id == run.id, Proposal.state != ProposalState.INELIGIBLE)
        .group_by(Proposal.tier)
        .order_by(Proposal.tier)
    )
    return [(tier, int(placed), of) for tier, placed, of in session.execute(query) if tier is not None]


def housed_by_class(session: Session, run: Run) -> dict[str, int]:
    """Return house class → households placed in it, of a solved run."""
    query = (
        select(Proposal.house_class, func.count())
        .where(Proposal.run_id == run.id, Proposal.house_class.is_not(None))
        .group_by(Proposal.house_class)
    )
    return {house_class: households for house_class, households in session.execute(query) if house_class is not None}


def reasons_not_housed(session: Session, run: Run) -> list[tuple[str, int]]:
    """Return (reason, households) of those whom a solved run houses nowhere, most frequent first."""
    count = func.count()
    query = (
        select(Proposal.reason, count)
        .where(Proposal.run_id == run.id, Proposal.house_class.is_(None))
        .group_by(Proposal.reason)
        .order_by(count.desc(), Proposal.reason)
    )
    return [(reason, households) for reason, households in session.execute(query)]


def examples_not_housed(session: Session, run: Run) -> dict[str, tuple[str, str]]:
    """Return reason → (household, explanation) of one household each that a solved run houses nowhere."""
    first = (
        select(func.min(Proposal.id))
        .where(Proposal.run_id == run.id, Proposal.house_class.is_(None))
        .group_by(Proposal.reason)
    )
    query = (
        select(Proposal.reason, Household.reference, Proposal.explanation)
        .join(Proposal.household)
        .where(Proposal.id.in_(first))
    )
    return {reason: (household, explanation) for reason, household, explanation in session.execute(query)}
