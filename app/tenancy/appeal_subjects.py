"""What an appeal can be against: the decision, when the family was told, and who took part in it."""

from dataclasses import dataclass, replace
from datetime import date, tzinfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from app.allocation import policies, what_ifs
from app.allocation.models import APPROVED, Proposal, ProposalState, Run
from app.allocation.offer_models import Offer, OfferState
from app.allocation.placement_models import Placement
from app.database import utc_now
from app.errors import Conflict
from app.policy.parameters import Policy
from app.registry.models import Application, ApplicationState
from app.tenancy.appeal_models import AppealAgainst

User = int | None
"""A user's id; None: the operator."""


@dataclass(frozen=True)
class Subject:
    """A decision, by reference; `proposal` is what the run said, where a run had a part in it.

    `run_id`: the run to ask what it would have given; of who was signed as ineligible the first since.
    """

    reference: str
    told_on: date
    policy: Policy
    took_part: tuple[User, ...]
    proposal: Proposal | None
    run_id: int | None

    @property
    def lodged_by(self) -> date:
        """The last day for an appeal against it."""
        return self.policy.appeals.lodged_by(self.told_on)


def subject_of(session: Session, application: Application, against: AppealAgainst, zone: tzinfo) -> Subject:
    """Return the last decision of that kind on an application. Raises Conflict where there is none."""
    proposal = _last_decided(session, application)
    match against:
        case AppealAgainst.INELIGIBILITY:
            found = _signed(session, application, zone) or _ineligible(application, proposal, zone)
        case AppealAgainst.PRIORITY:
            found = _of_run(session, application, proposal, zone, by_case=True)
        case AppealAgainst.PROPOSAL:
            found = _of_run(session, application, proposal, zone, by_case=False)
        case AppealAgainst.OFFER:
            found = _offer(session, application, zone)
    if found is None:
        raise Conflict(
            f"There is no {against.value} of application {application.reference} to appeal against: nothing of that "
            "kind was decided. Read its explanation."
        )
    return found


def _last_decided(session: Session, application: Application) -> Proposal | None:
    return session.scalar(
        select(Proposal)
        .join(Proposal.run)
        .where(Proposal.application_id == application.id, Run.state.in_(APPROVED))
        .options(joinedload(Proposal.run).joinedload(Run.policy_version), joinedload(Proposal.household))
        .order_by(Run.decided_at.desc(), Run.id.desc())
        .limit(1)
    )


def _of_case(application: Application) -> tuple[User, ...]:
    """All who handed in, verified and signed; what was imported was by nobody in particular."""
    users = (*application.handed_in_by, application.verified_by_id, application.decided_by_id)
    return tuple(user for user in users if user is not None)


def _signed(session: Session, application: Application, zone: tzinfo) -> Subject | None:
    if application.state is not ApplicationState.INELIGIBLE or application.decided_at is None:
        return None
    version = (
        policies.get(session, application.decided_policy)
        if application.decided_policy is not None
        else policies.in_force(session)[0]
    )
    told_on = application.decided_at.astimezone(zone).date()
    run_id = what_ifs.first_run_without(session, application.household.reference, application.decided_at)
    return Subject(application.reference, told_on, policies.policy_of(version), _of_case(application), None, run_id)


def _ineligible(application: Application, proposal: Proposal | None, zone: tzinfo) -> Subject | None:
    if proposal is None or proposal.state is not ProposalState.INELIGIBLE:
        return None
    return _subject(proposal, zone, _of_case(application))


def _of_run(
    session: Session, application: Application, proposal: Proposal | None, zone: tzinfo, *, by_case: bool
) -> Subject | None:
    if proposal is None or proposal.state is ProposalState.INELIGIBLE:
        return None
    if by_case:
        return _subject(proposal, zone, _of_case(application))
    run = proposal.run
    allocated = (run.requested_by_id, run.decided_by_id, *proposal.ended_by, *_of_placements(session, proposal))
    return _subject(proposal, zone, (*allocated, *_of_case(application)))


def _of_placements(session: Session, proposal: Proposal) -> tuple[User, ...]:
    """Who requested and confirmed what the run of a proposal had to hold to for its household."""
    run = proposal.run
    counted = select(Placement.requested_by_id, Placement.confirmed_by_id).where(
        Placement.household_id == proposal.household_id,
        Placement.confirmed_at < (run.decided_at or utc_now()),
        or_(Placement.lifted_at.is_(None), Placement.lifted_at > run.requested_at),
    )
    return tuple(user for users in session.execute(counted) for user in users)


def _subject(proposal: Proposal, zone: tzinfo, took_part: tuple[User, ...]) -> Subject:
    told_at = proposal.run.decided_at or proposal.run.requested_at
    policy = policies.policy_of(proposal.run.policy_version)
    told_on = told_at.astimezone(zone).date()
    return Subject(proposal.reference, told_on, policy, took_part, proposal, proposal.run_id)


def _offer(session: Session, application: Application, zone: tzinfo) -> Subject | None:
    offer = session.scalar(
        select(Offer)
        .join(Offer.proposal)
        .where(Proposal.application_id == application.id)
        .options(
            joinedload(Offer.proposal).joinedload(Proposal.household),
            joinedload(Offer.proposal).joinedload(Proposal.run).joinedload(Run.policy_version),
        )
        .order_by(Offer.id.desc())
        .limit(1)
    )
    if offer is None or (found := of_offer(offer, zone)) is None:
        return None
    before = (*_of_case(application), *_of_placements(session, offer.proposal))
    return replace(found, took_part=(*before, *found.took_part))


def of_offer(offer: Offer, zone: tzinfo) -> Subject | None:
    """Return an offer, loaded with its proposal, run and policy, as what an appeal is against; None once accepted.

    Who took part in it are those of the run and of the offer alone.
    """
    if offer.state is OfferState.ACCEPTED:
        return None
    told_at = offer.ended_at or offer.issued_at
    run = offer.proposal.run
    answered = () if offer.answered_by_id is None else (offer.answered_by_id,)
    return Subject(
        offer.reference,
        told_at.astimezone(zone).date(),
        policies.policy_of(run.policy_version),
        (offer.issued_by_id, run.requested_by_id, run.decided_by_id, *answered, *offer.proposal.ended_by),
        offer.proposal,
        offer.proposal.run_id,
    )
