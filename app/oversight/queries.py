"""Reading the audit trail."""

from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from app.access.permissions import Permission, Principal
from app.audit import Act, heads
from app.audit.heads import SignedHead
from app.audit.models import AuditEntry
from app.audit.recording import moment
from app.errors import NotFound


def entries(
    principal: Principal,
    *,
    actor: str | None = None,
    act: Act | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[AuditEntry]:
    """Select entries in the order of the chain. The trail is one for all places: raises Forbidden for a part of them.

    `subject` finds entries about a thing and those that tell of it. `since` counts, `until` does not.
    """
    principal.require(Permission.AUDIT_READ)
    query = select(AuditEntry).order_by(AuditEntry.id)
    if actor is not None:
        query = query.where(AuditEntry.actor == actor)
    if act is not None:
        query = query.where(AuditEntry.act == act.value)
    if subject is not None:
        query = query.where(or_(AuditEntry.subject == subject, AuditEntry.details.contains(f'"{subject}"')))
    if since is not None:
        query = query.where(AuditEntry.recorded_at >= moment(since))
    if until is not None:
        query = query.where(AuditEntry.recorded_at < moment(until))
    return query


def head(session: Session, principal: Principal) -> SignedHead:
    """Return the head that was signed last. Raises NotFound where none was yet."""
    principal.require(Permission.AUDIT_READ)
    found = heads.newest(session)
    if found is None:
        raise NotFound("No head was signed yet. A worker signs one now and then, `hearth audit head` at any time.")
    return SignedHead.of(found)
