"""Occupancy as it goes over the wire."""

from pydantic import Field

from app.allocation.models import Proposal
from app.fields import IsoDate, Reference, Sentence, Wire
from app.tenancy.models import Tenancy


class MoveIn(Wire):
    """A family got the key."""

    household: Reference = Field(description="The household that moved in.", examples=["HH-7K3M9QTX"])
    moved_in_on: IsoDate = Field(description="When it moved in.", examples=["2026-11-01"])


class MoveOut(Wire):
    """A family left."""

    moved_out_on: IsoDate = Field(description="When it moved out.", examples=["2026-11-20"])
    reason: Sentence = Field(description="Why it left.", examples=["Moved to be with relatives."])


class TenancyRead(Wire):
    """A household living, or having lived, in a house."""

    reference: str = Field(description="Public reference.", examples=["TE-7K3M9QTX"])
    settlement: str = Field(description="Reference of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Address of the house.")
    household: str = Field(description="Reference of the household.")
    head: str | None = Field(description="Name of its head.")
    people: int = Field(description="How many people it has.")
    moved_in_on: IsoDate = Field(description="When it moved in.")
    moved_out_on: IsoDate | None = Field(description="When it moved out.")
    end_reason: str | None = Field(description="Why it left.")

    @classmethod
    def of(cls, tenancy: Tenancy) -> "TenancyRead":
        """Return `tenancy`, whose house, settlement and people must be loaded."""
        return cls(
            reference=tenancy.reference,
            settlement=tenancy.house.settlement.reference,
            house=tenancy.house.reference,
            address=tenancy.house.address,
            household=tenancy.household.reference,
            head=tenancy.household.head_name,
            people=len(tenancy.household.people),
            moved_in_on=tenancy.moved_in_on,
            moved_out_on=tenancy.moved_out_on,
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
