"""Households, people, partners, kin groups, applications and outside estimates of suitability."""

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm import relationship as related

from app.access.models import User
from app.database import (
    NOT_PERSONAL,
    REFERENCE_LENGTH,
    Base,
    Versioned,
    enum_column,
    key_column,
    reference_column,
    unique_where,
    utc_now,
)
from app.housing.models import Origin, Settlement
from app.policy.facts import Accommodation, Relationship, Sex
from app.sealed import Sealed, dialled, letters_and_digits


class ApplicationState(StrEnum):
    """Where an application is on its way."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VERIFIED = "verified"
    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    ALLOCATED = "allocated"
    HOUSED = "housed"
    WITHDRAWN = "withdrawn"


PLACED = (ApplicationState.ALLOCATED, ApplicationState.HOUSED)
"""A house is reserved for its household, or that lives in one."""


class ReturnReason(StrEnum):
    """What an application lacks that a verifier gives back."""

    MISSING_DOCUMENT = "missing_document"
    UNREADABLE_DOCUMENT = "unreadable_document"
    IDENTITY_UNCLEAR = "identity_unclear"
    HOUSEHOLD_INCOMPLETE = "household_incomplete"
    CONTACT_MISSING = "contact_missing"
    WISHES_MISSING = "wishes_missing"
    OTHER = "other"


ENDED = (ApplicationState.WITHDRAWN,)


class KinGroup(Base):
    """Households that must be housed together: whole, in one settlement, or not at all."""

    __tablename__ = "kin_groups"

    reference: Mapped[str] = reference_column("KG")
    key: Mapped[str | None] = key_column()


class Household(Versioned, Base):
    """People who apply to return together. Of one that was erased, only what decisions name it by is left.

    One that was merged into another is shown nowhere, and keeps the records that the other has too.
    """

    __tablename__ = "households"

    reference: Mapped[str] = reference_column("HH")
    key: Mapped[str | None] = key_column()
    client_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, unique=True)
    registered_on: Mapped[date]
    origin_id: Mapped[int | None] = mapped_column(ForeignKey("origins.id"), index=True)
    displaced_on: Mapped[date | None]
    current_accommodation: Mapped[Accommodation] = mapped_column(enum_column(Accommodation))
    kin_group_id: Mapped[int | None] = mapped_column(ForeignKey("kin_groups.id"), index=True)
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    phone_index: Mapped[str | None] = mapped_column(String(64), index=True)
    language: Mapped[str | None] = mapped_column(String(35))
    consent_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    erased_at: Mapped[datetime | None]
    erased_reason: Mapped[str | None] = mapped_column(String(500))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("households.id"), index=True, info=NOT_PERSONAL)

    phone = Sealed(dialled)

    origin: Mapped[Origin | None] = related(lazy="raise")
    kin_group: Mapped[KinGroup | None] = related(lazy="raise")
    people: Mapped[list["Person"]] = related(
        back_populates="household", lazy="raise", cascade="all, delete-orphan", order_by="Person.id"
    )

    @property
    def head_name(self) -> str | None:
        """Name of the head, if there is one; the people must be loaded."""
        heads = (person for person in self.people if person.relationship is Relationship.HEAD)
        return next((f"{head.given_name} {head.family_name}" for head in heads), None)


class Person(Base):
    """A member of a household. `partner` is symmetric: both members name each other."""

    __tablename__ = "people"
    __table_args__ = (
        UniqueConstraint("household_id", "key"),
        unique_where("uq_people_head", "household_id", "relationship = 'head'"),
        CheckConstraint("partner_id <> id", name="partner"),
    )

    reference: Mapped[str] = reference_column("PE")
    household_id: Mapped[int] = mapped_column(
        ForeignKey("households.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL
    )
    key: Mapped[str | None] = mapped_column(String(80))
    given_name: Mapped[str] = mapped_column(String(200))
    family_name: Mapped[str] = mapped_column(String(200))
    sex: Mapped[Sex] = mapped_column(enum_column(Sex))
    birth_date: Mapped[date] = mapped_column(index=True)
    relationship: Mapped[Relationship] = mapped_column(enum_column(Relationship))
    needs_step_free: Mapped[bool]
    occupation: Mapped[str | None] = mapped_column(String(80))
    national_id_sealed: Mapped[str | None] = mapped_column(Text)
    national_id_index: Mapped[str | None] = mapped_column(String(64), unique=True, index=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"), unique=True)

    national_id = Sealed(letters_and_digits)

    household: Mapped[Household] = related(back_populates="people", lazy="raise")
    partner: Mapped["Person | None"] = related(remote_side="Person.id", lazy="raise", post_update=True)


class Application(Versioned, Base):
    """A household's application to return: settlements it wishes for, best first, or anywhere.

    `settlement_id` is where it was allocated a house, while it is. `size_override` is a caseworker's reasoned need,
    in the measure of the occupancy standard, kept beside the computed one. `submitted_by` is who handed in what stands
    there now: also who corrected it last; `written_by` are all who ever submitted, corrected or imported it, but for
    who began it. `return_reasons` are codes of ReturnReason; `ineligible_for` are codes of
    Ineligibility, `decided_policy` the policy that gave them, and `facts_hash` a digest of what it judged by.
    """

    __tablename__ = "applications"
    __table_args__ = (
        unique_where("uq_applications_live", "household_id", "state <> 'withdrawn'"),
        CheckConstraint("(size_override IS NULL) = (size_override_reason IS NULL)", name="override_has_reason"),
    )

    reference: Mapped[str] = reference_column("AP")
    client_id: Mapped[uuid.UUID | None] = mapped_column(Uuid, unique=True)
    household_id: Mapped[int] = mapped_column(
        ForeignKey("households.id", ondelete="CASCADE"), index=True, info=NOT_PERSONAL
    )
    state: Mapped[ApplicationState] = mapped_column(enum_column(ApplicationState), index=True, info=NOT_PERSONAL)
    anywhere: Mapped[bool]
    size_override: Mapped[int | None]
    size_override_reason: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    submitted_at: Mapped[datetime | None]
    submitted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    written_by: Mapped[list[int | None]] = mapped_column(JSON, default=list)
    settlement_id: Mapped[int | None] = mapped_column(ForeignKey("settlements.id"), index=True, info=NOT_PERSONAL)
    returned_at: Mapped[datetime | None]
    return_reasons: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    return_note: Mapped[str | None] = mapped_column(String(500))
    verified_at: Mapped[datetime | None]
    verified_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_policy: Mapped[str | None] = mapped_column(String(REFERENCE_LENGTH), info=NOT_PERSONAL)
    ineligible_for: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    facts_hash: Mapped[str | None] = mapped_column(String(80))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None] = mapped_column(String(600))
    precedence_since: Mapped[datetime | None] = mapped_column(info=NOT_PERSONAL)
    """Since when the household comes before all others, because an appeal was upheld and a house lost to it."""

    household: Mapped[Household] = related(lazy="raise")
    preferences: Mapped[list["Preference"]] = related(
        lazy="raise", cascade="all, delete-orphan", order_by="Preference.rank"
    )
    submitted_by: Mapped[User | None] = related(foreign_keys=[submitted_by_id], lazy="raise")

    @property
    def handed_in_by(self) -> set[int | None]:
        """All who had a part in what stands there, and so judge nothing of it; None: the operator."""
        return {self.created_by_id, self.submitted_by_id, *self.written_by}

    def note_writer(self, user_id: int | None) -> None:
        """Remember who has submitted or corrected it, also once somebody else does."""
        if user_id not in self.written_by:
            self.written_by = [*self.written_by, user_id]


class Correction(Base):
    """What was changed of an application, or of its household, after it was handed in; or why it was reopened.

    `content` is JSON: `reason`, `changes` with thing, field, before and after, and what had been `checked` and was void
    by that. The audit trail tells the same by digests, which outlive the household; this goes with it.
    """

    __tablename__ = "corrections"
    is_audited = False

    reference: Mapped[str] = reference_column("CO")
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), index=True)
    corrected_at: Mapped[datetime] = mapped_column(default=utc_now)
    corrected_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    state_before: Mapped[ApplicationState] = mapped_column(enum_column(ApplicationState))
    content_sealed: Mapped[str] = mapped_column(Text)

    content = Sealed()

    corrected_by: Mapped[User | None] = related(lazy="raise")


class Preference(Base):
    """A settlement that an application asks for, at a rank from 1."""

    __tablename__ = "preferences"
    __table_args__ = (
        UniqueConstraint("application_id", "rank"),
        UniqueConstraint("application_id", "settlement_id"),
        CheckConstraint("rank BETWEEN 1 AND 3", name="rank"),
    )

    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    rank: Mapped[int]
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)

    settlement: Mapped[Settlement] = related(lazy="raise")


class Suitability(Base):
    """An outside model's estimate of how well a household would do in a settlement."""

    __tablename__ = "suitabilities"
    __table_args__ = (UniqueConstraint("household_id", "settlement_id"),)

    household_id: Mapped[int] = mapped_column(ForeignKey("households.id", ondelete="CASCADE"))
    settlement_id: Mapped[int] = mapped_column(ForeignKey("settlements.id"), index=True)
    score: Mapped[float]
