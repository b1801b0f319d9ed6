"""Match keys, pairs of households that may be one, and merges."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.database import NOT_PERSONAL, Base, Versioned, enum_column, reference_column, utc_now
from app.registry.models import Household


class CandidateState(StrEnum):
    """What became of the suspicion that two households are one."""

    OPEN = "open"
    SAME = "same"
    DIFFERENT = "different"
    MOVED_HOUSEHOLD = "moved_household"
    LAPSED = "lapsed"


class FoundBy(StrEnum):
    """How a pair was found."""

    RULES = "rules"
    STATISTICAL_MODEL = "statistical_model"


class MatchKey(Base):
    """A keyed digest under which a household is looked up: it says nothing without the keyring."""

    __tablename__ = "match_keys"
    is_audited = False

    household_id: Mapped[int] = mapped_column(ForeignKey("households.id", ondelete="CASCADE"), index=True)
    key: Mapped[int] = mapped_column(BigInteger, index=True)


class DuplicateCandidate(Versioned, Base):
    """Two households, the one registered in the database first first, that may be one, or have a person in common.

    `evidence` names people by reference alone. A pair that comes back after a decision is another row.
    """

    __tablename__ = "duplicate_candidates"
    __table_args__ = (
        CheckConstraint("first_id < second_id", name="order"),
        CheckConstraint("(state IN ('open', 'lapsed')) OR (decided_at IS NOT NULL)", name="decided"),
        Index(
            "uq_duplicate_candidates_open",
            "first_id",
            "second_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    reference: Mapped[str] = reference_column("DC")
    first_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    second_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    state: Mapped[CandidateState] = mapped_column(enum_column(CandidateState), index=True, info=NOT_PERSONAL)
    found_by: Mapped[FoundBy] = mapped_column(enum_column(FoundBy), info=NOT_PERSONAL)
    score: Mapped[float] = mapped_column(info=NOT_PERSONAL)
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    found_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    decided_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    decision_reason: Mapped[str | None] = mapped_column(String(500))

    first: Mapped[Household] = relationship(foreign_keys=[first_id], lazy="raise")
    second: Mapped[Household] = relationship(foreign_keys=[second_id], lazy="raise")
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id], lazy="raise")


class Merge(Versioned, Base):
    """What a decision on a candidate changed, step by step, so that it can be undone.

    `from_id` is the household that was merged into `into_id`, or that people left for it; `set_aside_id` a household,
    hidden, that keeps the second records of people who moved to where they were registered already. `was_placed`: a
    house was reserved for `into_id` already, or it lived in one.
    """

    __tablename__ = "merges"
    __table_args__ = (CheckConstraint("(undone_at IS NULL) = (undone_reason IS NULL)", name="undone"),)

    reference: Mapped[str] = reference_column("MG")
    candidate_id: Mapped[int] = mapped_column(ForeignKey("duplicate_candidates.id"), index=True, info=NOT_PERSONAL)
    from_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    into_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    set_aside_id: Mapped[int | None] = mapped_column(ForeignKey("households.id"), info=NOT_PERSONAL)
    was_placed: Mapped[bool] = mapped_column(info=NOT_PERSONAL)
    changes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    undone_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    undone_reason: Mapped[str | None] = mapped_column(String(500))

    candidate: Mapped[DuplicateCandidate] = relationship(lazy="raise")
    source: Mapped[Household] = relationship(foreign_keys=[from_id], lazy="raise")
    into: Mapped[Household] = relationship(foreign_keys=[into_id], lazy="raise")
