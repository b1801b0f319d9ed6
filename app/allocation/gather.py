"""Everything that a run rests on, read from the database in a few queries."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.allocation import placements
from app.allocation.declines import PastOffers, past_offers
from app.allocation.models import Proposal, ProposalState
from app.allocation.placement_models import Placement
from app.housing.models import House, Job, Settlement
from app.housing.readiness import available_houses
from app.policy.parameters import Policy
from app.registry.models import PLACED, Application, ApplicationState, Household, Suitability


@dataclass(frozen=True)
class Gathered:
    """Rows with what `snapshot.build` reads of them loaded.

    `settlements` are those of the run, `houses` theirs that can be allocated, `applications` the eligible ones,
    with household, people, kin group and preferences. `placed` are applications of households already allocated
    or housed in a settlement of the run, or in one kin group with anybody. `declined`: offers that families declined.
    `placements` are all that count. `held`: household → the house reserved for it, of those that the run may move; they
    are among the applications, and their houses among the houses. `refused`: who was signed as ineligible.
    """

    run: str
    on: date
    policy_reference: str
    policy: Policy
    settlements: Sequence[Settlement]
    houses: Sequence[House]
    applications: Sequence[Application]
    placed: Sequence[Application]
    jobs: Sequence[Job]
    suitabilities: Sequence[Suitability]
    declined: PastOffers
    placements: Sequence[Placement] = ()
    held: Mapping[int, House] = field(default_factory=dict)
    refused: Sequence[Application] = ()


def gather(
    session: Session,
    *,
    run: str,
    on: date,
    policy_reference: str,
    policy: Policy,
    settlements: Sequence[Settlement],
    move_issued: bool = False,
) -> Gathered:
    """Read what a run over `settlements`, loaded for their gates, rests on.

    `move_issued`: what is reserved there, and not accepted, is to be allocated again.
    """
    ids = [settlement.id for settlement in settlements]
    household = joinedload(Application.household)
    with_people = (household.selectinload(Household.people), household.joinedload(Household.kin_group))
    held, moves = (_held(session, ids), _moves(ids)) if move_issued else ({}, false())
    waits = Application.state == ApplicationState.ELIGIBLE
    return Gathered(
        run=run,
        on=on,
        policy_reference=policy_reference,
        policy=policy,
        settlements=settlements,
        houses=sorted([*session.scalars(available_houses(ids)), *held.values()], key=lambda house: house.reference),
        applications=session.scalars(
            select(Application).where(or_(waits, moves)).options(*with_people, selectinload(Application.preferences))
        ).all(),
        placed=session.scalars(
            select(Application)
            .join(Application.household)
            .where(
                Application.state.in_(PLACED),
                not_(moves),
                or_(Application.settlement_id.in_(ids), Household.kin_group_id.is_not(None)),
            )
            .options(*with_people)
        ).all(),
        jobs=session.scalars(select(Job).where(Job.settlement_id.in_(ids), Job.openings > 0)).all(),
        suitabilities=session.scalars(select(Suitability).where(Suitability.settlement_id.in_(ids))).all(),
        declined=past_offers(session, on),
        placements=placements.counting(session),
        held=held,
        refused=session.scalars(
            select(Application)
            .where(Application.state == ApplicationState.INELIGIBLE)
            .options(*with_people, selectinload(Application.preferences))
        ).all(),
    )


def _held(session: Session, settlement_ids: Collection[int]) -> dict[int, House]:
    """Household → the house reserved for it there that the family has not accepted."""
    reserved = session.scalars(
        select(Proposal)
        .where(
            Proposal.state == ProposalState.RESERVED,
            Proposal.is_firm.is_(False),
            Proposal.settlement_id.in_(settlement_ids),
        )
        .options(joinedload(Proposal.house))
    )
    return {each.household_id: each.house for each in reserved if each.house is not None}


def _moves(settlement_ids: Collection[int]) -> ColumnElement[bool]:
    """Return the SQL condition, over Application, that such a house is reserved for it."""
    reserved = exists().where(
        Proposal.application_id == Application.id,
        Proposal.state == ProposalState.RESERVED,
        Proposal.is_firm.is_(False),
        Proposal.settlement_id.in_(settlement_ids),
    )
    return and_(Application.state == ApplicationState.ALLOCATED, reserved)
