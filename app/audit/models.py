"""The trail as it is stored."""

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class AuditEntry(Base):
    """One entry. The database itself refuses to change or delete it, and to add it anywhere but at the end.

    `recorded_at` and `details` are kept as the very text that is hashed: RFC 3339 in UTC with six decimals, and
    canonical JSON (RFC 8785).
    """

    __tablename__ = "audit_entries"
    is_audited = False

    id: Mapped[int] = mapped_column(
        "sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    recorded_at: Mapped[str] = mapped_column(String(27), index=True)
    actor: Mapped[str] = mapped_column(String(40), index=True)
    token: Mapped[str | None] = mapped_column(String(40))
    act: Mapped[str] = mapped_column(String(60), index=True)
    subject_type: Mapped[str | None] = mapped_column(String(40))
    subject: Mapped[str | None] = mapped_column(String(40), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """A signed head of the chain: up to where it had come, and by which hash. Append-only like the entries."""

    __tablename__ = "audit_heads"
    is_audited = False

    sequence: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    hash: Mapped[str] = mapped_column(String(64))
    signed_at: Mapped[str] = mapped_column(String(27))
    public_key: Mapped[str] = mapped_column(String(44))
    signature: Mapped[str] = mapped_column(String(88))
