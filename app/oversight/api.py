"""The audit trail as JSON, for auditors."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from app.access.dependencies import DbSession, requires
from app.access.permissions import OPERATOR, SERVICE, Permission, Principal
from app.audit import Act
from app.audit.heads import SignedHead
from app.audit.models import AuditEntry
from app.oversight import queries
from app.oversight.schemas import EntryRead
from app.pagination import LARGEST, Page
from app.problems import LIST, READ
from app.references import normalised

router = APIRouter(tags=["oversight"])
MayRead = Annotated[Principal, requires(Permission.AUDIT_READ)]
WRITTEN_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _written(value: Any) -> Any:
    if not isinstance(value, str) or WRITTEN_MOMENT.fullmatch(value) is None:
        raise ValueError("write a moment as 2026-11-23T08:15:00Z, with its time zone")
    return value


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("no calendar has this moment") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
UNNAMED = (OPERATOR.reference, SERVICE.reference)
"""Who acts and is no user."""


@router.get("/audit", operation_id="list_audit_entries", summary="Read the audit trail", responses=LIST)
def list_audit_entries(
    session: DbSession,
    principal: MayRead,
    cursor: Annotated[
        str | None, Query(description="The `next` of the page before.", max_length=18, pattern=r"^[0-9]*$")
    ] = None,
    limit: Annotated[int, Query(description=f"Things on a page, brought into 1…{LARGEST}.")] = 50,
    actor: Annotated[
        str | None, Query(description="Only by this user, `operator` or `service`.", max_length=40)
    ] = None,
    act: Annotated[Act | None, Query(description="Only this act.")] = None,
    subject: Annotated[
        str | None, Query(description="Only about, or telling of, the thing of this reference.", max_length=40)
    ] = None,
    from_: Annotated[Moment | None, Query(alias="from", description="Only from this moment on.")] = None,
    to: Annotated[Moment | None, Query(description="Only before this moment.")] = None,
) -> Page[EntryRead]:
    """Who did what and who looked, in the order of the chain. It holds no personal data in clear.

    What is here can be verified: docs/audit.md of the source says how.
    """
    query = queries.entries(
        principal,
        actor=actor if actor is None or actor in UNNAMED else normalised(actor),
        act=act,
        subject=None if subject is None else normalised(subject),
        since=from_,
        until=to,
    )
    if cursor is not None:
        query = query.where(AuditEntry.id > int(cursor or 10**18))
    limit = min(max(limit, 1), LARGEST)
    rows = session.scalars(query.limit(limit + 1)).all()
    following = str(rows[limit - 1].id) if len(rows) > limit else None
    return Page(items=[EntryRead.of(row) for row in rows[:limit]], next=following)


@router.get("/audit/head", operation_id="read_audit_head", summary="Read the head signed last", responses=READ)
def read_audit_head(session: DbSession, principal: MayRead) -> SignedHead:
    """Keep it: the trail can be verified against it later."""
    return queries.head(session, principal)
