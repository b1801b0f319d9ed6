"""Offers: a house reserved for a household, put before the family, and its answer."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.access.models import User
from app.allocation.models import Proposal, Run
from app.database import NOT_PERSONAL, Base, enum_column, reference_column, unique_where, utc_now
from app.housing.models import House
from app.policy.facts import DeclineReason
from app.registry.models import Household


class OfferState(StrEnum):
    """What became of an offer."""

    ISSUED = "issued"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class GivenHow(StrEnum):
    """How a family gave its answer."""

    IN_PERSON = "in_person"
    TELEPHONE = "telephone"
    IN_WRITING = "in_writing"
    REPRESENTATIVE = "representative"


class Offer(Base):
    """The offer of a reserved house, one for each reservation at most. It goes on until `ended_at`.

    `answer_by` is the last day for an answer as counted at the issue; each day on which a gate of the settlement is
    closed puts it off by one. `note` and `end_reason` are words about a family. `asked_again_at`: when a family that
    declined said that it would look at the settlement again.
    """

    __tablename__ = "offers"
    __table_args__ = (
        unique_where("uq_offers_live_house", "house_id", "ended_at IS NULL"),
        unique_where("uq_offers_live_household", "household_id", "ended_at IS NULL"),
        CheckConstraint("(state = 'declined') = (decline_reason IS NOT NULL)", name="decline_reason"),
        CheckConstraint("(state = 'withdrawn') = (end_reason IS NOT NULL)", name="end_reason"),
        CheckConstraint("state <> 'issued' OR ended_at IS NULL", name="issued_goes_on"),
        CheckConstraint("state IN ('issued', 'accepted') OR ended_at IS NOT NULL", name="ended"),
        CheckConstraint("state NOT IN ('accepted', 'declined') OR answered_on IS NOT NULL", name="answered"),
        CheckConstraint("(answered_on IS NULL) = (given_how IS NULL)", name="answer"),
    )

    reference: Mapped[str] = reference_column("OF")
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), unique=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), index=True, info=NOT_PERSONAL)
    household_id: Mapped[int] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)
    house_id: Mapped[int] = mapped_column(ForeignKey("houses.id"), info=NOT_PERSONAL)
    state: Mapped[OfferState] = mapped_column(enum_column(OfferState), index=True, info=NOT_PERSONAL)
    issued_at: Mapped[datetime] = mapped_column(default=utc_now, info=NOT_PERSONAL)
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), info=NOT_PERSONAL)
    answer_by: Mapped[date] = mapped_column(info=NOT_PERSONAL)
    answered_on: Mapped[date | None] = mapped_column(info=NOT_PERSONAL)
    given_how: Mapped[GivenHow | None] = mapped_column(enum_column(GivenHow))
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decline_reason: Mapped[DeclineReason | None] = mapped_column(enum_column(DeclineReason))
    note: Mapped[str | None] = mapped_column(String(500))
    end_reason: Mapped[str | None] = mapped_column(String(600))
    ended_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    asked_again_at: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)

    proposal: Mapped[Proposal] = relationship(lazy="raise")
    run: Mapped[Run] = relationship(lazy="raise")
    household: Mapped[Household] = relationship(lazy="raise")
    house: Mapped[House] = relationship(lazy="raise")
    issued_by: Mapped[User | None] = relationship(foreign_keys=[issued_by_id], lazy="raise")
