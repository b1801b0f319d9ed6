"""What a snapshot is made of: nothing that names a person."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.policy.assess import Service
from app.policy.eligibility import Ineligibility
from app.policy.occupancy import Measure


class Part(BaseModel):
    """Frozen, and nothing but what it says."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyPart(Part):
    """The policy in force at the request, whole."""

    reference: str
    sha256: str
    document: dict[str, Any]


class SettlementPart(Part):
    """A settlement of the run: its places on the day, and those that households placed before take."""

    reference: str
    name: str
    capacities: dict[Service, int]
    taken: dict[Service, int]


class ClassPart(Part):
    """Houses that the policy cannot tell apart, by public reference, sorted. `size` is in the policy's measure."""

    id: str
    settlement: str
    size: int
    step_free: bool
    houses: tuple[str, ...]


class NeedPart(Part):
    """The computed need."""

    standard: str
    version: int
    measure: Measure
    amount: int


class RulePart(Part):
    """What one rule of priority gave."""

    rule: str
    tier: int | None
    points: int


class HouseholdPart(Part):
    """A household that takes part, under the policy. `size_override` is a caseworker's need, beside the computed.

    `precedence`: it comes before all others, whatever its tier. `declined`: settlements where its kin may be and that
    are not offered to it again, because it declined there; it may have asked for them.
    """

    reference: str
    application: str
    eligible: bool
    ineligible: tuple[Ineligibility, ...]
    need: NeedPart
    size_override: int | None
    needs_step_free: bool
    tier: int
    points: int
    rules: tuple[RulePart, ...]
    options: dict[str, int]
    anywhere: int | None
    precedence: bool = Field(False, exclude_if=lambda precedence: not precedence)
    declined: tuple[str, ...] = Field((), exclude_if=lambda declined: not declined)


class ProfilePart(Part):
    """Households of one kind of work: sector → members."""

    id: str
    sectors: dict[str, int]


class AsidePart(Part):
    """A household that could not take part, as if it could: `row` is what the problem would say of it.

    The tier in it is the policy's. `household`: of one that was signed as ineligible before the run; others are among
    the households. `work`: settlement → what its work is worth there, where no profile of the problem says that.
    """

    row: dict[str, Any]
    household: HouseholdPart | None = Field(None, exclude_if=lambda household: household is None)
    work: dict[str, int] = Field({}, exclude_if=lambda work: not work)
