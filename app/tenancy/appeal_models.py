"""Appeals: against what, why, and what became of them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.allocation.what_if_models import WhatIf
from app.database import (
    NOT_PERSONAL,
    REFERENCE_LENGTH,
    Base,
    Versioned,
    enum_column,
    reference_column,
    unique_where,
    utc_now,
)
from app.registry.models import Application, Household
from app.sealed import Sealed


class AppealAgainst(StrEnum):
    """What an appeal is against."""

    INELIGIBILITY = "ineligibility"
    PRIORITY = "priority"
    PROPOSAL = "proposal"
    OFFER = "offer"


class AppealGround(StrEnum):
    """Why a family appeals."""

    FACTS_WRONG = "facts_wrong"
    FACTS_CHANGED = "facts_changed"
    RULE_MISAPPLIED = "rule_misapplied"
    NEED_MISJUDGED = "need_misjudged"
    PROCEDURE = "procedure"
    OTHER = "other"


class AppealState(StrEnum):
    """Where an appeal is on its way."""

    LODGED = "lodged"
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class Appeal(Versioned, Base):
    """An appeal of a family against one decision. What the family says, and the reason given to it, are encrypted.

    `subject` is the reference of what it is against; `took_part` are the users who did, and so do not decide on it
    (null for the operator). `corrections` are the facts that it says are otherwise; `what_if`: what the run would have
    given with them. `gives_precedence`: it was upheld, and the household comes first in line.
    """

    __tablename__ = "appeals"
    __table_args__ = (
        unique_where("uq_appeals_live", "application_id", "state = 'lodged'"),
        CheckConstraint("(state = 'lodged') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("state = 'upheld' OR NOT gives_precedence", name="precedence"),
    )

    reference: Mapped[str] = reference_column("APL")
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id"), index=True, info=NOT_PERSONAL)
    against: Mapped[AppealAgainst] = mapped_column(enum_column(AppealAgainst), info=NOT_PERSONAL)
    subject: Mapped[str] = mapped_column(String(REFERENCE_LENGTH), info=NOT_PERSONAL)
    ground: Mapped[AppealGround] = mapped_column(enum_column(AppealGround))
    statement_sealed: Mapped[str | None] = mapped_column(Text)
    corrections: Mapped[dict[str, Any]] = mapped_column(JSON)
    took_part: Mapped[list[int | None]] = mapped_column(JSON)
    what_if_id: Mapped[int | None] = mapped_column(ForeignKey("what_ifs.id", ondelete="SET NULL"), info=NOT_PERSONAL)
    state: Mapped[AppealState] = mapped_column(enum_column(AppealState), index=True, info=NOT_PERSONAL)
    lodged_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    lodged_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    decide_by: Mapped[date] = mapped_column(index=True, info=NOT_PERSONAL)
    ended_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    reason_sealed: Mapped[str | None] = mapped_column(Text)
    gives_precedence: Mapped[bool] = mapped_column(default=False, info=NOT_PERSONAL)

    statement = Sealed()
    reason = Sealed()

    household: Mapped[Household] = relationship(lazy="raise")
    application: Mapped[Application] = relationship(lazy="raise")
    what_if: Mapped[WhatIf | None] = relationship(lazy="raise")
    lodged_by: Mapped[User | None] = relationship(foreign_keys=[lodged_by_id], lazy="raise")
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id], lazy="raise")
