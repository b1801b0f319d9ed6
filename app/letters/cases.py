"""What a family's case comes to: its application, what the last run that was decided said of it, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from app.access.permissions import PERMISSIONS, Permission, Principal
from app.allocation import policies
from app.allocation.models import APPROVED, Proposal, Run
from app.allocation.offer_models import Offer, OfferState
from app.errors import NotFound
from app.housing.models import House
from app.policy.appeals import AppealRules
from app.policy.offers import NoEffect
from app.policy.parameters import DEFAULT_POLICY, Policy
from app.registry.models import Application, Household
from app.registry.queries import applications
from app.tenancy.deadlines import deadlines


@dataclass(frozen=True)
class Offered:
    """The offer of the reserved house: an answer is due on `answer_until`; declining may lower the place."""

    offer: Offer
    answer_until: date
    declining_costs_place: bool

    @property
    def ended_at(self) -> datetime | None:
        """When the family answered, or the offer ended otherwise."""
        if self.offer.state is OfferState.ISSUED:
            return None
        if self.offer.answered_on is not None:
            return datetime.combine(self.offer.answered_on, time(12), UTC)
        return self.offer.ended_at


@dataclass(frozen=True)
class Case:
    """An application, with household and people, and what was decided of it last, if anything.

    `rules`: of appeals, by the policy that decided, or that is in force. `zone`: of the programme's days.
    """

    application: Application
    proposal: Proposal | None
    rules: AppealRules
    offered: "Offered | None"
    zone: tzinfo

    @property
    def decided_at(self) -> datetime | None:
        """When the last decision was made."""
        return self.proposal.run.decided_at if self.proposal is not None else None

    @property
    def appeal_until(self) -> date | None:
        """The last day for an appeal against the last decision."""
        return self.rules.lodged_by(self.day(self.decided_at)) if self.decided_at is not None else None

    def day(self, moment: datetime) -> date:
        """Return the programme's day of a moment."""
        return moment.astimezone(self.zone).date()


def reader_of(principal: Principal, permission: Permission) -> Principal:
    """Return `principal` with those roles alone that have `permission`: another role's wider scope adds nothing."""
    held = tuple(role for role in principal.roles if role.role in PERMISSIONS[permission])
    return replace(principal, roles=held)


def case_of(session: Session, principal: Principal, reference: str, zone: tzinfo) -> Case:
    """Return the case of an application. Raises NotFound, also for one out of scope."""
    reader = reader_of(principal, Permission.PROPOSAL_READ)
    application = session.scalar(
        applications(reader)
        .where(Application.reference == reference)
        .options(joinedload(Application.household).selectinload(Household.people))
    )
    if application is None:
        raise NotFound("There is no such application that you may see.")
    proposal = session.scalar(
        _decisions()
        .where(Proposal.application_id == application.id)
        .order_by(Run.decided_at.desc(), Run.id.desc())
        .limit(1)
    )
    offered = _offered(session, [proposal], zone).get(proposal.id) if proposal is not None else None
    return Case(application, proposal, _policy(session, proposal).appeals, offered, zone)


def cases_of(session: Session, proposals: Iterable[int], zone: tzinfo) -> list[Case]:
    """Return the cases that proposals of decided runs belong to, each as it was decided by its proposal."""
    found = (
        session.scalars(
            _decisions()
            .where(Proposal.id.in_(proposals))
            .options(joinedload(Proposal.application).joinedload(Application.household).selectinload(Household.people))
            .order_by(Proposal.id)
            .execution_options(populate_existing=True)
        )
        .unique()
        .all()
    )
    offers = _offered(session, found, zone)
    rules = {each.run.policy_version_id: _policy(session, each).appeals for each in found}
    return [
        Case(each.application, each, rules[each.run.policy_version_id], offers.get(each.id), zone) for each in found
    ]


def _offered(session: Session, proposals: Sequence[Proposal], zone: tzinfo) -> dict[int, Offered]:
    """Return proposal → the offer of the house that it reserves, of those that were offered."""
    offers = session.scalars(
        select(Offer)
        .where(Offer.proposal_id.in_([each.id for each in proposals]))
        .options(joinedload(Offer.house).joinedload(House.settlement))
    ).all()
    ends = deadlines(session, offers, zone)
    by_id = {each.id: each for each in proposals}
    return {
        offer.proposal_id: Offered(
            offer,
            ends[offer.id].last_day,
            not isinstance(_policy(session, by_id[offer.proposal_id]).offers.effect, NoEffect),
        )
        for offer in offers
    }


def _decisions() -> Select[Proposal]:
    """Select what decided runs said, with run, house and settlement.

    What a run proposes and nobody has decided on is told to no family: it would be a promise.
    """
    return (
        select(Proposal)
        .join(Proposal.run)
        .where(Run.state.in_(APPROVED))
        .options(
            joinedload(Proposal.run).joinedload(Run.policy_version),
            joinedload(Proposal.settlement),
            joinedload(Proposal.house).joinedload(House.settlement),
        )
    )


def _policy(session: Session, proposal: Proposal | None) -> Policy:
    """Return the policy that decided, or that is in force; before the first one, the default."""
    if proposal is not None:
        return policies.policy_of(proposal.run.policy_version)
    try:
        return policies.in_force(session)[1]
    except NotFound:
        return DEFAULT_POLICY
