"""Appeals as they go over the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import Field

from app.allocation.corrections import Correction
from app.allocation.what_if_models import WhatIfState
from app.fields import Flag, Reference, Wire, Words
from app.policy.facts import Accommodation
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealGround, AppealState


class Corrections(Wire):
    """What an appeal says is otherwise than the run knew it; what is left out stays."""

    eligible: Flag | None = Field(None, description="That the household may take part.")
    size: Annotated[int, Field(strict=True, ge=0, le=1_000)] | None = Field(
        None, description="The house that it needs, in the measure of the policy."
    )
    needs_step_free: Flag | None = Field(None, description="Whether it needs step-free access.")
    accommodation: Accommodation | None = Field(None, description="How it lives; the policy's rules give the rest.")
    tier: Annotated[int, Field(strict=True, ge=1, le=20)] | None = Field(None, description="Its tier.")
    points: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = Field(None, description="Its points.")

    def stated(self) -> Correction:
        """Return them as the calculation takes them."""
        return Correction(**self.model_dump())


class AppealNew(Wire):
    """An appeal to lodge for a family."""

    application: Reference = Field(description="The application.", examples=["AP-7K3M9QTX"])
    against: AppealAgainst = Field(description="Against the last decision of this kind.", examples=["priority"])
    ground: AppealGround = Field(description="Why, as a code.", examples=["facts_wrong"])
    statement: Words = Field(
        description="What the family says. It is kept encrypted.", examples=["We live in a cellar."]
    )
    corrections: Corrections = Field(
        default_factory=Corrections, description="Facts to calculate the run with again, where a run had a part."
    )


class AppealDecision(Wire):
    """A decision on an appeal."""

    upheld: Flag = Field(description="Whether the family is right.")
    reason: Words = Field(description="Why, for the family. It is kept encrypted.", examples=["The survey shows it."])
    first_in_line: Flag | None = Field(
        None, description="Whether it comes before all others in the next run; left out, as the calculation says."
    )


class CalculatedRead(Wire):
    """What the run would have given with what the appeal says."""

    reference: str = Field(description="Public reference.", examples=["WI-7K3M9QTX"])
    state: WhatIfState = Field(description="Where the calculation is on its way.")
    failure: str | None = Field(description="Why there is none.")
    housed: bool | None = Field(description="Whether the household would have got a house.")
    house_class: str | None = Field(description="Which kind of house.")
    reason: str | None = Field(description="Why, or why not, as a code.")
    proven: bool | None = Field(description="Whether that is proven to be the best allocation.")
    others_housed: int | None = Field(description="How many others would have got a house that have none.")
    others_not_housed: int | None = Field(description="How many others would not have got one that have one.")
    others_elsewhere: int | None = Field(description="How many others would have got another house.")

    @classmethod
    def of(cls, appeal: Appeal) -> Self | None:
        """Return the calculation of an appeal, which must be loaded."""
        asked = appeal.what_if
        if asked is None:
            return None
        found: dict[str, Any] = asked.found or {}
        names = ("housed", "house_class", "reason", "proven", "others_housed", "others_not_housed", "others_elsewhere")
        return cls(
            reference=asked.reference,
            state=asked.state,
            failure=asked.failure,
            **{name: found.get(name) for name in names},
        )


class AppealRead(Wire):
    """An appeal."""

    reference: str = Field(description="Public reference.", examples=["APL-7K3M9QTX"])
    household: str = Field(description="Reference of the household.")
    application: str = Field(description="Reference of its application.")
    against: AppealAgainst = Field(description="What it is against.")
    subject: str = Field(description="Reference of what it is against: an application, a proposal or an offer.")
    ground: AppealGround = Field(description="Why, as a code.")
    statement: str | None = Field(description="What the family says.")
    corrections: dict[str, Any] = Field(description="What it says is otherwise.")
    state: AppealState = Field(description="Where it is on its way.")
    lodged_at: datetime = Field(description="When it was lodged.")
    lodged_by: str | None = Field(description="Reference of the user who lodged it; null for the operator.")
    decide_by: date = Field(description="The last day for its decision.")
    ended_at: datetime | None = Field(description="When it was decided or withdrawn.")
    decided_by: str | None = Field(description="Reference of the user who decided.")
    reason: str | None = Field(description="The reason given to the family.")
    gives_precedence: bool = Field(description="Whether the household comes before all others in the next run.")
    calculated: CalculatedRead | None = Field(description="What the run would have given.")

    @classmethod
    def of(cls, appeal: Appeal) -> Self:
        """Return an appeal, with what it names loaded."""
        own = (
            "reference",
            "against",
            "subject",
            "ground",
            "statement",
            "corrections",
            "state",
            "lodged_at",
            "decide_by",
            "ended_at",
            "reason",
            "gives_precedence",
        )
        return cls(
            **{name: getattr(appeal, name) for name in own},
            household=appeal.household.reference,
            application=appeal.application.reference,
            lodged_by=appeal.lodged_by.reference if appeal.lodged_by else None,
            decided_by=appeal.decided_by.reference if appeal.decided_by else None,
            calculated=CalculatedRead.of(appeal),
        )
