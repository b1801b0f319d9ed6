"""Who lives where."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import NOT_PERSONAL, Base, reference_column, unique_where, utc_now
from app.housing.models import House
from app.registry.models import Household


class Tenancy(Base):
    """A household living in a house, from the day it moved in to the day it moved out."""

    __tablename__ = "tenancies"
    __table_args__ = (
        unique_where("uq_tenancies_current_house", "house_id", "moved_out_on IS NULL"),
        unique_where("uq_tenancies_current_household", "household_id", "moved_out_on IS NULL"),
        CheckConstraint("moved_out_on >= moved_in_on", name="order"),
        CheckConstraint("(moved_out_on IS NULL) = (end_reason IS NULL)", name="end_reason"),
    )

    reference: Mapped[str] = reference_column("TE")
    house_id: Mapped[int] = mapped_column(ForeignKey("houses.id"), info=NOT_PERSONAL)
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), info=NOT_PERSONAL)
    moved_in_on: Mapped[date]
    moved_out_on: Mapped[date | None]
    end_reason: Mapped[str | None] = mapped_column(String(500))
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    house: Mapped[House] = relationship(lazy="raise")
    household: Mapped[Household] = relationship(lazy="raise")
