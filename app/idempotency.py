"""The same request twice makes one thing: keys that clients send with what they create."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy import String, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import REFERENCE_LENGTH, Base, engine_of, utc_now
from app.errors import Conflict

KEPT_FOR = timedelta(hours=24)


class IdempotencyKey(Base):
    """A key that a client sent, what it asked for with it, and the thing that came of it."""

    __tablename__ = "idempotency_keys"
    is_audited = False
    __table_args__ = (UniqueConstraint("user_reference", "key"),)

    user_reference: Mapped[str] = mapped_column(String(REFERENCE_LENGTH))
    key: Mapped[str] = mapped_column(String(200))
    request_sha256: Mapped[str] = mapped_column(String(64))
    made_reference: Mapped[str] = mapped_column(String(REFERENCE_LENGTH))
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class Once:
    """One creating request, with the key that the client may have sent."""

    def __init__(self, key: str | None, request_sha256: str) -> None:
        self.key = key
        self.request_sha256 = request_sha256

    def made(self, session: Session, user_reference: str) -> str | None:
        """Return the reference of what this request made before, if it did.

        Raises Conflict when the key came with another request.
        """
        if self.key is None:
            return None
        if engine_of(session).dialect.name == "postgresql":  # SQLite lets one writer in at a time anyway
            # The same key at the same moment waits here until the first request is done, then finds what it made.
            lock = func.hashtextextended(f"{user_reference} {self.key}", 0)
            session.execute(select(func.pg_advisory_xact_lock(lock)))
        row = session.scalar(
            select(IdempotencyKey).where(
                IdempotencyKey.user_reference == user_reference,
                IdempotencyKey.key == self.key,
                IdempotencyKey.created_at > utc_now() - KEPT_FOR,
            )
        )
        if row is None:
            return None
        if row.request_sha256 != self.request_sha256:
            raise Conflict("This Idempotency-Key came with another request before. Use a new key for a new request.")
        return row.made_reference

    def remember(self, session: Session, user_reference: str, made_reference: str) -> None:
        """Record, in the same transaction, what this request made. Keys past their time are dropped."""
        if self.key is None:
            return
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= utc_now() - KEPT_FOR))
        session.add(
            IdempotencyKey(
                user_reference=user_reference,
                key=self.key,
                request_sha256=self.request_sha256,
                made_reference=made_reference,
            )
        )


async def once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A key of your own for this request: sent again within 24 hours, it gives the same thing.",
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
        ),
    ] = None,
) -> Once:
    """Read the request's idempotency key."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + await request.body())
    return Once(idempotency_key, digest.hexdigest())


RequestOnce = Annotated[Once, Depends(once)]
