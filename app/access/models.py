"""Users, what they may do where, and the tokens they act with."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import NOT_AUDITED, NOT_PERSONAL, REFERENCE_LENGTH, Base, enum_column, reference_column, utc_now
from app.sealed import Sealed


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


class Identity(Base):
    """Whom an identity provider knows a user, or a service, as: its subject at that issuer, and nothing else."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    reference: Mapped[str] = reference_column("ID")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True, info=NOT_PERSONAL)
    issuer: Mapped[str] = mapped_column(String(255), info=NOT_PERSONAL)
    subject: Mapped[str] = mapped_column(String(255))
    is_service: Mapped[bool] = mapped_column(info=NOT_PERSONAL)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    user: Mapped[User] = relationship(lazy="raise")


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


class BrowserSession(Base):
    """A user signed in from a browser; of the secret in its cookie only the SHA-256 is kept."""

    __tablename__ = "browser_sessions"

    reference: Mapped[str] = reference_column("SE")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL)
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(200))
    has_second_factor: Mapped[bool] = mapped_column(info=NOT_PERSONAL)
    awaits_code: Mapped[bool] = mapped_column(default=False, server_default=false(), info=NOT_PERSONAL)
    """Whether an identity provider vouched for the user, who has an authenticator app here and gave no code yet."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    used_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_AUDITED)
    expires_at: Mapped[datetime] = mapped_column(info=NOT_PERSONAL)
    ended_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)

    user: Mapped[User] = relationship(lazy="raise")


class SecondFactor(Base):
    """A user's authenticator app: the secret of RFC 6238 that it shares with Hearth, encrypted."""

    __tablename__ = "second_factors"

    reference: Mapped[str] = reference_column("SF")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True, info=NOT_PERSONAL)
    secret_sealed: Mapped[str] = mapped_column(Text, info=NOT_AUDITED)
    confirmed_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0, info=NOT_AUDITED)
    """The latest step of 30 seconds whose code was used; no code of that step or before is taken again."""

    secret = Sealed()


class RecoveryCode(Base):
    """A code for when the authenticator app is lost, usable once; of its 120 random bits only the SHA-256 is kept."""

    __tablename__ = "recovery_codes"
    is_audited = False

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    used_at: Mapped[datetime | None]


class ApiToken(Base):
    """An opaque token, of which only the SHA-256 is kept; without a name, one of a sign-in."""

    __tablename__ = "api_tokens"

    reference: Mapped[str] = reference_column("TK")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    name: Mapped[str | None] = mapped_column(String(100))
    permissions: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True), info=NOT_PERSONAL)
    """What it may be used for, of what its user may; None: all of it."""
    has_second_factor: Mapped[bool] = mapped_column(default=False, info=NOT_PERSONAL)
    used_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_AUDITED)
    expires_at: Mapped[datetime] = mapped_column(info=NOT_PERSONAL)
    revoked_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)

    user: Mapped[User] = relationship(lazy="raise")
