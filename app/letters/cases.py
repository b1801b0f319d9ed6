"""What a family's case comes to: its application, what the last run that was decided said of it, and why."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import PERMISSIONS, Permission, Principal
from app.allocation import policies
from app.allocation.models import Proposal, Run, RunState
from app.errors import NotFound
from app.housing.models import House
from app.policy.appeals import AppealRules
from app.registry.models import Application, Household
from app.registry.queries import applications

DECIDED = (RunState.DRAWN,)
"""What a run proposes and nobody has decided on is told to no family: it would be a promise."""


@dataclass(frozen=True)
class Case:
    """An application, with household and people, and what was decided of it last, if anything.

    `rules`: of appeals, by the policy that decided, or that is in force.
    """

    application: Application
    proposal: Proposal | None
    rules: AppealRules

    @property
    def decided_at(self) -> datetime | None:
        """When the last decision was made."""
        return self.proposal.run.decided_at if self.proposal is not None else None

    @property
    def appeal_until(self) -> date | None:
        """The last day for an appeal against the last decision."""
        return self.rules.lodged_by(self.decided_at.date()) if self.decided_at is not None else None


def reader_of(principal: Principal, permission: Permission) -> Principal:
    """Return `principal` with those roles alone that have `permission`: another role's wider scope adds nothing."""
    held = tuple(role for role in principal.roles if role.role in PERMISSIONS[permission])
    return replace(principal, roles=held)


def case_of(session: Session, principal: Principal, reference: str) -> Case:
    """Return the case of an application. Raises NotFound, also for one out of scope."""
    reader = reader_of(principal, Permission.PROPOSAL_READ)
    application = session.scalar(
        applications(reader)
        .where(Application.reference == reference)
        .options(joinedload(Application.household).selectinload(Household.people))
    )
    if application is None:
        raise NotFound("There is no such application that you may see.")
    proposal = last_decision(session, application)
    return Case(application, proposal, _rules(session, proposal))


def last_decision(session: Session, application: Application) -> Proposal | None:
    """Return what the last run that was decided said of an application, with its run, house and settlement."""
    return session.scalar(
        select(Proposal)
        .join(Proposal.run)
        .where(Proposal.application_id == application.id, Run.state.in_(DECIDED))
        .options(
            joinedload(Proposal.run).joinedload(Run.policy_version),
            joinedload(Proposal.settlement),
            joinedload(Proposal.house).joinedload(House.settlement),
            selectinload(Proposal.household),
        )
        .order_by(Run.decided_at.desc(), Run.id.desc())
        .limit(1)
    )


def _rules(session: Session, proposal: Proposal | None) -> AppealRules:
    if proposal is not None:
        return policies.policy_of(proposal.run.policy_version).appeals
    try:
        return policies.in_force(session)[1].appeals
    except NotFound:
        return AppealRules()  # before the first policy there is nothing to appeal against
