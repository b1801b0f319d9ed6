"""Policy versions, runs, the settlements a run holds, and proposals."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.database import (
    NOT_AUDITED,
    NOT_PERSONAL,
    Base,
    Versioned,
    enum_column,
    reference_column,
    unique_where,
    utc_now,
)
from app.housing.models import House, Settlement
from app.registry.models import Application, Household


class PolicyState(StrEnum):
    """Where a policy version is on its way."""

    DRAFT = "draft"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"


class RunState(StrEnum):
    """Where a run is on its way."""

    AWAITING_SEED = "awaiting_seed"
    QUEUED = "queued"
    SOLVING = "solving"
    PROPOSED = "proposed"
    DRAWN = "drawn"
    OFFERS_ISSUED = "offers_issued"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


APPROVED = (RunState.DRAWN, RunState.OFFERS_ISSUED)
"""Of these, addresses are drawn and houses reserved."""


class ProposalState(StrEnum):
    """What became of what a run proposes for one household."""

    PROPOSED = "proposed"
    NOT_HOUSED = "not_housed"
    INELIGIBLE = "ineligible"
    RESERVED = "reserved"
    KEPT = "kept"
    MOVED_IN = "moved_in"
    RELEASED = "released"
    DISCARDED = "discarded"


class PolicyVersion(Versioned, Base):
    """One version of the policy: a document that never changes once in force."""

    __tablename__ = "policy_versions"
    may_be_personal = False
    __table_args__ = (unique_where("uq_policy_versions_in_force", "state", "state = 'in_force'"),)

    reference: Mapped[str] = reference_column("PO")
    state: Mapped[PolicyState] = mapped_column(enum_column(PolicyState))
    name: Mapped[str] = mapped_column(String(200))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    in_force_at: Mapped[datetime | None]


class Run(Versioned, Base):
    """One allocation, from the request to the draw. The snapshot is its contract and never changes.

    Until its seed is entered there is no problem: the lottery numbers in it are drawn from the seed. The solver may
    start from the solution of `previous_run`.
    """

    __tablename__ = "runs"
    may_be_personal = False
    __table_args__ = (
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
        CheckConstraint("(seed IS NULL) = (problem IS NULL)", name="seeded"),
        CheckConstraint("seed IS NOT NULL OR state IN ('awaiting_seed', 'cancelled')", name="awaits_seed"),
    )

    reference: Mapped[str] = reference_column("RUN")
    state: Mapped[RunState] = mapped_column(enum_column(RunState), index=True)
    policy_version_id: Mapped[int] = mapped_column(ForeignKey("policy_versions.id"))
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    time_limit_seconds: Mapped[int]
    seed: Mapped[str | None] = mapped_column(String(200))
    seed_source: Mapped[str] = mapped_column(String(500))
    seed_is_public: Mapped[bool]
    seed_entered_at: Mapped[datetime | None]
    seed_entered_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    snapshot: Mapped[str] = mapped_column(Text, deferred=True)
    snapshot_sha256: Mapped[str] = mapped_column(String(64))
    problem: Mapped[str | None] = mapped_column(Text, deferred=True)
    solution: Mapped[str | None] = mapped_column(Text, deferred=True)
    placement_prices: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    previous_run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    claim: Mapped[str | None] = mapped_column(String(32), info=NOT_AUDITED)
    attempts: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[datetime | None] = mapped_column(info=NOT_AUDITED)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    progress: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, info=NOT_AUDITED)
    failure: Mapped[str | None] = mapped_column(String(1000))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decision_reason: Mapped[str | None] = mapped_column(String(500))

    policy_version: Mapped[PolicyVersion] = relationship(lazy="raise")
    previous_run: Mapped["Run | None"] = relationship(remote_side="Run.id", lazy="raise")
    requested_by: Mapped[User | None] = relationship(foreign_keys=[requested_by_id], lazy="raise")
    seed_entered_by: Mapped[User | None] = relationship(foreign_keys=[seed_entered_by_id], lazy="raise")
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id], lazy="raise")
    settlements: Mapped[list["RunSettlement"]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="RunSettlement.id"
    )


class RunSettlement(Base):
    """A settlement that a run allocates. At most one undecided run holds a settlement."""

    __tablename__ = "run_settlements"
    may_be_personal = False
    __table_args__ = (
        UniqueConstraint("run_id", "settlement_id"),
        unique_where("uq_run_settlements_held", "settlement_id", "held"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"))
    held: Mapped[bool]

    settlement: Mapped[Settlement] = relationship(lazy="raise")


class Proposal(Base):
    """What a run says of one household, and, after the draw, the house reserved for it.

    `grounds` go with `reason`; before they were kept there was `explanation` alone, in English.
    `is_firm`: the family has accepted it, and no run moves it any more. `ended_by` are the users (null for the
    operator) by whose act it was released: both who requested and who approved a run that moved it.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        UniqueConstraint("run_id", "household_id"),
        unique_where("uq_proposals_live_house", "house_id", "state = 'reserved'"),
        unique_where("uq_proposals_live_household", "household_id", "state = 'reserved'"),
    )

    reference: Mapped[str] = reference_column("PR")
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id"), index=True)
    state: Mapped[ProposalState] = mapped_column(enum_column(ProposalState), index=True, info=NOT_PERSONAL)
    tier: Mapped[int | None]
    points: Mapped[int | None]
    settlement_id: Mapped[int | None] = mapped_column(ForeignKey("settlements.id"))
    house_class: Mapped[str | None] = mapped_column(String(60))
    house_id: Mapped[int | None] = mapped_column(ForeignKey("houses.id"), info=NOT_PERSONAL)
    reason: Mapped[str] = mapped_column(String(60))
    explanation: Mapped[str] = mapped_column(Text)
    grounds: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    decided_at: Mapped[datetime | None]
    is_firm: Mapped[bool] = mapped_column(default=False, server_default=false(), info=NOT_PERSONAL)
    ended_by: Mapped[list[int | None]] = mapped_column(JSON, default=list, info=NOT_PERSONAL)

    household: Mapped[Household] = relationship(lazy="raise")
    application: Mapped[Application] = relationship(lazy="raise")
    settlement: Mapped[Settlement | None] = relationship(lazy="raise")
    house: Mapped[House | None] = relationship(lazy="raise")
    run: Mapped[Run] = relationship(lazy="raise")
