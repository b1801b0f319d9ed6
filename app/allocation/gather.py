"""Everything that a run rests on, read from the database in a few queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.allocation import placements
from app.allocation.declines import PastOffers, past_offers
from app.allocation.placement_models import Placement
from app.housing.models import House, Job, Settlement
from app.housing.readiness import available_houses
from app.policy.parameters import Policy
from app.registry.models import Application, ApplicationState, Household, Suitability

PLACED = (ApplicationState.ALLOCATED, ApplicationState.HOUSED)


@dataclass(frozen=True)
class Gathered:
    """Rows with what `snapshot.build` reads of them loaded.

    `settlements` are those of the run, `houses` theirs that can be allocated, `applications` the eligible ones,
    with household, people, kin group and preferences. `placed` are applications of households already allocated
    or housed in a settlement of the run, or in one kin group with anybody. `declined`: offers that families declined.
    `placements` are all that count.
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


def gather(
    session: Session, *, run: str, on: date, policy_reference: str, policy: Policy, settlements: Sequence[Settlement]
) -> Gathered:
    """Read what a run over `settlements`, loaded for their gates, rests on."""
    ids = [settlement.id for settlement in settlements]
    household = joinedload(Application.household)
    with_people = (household.selectinload(Household.people), household.joinedload(Household.kin_group))
    return Gathered(
        run=run,
        on=on,
        policy_reference=policy_reference,
        policy=policy,
        settlements=settlements,
        houses=session.scalars(available_houses(ids)).all(),
        applications=session.scalars(
            select(Application)
            .where(Application.state == ApplicationState.ELIGIBLE)
            .options(*with_people, selectinload(Application.preferences))
        ).all(),
        placed=session.scalars(
            select(Application)
            .join(Application.household)
            .where(
                Application.state.in_(PLACED),
                or_(Application.settlement_id.in_(ids), Household.kin_group_id.is_not(None)),
            )
            .options(*with_people)
        ).all(),
        jobs=session.scalars(select(Job).where(Job.settlement_id.in_(ids), Job.openings > 0)).all(),
        suitabilities=session.scalars(select(Suitability).where(Suitability.settlement_id.in_(ids))).all(),
        declined=past_offers(session, on),
        placements=placements.counting(session),
    )
