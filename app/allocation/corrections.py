"""A household's facts corrected, and the run with them: everything else as it was frozen, and the same seed."""

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.allocation import pinning
from app.allocation.parts import AsidePart, HouseholdPart
from app.allocation.snapshot import Snapshot
from app.errors import FieldError, Invalid
from app.policy.assess import assess, service_uses
from app.policy.facts import Accommodation, HouseholdFacts
from app.policy.parameters import Policy
from solver.tables import LAST_TIER

Row = dict[str, Any]


class Correction(BaseModel):
    """What is said to be otherwise; None leaves a thing as the run knew it.

    `size` is in the measure of the policy. `accommodation` gives tier and points by the policy's rules, where these are
    not stated themselves. `eligible`: that it may take part, which it could not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    eligible: bool | None = None
    size: int | None = Field(None, ge=0, le=1_000)
    needs_step_free: bool | None = None
    accommodation: Accommodation | None = None
    tier: int | None = Field(None, ge=1, le=20)
    points: int | None = Field(None, ge=0, le=1_000_000)

    @property
    def says_nothing(self) -> bool:
        """Whether nothing is said to be otherwise."""
        return all(value is None for value in self.model_dump().values())


def row_of(snapshot: Snapshot, part: HouseholdPart, correction: Correction, facts: HouseholdFacts) -> Row:
    """Return the corrected row of a household in a run's problem.

    `facts` are those of the register now, for what the run kept nothing of: an older one of who could not take part
    neither wishes for work nor kin. Raises Invalid where it could not take part, and the correction does not say that
    it may.
    """
    policy = Policy.model_validate(snapshot.policy.document)
    known = next((row for row in snapshot.problem["households"] if row["id"] == part.reference), None)
    if known is None and not correction.eligible:
        raise Invalid(
            "The household could not take part in that run.",
            [FieldError("#/body/corrections/eligible", "Say true here where it should have been able to.")],
        )
    if known is None:
        beside = aside(snapshot, part.reference)
        known = _row(snapshot, part, facts, policy) if beside is None else _taking_part(snapshot, part, beside)
    tier, points = correction.tier, correction.points
    if correction.accommodation is not None:
        ranked = assess(_living(facts, correction.accommodation), policy).priority
        tier, points = tier or ranked.tier, ranked.points if points is None else points
    row = dict(known)
    if tier is not None:
        row["tier"] = min(tier + (0 if part.precedence else snapshot.tiers_before), LAST_TIER)
    if points is not None:
        row["points"] = points
    if correction.needs_step_free is not None:
        row["needs_step_free"] = correction.needs_step_free
    if correction.size is not None:
        row["bedrooms_min"], row["bedrooms_max"] = correction.size, policy.size_max(correction.size)
    return row


def part_of(snapshot: Snapshot, household: str) -> HouseholdPart | None:
    """Return what a run knew of a household, also of one that was signed as ineligible before it."""
    beside = aside(snapshot, household)
    if beside is not None and beside.household is not None:
        return beside.household
    return next((part for part in snapshot.households if part.reference == household), None)


def aside(snapshot: Snapshot, household: str) -> AsidePart | None:
    """Return what a run has of a household that could not take part."""
    return next((part for part in snapshot.aside if part.row["id"] == household), None)


def _taking_part(snapshot: Snapshot, part: HouseholdPart, beside: AsidePart) -> Row:
    tier = beside.row["tier"] + (0 if part.precedence else snapshot.tiers_before)
    return beside.row | {"tier": min(tier, LAST_TIER)}


def _row(snapshot: Snapshot, part: HouseholdPart, facts: HouseholdFacts, policy: Policy) -> Row:
    size = part.need.amount if part.size_override is None else part.size_override
    return {
        "id": part.reference,
        "tier": min(part.tier + (0 if part.precedence else snapshot.tiers_before), LAST_TIER),
        "points": part.points,
        "bedrooms_min": size,
        "bedrooms_max": policy.size_max(size),
        "needs_step_free": part.needs_step_free,
        "options": dict(part.options),
        "anywhere": part.anywhere,
        "profile": None,
        "kin_group": None,
        "uses": {service.value: used for service, used in service_uses(facts, policy.services).items() if used},
        "forbidden": [],
    }


def _living(facts: HouseholdFacts, accommodation: Accommodation) -> HouseholdFacts:
    return replace(facts, accommodation=accommodation)


def corrected(snapshot: Snapshot, row: Row) -> Snapshot:
    """Return the snapshot with one row in its place: step-free houses kept by it anew, and nothing else."""
    rows = [each for each in snapshot.problem["households"] if each["id"] != row["id"]]
    rows = sorted([*rows, row], key=lambda each: str(each["id"]))
    percent = snapshot.policy.document["step_free_reserved_percent"]
    classes = [
        house_class | {"reserved": pinning.reserved(house_class, rows, percent)}
        for house_class in snapshot.problem["house_classes"]
    ]
    known, beside = list(snapshot.households), aside(snapshot, row["id"])
    profiles = list(snapshot.problem["profiles"])
    if beside is not None:
        known += [] if beside.household is None else [beside.household]
        profiles += [{"id": row["profile"], "values": dict(beside.work)}] if beside.work else []
    known.sort(key=lambda part: part.reference)
    households = tuple(_part(part, row, snapshot) for part in known)
    problem = snapshot.problem | {"households": rows, "house_classes": classes, "profiles": profiles}
    return snapshot.model_copy(update={"problem": problem, "households": households})


def _part(part: HouseholdPart, row: Row, snapshot: Snapshot) -> HouseholdPart:
    if part.reference != row["id"]:
        return part
    tier = row["tier"] if part.precedence else row["tier"] - snapshot.tiers_before
    return part.model_copy(
        update={
            "eligible": True,
            "ineligible": (),
            "tier": tier,
            "points": row["points"],
            "needs_step_free": row["needs_step_free"],
        }
    )
