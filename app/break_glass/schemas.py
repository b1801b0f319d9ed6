"""Grants to read beyond one's scope as they go over the wire."""

from datetime import datetime

from pydantic import Field

from app.break_glass.models import BreakGlassGrant
from app.fields import Reference, Sentence, Wire
from app.registry.schemas import ApplicationRead, HouseholdRead


class BreakGlassNew(Wire):
    """A household to open."""

    household: Reference = Field(description="The household.", examples=["HH-7K3M9QTX"])
    reason: Sentence = Field(
        description="Why it must be read now, and by you. Name nobody.",
        examples=["The family stands at the desk of another district and has lost its papers."],
    )


class BreakGlassRead(Wire):
    """Leave to read one household."""

    reference: str = Field(description="Public reference.", examples=["BG-7K3M9QTX"])
    user: str = Field(description="Reference of the user who may read it.")
    household: str = Field(description="Reference of the household.")
    reason: str = Field(description="Why, in the words of that user.")
    granted_at: datetime = Field(description="When it began.")
    expires_at: datetime = Field(description="When it ends, or ended.")
    reads: int = Field(description="How often it was used.")
    reviewed_at: datetime | None = Field(description="When it was reviewed.")
    reviewed_by: str | None = Field(description="Reference of who reviewed it.")
    remark: str | None = Field(description="What came of the review.")

    @classmethod
    def of(cls, grant: BreakGlassGrant) -> "BreakGlassRead":
        """Return `grant`, whose users must be loaded, as it is sent."""
        return cls(
            reference=grant.reference,
            user=grant.user.reference,
            household=grant.household,
            reason=grant.reason,
            granted_at=grant.granted_at,
            expires_at=grant.expires_at,
            reads=grant.reads,
            reviewed_at=grant.reviewed_at,
            reviewed_by=grant.reviewed_by.reference if grant.reviewed_by else None,
            remark=grant.remark,
        )


class BreakGlassReading(Wire):
    """A household read under a grant."""

    household: HouseholdRead = Field(description="The household with its people.")
    applications: list[ApplicationRead] = Field(description="Its applications.")


class Review(Wire):
    """What came of looking at a grant."""

    remark: Sentence = Field(
        description="Whether it was justified, and what follows. Name nobody.",
        examples=["Justified: the other district confirms the visit."],
    )
