"""Giving keys, moving in, moving out, and houses that nobody should live in."""

from datetime import date

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import reservations
from app.allocation.models import Proposal, ProposalState
from app.allocation.offer_models import OfferState
from app.audit import Act
from app.database import earliest_day, latest_today, utc_now
from app.errors import Conflict, FieldError, Invalid
from app.housing import houses
from app.housing.closures import require_open
from app.housing.models import House, HouseState
from app.lifecycles import require_transition
from app.registry.applications import TRANSITIONS
from app.registry.checks import CHECKED
from app.registry.models import Application, ApplicationState, Correction, Household, Person
from app.tenancy import holders, swap_endings
from app.tenancy.models import Tenancy, TenancyEnd

MOVED = "Moved to house {house}."


def _require(actor: Principal, house: House) -> None:
    settlement = house.settlement
    actor.require(Permission.TENANCY_WRITE, district=settlement.district, settlement=settlement.reference)


def check_day(name: str, day: date) -> None:
    """Raise Invalid for a day that has come nowhere yet, pointing at the field of that name."""
    if day > latest_today():
        raise Invalid("The day lies in the future.", [FieldError(f"#/body/{name}", "Give a date up to today.")])


def _reservation(session: Session, house: House) -> Proposal | None:
    return session.scalar(
        select(Proposal)
        .where(Proposal.house_id == house.id, Proposal.state == ProposalState.RESERVED)
        .options(
            joinedload(Proposal.household).selectinload(Household.people),
            joinedload(Proposal.application),
            joinedload(Proposal.house),
        )
    )


def give_keys(
    session: Session,
    house: House,
    household: str,
    given_on: date,
    actor: Principal,
    *,
    received_by: str | None = None,
    representative: str | None = None,
) -> Tenancy:
    """Record that the household that accepted `house` got its keys, and who took them: a member, or a representative.

    A family that was to leave an unfit house has left it with that. `house` must be locked, with its settlement loaded.
    Raises Forbidden, Invalid for somebody who is no member, and Conflict when the house is not reserved for that
    household, its offer is not accepted, a gate of its settlement has closed since, or it lives in a fit house.
    """
    tenancy = _begin(session, house, household, given_on, "given_on", actor)
    if received_by is not None:
        tenancy.received_by = _member(tenancy.household, received_by)
    tenancy.representative = representative
    audit.record(session, actor, Act.TENANCY_GIVE_KEYS, tenancy)
    return tenancy


def _member(household: Household, reference: str) -> Person:
    found = next((person for person in household.people if person.reference == reference), None)
    if found is None:
        raise Invalid(
            "Somebody of the household takes the keys, or somebody for it.",
            [FieldError("#/body/received_by", f"There is no person {reference} in this household.")],
        )
    return found


def _begin(session: Session, house: House, household: str, day: date, name: str, actor: Principal) -> Tenancy:
    _require(actor, house)
    check_day(name, day)
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
    offered_on = earliest_day(offer.issued_at)  # not the day of the answer, which was typed in and cannot be put right
    if day < offered_on:
        raise Invalid(
            "The family would have had the house before it was offered.",
            [FieldError(f"#/body/{name}", f"Give a day from {offered_on} on.")],
        )
    _leave_unfit_house(session, reservation.household_id, house, day, name)
    application = reservation.application
    session.refresh(application, reservations.LOCKED, with_for_update=True)
    require_transition("application", TRANSITIONS, application.state, ApplicationState.HOUSED)
    houses.move(house, HouseState.OCCUPIED)
    application.state = ApplicationState.HOUSED
    reservation.state = ProposalState.MOVED_IN
    offer.ended_at = utc_now()
    tenancy = Tenancy(house=house, household=reservation.household, keys_given_on=day, recorded_by_id=actor.user_id)
    holders.begin(tenancy, reservation.household)
    session.add(tenancy)
    return tenancy


