"""Placements: what a programme decides of one household before a run, for a coded reason."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.database import NOT_PERSONAL, Base, enum_column, reference_column, unique_where, utc_now
from app.housing.models import House, Settlement
from app.registry.models import Household

LIVE = "state <> 'lifted'"
PLACES = f"{LIVE} AND kind <> 'forbid'"


class PlacementKind(StrEnum):
    """What is decided: houses of one kind, one house, or a settlement where the household is not to live."""

    PIN = "pin"
    HOUSE = "house"
    FORBID = "forbid"


class PlacementReason(StrEnum):
    """Why."""

    MEDICAL = "medical"
    SAFETY = "safety"
    FAMILY_UNITY = "family_unity"
    COURT_ORDER = "court_order"
    ACCESSIBILITY = "accessibility"
    WORK = "work"
    OTHER = "other"


class PlacementState(StrEnum):
    """Where a placement is on its way. Only a confirmed one counts in a run."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    LIFTED = "lifted"


class Placement(Base):
    """One decision about where one household is to live, or not to live, beside what the policy gives.

    `settlement` is always there; `size` and `step_free` say which houses of it where one kind is meant, `house` where
    it is one. `note` and `lift_reason` are somebody's words about a family.
    """

    __tablename__ = "placements"
    __table_args__ = (
        CheckConstraint("(kind = 'house') = (house_id IS NOT NULL)", name="house_is_named"),
        CheckConstraint("(kind = 'pin') = (size IS NOT NULL)", name="pin_has_size"),
        CheckConstraint("(size IS NULL) = (step_free IS NULL)", name="size_with_access"),
        CheckConstraint("(state = 'lifted') = (lift_reason IS NOT NULL)", name="lifted_with_reason"),
        CheckConstraint("state <> 'confirmed' OR confirmed_at IS NOT NULL", name="confirmed"),
        unique_where("uq_placements_placed_household", "household_id", PLACES),
        unique_where("uq_placements_kept_house", "house_id", LIVE),
    )

    reference: Mapped[str] = reference_column("PL")
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True)
    kind: Mapped[PlacementKind] = mapped_column(enum_column(PlacementKind), info=NOT_PERSONAL)
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    size: Mapped[int | None]
    step_free: Mapped[bool | None]
    house_id: Mapped[int | None] = mapped_column(ForeignKey("houses.id"))
    reason: Mapped[PlacementReason] = mapped_column(enum_column(PlacementReason))
    note: Mapped[str | None] = mapped_column(String(500))
    state: Mapped[PlacementState] = mapped_column(enum_column(PlacementState), index=True, info=NOT_PERSONAL)
    requested_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    confirmed_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    confirmed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    lifted_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    lift_reason: Mapped[str | None] = mapped_column(String(500))

    household: Mapped[Household] = relationship(lazy="raise")
    settlement: Mapped[Settlement] = relationship(lazy="raise")
    house: Mapped[House | None] = relationship(lazy="raise")
    requested_by: Mapped[User | None] = relationship(foreign_keys=[requested_by_id], lazy="raise")
    confirmed_by: Mapped[User | None] = relationship(foreign_keys=[confirmed_by_id], lazy="raise")
    lifted_by: Mapped[User | None] = relationship(foreign_keys=[lifted_by_id], lazy="raise")
