"""Placements as they go over the wire."""

from datetime import datetime
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from app.allocation.placement_models import Placement, PlacementKind, PlacementReason, PlacementState
from app.fields import Count, Flag, Reference, Sentence, Wire


class PlacementNew(Wire):
    """Where one household is to live, or not."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"household": "HH-7K3M9QTX", "kind": "house", "house": "HO-7K3M9QTX", "reason": "medical"}]
        }
    )

    household: Reference = Field(description="Reference of the household.", examples=["HH-7K3M9QTX"])
    kind: PlacementKind = Field(
        description="`house`: in this house; `pin`: in a house of this size in this settlement; `forbid`: not in this "
        "settlement.",
        examples=["pin"],
    )
    house: Reference | None = Field(None, description="The house, for `house`.", examples=["HO-7K3M9QTX"])
    settlement: Reference | None = Field(None, description="The settlement, for `pin` and `forbid`.")
    size: Count | None = Field(None, description="Size of the houses, for `pin`, in the measure of the policy.")
    step_free: Flag | None = Field(None, description="Whether those houses are step-free, for `pin`.")
    reason: PlacementReason = Field(description="Why, as a code.", examples=["medical"])
    note: Sentence | None = Field(
        None, description="Why, in words. They are about a family: who needs to know reads them."
    )

    @model_validator(mode="after")
    def _names_what_its_kind_needs(self) -> Self:
        needed = {
            PlacementKind.HOUSE: {"house"},
            PlacementKind.PIN: {"settlement", "size", "step_free"},
            PlacementKind.FORBID: {"settlement"},
        }[self.kind]
        given = {name for name in ("house", "settlement", "size", "step_free") if getattr(self, name) is not None}
        if given != needed:
            raise ValueError(f"{self.kind.value} needs {' and '.join(sorted(needed))}, and nothing else of where")
        return self


class Lifting(Wire):
    """Why a placement is lifted."""

    reason: Sentence = Field(
        description="Why it counts no more, or is refused.", min_length=1, examples=["The treatment has ended."]
    )


class PlacementRead(Wire):
    """A placement."""

    reference: str = Field(description="Public reference.", examples=["PL-7K3M9QTX"])
    household: str = Field(description="Reference of the household.")
    kind: PlacementKind = Field(description="What is decided.")
    settlement: str = Field(description="Reference of the settlement.")
    size: int | None = Field(description="Size of the houses, where houses of one kind are meant.")
    step_free: bool | None = Field(description="Whether those are step-free.")
    house: str | None = Field(description="Reference of the house, where one is meant.")
    reason: PlacementReason = Field(description="Why, as a code.")
    note: str | None = Field(description="Why, in words.")
    state: PlacementState = Field(description="Where it is on its way.")
    requested_at: datetime = Field(description="When it was asked for.")
    requested_by: str | None = Field(description="Reference of the user who asked; null for the operator.")
    confirmed_at: datetime | None = Field(description="When it was confirmed.")
    confirmed_by: str | None = Field(description="Reference of the user who confirmed it.")
    lifted_at: datetime | None = Field(description="When it was lifted.")
    lifted_by: str | None = Field(description="Reference of the user who lifted it.")
    lift_reason: str | None = Field(description="Why it was lifted.")

    @classmethod
    def of(cls, placement: Placement) -> Self:
        """Return a placement, with what it names loaded."""
        own = ("reference", "kind", "size", "step_free", "reason", "note", "state", "lift_reason")
        moments = ("requested_at", "confirmed_at", "lifted_at")
        users = {name: getattr(placement, name) for name in ("requested_by", "confirmed_by", "lifted_by")}
        return cls(
            **{name: getattr(placement, name) for name in (*own, *moments)},
            **{name: user.reference if user else None for name, user in users.items()},
            household=placement.household.reference,
            settlement=placement.settlement.reference,
            house=placement.house.reference if placement.house else None,
        )
