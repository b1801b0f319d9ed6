"""Recording what was done: noted while it is done, chained at the very end of the same transaction.

The chain's head is locked from then until the commit and no longer, and nothing else is locked after it: writers wait
for each other's commits alone, and cannot stop each other. What is rolled back leaves no entry and no gap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

import structlog
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session, SessionTransaction

from app.audit.acts import Act
from app.audit.chain import GENESIS, canonical, hash_of
from app.audit.changes import forget, reference_of, thing_of, told, within
from app.audit.models import AuditEntry
from app.database import Base, engine_of, utc_now

NOTED = "audit_noted"
Content = dict[str, Any]


class Actor(Protocol):
    """Who acts: a public reference, and that of the token or session that was used, if any."""

    @property
    def reference(self) -> str: ...

    @property
    def token(self) -> str | None: ...


@dataclass(frozen=True)
class _Noted:
    """An entry that waits for the end of its transaction, and the savepoint that it is undone with, if any."""

    content: Content
    savepoint: SessionTransaction | None


def record(
    session: Session,
    actor: Actor,
    act: Act,
    subject: Base | None = None,
    *,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record that `actor` has done `act` to `subject`, in this transaction.

    Flushes, and tells with before and after every row that the session has changed since the last entry. `reason` is
    why the actor did it, in words that name nobody: it is kept as it is. `details` tells what was written past the
    session, and may hold nothing personal but digests. Without a subject the act is about no single thing.
    """
    session.flush()
    reference = reference_of(subject) if subject is not None else None
    changes = told(session, reference)
    content = {
        "actor": actor.reference,
        "token": actor.token,
        "act": act.value,
        "subject_type": thing_of(type(subject)) if subject is not None else None,
        "subject": reference,
        "reason": reason,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        "details": {**(details or {}), **({"changes": changes} if changes else {})},
    }
    session.info.setdefault(NOTED, []).append(_Noted(content, session.get_nested_transaction()))


def listed(rows: Sequence[Base], *about: Iterable[Base]) -> dict[str, Any]:
    """Return what an entry tells of a list that was read: how many things, and their references and those of `about`.

    `about`: whom the things are about, such as the households of applications.
    """
    references = {reference_of(each) for each in chain(rows, *about)}
    return {"count": len(rows), "references": sorted(filter(None, references))}


def is_noted(session: Session) -> bool:
    """Whether this transaction will leave an entry."""
    return bool(session.info.get(NOTED))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, undone: SessionTransaction) -> None:
    """Drop what was noted within a savepoint, or at all, when that is rolled back."""
    noted: list[_Noted] = session.info.pop(NOTED, [])
    if undone.nested:
        session.info[NOTED] = [each for each in noted if not within(each.savepoint, undone)]
    forget(session, undone if undone.nested else None)


@event.listens_for(Session, "before_commit")
def _chain(session: Session) -> None:
    """Append what was noted to the chain, and leave its head locked until the transaction has ended."""
    if session.in_nested_transaction():
        return
    session.flush()
    forget(session)
    noted: list[_Noted] = session.info.pop(NOTED, [])
    if not noted:
        return
    connection = session.connection()
    if not connection.get_execution_options().get("hearth_writes", False):
        raise RuntimeError("an entry of the audit trail needs a transaction that writes")
    if engine_of(session).dialect.name == "postgresql":  # SQLite lets one writer in at a time anyway
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("audit", 0))))
    newest = select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    sequence, previous = connection.execute(newest).one_or_none() or (0, GENESIS)
    rows = []
    for each in noted:
        sequence += 1
        content = {
            "sequence": sequence,
            "recorded_at": moment(utc_now()),
            "previous_hash": previous,
            **each.content,
        }
        previous = hash_of(content)
        rows.append({**content, "details": canonical(content["details"]), "hash": previous})
    connection.execute(insert(AuditEntry), rows)


def moment(at: datetime) -> str:
    """Return a moment in UTC as entries have it: RFC 3339 with six decimals."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
