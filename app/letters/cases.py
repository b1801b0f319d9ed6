"""What a family's case comes to: its application, what the last run that was decided said of it, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.access.permissions import Permission, Principal
from app.allocation import policies, what_ifs
from app.allocation.models import APPROVED, Proposal, ProposalState, Run
from app.allocation.offer_models import Offer, OfferState
from app.errors import NotFound
from app.housing.models import House, HouseState
from app.policy.appeals import AppealRules
from app.policy.offers import NoEffect
from app.policy.parameters import DEFAULT_POLICY, Policy
from app.registry.models import Application, ApplicationState, Household
from app.registry.queries import applications
from app.tenancy import appeal_subjects
from app.tenancy.appeal_models import Appeal
from app.tenancy.deadlines import deadlines
from app.tenancy.models import Tenancy


@dataclass(frozen=True)
class Offered:
    """The offer of the reserved house: an answer is due on `answer_until`; declining may lower the place.

    `declining_costs_place`: by the policy in force, by which the next run goes, and not that of the run that gave it.
    `appeal_until`: the last day for an appeal against it; None once it is accepted.
    """

    offer: Offer
    answer_until: date
    appeal_until: date | None
    declining_costs_place: bool

    def ended_on(self, zone: tzinfo) -> date | None:
        """Return the day on which the family answered, or the offer ended otherwise."""
        offer = self.offer
        if offer.state is OfferState.ISSUED or offer.answered_on is not None:
            return offer.answered_on
        return offer.ended_at.astimezone(zone).date() if offer.ended_at is not None else None


@dataclass(frozen=True)
class Case:
    """An application, with household and people, and what was decided of it last, if anything.

    `reservation`: the proposal that reserved the house, an earlier one where `proposal` keeps it. `rules`: of appeals,
    by the policy that decided, or that is in force; `programme`: its name. `zone`: of the programme's days. `appeals`:
    the last one first. `smallest_change`: what would have housed it, where that was asked and found. `tenancy`: of the
    house that was reserved, once the family has had the keys.
    """

    application: Application
    proposal: Proposal | None
    reservation: Proposal | None
    rules: AppealRules
    programme: str
    offered: "Offered | None"
    zone: tzinfo
    appeals: tuple[Appeal, ...] = ()
    smallest_change: Mapping[str, Any] | None = None
    tenancy: Tenancy | None = None

    @property
    def ineligible_for(self) -> list[str] | None:
        """Why it was signed that the household cannot take part, as codes; None where that is not so."""
        return self.application.ineligible_for if self.application.state is ApplicationState.INELIGIBLE else None

    @property
    def decided_at(self) -> datetime | None:
        """When the last decision was made: what was signed of the application, or else what a run gave."""
        if self.ineligible_for is not None:
            return self.application.decided_at
        return self.proposal.run.decided_at if self.proposal is not None else None

    @property
    def given_up_at(self) -> datetime | None:
        """When the reservation was given up; None where it stands, or none was made."""
        if self.reservation is None or self.reservation.state is not ProposalState.RELEASED:
            return None
        return self.reservation.decided_at

    @property
    def lost(self) -> Tenancy | None:
        """The tenancy of the house that was given, where it has ended or the house is unfit."""
        if self.tenancy is None:
            return None
        is_over = self.tenancy.moved_out_on is not None or self.tenancy.house.state is HouseState.UNFIT
        return self.tenancy if is_over else None

    @property
    def told_at(self) -> datetime | None:
        """When the last decision was made, or what came of it later: an offer, or that the reservation was given up."""
        if self.decided_at is None:
            return None
        issued_at = self.offered.offer.issued_at if self.offered is not None else None
        return max([self.decided_at, *(later for later in (issued_at, self.given_up_at) if later is not None)])

    @property
    def appeal_until(self) -> date | None:
        """The last day for an appeal against the last decision, or against the offer that came of it."""
        if self.decided_at is None:
            return None
        until = self.rules.lodged_by(self.day(self.decided_at))
        of_offer = self.offered.appeal_until if self.offered is not None else None
        return until if of_offer is None else max(until, of_offer)

    @property
    def may_appeal(self) -> bool:
        """Whether there is time for an appeal once this is told: a reservation may be given up after the last day."""
        until, told_at = self.appeal_until, self.told_at
        return until is not None and told_at is not None and self.day(told_at) <= until

    def appeal(self, reference: str) -> Appeal:
        """Return the appeal of that reference, which is one of this application."""
        return next(each for each in self.appeals if each.reference == reference)

    def day(self, moment: datetime) -> date:
        """Return the programme's day of a moment."""
        return moment.astimezone(self.zone).date()


def application_of(session: Session, principal: Principal, reference: str) -> Application:
    """Return the application of a case, with household and people. Raises NotFound, also for one out of scope."""
    application = session.scalar(
        applications(principal, Permission.PROPOSAL_READ)
        .where(Application.reference == reference)
        .options(joinedload(Application.household).selectinload(Household.people))
    )
    if application is None:
        raise NotFound("There is no such application that you may see.")
    return application


