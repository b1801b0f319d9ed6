"""Opening a household that lies beyond one's scope, reading it, and reviewing who did."""

from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.permissions import OPERATOR, Permission, Principal
from app.audit import Act
from app.break_glass.models import BreakGlassGrant
from app.database import utc_now
from app.errors import Conflict, Forbidden, NotFound
from app.registry import queries
from app.registry.models import Application, Household


def open_household(
    session: Session, household: str, reason: str, lifetime: timedelta, actor: Principal
) -> BreakGlassGrant:
    """Give `actor` leave to read one household for `lifetime`.

    Raises Forbidden unless a user with the permission acts, NotFound where there is no such household, or not any more.
    """
    if not actor.scope(Permission.HOUSEHOLD_BREAK_GLASS) or actor.user_id is None:
        raise Forbidden(f"This needs the permission {Permission.HOUSEHOLD_BREAK_GLASS.value}, in a user's own name.")
    held = select(Household.id).where(Household.reference == household, Household.erased_at.is_(None))
    if session.scalar(held.with_for_update(read=True)) is None:  # not erased at this moment either: it keeps the reason
        raise NotFound("There is no such household.")
    now = utc_now()
    grant = BreakGlassGrant(
        user_id=actor.user_id, household=household, reason=reason, granted_at=now, expires_at=now + lifetime
    )
    session.add(grant)
    session.flush()
    audit.record(session, actor, Act.BREAK_GLASS_OPEN, grant)
    return grant


def read(session: Session, reference: str, actor: Principal) -> tuple[Household, list[Application]]:
    """Return the household that a grant of `actor`'s opens, loaded, and its applications; the trail tells of it.

    Raises NotFound for a grant that is somebody else's, has ended or was reviewed.
    """
    grant = session.scalar(
        select(BreakGlassGrant).where(
            BreakGlassGrant.reference == reference,
            BreakGlassGrant.user_id == actor.user_id,
            BreakGlassGrant.expires_at > utc_now(),
        )
    )
    if grant is None:
        raise NotFound("There is no such grant of yours, or it has ended.")
    household = queries.visible_household(session, OPERATOR, grant.household)  # what is read here knows no scope
    applications = session.scalars(queries.applications(OPERATOR).where(Application.household_id == household.id))
    grant.reads = BreakGlassGrant.reads + 1
    audit.record(session, actor, Act.BREAK_GLASS_READ, household, details={"grant": grant.reference})
    return household, list(applications.unique())


def loaded(query: Select[BreakGlassGrant]) -> Select[BreakGlassGrant]:
    """Load who holds and who reviewed the grants of `query`."""
    return query.options(joinedload(BreakGlassGrant.user), joinedload(BreakGlassGrant.reviewed_by))


def reviewable(actor: Principal) -> Select[BreakGlassGrant]:
    """Select every grant, loaded. Raises Forbidden unless `actor` may review them."""
    actor.require(Permission.BREAK_GLASS_REVIEW)
    return loaded(select(BreakGlassGrant))


def review(session: Session, reference: str, remark: str, actor: Principal) -> BreakGlassGrant:
    """Say what came of looking at a grant, which ends with it. Raises Forbidden, NotFound, and Conflict when done."""
    grant = session.scalar(
        reviewable(actor).where(BreakGlassGrant.reference == reference).with_for_update(of=BreakGlassGrant)
    )
    if grant is None:
        raise NotFound("There is no such grant.")
    if grant.reviewed_at is not None:
        raise Conflict(f"The grant {grant.reference} was reviewed already.")
    actor.require_another(grant.user_id, "used this grant")
    now = utc_now()
    grant.reviewed_at, grant.reviewed_by_id, grant.remark = now, actor.user_id, remark
    grant.expires_at = min(grant.expires_at, now)
    session.flush()
    session.refresh(grant, ["reviewed_by"])
    audit.record(session, actor, Act.BREAK_GLASS_REVIEW, grant)
    return grant
