"""Offers as they go over the wire."""

from datetime import datetime

from pydantic import Field

from app.allocation.offer_models import GivenHow, Offer, OfferState
from app.fields import IsoDate, Sentence, Wire
from app.policy.facts import DeclineReason
from app.tenancy.deadlines import Deadline
from app.tenancy.offers import Issued


class OffersIssued(Wire):
    """What became of the houses that a run reserves."""

    run: str = Field(description="Reference of the run.")
    issued: int = Field(description="Offers that were issued now.")
    issued_before: int = Field(description="Offers of the run that were issued before.")
    held_back: list[str] = Field(description="References of settlements with a closed gate: ask again once it is open.")

    @classmethod
    def of(cls, run: str, issued: Issued) -> "OffersIssued":
        """Return what was issued for a run."""
        return cls(run=run, issued=len(issued.offers), issued_before=issued.before, held_back=issued.held_back)


class OfferAccepted(Wire):
    """The family takes the house."""

    answered_on: IsoDate = Field(description="The day on which the family said so.", examples=["2026-11-20"])
    given_how: GivenHow = Field(description="How it said so.", examples=["in_person"])


class OfferDeclined(Wire):
    """The family does not take the house."""

    answered_on: IsoDate = Field(description="The day on which the family said so.", examples=["2026-11-20"])
    given_how: GivenHow = Field(description="How it said so.", examples=["telephone"])
    reason: DeclineReason = Field(description="Why, as a code.", examples=["no_work"])
    note: Sentence | None = Field(None, description="What the family says of it.", examples=["The mill is closed."])


class OfferWithdrawn(Wire):
    """Why an offer is withdrawn."""

    reason: Sentence = Field(description="What is wrong with it.", examples=["The house was measured wrongly."])


class OfferRead(Wire):
    """An offer of a house to a family."""

    reference: str = Field(description="Public reference.", examples=["OF-7K3M9QTX"])
    state: OfferState = Field(description="What became of it.")
    run: str = Field(description="Reference of the run that drew the house.")
    household: str = Field(description="Reference of the household.")
    head: str | None = Field(description="Name of its head.")
    settlement: str = Field(description="Reference of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Address of the house.")
    issued_at: datetime = Field(description="When it was issued.")
    answer_by: IsoDate = Field(description="The last day for an answer, in the programme's time zone.")
    is_paused: bool = Field(description="Whether a gate of the settlement is closed: no day counts meanwhile.")
    answered_on: IsoDate | None = Field(description="The day on which the family answered.")
    given_how: GivenHow | None = Field(description="How it answered.")
    decline_reason: DeclineReason | None = Field(description="Why it declined, as a code.")
    note: str | None = Field(description="What it says of that.")
    end_reason: str | None = Field(description="Why it was withdrawn.")
    ended_at: datetime | None = Field(description="When it ended; for one that was accepted, by moving in.")
    asked_again_at: datetime | None = Field(description="When the family asked for the settlement again.")

    @classmethod
    def of(cls, offer: Offer, deadline: Deadline) -> "OfferRead":
        """Return an offer, with what it names loaded."""
        own = (
            "reference",
            "state",
            "issued_at",
            "answered_on",
            "given_how",
            "decline_reason",
            "note",
            "end_reason",
            "ended_at",
            "asked_again_at",
        )
        return cls(
            **{name: getattr(offer, name) for name in own},
            run=offer.run.reference,
            household=offer.household.reference,
            head=offer.household.head_name,
            settlement=offer.house.settlement.reference,
            house=offer.house.reference,
            address=offer.house.address,
            answer_by=deadline.last_day,
            is_paused=deadline.is_paused and offer.state is OfferState.ISSUED,
        )