def _leave_unfit_house(session: Session, household_id: int, to: House, day: date, name: str) -> None:
    """End the tenancy of a family that gets a house because its own became unfit; that house stays unfit.

    The tenancy is locked before the application, as by all who end one.
    """
    former = session.scalar(
        select(Tenancy)
        .where(Tenancy.household_id == household_id, Tenancy.moved_out_on.is_(None))
        .options(joinedload(Tenancy.house))
        .with_for_update(of=Tenancy)
    )
    if former is not None:
        if former.house.state is not HouseState.UNFIT:
            raise Conflict(
                f"The family lives in house {former.house.reference}, which is {former.house.state.value}. Record that "
                "it has moved out of that first."
            )
        _end(former, day, TenancyEnd.HOUSE_UNFIT, MOVED.format(house=to.reference), name)
        session.flush()  # the old tenancy ends before the new one begins


def _end(tenancy: Tenancy, day: date, ended_for: TenancyEnd, reason: str, name: str) -> None:
    """End a tenancy on a day, given in the field of that name, which is not before it began."""
    first = tenancy.moved_in_on or tenancy.keys_given_on
    if day < first:
        raise Invalid(
            "The family would have moved out before it moved in.",
            [FieldError(f"#/body/{name}", f"It moved in on {first}.")],
        )
    tenancy.moved_out_on, tenancy.ended_for, tenancy.end_reason = day, ended_for, reason


def move_in(session: Session, house: House, household: str, moved_in_on: date, actor: Principal) -> Tenancy:
    """Confirm that the household lives in `house`: it has the keys, or gets them with this.

    `house` must be locked, with its settlement loaded. Raises Forbidden, Invalid, and Conflict when the family lives
    there already, the house has become unfit, or where `give_keys` would.
    """
    _require(actor, house)
    check_day("moved_in_on", moved_in_on)
    tenancy = current_tenancy(session, house, lock=True)
    if tenancy is None or tenancy.moved_in_on is not None:
        tenancy = _begin(session, house, household, moved_in_on, "moved_in_on", actor)
    elif tenancy.household.reference != household:
        raise Conflict("Another household has the keys. Check the reference on the family's papers.")
    elif moved_in_on < tenancy.keys_given_on:
        raise Invalid(
            "The family would have moved in before it had the keys.",
            [FieldError("#/body/moved_in_on", f"It got them on {tenancy.keys_given_on}.")],
        )
    elif house.state is not HouseState.OCCUPIED:
        raise Conflict(f"The house is {house.state.value}; a family moves in once it is declared fit.")
    else:
        require_open(session, house.settlement)
    tenancy.moved_in_on = moved_in_on
    audit.record(session, actor, Act.TENANCY_MOVE_IN, tenancy)
    return tenancy


def current_tenancy(session: Session, house: House, *, lock: bool = False) -> Tenancy | None:
    """Return who has the keys of `house`, if anyone.

    Whoever acts on it locks it, after the house: a family that gets the keys of another house leaves this one unlocked.
    """
    query = (
        select(Tenancy)
        .where(Tenancy.house_id == house.id, Tenancy.moved_out_on.is_(None))
        .options(joinedload(Tenancy.household), selectinload(Tenancy.holders))
    )
    return session.scalar(query.with_for_update(of=Tenancy) if lock else query)


def move_out(
    session: Session,
    house: House,
    moved_out_on: date,
    reason: str,
    actor: Principal,
    *,
    ended_for: TenancyEnd = TenancyEnd.OTHER,
) -> Tenancy:
    """End the tenancy of `house`, which must be locked. The house is free again, and the application has ended.

    A family that leaves an unfit house goes on waiting for another. Raises Conflict when nobody lives there.
    """
    _require(actor, house)
    check_day("moved_out_on", moved_out_on)
    tenancy = current_tenancy(session, house, lock=True)
    if tenancy is None:
        raise Conflict(f"The house is {house.state.value} and nobody is recorded as living there.")
    _end(tenancy, moved_out_on, ended_for, reason, "moved_out_on")
    swap_endings.end_wish(session, tenancy, "A family has moved out.")
    if house.state is HouseState.OCCUPIED:  # an unfit house stays unfit
        houses.move(house, HouseState.VACATED)
    application = _application(session, tenancy, ApplicationState.HOUSED)
    if application is not None:
        application.state = ApplicationState.WITHDRAWN
        application.settlement_id = None
        application.withdrawn_at, application.withdrawn_reason = utc_now(), f"Moved out: {reason}"
    why = audit.digest("tenancy", tenancy.reference, "end_reason", reason)  # of the family's life
    audit.record(session, actor, Act.TENANCY_MOVE_OUT, tenancy, reason=why)
    return tenancy


