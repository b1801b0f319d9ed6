"""Grants to read one household, whatever the reader's scope."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.database import NOT_PERSONAL, REFERENCE_LENGTH, Base, reference_column, utc_now


class BreakGlassGrant(Base):
    """A user's leave to read one household until `expires_at`; it outlives the household, which it names in words."""

    __tablename__ = "break_glass_grants"
    __table_args__ = (
        CheckConstraint("(reviewed_at IS NULL) = (remark IS NULL)", name="review_has_remark"),
        CheckConstraint("expires_at >= granted_at", name="ends_after_it_begins"),
    )

    reference: Mapped[str] = reference_column("BG")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True, info=NOT_PERSONAL)
    household: Mapped[str] = mapped_column(String(REFERENCE_LENGTH), info=NOT_PERSONAL)
    reason: Mapped[str] = mapped_column(String(500))
    granted_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    expires_at: Mapped[datetime] = mapped_column(index=True, info=NOT_PERSONAL)
    reads: Mapped[int] = mapped_column(default=0, info={"audited": False})
    reviewed_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    reviewed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    remark: Mapped[str | None] = mapped_column(String(500))

    user: Mapped[User] = relationship(foreign_keys=[user_id], lazy="raise")
    reviewed_by: Mapped[User | None] = relationship(foreign_keys=[reviewed_by_id], lazy="raise")