def case_of(session: Session, principal: Principal, reference: str, zone: tzinfo) -> Case:
    """Return the case of an application. Raises NotFound, also for one out of scope."""
    application = application_of(session, principal, reference)
    proposal = session.scalar(
        _decisions()
        .where(Proposal.application_id == application.id)
        .order_by(Run.decided_at.desc(), Run.id.desc())
        .limit(1)
    )
    reserved_by = _reserved_by(session, [proposal] if proposal is not None else [])
    offers = _offered(session, reserved_by, zone)
    signed = application.decided_policy if application.state is ApplicationState.INELIGIBLE else None
    policy = _policy(session, proposal, signed)
    change = what_ifs.answered(session, [proposal.id]).get(proposal.id) if proposal is not None else None
    return Case(
        application,
        proposal,
        reserved_by.get(proposal.id) if proposal is not None else None,
        policy.appeals,
        policy.name,
        offers.get(proposal.id) if proposal is not None else None,
        zone,
        _appeals(session, application),
        change,
        _tenancies(session, reserved_by).get(proposal.id) if proposal is not None else None,
    )


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
    reserved_by = _reserved_by(session, found)
    offers = _offered(session, reserved_by, zone)
    changes = what_ifs.answered(session, [each.id for each in found])
    tenancies = _tenancies(session, reserved_by)
    of_version = {each.run.policy_version_id: _policy(session, each) for each in found}
    return [
        Case(
            each.application,
            each,
            reserved_by[each.id],
            policy.appeals,
            policy.name,
            offers.get(each.id),
            zone,
            smallest_change=changes.get(each.id),
            tenancy=tenancies.get(each.id),
        )
        for each in found
        for policy in (of_version[each.run.policy_version_id],)
    ]


def _appeals(session: Session, application: Application) -> tuple[Appeal, ...]:
    query = select(Appeal).where(Appeal.application_id == application.id).options(joinedload(Appeal.what_if))
    return tuple(session.scalars(query.order_by(Appeal.id.desc())))


def _offered(session: Session, reserved_by: Mapping[int, Proposal], zone: tzinfo) -> dict[int, Offered]:
    """Return proposal → the offer of the house that it reserves or keeps, of those that were offered."""
    offers = session.scalars(
        select(Offer)
        .where(Offer.proposal_id.in_(each.id for each in reserved_by.values()))
        .options(
            joinedload(Offer.house).joinedload(House.settlement),
            joinedload(Offer.proposal).joinedload(Proposal.run).joinedload(Run.policy_version),
        )
    ).all()
    ends = deadlines(session, offers, zone)
    of = {offer.proposal_id: offer for offer in offers}
    declining_costs_place = not isinstance(_policy(session, None).offers.effect, NoEffect)
    return {
        proposal: Offered(
            offer,
            ends[offer.id].last_day,
            subject.lodged_by if (subject := appeal_subjects.of_offer(offer, zone)) is not None else None,
            declining_costs_place,
        )
        for proposal, reservation in reserved_by.items()
        if (offer := of.get(reservation.id)) is not None
    }


def _reserved_by(session: Session, proposals: Sequence[Proposal]) -> dict[int, Proposal]:
    """Return proposal → the one that an offer of its house hangs on: itself, or where it keeps a house, the last one
    before that gave it."""
    earlier = aliased(Proposal)
    gave = dict(
        session.execute(
            select(Proposal.id, func.max(earlier.id))
            .join(earlier, and_(earlier.household_id == Proposal.household_id, earlier.house_id == Proposal.house_id))
            .where(
                Proposal.id.in_([each.id for each in proposals if each.state is ProposalState.KEPT]),
                earlier.id < Proposal.id,
                earlier.state != ProposalState.KEPT,
            )
            .group_by(Proposal.id)
        ).all()
    )
    before = {each.id: each for each in session.scalars(select(Proposal).where(Proposal.id.in_(gave.values())))}
    return {each.id: before[gave[each.id]] if each.id in gave else each for each in proposals}


def _tenancies(session: Session, reserved_by: Mapping[int, Proposal]) -> dict[int, Tenancy]:
    """Return proposal → the last tenancy of the house that it reserved or kept, where the family has had the keys."""
    found = session.execute(
        select(Proposal.id, Tenancy)
        .join(Tenancy, and_(Tenancy.household_id == Proposal.household_id, Tenancy.house_id == Proposal.house_id))
        .where(Proposal.id.in_(each.id for each in reserved_by.values()), Proposal.state == ProposalState.MOVED_IN)
        .options(joinedload(Tenancy.house))
        .order_by(Tenancy.id)
    )
    last = dict(found.all())
    return {proposal: last[each.id] for proposal, each in reserved_by.items() if each.id in last}


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


def _policy(session: Session, proposal: Proposal | None, signed: str | None = None) -> Policy:
    """Return the policy that decided, or that is in force; before the first one, the default."""
    if signed is not None:
        return policies.policy_of(policies.get(session, signed))
    if proposal is not None:
        return policies.policy_of(proposal.run.policy_version)
    try:
        return policies.in_force(session)[1]
    except NotFound:
        return DEFAULT_POLICY
