"""Previews of a draft of the policy over the live register."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.allocation.models import PolicyVersion
from app.database import NOT_AUDITED, Base, enum_column, reference_column, utc_now


class PreviewState(StrEnum):
    """Where a preview is on its way."""

    QUEUED = "queued"
    SOLVING = "solving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PolicyPreview(Base):
    """What a draft would change for the households that wait, against the policy in force.

    `summary` counts; `households` is a JSON list by public reference. `frozen` is what is to be solved, dropped once
    that has ended: the two problems with the stages of each, and who belongs to which group.
    """

    __tablename__ = "policy_previews"
    may_be_personal = False
    __table_args__ = (CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),)

    reference: Mapped[str] = reference_column("PV")
    state: Mapped[PreviewState] = mapped_column(enum_column(PreviewState), index=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("policy_versions.id"), index=True)
    in_force_id: Mapped[int] = mapped_column(ForeignKey("policy_versions.id"))
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    register_sha256: Mapped[str] = mapped_column(String(64))
    is_solved: Mapped[bool]
    time_limit_seconds: Mapped[int]
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    households: Mapped[str] = mapped_column(Text, deferred=True, info=NOT_AUDITED)
    frozen: Mapped[str | None] = mapped_column(Text, deferred=True, info=NOT_AUDITED)
    claim: Mapped[str | None] = mapped_column(String(32), info=NOT_AUDITED)
    attempts: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[datetime | None] = mapped_column(info=NOT_AUDITED)
    progress: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, info=NOT_AUDITED)
    finished_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(String(1000))

    draft: Mapped[PolicyVersion] = relationship(foreign_keys=[draft_id], lazy="raise")
    in_force: Mapped[PolicyVersion] = relationship(foreign_keys=[in_force_id], lazy="raise")
    requested_by: Mapped[User | None] = relationship(lazy="raise")
