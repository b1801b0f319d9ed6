"""Who lives where, who holds the title to it, and what was found when somebody looked."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import NOT_PERSONAL, Base, enum_column, reference_column, unique_where, utc_now
from app.housing.models import House
from app.registry.models import Household, Person


class TenancyState(StrEnum):
    """How far a tenancy is: derived from its days, never stored."""

    KEYS_GIVEN = "keys_given"
    CURRENT = "current"
    ENDED = "ended"


class TenancyEnd(StrEnum):
    """Why a tenancy ended."""

    OWN_HOME = "own_home"
    WITH_RELATIVES = "with_relatives"
    WORK_ELSEWHERE = "work_elsewhere"
    HEALTH_CARE = "health_care"
    SCHOOL = "school"
    SAFETY = "safety"
    HOUSE_UNFIT = "house_unfit"
    TRANSFER = "transfer"
    DEATH = "death"
    NEVER_MOVED_IN = "never_moved_in"
    OTHER = "other"


class Finding(StrEnum):
    """What was found at a house."""

    EXPECTED_FAMILY = "expected_family"
    EMPTY = "empty"
    SOMEONE_ELSE = "someone_else"
    UNFIT = "unfit"
    NO_ACCESS = "no_access"


class Tenancy(Base):
    """A household with the keys of a house: from the day they were given to the day it moved out.

    `moved_in_on` is when it was confirmed that it lives there. `representative` took the keys where no member did.
    """

    __tablename__ = "tenancies"
    __table_args__ = (
        unique_where("uq_tenancies_current_house", "house_id", "moved_out_on IS NULL"),
        unique_where("uq_tenancies_current_household", "household_id", "moved_out_on IS NULL"),
        CheckConstraint("moved_out_on >= moved_in_on", name="order"),
        CheckConstraint("keys_given_on <= COALESCE(moved_in_on, moved_out_on, keys_given_on)", name="keys_first"),
        CheckConstraint("(moved_out_on IS NULL) = (end_reason IS NULL)", name="end_reason"),
        CheckConstraint("(moved_out_on IS NULL) = (ended_for IS NULL)", name="ended_for"),
    )

    reference: Mapped[str] = reference_column("TE")
    house_id: Mapped[int] = mapped_column(ForeignKey("houses.id"), info=NOT_PERSONAL)
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), info=NOT_PERSONAL)
    keys_given_on: Mapped[date]
    received_by_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"))
    representative: Mapped[str | None] = mapped_column(String(200))
    moved_in_on: Mapped[date | None]
    moved_out_on: Mapped[date | None]
    ended_for: Mapped[TenancyEnd | None] = mapped_column(enum_column(TenancyEnd))
    end_reason: Mapped[str | None] = mapped_column(String(500))
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    house: Mapped[House] = relationship(lazy="raise")
    household: Mapped[Household] = relationship(lazy="raise")
    received_by: Mapped[Person | None] = relationship(lazy="raise")
    holders: Mapped[list["TenancyHolder"]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="TenancyHolder.id"
    )

    @property
    def state(self) -> TenancyState:
        """How far it is."""
        if self.moved_out_on is not None:
            return TenancyState.ENDED
        return TenancyState.KEYS_GIVEN if self.moved_in_on is None else TenancyState.CURRENT


class TenancyHolder(Base):
    """Somebody who holds the title to a house, or, where `opted_out_reason` is given, would by default and does not."""

    __tablename__ = "tenancy_holders"
    __table_args__ = (UniqueConstraint("tenancy_id", "person_id"),)

    tenancy_id: Mapped[int] = mapped_column(ForeignKey("tenancies.id", ondelete="CASCADE"), info=NOT_PERSONAL)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL)
    opted_out_reason: Mapped[str | None] = mapped_column(String(500))

    person: Mapped[Person] = relationship(lazy="raise")


class OccupancyCheck(Base):
    """What was found at a house on a day, and the tenancy of that day. `note` may tell of a family."""

    __tablename__ = "occupancy_checks"

    reference: Mapped[str] = reference_column("OC")
    house_id: Mapped[int] = mapped_column(ForeignKey("houses.id"), index=True, info=NOT_PERSONAL)
    tenancy_id: Mapped[int | None] = mapped_column(ForeignKey("tenancies.id"), index=True, info=NOT_PERSONAL)
    checked_on: Mapped[date] = mapped_column(info=NOT_PERSONAL)
    finding: Mapped[Finding] = mapped_column(enum_column(Finding), info=NOT_PERSONAL)
    note: Mapped[str | None] = mapped_column(String(500))
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)

    house: Mapped[House] = relationship(lazy="raise")
    tenancy: Mapped[Tenancy | None] = relationship(lazy="raise")
