"""Moving in, moving out, and houses that nobody should live in."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import reservations
from app.allocation.models import Proposal, ProposalState
from app.allocation.offer_models import OfferState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid
from app.housing import houses
from app.housing.closures import require_open
from app.housing.models import House, HouseState
from app.lifecycles import require_transition
from app.registry.applications import TRANSITIONS
from app.registry.models import Application, ApplicationState
from app.tenancy.models import Tenancy


def _require(actor: Principal, house: House) -> None:
    settlement = house.settlement
    actor.require(Permission.TENANCY_WRITE, district=settlement.district, settlement=settlement.reference)


def _check_day(name: str, day: date) -> None:
    if day > utc_now().date():
        raise Invalid("The day lies in the future.", [FieldError(f"#/body/{name}", "Give a date up to today.")])


def _reservation(session: Session, house: House) -> Proposal | None:
    return session.scalar(
        select(Proposal)
        .where(Proposal.house_id == house.id, Proposal.state == ProposalState.RESERVED)
        .options(joinedload(Proposal.household), joinedload(Proposal.application), joinedload(Proposal.house))
    )


def move_in(session: Session, house: House, household: str, moved_in_on: date, actor: Principal) -> Tenancy:
    """Mark the household for which `house` is reserved as moved in.

    `house` must be locked, with its settlement loaded. Raises Conflict when the house is not reserved for that
    household, or a gate of its settlement has closed since.
    """
    _require(actor, house)
    _check_day("moved_in_on", moved_in_on)
    if house.state is not HouseState.RESERVED:
        raise Conflict(f"The house is {house.state.value}; a family moves into one that is reserved for it.")
    reservation = _reservation(session, house)
    if reservation is None or reservation.household.reference != household:
        raise Conflict("The house is reserved for another household. Check the reference on the family's papers.")
    require_open(session, house.settlement)
    offer = reservations.live_offer(session, reservation)
    if offer is None or offer.state is not OfferState.ACCEPTED:
        stands = "no offer of it was issued" if offer is None else f"its offer is {offer.state.value}"
        raise Conflict(f"The family has not accepted the house yet: {stands}. Record its answer first.")
    require_transition("application", TRANSITIONS, reservation.application.state, ApplicationState.HOUSED)
    houses.move(house, HouseState.OCCUPIED)
    reservation.application.state = ApplicationState.HOUSED
    reservation.state = ProposalState.MOVED_IN
    offer.ended_at = utc_now()
    tenancy = Tenancy(
        house=house,
        household=reservation.household,
        moved_in_on=moved_in_on,
        recorded_by_id=actor.user_id,
    )
    session.add(tenancy)
    audit.record(session, actor, Act.TENANCY_MOVE_IN, tenancy)
    return tenancy


def current_tenancy(session: Session, house: House) -> Tenancy | None:
    """Return who lives in `house`, if anyone."""
    return session.scalar(
        select(Tenancy)
        .where(Tenancy.house_id == house.id, Tenancy.moved_out_on.is_(None))
        .options(joinedload(Tenancy.household))
    )


def move_out(session: Session, house: House, moved_out_on: date, reason: str, actor: Principal) -> Tenancy:
    """End the tenancy of `house`, which must be locked. The house is free again, and the application has ended.

    Raises Conflict when nobody lives there.
    """
    _require(actor, house)
    _check_day("moved_out_on", moved_out_on)
    tenancy = current_tenancy(session, house)
    if tenancy is None:
        raise Conflict(f"The house is {house.state.value} and nobody is recorded as living there.")
    if moved_out_on < tenancy.moved_in_on:
        raise Invalid(
            "The family would have moved out before it moved in.",
            [FieldError("#/body/moved_out_on", f"It moved in on {tenancy.moved_in_on}.")],
        )
    tenancy.moved_out_on, tenancy.end_reason = moved_out_on, reason
    if house.state is HouseState.OCCUPIED:  # an unfit house stays unfit
        houses.move(house, HouseState.VACATED)
    application = session.scalar(
        select(Application).where(
            Application.household_id == tenancy.household_id, Application.state == ApplicationState.HOUSED
        )
    )
    if application is not None:
        application.state = ApplicationState.WITHDRAWN
        application.settlement_id = None
        application.withdrawn_at, application.withdrawn_reason = utc_now(), f"Moved out: {reason}"
    why = audit.digest("tenancy", tenancy.reference, "end_reason", reason)  # of the family's life
    audit.record(session, actor, Act.TENANCY_MOVE_OUT, tenancy, reason=why)
    return tenancy


def declare_unfit(session: Session, house: House, reason: str, actor: Principal) -> House:
    """Say that nobody should live in `house`, which must be locked.

    A reservation is released, and its family waits for the next run; a family living there stays on record until
    it moves out.
    """
    reservation = _reservation(session, house)
    if reservation is not None:
        reservations.release(session, reservation, f"House unfit: {reason}", actor)
    return houses.declare_unfit(session, house, reason, actor)


def declare_fit(session: Session, house: House, actor: Principal) -> House:
    """Say that an unfit `house` can be lived in again: as before, by whoever lives there."""
    _require(actor, house)
    if house.state is not HouseState.UNFIT:
        raise Conflict(f"The house is {house.state.value}, not unfit.")
    if current_tenancy(session, house) is not None:
        houses.move(house, HouseState.OCCUPIED)
    elif session.scalar(select(Tenancy.id).where(Tenancy.house_id == house.id).limit(1)) is not None:
        houses.move(house, HouseState.VACATED)
    else:
        houses.move(house, HouseState.UNDER_CONSTRUCTION if house.handed_over_on is None else HouseState.HANDED_OVER)
    audit.record(session, actor, Act.HOUSE_DECLARE_FIT, house)
    return house
