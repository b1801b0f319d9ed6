"""Settlements, origins, houses, milestones, land-release areas and jobs."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base, Versioned, enum_column, key_column, reference_column, unique_where


class SettlementStatus(StrEnum):
    """How far the rebuilding of a settlement is."""

    PLANNED = "planned"
    REBUILDING = "rebuilding"
    OPEN = "open"
    SUSPENDED = "suspended"


class LandState(StrEnum):
    """State of a land-release area, in the terms of IMAS 07.11."""

    CONFIRMED_HAZARDOUS = "confirmed_hazardous"
    SUSPECTED_HAZARDOUS = "suspected_hazardous"
    CANCELLED = "cancelled"
    REDUCED = "reduced"
    CLEARED = "cleared"


class HouseState(StrEnum):
    """State of a house. `available` is never stored: it is `handed_over` or `vacated` with every gate met."""

    PLANNED = "planned"
    UNDER_CONSTRUCTION = "under_construction"
    HANDED_OVER = "handed_over"
    AVAILABLE = "available"
    RESERVED = "reserved"
    OCCUPIED = "occupied"
    VACATED = "vacated"
    UNFIT = "unfit"


class Settlement(Versioned, Base):
    """A rebuilt village, often merged of several origins."""

    __tablename__ = "settlements"
    may_be_personal = False
    __table_args__ = (
        CheckConstraint("school_places >= 0", name="school_places"),
        CheckConstraint("clinic_patients >= 0", name="clinic_patients"),
    )

    reference: Mapped[str] = reference_column("ST")
    key: Mapped[str | None] = key_column()
    name: Mapped[str] = mapped_column(String(200))
    district: Mapped[str] = mapped_column(String(120), index=True)
    latitude: Mapped[float]
    longitude: Mapped[float]
    school_places: Mapped[int]
    clinic_patients: Mapped[int]
    status: Mapped[SettlementStatus] = mapped_column(enum_column(SettlementStatus))

    origins: Mapped[list["Origin"]] = relationship(back_populates="settlement", lazy="raise", order_by="Origin.id")
    milestones: Mapped[list["Milestone"]] = relationship(lazy="raise", order_by="Milestone.name")
    land_release_areas: Mapped[list["LandReleaseArea"]] = relationship(
        back_populates="settlement", lazy="raise", order_by="LandReleaseArea.id"
    )


class Origin(Base):
    """A former settlement that families left, merged into at most one rebuilt one."""

    __tablename__ = "origins"
    may_be_personal = False

    reference: Mapped[str] = reference_column("OR")
    key: Mapped[str | None] = key_column()
    name: Mapped[str] = mapped_column(String(200))
    latitude: Mapped[float]
    longitude: Mapped[float]
    settlement_id: Mapped[int | None] = mapped_column(ForeignKey("settlements.id"), index=True)

    settlement: Mapped[Settlement | None] = relationship(back_populates="origins", lazy="raise")


class House(Versioned, Base):
    """One house. `bedrooms` and `rooms` are different counts and never compared."""

    __tablename__ = "houses"
    may_be_personal = False
    __table_args__ = (
        CheckConstraint("bedrooms >= 0 AND bedrooms <= rooms", name="bedrooms"),
        CheckConstraint("floor_area_m2 > 0", name="floor_area_m2"),
        CheckConstraint("(state = 'unfit') = (unfit_reason IS NOT NULL)", name="unfit_reason"),
        CheckConstraint("state <> 'available'", name="available_is_derived"),
    )

    reference: Mapped[str] = reference_column("HO")
    key: Mapped[str | None] = key_column()
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    address: Mapped[str] = mapped_column(String(300))
    rooms: Mapped[int]
    bedrooms: Mapped[int]
    floor_area_m2: Mapped[float]
    step_free: Mapped[bool]
    storeys: Mapped[int]
    solar_kw: Mapped[float]
    handed_over_on: Mapped[date | None]
    state: Mapped[HouseState] = mapped_column(enum_column(HouseState), index=True)
    unfit_reason: Mapped[str | None] = mapped_column(String(500))

    settlement: Mapped[Settlement] = relationship(lazy="raise")


class Milestone(Base):
    """A step of the rebuilding: when it was reached, or is expected."""

    __tablename__ = "milestones"
    may_be_personal = False
    __table_args__ = (UniqueConstraint("settlement_id", "name"),)

    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    achieved_on: Mapped[date | None]
    expected_on: Mapped[date | None]


class GateClosure(Base):
    """A time in which a gate of a settlement was closed: from when, and until when if it is open again."""

    __tablename__ = "gate_closures"
    is_audited = False  # what closed or opened the gate is
    may_be_personal = False
    __table_args__ = (unique_where("uq_gate_closures_open", "settlement_id", "opened_at IS NULL"),)

    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    closed_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]


class LandReleaseArea(Versioned, Base):
    """An area that was or is suspected or confirmed to hold mines, and how it was released."""

    __tablename__ = "land_release_areas"
    may_be_personal = False
    __table_args__ = (CheckConstraint("hectares > 0", name="hectares"),)

    reference: Mapped[str] = reference_column("LR")
    key: Mapped[str | None] = key_column()
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    state: Mapped[LandState] = mapped_column(enum_column(LandState))
    method: Mapped[str | None] = mapped_column(String(80))
    hectares: Mapped[float]
    released_on: Mapped[date | None]
    certificate: Mapped[str | None] = mapped_column(String(120))
    geometry: Mapped[dict[str, Any]] = mapped_column(JSON)

    settlement: Mapped[Settlement] = relationship(back_populates="land_release_areas", lazy="raise")


class Job(Base):
    """Openings of one employer in one sector."""

    __tablename__ = "jobs"
    may_be_personal = False
    __table_args__ = (
        UniqueConstraint("settlement_id", "employer", "sector"),
        CheckConstraint("openings >= 0", name="openings"),
    )

    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    employer: Mapped[str] = mapped_column(String(200))
    sector: Mapped[str] = mapped_column(String(80))
    openings: Mapped[int]

    settlement: Mapped[Settlement] = relationship(lazy="raise")
