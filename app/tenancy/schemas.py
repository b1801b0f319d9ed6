"""Occupancy as it goes over the wire."""

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from app.allocation.models import Proposal
from app.fields import IsoDate, Name, Reference, Sentence, Wire
from app.tenancy.models import Tenancy, TenancyEnd, TenancyHolder, TenancyState


class KeysGiven(Wire):
    """A family got the keys."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"household": "HH-7K3M9QTX", "given_on": "2026-10-30", "received_by": "PE-7K3M9QTX"}]
        }
    )

    household: Reference = Field(description="The household that got them.", examples=["HH-7K3M9QTX"])
    given_on: IsoDate = Field(description="When it got them.", examples=["2026-10-30"])
    received_by: Reference | None = Field(None, description="The member who took them.", examples=["PE-7K3M9QTX"])
    representative: Name | None = Field(None, description="Who took them for the family, where no member did.")

    @model_validator(mode="after")
    def _somebody_took_them(self) -> Self:
        if (self.received_by is None) == (self.representative is None):
            raise ValueError("name the member who took the keys, or the representative")
        return self


class MoveIn(Wire):
    """A family lives in its house."""

    household: Reference = Field(description="The household that moved in.", examples=["HH-7K3M9QTX"])
    moved_in_on: IsoDate = Field(description="When it moved in.", examples=["2026-11-01"])


class MoveOut(Wire):
    """A family left."""

    moved_out_on: IsoDate = Field(description="When it moved out.", examples=["2026-11-20"])
    reason: Sentence = Field(description="Why it left, in words.", examples=["Moved to be with relatives."])
    code: TenancyEnd = Field(TenancyEnd.OTHER, description="Why it left, as a code.", examples=["with_relatives"])


class OptOut(Wire):
    """A member who does not hold the title."""

    person: Reference = Field(description="The member.", examples=["PE-7K3M9QTX"])
    reason: Sentence = Field(description="Why not.", examples=["She holds the title to her parents' house."])


class HolderNew(Wire):
    """A member who is to hold the title too."""

    person: Reference = Field(description="The member.", examples=["PE-7K3M9QTX"])


class HolderRead(Wire):
    """Somebody who holds the title to a house, or chose not to."""

    person: str = Field(description="Reference of the person.")
    name: str = Field(description="The person's name.")
    opted_out_reason: str | None = Field(description="Why this person does not hold it; null for who does.")

    @classmethod
    def of(cls, holder: TenancyHolder) -> "HolderRead":
        """Return a holder, whose person must be loaded."""
        person = holder.person
        return cls(
            person=person.reference,
            name=f"{person.given_name} {person.family_name}",
            opted_out_reason=holder.opted_out_reason,
        )


class TenancyRead(Wire):
    """A household living, or having lived, in a house."""

    reference: str = Field(description="Public reference.", examples=["TE-7K3M9QTX"])
    settlement: str = Field(description="Reference of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Address of the house.")
    household: str = Field(description="Reference of the household.")
    head: str | None = Field(description="Name of its head.")
    people: int = Field(description="How many people it has.")
    state: TenancyState = Field(description="How far it is.")
    keys_given_on: IsoDate = Field(description="When it got the keys.")
    received_by: str | None = Field(description="Reference of the member who took them, where that was recorded.")
    representative: str | None = Field(description="Who took them for the family.")
    holders: list[HolderRead] = Field(description="Who holds the title, jointly, and who chose not to.")
    moved_in_on: IsoDate | None = Field(description="When it moved in, once that is confirmed.")
    moved_out_on: IsoDate | None = Field(description="When it moved out.")
    ended_for: TenancyEnd | None = Field(description="Why it left, as a code.")
    end_reason: str | None = Field(description="Why it left.")

    @classmethod
    def of(cls, tenancy: Tenancy) -> "TenancyRead":
        """Return `tenancy`, whose house, settlement, people, holders and who took the keys must be loaded."""
        return cls(
            reference=tenancy.reference,
            settlement=tenancy.house.settlement.reference,
            house=tenancy.house.reference,
            address=tenancy.house.address,
            household=tenancy.household.reference,
            head=tenancy.household.head_name,
            people=len(tenancy.household.people),
            state=tenancy.state,
            keys_given_on=tenancy.keys_given_on,
            received_by=tenancy.received_by.reference if tenancy.received_by else None,
            representative=tenancy.representative,
            holders=[HolderRead.of(holder) for holder in tenancy.holders],
            moved_in_on=tenancy.moved_in_on,
            moved_out_on=tenancy.moved_out_on,
            ended_for=tenancy.ended_for,
            end_reason=tenancy.end_reason,
        )


class ReservationRead(Wire):
    """A house reserved for a family that is expected there."""

    settlement: str = Field(description="Reference of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Address of the house.")
    household: str = Field(description="Reference of the household expected.")
    head: str | None = Field(description="Name of its head.")
    people: int = Field(description="How many people it has.")

    @classmethod
    def of(cls, proposal: Proposal) -> "ReservationRead":
        """Return a reservation, whose house, settlement and people must be loaded."""
        if proposal.house is None:
            raise ValueError(f"proposal {proposal.reference} reserves no house")
        return cls(
            settlement=proposal.house.settlement.reference,
            house=proposal.house.reference,
            address=proposal.house.address,
            household=proposal.household.reference,
            head=proposal.household.head_name,
            people=len(proposal.household.people),
        )


class OccupancyRow(Wire):
    """The houses of one size in one settlement, counted by state."""

    settlement: str = Field(description="Reference of the settlement.")
    settlement_name: str = Field(description="Its name.")
    bedrooms: int = Field(description="Bedrooms of these houses.")
    houses: int = Field(description="How many there are.")
    being_built: int = Field(description="Planned or under construction.")
    waiting_for_gates: int = Field(description="Built and free, in a settlement whose gates are not all met.")
    available: int = Field(description="Free to be allocated.")
    reserved: int = Field(description="Reserved for a family.")
    occupied: int = Field(description="Lived in.")
    unfit: int = Field(description="Not to be lived in.")
    people: int = Field(description="People living in them.")
