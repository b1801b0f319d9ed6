"""Previews of a policy as they go over the wire."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from app.allocation.comparison import Effect
from app.allocation.preview_models import PolicyPreview, PreviewState
from app.allocation.schemas import ProgressRead, Seconds
from app.fields import Flag, Wire


class PreviewNew(Wire):
    """A preview to make."""

    solve: Flag = Field(False, description="Whether to solve under both policies, and say who would be housed.")
    time_limit_seconds: Seconds | None = Field(None, description="Seconds under each; left out, the service's limit.")


class EffectCounts(Wire):
    """Households, and what becomes of their places."""

    households: int = Field(description="Households that wait.")
    gains: int = Field(description="Fewer are before it, or it may take part now.")
    loses: int = Field(description="More are before it, or it may take part no more.")
    same: int = Field(description="As many are before it.")
    eligible_before: int = Field(description="May take part under the policy in force.")
    eligible_after: int = Field(description="May take part under the draft.")
    need_more: int = Field(description="Need a larger house under the draft.")
    need_less: int = Field(description="Need a smaller house under the draft.")


class GroupCounts(EffectCounts):
    """The same for one group."""

    group: str = Field(
        description="`single_parent`, `step_free_need`, `older_people_alone`, `large_family`, `accommodation:…`, or "
        "`origin:` with its reference.",
        examples=["single_parent"],
    )


class TierMove(Wire):
    """Households of one tier that the draft puts into another."""

    before: int | None = Field(description="Tier under the policy in force; null: not eligible.")
    after: int | None = Field(description="Tier under the draft; null: not eligible.")
    households: int = Field(description="How many.")


class AssessedRead(Wire):
    """What the draft changes in the order of the households that wait."""

    all: EffectCounts = Field(description="All of them.")
    tiers: list[TierMove] = Field(description="By tier, before and after.")
    groups: list[GroupCounts] = Field(description="By group; a household may be in several.")


class HousedCounts(Wire):
    """Households that would get a house."""

    housed_before: int = Field(description="Under the policy in force.")
    housed_after: int = Field(description="Under the draft.")
    gain_a_house: int = Field(description="Under the draft alone.")
    lose_a_house: int = Field(description="Under the policy in force alone.")


class GroupHoused(HousedCounts):
    """The same for one group."""

    group: str = Field(description="As above.", examples=["single_parent"])


class StageMove(Wire):
    """A stage under both policies."""

    name: str = Field(description="`tier 1` and so on, `points`, `value`.", examples=["tier 1"])
    before: int | None = Field(description="Achieved under the policy in force; null where it has no such stage.")
    after: int | None = Field(description="Achieved under the draft.")


class SolvedRead(Wire):
    """Who would be housed under each."""

    all: HousedCounts = Field(description="All households that wait.")
    stages: list[StageMove] = Field(description="What is achieved; points of two policies are of two kinds.")
    groups: list[GroupHoused] = Field(description="By group.")


class PreviewRead(Wire):
    """A preview."""

    reference: str = Field(description="Public reference.", examples=["PV-7K3M9QTX"])
    state: PreviewState = Field(description="Where it is on its way.")
    draft: str = Field(description="Reference of the draft.")
    in_force: str = Field(description="Reference of the policy in force then.")
    requested_at: datetime = Field(description="When it was requested.")
    requested_by: str | None = Field(description="Reference of the user who requested it; null for the operator.")
    register_sha256: str = Field(description="SHA-256 of the facts of the register that it rests on.")
    is_solved: bool = Field(description="Whether both policies are solved too.")
    progress: list[ProgressRead] = Field(description="How far the solver is.")
    finished_at: datetime | None = Field(description="When it ended.")
    failure: str | None = Field(description="Why it failed.")
    assessed: AssessedRead = Field(description="Who gains and who loses in the order.")
    solved: SolvedRead | None = Field(description="Who would be housed; null until that is solved.")

    @classmethod
    def of(cls, preview: PolicyPreview) -> Self:
        """Return a preview, with what it names loaded."""
        own = ("reference", "state", "requested_at", "register_sha256", "is_solved", "finished_at", "failure")
        return cls(
            **{name: getattr(preview, name) for name in own},
            draft=preview.draft.reference,
            in_force=preview.in_force.reference,
            requested_by=preview.requested_by.reference if preview.requested_by else None,
            progress=[ProgressRead(**each) for each in preview.progress],
            assessed=AssessedRead(**preview.summary["assessed"]),
            solved=SolvedRead(**preview.summary["solved"]) if preview.summary["solved"] else None,
        )


class StandingRead(Wire):
    """A household under one policy."""

    eligible: bool = Field(description="Whether it may take part.")
    tier: int = Field(description="Its tier; 1 is first.")
    points: int = Field(description="Its points.")
    size: int = Field(description="The smallest house that it may be given, in the policy's measure.")
    ahead: int | None = Field(description="Eligible households before it; null where it is not eligible.")


class ComparedRead(Wire):
    """A household under both policies."""

    household: str = Field(description="Reference of the household.", examples=["HH-7K3M9QTX"])
    effect: Effect = Field(description="What becomes of its place.")
    before: StandingRead = Field(description="Under the policy in force.")
    after: StandingRead = Field(description="Under the draft.")
    housed_before: str | None = Field(description="The houses among which it would get one, under the policy in force.")
    housed_after: str | None = Field(description="The same under the draft.")

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """Return a household as a preview keeps it."""
        before, after = StandingRead(**row["before"]), StandingRead(**row["after"])
        return cls(**{**row, "effect": Effect(row["effect"]), "before": before, "after": after})
