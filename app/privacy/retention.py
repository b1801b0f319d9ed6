"""How long personal data is held: until some time after the household's case has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain

from sqlalchemy import case, exists, func, select
from sqlalchemy.orm import Session

from app.access.permissions import Permission, Principal
from app.allocation.models import APPROVED, Proposal, ProposalState, Run
from app.database import utc_now
from app.privacy.erasure import SETTLED, erase
from app.registry.models import Application, ApplicationState, Household
from app.settings import Settings
from app.tenancy.appeal_models import Appeal, AppealState
from app.tenancy.models import Tenancy


class CaseEnd(StrEnum):
    """How a household's case ended."""

    WITHDRAWN = "withdrawn"
    MOVED_OUT = "moved_out"
    INELIGIBLE = "ineligible"
    PROGRAMME_ENDED = "programme_ended"


@dataclass(frozen=True)
class EndedCase:
    """A household, by public reference, whose case ended on a day."""

    household: str
    ended_on: date
    how: CaseEnd

    @property
    def reason(self) -> str:
        """Why its data is erased, for the record."""
        return f"Retention: the case ended on {self.ended_on} ({self.how.value.replace('_', ' ')})."


def ended_cases(session: Session, programme_ended_on: date | None) -> list[EndedCase]:
    """Return the ended cases of households that are not erased, by public reference; one that was merged has none.

    A case has ended when every application is withdrawn, as by moving out; when the last
    run that was drawn found the household ineligible and nobody has changed anything since; or with the programme. It
    has not while a house is reserved for the household, it lives in one or an appeal of it goes on, nor before it
    applied, unless the programme has ended.
    """
    withdrawn, moved_out, ineligible = _withdrawn(session), _moved_out(session), _ineligible(session)
    lives_somewhere = exists().where(Tenancy.household_id == Household.id, Tenancy.moved_out_on.is_(None))
    is_settled = exists().where(Application.household_id == Household.id, Application.state.in_(SETTLED))
    appeals = exists().where(Appeal.household_id == Household.id, Appeal.state == AppealState.LODGED)
    rows = session.execute(
        select(Household.id, Household.reference)
        .where(
            Household.erased_at.is_(None), Household.merged_into_id.is_(None), ~lives_somewhere, ~is_settled, ~appeals
        )
        .order_by(Household.reference)
    )
    found = []
    for identifier, reference in rows:
        ends = []
        if (day := withdrawn.get(identifier)) is not None:
            ends.append((day, CaseEnd.MOVED_OUT if identifier in moved_out else CaseEnd.WITHDRAWN))
        if (day := ineligible.get(identifier)) is not None:
            ends.append((day, CaseEnd.INELIGIBLE))
        if programme_ended_on is not None:
            ends.append((programme_ended_on, CaseEnd.PROGRAMME_ENDED))
        if ends:
            found.append(EndedCase(reference, *min(ends)))
    return found


def _withdrawn(session: Session) -> Mapping[int, date]:
    """Return household → the day of its last withdrawal, of those none of whose applications goes on."""
    going_on = func.sum(case((Application.state == ApplicationState.WITHDRAWN, 0), else_=1))
    query = (
        select(Application.household_id, func.max(Application.withdrawn_at))
        .group_by(Application.household_id)
        .having(going_on == 0)
    )
    return {household: at.date() for household, at in session.execute(query) if at is not None}


def _moved_out(session: Session) -> set[int]:
    """Return the households that ever moved out of a house."""
    return set(session.scalars(select(Tenancy.household_id).where(Tenancy.moved_out_on.is_not(None))))


def _ineligible(session: Session) -> Mapping[int, date]:
    """Return household → the day since when nothing has changed of those that may not take part.

    Somebody has signed so, or the last run found so by a policy that came later.
    """
    decided = (
        select(Proposal.application_id, func.max(Proposal.run_id).label("run_id"))
        .join(Proposal.run)
        .where(Run.state.in_(APPROVED))
        .group_by(Proposal.application_id)
        .subquery()
    )
    query = (
        select(Household.id, Run.decided_at, Household.updated_at, Application.updated_at)
        .select_from(Proposal)
        .join(decided, (decided.c.application_id == Proposal.application_id) & (decided.c.run_id == Proposal.run_id))
        .join(Run, Run.id == Proposal.run_id)
        .join(Application, Application.id == Proposal.application_id)
        .join(Household, Household.id == Proposal.household_id)
        .where(Proposal.state == ProposalState.INELIGIBLE, Application.state == ApplicationState.ELIGIBLE)
    )
    signed = (
        select(Household.id, Application.decided_at, Household.updated_at, Application.updated_at)
        .join(Application, Application.household_id == Household.id)
        .where(Application.state == ApplicationState.INELIGIBLE)
    )
    return {
        household: max(at for at in moments if at is not None).date()
        for household, *moments in chain(session.execute(query), session.execute(signed))
    }


def due(session: Session, settings: Settings, actor: Principal) -> list[EndedCase]:
    """Return the cases that ended longer ago than data is held. Raises Forbidden unless `actor` may erase anywhere."""
    actor.require(Permission.HOUSEHOLD_ERASE)
    last = utc_now().date() - timedelta(days=settings.retention_days)
    ended = ended_cases(session, settings.programme_ended_on or None)
    return [each for each in ended if each.ended_on <= last]


def apply(session: Session, settings: Settings, actor: Principal, most: int) -> tuple[list[EndedCase], int]:
    """Erase at most `most` of the households whose data is due; return them, and how many are left."""
    cases = due(session, settings, actor)
    for each in cases[:most]:
        erase(session, each.household, each.reason, actor)
    return cases[:most], len(cases[most:])
