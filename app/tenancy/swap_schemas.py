"""Wishes to swap and cycles as they go over the wire."""

from datetime import datetime
from typing import Self

from pydantic import Field, model_validator

from app.allocation.offer_models import GivenHow
from app.fields import IsoDate, Reference, Wire
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapMove, SwapOption, SwapWish, SwapWishState


class OptionNew(Wire):
    """What a family would take: one house, or any that fits it in a settlement."""

    house: Reference | None = Field(None, description="One house.", examples=["HO-7K3M9QTX"])
    settlement: Reference | None = Field(None, description="Any house in this settlement.", examples=[None])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.house is None) == (self.settlement is None):
            raise ValueError("name a house or a settlement")
        return self


class WishNew(Wire):
    """A family that would swap its house."""

    household: Reference = Field(description="The household.", examples=["HH-7K3M9QTX"])
    options: list[OptionNew] = Field(
        description="What it would take, the best first.",
        min_length=1,
        max_length=50,
        examples=[[{"house": "HO-7K3M9QTX"}]],
    )


class OptionRead(Wire):
    """What a family would take."""

    rank: int = Field(description="1 is the best.")
    house: str | None = Field(description="Reference of the house, where it names one.")
    settlement: str | None = Field(description="Reference of the settlement, where it would take any house there.")

    @classmethod
    def of(cls, option: SwapOption) -> "OptionRead":
        """Return an option, with what it names loaded."""
        return cls(
            rank=option.rank,
            house=option.house.reference if option.house else None,
            settlement=option.settlement.reference if option.settlement else None,
        )


class WishRead(Wire):
    """A family's wish to swap."""

    reference: str = Field(description="Public reference.", examples=["SW-7K3M9QTX"])
    state: SwapWishState = Field(description="What became of it.")
    household: str = Field(description="Reference of the household.")
    head: str | None = Field(description="Name of its head.")
    house: str = Field(description="Reference of the house that it would give.")
    options: list[OptionRead] = Field(description="What it would take, the best first.")
    registered_at: datetime = Field(description="When it was registered.")
    ended_at: datetime | None = Field(description="When it ended.")

    @classmethod
    def of(cls, wish: SwapWish) -> "WishRead":
        """Return a wish, with what it names loaded."""
        return cls(
            reference=wish.reference,
            state=wish.state,
            household=wish.household.reference,
            head=wish.household.head_name,
            house=wish.tenancy.house.reference,
            options=[OptionRead.of(option) for option in wish.options],
            registered_at=wish.registered_at,
            ended_at=wish.ended_at,
        )


class SwapConfirmed(Wire):
    """A family agrees to swap."""

    household: Reference = Field(description="The household.", examples=["HH-7K3M9QTX"])
    answered_on: IsoDate = Field(description="The day on which it said so.", examples=["2026-11-20"])
    given_how: GivenHow = Field(description="How it said so.", examples=["in_person"])


class SwapRefused(Wire):
    """A family does not agree to swap."""

    household: Reference = Field(description="The household.", examples=["HH-7K3M9QTX"])


class MoveRead(Wire):
    """One family's part in a cycle."""

    wish: str = Field(description="Reference of its wish.")
    household: str = Field(description="Reference of the household.")
    from_house: str = Field(description="Reference of the house that it gives.")
    to_house: str = Field(description="Reference of the house that it gets.")
    to_address: str = Field(description="Address of that house.")
    confirmed_on: IsoDate | None = Field(description="When it agreed.")
    given_how: GivenHow | None = Field(description="How it agreed.")

    @classmethod
    def of(cls, move: SwapMove) -> "MoveRead":
        """Return a move, with what it names loaded."""
        return cls(
            wish=move.wish.reference,
            household=move.wish.household.reference,
            from_house=move.from_house.reference,
            to_house=move.to_house.reference,
            to_address=move.to_house.address,
            confirmed_on=move.confirmed_on,
            given_how=move.given_how,
        )


class CycleRead(Wire):
    """Families of whom each gets the house of another: all of them, or nobody."""

    reference: str = Field(description="Public reference.", examples=["SC-7K3M9QTX"])
    state: SwapCycleState = Field(description="What became of it.")
    moves: list[MoveRead] = Field(description="Who gives and gets which house.")
    proposed_at: datetime = Field(description="When it was proposed.")
    decided_at: datetime | None = Field(description="When it was signed, or fell apart.")
    end_reason: str | None = Field(description="Why it fell apart.")

    @classmethod
    def of(cls, cycle: SwapCycle) -> "CycleRead":
        """Return a cycle, with what it names loaded."""
        own = ("reference", "state", "proposed_at", "decided_at", "end_reason")
        return cls(**{name: getattr(cycle, name) for name in own}, moves=[MoveRead.of(move) for move in cycle.moves])


class CyclesProposed(Wire):
    """What was found among the open wishes."""

    cycles: list[str] = Field(description="References of the cycles that are proposed now.")
    families: int = Field(description="How many families are part of them.")
