"""Taking a reserved house back from a household, and withdrawing an application at any point before it moves in."""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.access.permissions import Permission, Principal
from app.allocation.models import Proposal, ProposalState
from app.database import utc_now
from app.errors import Conflict
from app.housing import houses
from app.housing.models import House, HouseState
from app.lifecycles import require_transition
from app.registry import applications
from app.registry.models import Application, ApplicationState

LOCKED = ("state", "settlement_id", "version")
"""What is read anew of an application when it is locked; what is loaded beside stays."""


def release(session: Session, proposal: Proposal, reason: str, actor: Principal) -> Proposal:
    """Take back the house reserved for a household: it is free again, and the application waits as before.

    Who answers for the house may do it. Raises Forbidden, and Conflict unless the house is reserved.
    """
    house = _reserved_house(session, proposal)
    actor.require(Permission.HOUSE_WRITE, district=house.settlement.district, settlement=house.settlement.reference)
    _release(session, proposal, house, reason)
    return proposal


def withdraw(session: Session, application: Application, reason: str, actor: Principal) -> Application:
    """Withdraw an application on the family's word; a house reserved for it is free again.

    Raises Forbidden, and Conflict for a household that has moved in or an application withdrawn already.
    """
    proposal = session.scalar(
        select(Proposal).where(Proposal.application_id == application.id, Proposal.state == ProposalState.RESERVED)
    )
    if proposal is not None:
        _release(session, proposal, _reserved_house(session, proposal), "The family withdrew.")
    session.refresh(application, LOCKED, with_for_update=True)
    if application.state is ApplicationState.ALLOCATED:
        raise Conflict("The application was allocated at this moment. Withdraw it again.")
    if application.state is ApplicationState.HOUSED:
        raise Conflict("The application is housed: the family has moved in. Mark it as moved out instead.")
    return applications.withdraw(session, application, reason, actor)


def _reserved_house(session: Session, proposal: Proposal) -> House:
    """Lock the house first, then the proposal: the order in which everything here is locked."""
    house = session.scalar(
        select(House)
        .where(House.id == proposal.house_id)
        .options(joinedload(House.settlement))
        .with_for_update(of=House)
        .execution_options(populate_existing=True)
    )
    session.refresh(proposal, ["state", "house_id"], with_for_update=True)
    if house is None or proposal.state is not ProposalState.RESERVED:
        raise Conflict(f"Proposal {proposal.reference} is {proposal.state.value}: no house is reserved by it.")
    return house


def _release(session: Session, proposal: Proposal, house: House, reason: str) -> None:
    application = session.get_one(Application, proposal.application_id)
    session.refresh(application, LOCKED, with_for_update=True)
    require_transition("application", applications.TRANSITIONS, application.state, ApplicationState.SUBMITTED)
    proposal.state, proposal.decided_at = ProposalState.RELEASED, utc_now()
    proposal.explanation += f" Released: {reason}"
    application.state, application.settlement_id = ApplicationState.SUBMITTED, None
    if house.state is HouseState.RESERVED:  # one that became unfit meanwhile stays so
        houses.move(house, HouseState.HANDED_OVER)
    session.flush()
