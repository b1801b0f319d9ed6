"""Swaps of houses among families that live in one: what each would take, and cycles in which each gets that."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.allocation.offer_models import GivenHow
from app.database import NOT_PERSONAL, Base, Versioned, enum_column, reference_column, unique_where, utc_now
from app.housing.models import House, Settlement
from app.registry.models import Household
from app.tenancy.models import Tenancy


class SwapWishState(StrEnum):
    """What became of a family's wish to swap."""

    OPEN = "open"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class SwapCycleState(StrEnum):
    """What became of a cycle of swaps."""

    PROPOSED = "proposed"
    DONE = "done"
    FELL_APART = "fell_apart"


class SwapWish(Versioned, Base):
    """A family's wish to give its house for another. One is open per household."""

    __tablename__ = "swap_wishes"
    __table_args__ = (unique_where("uq_swap_wishes_open", "household_id", "state = 'open'"),)

    reference: Mapped[str] = reference_column("SW")
    tenancy_id: Mapped[int] = mapped_column(ForeignKey("tenancies.id"), index=True, info=NOT_PERSONAL)
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), info=NOT_PERSONAL)
    state: Mapped[SwapWishState] = mapped_column(enum_column(SwapWishState), index=True, info=NOT_PERSONAL)
    registered_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    registered_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    ended_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)

    tenancy: Mapped[Tenancy] = relationship(lazy="raise")
    household: Mapped[Household] = relationship(lazy="raise")
    options: Mapped[list["SwapOption"]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="SwapOption.rank"
    )


class SwapOption(Base):
    """What a family would take, at a rank from 1: one house, or any house in a settlement that fits it."""

    __tablename__ = "swap_options"
    __table_args__ = (
        UniqueConstraint("wish_id", "rank"),
        CheckConstraint("(house_id IS NULL) <> (settlement_id IS NULL)", name="one_of_both"),
    )

    wish_id: Mapped[int] = mapped_column(ForeignKey("swap_wishes.id", ondelete="CASCADE"))
    rank: Mapped[int]
    house_id: Mapped[int | None] = mapped_column(ForeignKey("houses.id"))
    settlement_id: Mapped[int | None] = mapped_column(ForeignKey("settlements.id"))

    house: Mapped[House | None] = relationship(lazy="raise")
    settlement: Mapped[Settlement | None] = relationship(lazy="raise")


class SwapCycle(Versioned, Base):
    """Families of whom each gets the house of the next: all of it together, or none of it."""

    __tablename__ = "swap_cycles"
    __table_args__ = (CheckConstraint("(state = 'fell_apart') = (end_reason IS NOT NULL)", name="end_reason"),)

    reference: Mapped[str] = reference_column("SC")
    state: Mapped[SwapCycleState] = mapped_column(enum_column(SwapCycleState), index=True, info=NOT_PERSONAL)
    proposed_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    decided_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    end_reason: Mapped[str | None] = mapped_column(String(600))

    moves: Mapped[list["SwapMove"]] = relationship(
        back_populates="cycle", lazy="raise", cascade="all, delete-orphan", order_by="SwapMove.id"
    )


class SwapMove(Base):
    """One family's part in a cycle, and its yes. While the cycle is proposed, the wish is in no other."""

    __tablename__ = "swap_moves"
    __table_args__ = (
        UniqueConstraint("cycle_id", "wish_id"),
        UniqueConstraint("cycle_id", "to_house_id"),
        unique_where("uq_swap_moves_live_wish", "wish_id", "is_live"),
        CheckConstraint("(confirmed_on IS NULL) = (given_how IS NULL)", name="confirmed"),
    )

    cycle_id: Mapped[int] = mapped_column(ForeignKey("swap_cycles.id", ondelete="CASCADE"), index=True)
    wish_id: Mapped[int] = mapped_column(ForeignKey("swap_wishes.id"))
    from_house_id: Mapped[int] = mapped_column(ForeignKey("houses.id"))
    to_house_id: Mapped[int] = mapped_column(ForeignKey("houses.id"))
    is_live: Mapped[bool] = mapped_column(default=True)
    confirmed_on: Mapped[date | None]
    given_how: Mapped[GivenHow | None] = mapped_column(enum_column(GivenHow))
    confirmed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    cycle: Mapped[SwapCycle] = relationship(back_populates="moves", lazy="raise")
    wish: Mapped[SwapWish] = relationship(lazy="raise")
    from_house: Mapped[House] = relationship(foreign_keys=[from_house_id], lazy="raise")
    to_house: Mapped[House] = relationship(foreign_keys=[to_house_id], lazy="raise")
