"""Rows for tests of what happens once families live somewhere: titles, checks, swaps, and being housed again."""

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.access.models import User
from app.allocation.models import Proposal, ProposalState
from app.allocation.offer_models import GivenHow, Offer, OfferState
from app.database import utc_now
from app.housing.models import House, HouseState, Settlement
from app.policy.facts import DeclineReason, Relationship, Sex
from app.registry.models import Application, ApplicationState, Household
from app.tenancy.models import Finding, OccupancyCheck, Tenancy, TenancyEnd, TenancyHolder
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapMove, SwapOption, SwapWish, SwapWishState
from tests import factories


def reserve(session: Session, free: House, family: Household, application_reference: str) -> Proposal:
    """A reservation of `free`, whose offer is accepted, for a household that there is, by its application."""
    given = factories.reservation(session, free)
    given.application.state, given.application.settlement_id = ApplicationState.WITHDRAWN, None
    own = session.scalars(select(Application).where(Application.reference == application_reference)).one()
    own.state, own.settlement_id = ApplicationState.ALLOCATED, free.settlement_id
    given.household_id, given.application_id = family.id, own.id
    session.flush()
    session.refresh(given)
    factories.offer(session, given, accepted=True)
    return given


def left(lived_in: Tenancy, on: date) -> None:
    """Have the family of a tenancy move out, to relatives."""
    lived_in.moved_out_on, lived_in.ended_for, lived_in.end_reason = on, TenancyEnd.WITH_RELATIVES, "With relatives."


def joint_tenancy(session: Session, lived_in: House) -> Tenancy:
    """A head with spouse and child, living in `lived_in`, to which head and spouse hold the title."""
    row = factories.tenancy(session, lived_in, children=2)
    spouse = row.household.people[1]
    spouse.relationship, spouse.sex, spouse.birth_date = Relationship.SPOUSE, Sex.MALE, factories.ADULT_BORN_ON
    row.holders.append(TenancyHolder(person=spouse))
    session.flush()
    return row


def occupancy_check(session: Session, of: Tenancy, finding: Finding = Finding.EMPTY) -> OccupancyCheck:
    """What was found, long ago, where a family lives."""
    row = OccupancyCheck(
        house=of.house, tenancy=of, checked_on=factories.LONG_AGO, finding=finding, note="Kovalenko's mother opened."
    )
    session.add(row)
    session.flush()
    return row


def swap_wish(session: Session, lived_in: Tenancy, *wanted: House | Settlement) -> SwapWish:
    """The open wish of whoever lives somewhere to live in one of these instead, the best first."""
    row = SwapWish(
        tenancy=lived_in,
        household=lived_in.household,
        state=SwapWishState.OPEN,
        options=[
            SwapOption(
                rank=rank,
                house=each if isinstance(each, House) else None,
                settlement=each if isinstance(each, Settlement) else None,
            )
            for rank, each in enumerate(wanted, 1)
        ],
    )
    session.add(row)
    session.flush()
    return row


LIVING = (joinedload(Tenancy.household), joinedload(Tenancy.house))
"""Loads with tenancies who lives where."""


def propose_as(session: Session, cycle_reference: str, user_reference: str) -> None:
    """Have a cycle proposed by this user."""
    cycle = session.scalars(select(SwapCycle).where(SwapCycle.reference == cycle_reference)).one()
    cycle.proposed_by_id = session.scalars(select(User.id).where(User.reference == user_reference)).one()


def swap_cycle(session: Session, place: Settlement, families: int = 2, *, confirmed: bool = False) -> SwapCycle:
    """A proposed cycle of families of one, each of whom gets the house of the next."""
    homes = [factories.tenancy(session, factories.house(session, place)) for _ in range(families)]
    following = [*homes[1:], homes[0]]
    agreed = {"confirmed_on": utc_now().date(), "given_how": GivenHow.IN_PERSON} if confirmed else {}
    row = SwapCycle(
        state=SwapCycleState.PROPOSED,
        moves=[
            SwapMove(wish=swap_wish(session, home, other.house), from_house=home.house, to_house=other.house, **agreed)
            for home, other in zip(homes, following, strict=True)
        ],
    )
    session.add(row)
    session.flush()
    return row


def declined_offer(session: Session, free: House, **fields: Any) -> Offer:
    """An offer of `free`, which a household, with `fields`, has declined: it was too far."""
    given = factories.reservation(session, free, **fields)
    row = factories.offer(
        session,
        given,
        state=OfferState.DECLINED,
        answered_on=utc_now().date(),
        given_how=GivenHow.TELEPHONE,
        decline_reason=DeclineReason.TOO_FAR,
        note="Too far from her mother.",
        ended_at=utc_now(),
    )
    given.state, given.application.state = ProposalState.RELEASED, ApplicationState.ELIGIBLE
    given.application.settlement_id = None
    free.state = HouseState.HANDED_OVER
    session.flush()
    return row
