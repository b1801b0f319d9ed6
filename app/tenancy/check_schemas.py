"""Occupancy checks as they go over the wire."""

from datetime import datetime

from pydantic import Field

from app.fields import IsoDate, Sentence, Wire
from app.housing.models import House, HouseState
from app.tenancy.check_queries import Contradiction
from app.tenancy.models import Finding, OccupancyCheck, Tenancy


class CheckNew(Wire):
    """What was found at a house."""

    checked_on: IsoDate = Field(description="When somebody was there.", examples=["2026-11-20"])
    finding: Finding = Field(description="What was found.", examples=["expected_family"])
    note: Sentence | None = Field(None, description="What is to be said of it.", examples=["The shutters were closed."])


class CheckRead(Wire):
    """What was found at a house on a day."""

    reference: str = Field(description="Public reference.", examples=["OC-7K3M9QTX"])
    settlement: str = Field(description="Reference of the settlement.")
    house: str = Field(description="Reference of the house.")
    tenancy: str | None = Field(description="Reference of the tenancy that was on record then.")
    household: str | None = Field(description="Reference of its household.")
    checked_on: IsoDate = Field(description="When somebody was there.")
    finding: Finding = Field(description="What was found.")
    note: str | None = Field(description="What was said of it.")
    recorded_at: datetime = Field(description="When it was recorded.")

    @classmethod
    def of(cls, check: OccupancyCheck) -> "CheckRead":
        """Return a check, with house, settlement, tenancy and household loaded."""
        own = ("reference", "checked_on", "finding", "note", "recorded_at")
        return cls(
            **{name: getattr(check, name) for name in own},
            settlement=check.house.settlement.reference,
            house=check.house.reference,
            tenancy=check.tenancy.reference if check.tenancy else None,
            household=check.tenancy.household.reference if check.tenancy else None,
        )


class ToReconcile(Wire):
    """A house of which the record and what was found do not fit together."""

    settlement: str = Field(description="Reference of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Its address.")
    state: HouseState = Field(description="Its state on record.")
    household: str | None = Field(description="Reference of the household that has its keys.")
    contradictions: list[Contradiction] = Field(description="What does not fit together.")
    last_finding: Finding | None = Field(description="What was found there last.")
    last_checked_on: IsoDate | None = Field(description="When that was.")

    @classmethod
    def of(
        cls, house: House, found: list[Contradiction], tenancy: Tenancy | None, check: OccupancyCheck | None
    ) -> "ToReconcile":
        """Return a house, whose settlement must be loaded."""
        return cls(
            settlement=house.settlement.reference,
            house=house.reference,
            address=house.address,
            state=house.state,
            household=tenancy.household.reference if tenancy else None,
            contradictions=found,
            last_finding=check.finding if check else None,
            last_checked_on=check.checked_on if check else None,
        )
