"""Users, what they may do where, and the tokens they act with."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import NOT_PERSONAL, REFERENCE_LENGTH, Base, enum_column, reference_column, utc_now


class Role(StrEnum):
    """The roles of the programme."""

    CASEWORKER = "caseworker"
    VERIFIER = "verifier"
    PLANNER = "planner"
    APPROVER = "approver"
    VILLAGE_ADMINISTRATOR = "village_administrator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class User(Base):
    """A person who works with Hearth."""

    __tablename__ = "users"

    reference: Mapped[str] = reference_column("US")
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(255))
    password_expires_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    """When a one-time password ends, which an administrator made and its user must replace; None: the user's own."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    disabled_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)

    grants: Mapped[list["Grant"]] = relationship(
        back_populates="user", lazy="raise", cascade="all, delete-orphan", order_by="Grant.id"
    )


class Grant(Base):
    """A role that a user holds: everywhere, in one district, or in one settlement (by its public reference)."""

    __tablename__ = "grants"
    may_be_personal = False
    __table_args__ = (CheckConstraint("district IS NULL OR settlement IS NULL", name="one_scope"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))
    district: Mapped[str | None] = mapped_column(String(120))
    settlement: Mapped[str | None] = mapped_column(String(REFERENCE_LENGTH))

    user: Mapped[User] = relationship(back_populates="grants", lazy="raise")


class KnownPlace(Base):
    """A place from which a user has signed in; strangers' tries at the account do not delay the user there."""

    __tablename__ = "known_places"
    is_audited = False
    __table_args__ = (UniqueConstraint("user_id", "place_sha256"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    place_sha256: Mapped[str] = mapped_column(String(64))
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class Throttle(Base):
    """Tries at signing in that were counted under one key, and until when no further one is taken."""

    __tablename__ = "throttles"
    is_audited = False

    key_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    tries: Mapped[int]
    tried_at: Mapped[datetime] = mapped_column(index=True)
    closed_until: Mapped[datetime | None]


class ApiToken(Base):
    """An opaque token, of which only the SHA-256 is kept."""

    __tablename__ = "api_tokens"

    reference: Mapped[str] = reference_column("TK")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(info=NOT_PERSONAL)
    revoked_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)

    user: Mapped[User] = relationship(lazy="raise")