def _application(session: Session, tenancy: Tenancy, state: ApplicationState) -> Application | None:
    return session.scalar(
        select(Application)
        .where(Application.household_id == tenancy.household_id, Application.state == state)
        .with_for_update()
    )


def declare_unfit(session: Session, house: House, reason: str, actor: Principal) -> House:
    """Say that nobody should live in `house`, which must be locked, with its settlement loaded.

    A reservation is released, and its family waits for the next run. So does, with its application of old, a family
    that lives there, once that was found eligible: it stays on record until it moves out, or gets the keys of another
    house.
    Raises Forbidden, and Conflict where it is unfit already.
    """
    _require(actor, house)
    reservation = _reservation(session, house)
    if reservation is not None:
        reservations.release(session, reservation, f"House unfit: {reason}", actor)
    tenancy = current_tenancy(session, house, lock=True)
    if tenancy is not None:
        application = _application(session, tenancy, ApplicationState.HOUSED)
        if application is not None:
            application.state, application.settlement_id = _as_recorded(session, application), None
        swap_endings.end_wish(session, tenancy, "A house has become unfit.")
    return houses.declare_unfit(session, house, reason, actor)


def _as_recorded(session: Session, application: Application) -> ApplicationState:
    """Return the state of an application that counts as housed no more, by what is recorded of it.

    It may have been `_stay` that made it housed, whatever it was: that found nobody eligible.
    """
    if application.submitted_at is None:
        return ApplicationState.DRAFT
    if application.ineligible_for:
        return ApplicationState.INELIGIBLE
    if application.decided_at is not None:
        return reservations.WAITING
    if application.verified_at is not None:
        return ApplicationState.VERIFIED
    # Who was given a house before decisions were recorded was eligible for it, until something was corrected.
    gave = exists().where(Proposal.application_id == application.id, Proposal.state == ProposalState.MOVED_IN)
    is_void = exists().where(Correction.application_id == application.id, Correction.state_before.in_(CHECKED))
    return reservations.WAITING if session.scalar(select(gave & ~is_void)) else ApplicationState.SUBMITTED


def declare_fit(session: Session, house: House, actor: Principal) -> House:
    """Say that an unfit `house` can be lived in again: as before, by whoever lives there.

    Raises Conflict, also while another house is reserved for the family that lives there.
    """
    _require(actor, house)
    if house.state is not HouseState.UNFIT:
        raise Conflict(f"The house is {house.state.value}, not unfit.")
    tenancy = current_tenancy(session, house, lock=True)
    if tenancy is not None:
        _stay(session, house, tenancy)
        houses.move(house, HouseState.OCCUPIED)
    elif session.scalar(select(Tenancy.id).where(Tenancy.house_id == house.id).limit(1)) is not None:
        houses.move(house, HouseState.VACATED)
    else:
        houses.move(house, HouseState.UNDER_CONSTRUCTION if house.handed_over_on is None else HouseState.HANDED_OVER)
    audit.record(session, actor, Act.HOUSE_DECLARE_FIT, house)
    return house


def _stay(session: Session, house: House, tenancy: Tenancy) -> None:
    """Have the family count as housed again, whatever became of its application meanwhile: it waits for no other house.

    Where it withdrew and did not apply again, its last application goes on.
    """
    application = session.scalar(
        select(Application)
        .where(Application.household_id == tenancy.household_id)
        .order_by(Application.state == ApplicationState.WITHDRAWN, Application.id.desc())
        .limit(1)
        .with_for_update()
    )
    if application is None:
        return
    if application.state is ApplicationState.ALLOCATED:
        raise Conflict(
            "Another house is reserved for the family that lives there. Declare this one fit once it has moved, or "
            "does not take the other."
        )
    application.state, application.settlement_id = ApplicationState.HOUSED, house.settlement_id
    application.withdrawn_at = application.withdrawn_reason = None
