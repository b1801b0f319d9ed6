"""Taking a reserved house back from a household, and withdrawing an application at any point before it moves in."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from app.access.permissions import Permission, Principal
from app.allocation.models import Proposal, ProposalState
from app.allocation.offer_models import Offer, OfferState
from app.database import utc_now
from app.errors import Conflict
from app.housing import houses
from app.housing.models import House, HouseState
from app.lifecycles import require_transition
from app.registry import applications
from app.registry.models import Application, ApplicationState

LOCKED = ("state", "settlement_id", "version")
"""What is read anew of an application when it is locked; what is loaded beside stays."""
WAITING = ApplicationState.ELIGIBLE
"""Of an application that waits for a house in the next run."""


def release(session: Session, proposal: Proposal, reason: str, actor: Principal) -> Proposal:
    """Take back the house reserved for a household: it is free again, and the application waits as before.

    Who answers for who lives there may do it. Raises Forbidden, and Conflict unless the house is reserved.
    """
    house = lock(session, proposal)
    actor.require(Permission.TENANCY_WRITE, district=house.settlement.district, settlement=house.settlement.reference)
    give_back(session, proposal, house, reason, [actor.user_id])
    return proposal


def withdraw(session: Session, application: Application, reason: str, actor: Principal) -> Application:
    """Withdraw an application on the family's word; a house reserved for it is free again.

    Raises Forbidden, and Conflict for a household that has moved in or an application withdrawn already.
    """
    proposal = session.scalar(
        select(Proposal).where(Proposal.application_id == application.id, Proposal.state == ProposalState.RESERVED)
    )
    if proposal is not None:
        give_back(session, proposal, lock(session, proposal), "The family withdrew.", [actor.user_id])
    session.refresh(application, LOCKED, with_for_update=True)
    if application.state is ApplicationState.ALLOCATED:
        raise Conflict("The application was allocated at this moment. Withdraw it again.")
    if application.state is ApplicationState.HOUSED:
        raise Conflict("The application is housed: the family has moved in. Mark it as moved out instead.")
    return applications.withdraw(session, application, reason, actor)


def lock(session: Session, proposal: Proposal) -> House:
    """Lock what a proposal reserves, the house first, then the proposal: the order in which everything here is locked.

    Application and offer come after them. Raises Conflict unless a house is reserved.
    """
    house = session.scalar(
        select(House)
        .where(House.id == proposal.house_id)
        .options(joinedload(House.settlement))
        .with_for_update(of=House)
        .execution_options(populate_existing=True)
    )
    session.refresh(proposal, ["state", "house_id", "is_firm"], with_for_update=True)
    if house is None or proposal.state is not ProposalState.RESERVED:
        raise Conflict(f"Proposal {proposal.reference} is {proposal.state.value}: no house is reserved by it.")
    return house


def give_back(session: Session, proposal: Proposal, house: House, reason: str, by: list[int | None]) -> None:
    """Take back a house, locked with its proposal, by these users (None: the operator; nobody: by the family's answer).

    It is free again, and the application waits as before. An offer of it that still goes on is withdrawn for the same
    reason.
    """
    offer = live_offer(session, proposal)
    if offer is not None:
        offer.state, offer.end_reason, offer.ended_at = OfferState.WITHDRAWN, reason, utc_now()
    application = session.get_one(Application, proposal.application_id)
    session.refresh(application, LOCKED, with_for_update=True)
    require_transition("application", applications.TRANSITIONS, application.state, WAITING)
    proposal.state, proposal.is_firm, proposal.decided_at = ProposalState.RELEASED, False, utc_now()
    proposal.ended_by = by
    proposal.explanation += f" Released: {reason}"
    application.state, application.settlement_id = WAITING, None
    if house.state is HouseState.RESERVED:  # one that became unfit meanwhile stays so
        houses.move(house, HouseState.VACATED if _was_lived_in(session, house) else HouseState.HANDED_OVER)
    session.flush()


def live_offer(session: Session, proposal: Proposal) -> Offer | None:
    """Return the offer of a proposal that still goes on, locked."""
    offer = session.scalar(select(Offer).where(Offer.proposal_id == proposal.id))
    if offer is None:
        return None
    session.refresh(offer, ["state", "ended_at"], with_for_update=True)
    return offer if offer.ended_at is None else None


def _was_lived_in(session: Session, house: House) -> bool:
    moved_in = exists().where(Proposal.house_id == house.id, Proposal.state == ProposalState.MOVED_IN)
    return session.scalar(select(House.id).where(House.id == house.id, moved_in)) is not None
