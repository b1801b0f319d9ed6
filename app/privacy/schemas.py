"""Erasure, retention and subject access as they go over the wire."""

from datetime import datetime
from typing import Any

from pydantic import Field

from app.allocation.models import ProposalState, RunState
from app.allocation.offer_models import GivenHow, OfferState
from app.allocation.placement_models import PlacementKind, PlacementReason, PlacementState
from app.allocation.what_if_models import WhatIfKind
from app.documents.schemas import DocumentRead
from app.fields import IsoDate, Sentence, Wire
from app.policy.facts import DeclineReason
from app.privacy.retention import CaseEnd
from app.registry.duplicate_models import CandidateState
from app.registry.matching import EvidenceCode
from app.registry.schemas import ApplicationRead, CorrectionRead, HouseholdRead
from app.tenancy.appeal_models import AppealAgainst, AppealGround, AppealState
from app.tenancy.models import Finding, TenancyEnd
from app.tenancy.swap_models import SwapWishState


class ErasureNew(Wire):
    """An erasure to make."""

    reason: Sentence = Field(
        description="Why, in words that name nobody: this is kept.", examples=["The family asked for it."]
    )


class ErasureRead(Wire):
    """A household that was erased."""

    household: str = Field(description="Its reference, by which decisions still name it.", examples=["HH-7K3M9QTX"])
    erased_at: datetime = Field(description="When it was erased.")
    reason: str = Field(description="Why.")


class EndedCaseRead(Wire):
    """A household whose case ended."""

    household: str = Field(description="Reference of the household.", examples=["HH-7K3M9QTX"])
    ended_on: IsoDate = Field(description="When its case ended.")
    how: CaseEnd = Field(description="How it ended.")


class RetentionRead(Wire):
    """What is due to be erased."""

    retention_days: int = Field(description="How long data is held after a case has ended.", examples=[730])
    programme_ended_on: IsoDate | None = Field(description="When the programme ended; null while it goes on.")
    due: int = Field(description="How many households are due.")
    cases: list[EndedCaseRead] = Field(description="The first of them, by reference.")


class RetentionApplied(Wire):
    """What was erased."""

    erased: list[EndedCaseRead] = Field(description="The households that were erased.")
    left: int = Field(description="How many more are due; apply it again for those.")


class ApplicationHeld(ApplicationRead):
    """An application, whatever became of it."""

    corrections: list[CorrectionRead] = Field(description="What was changed of it after it was handed in.")
    documents: list[DocumentRead] = Field(description="Documents that were brought with it; each can be read apart.")
    preferred_names: list[str] = Field(description="Names of the settlements wished for, best first.")
    begun_at: datetime = Field(description="When it was begun.")
    changed_at: datetime = Field(description="When it was changed last.")
    precedence_since: datetime | None = Field(description="Since when it comes before all others, after an appeal.")


class EstimateHeld(Wire):
    """An outside model's estimate."""

    settlement: str = Field(description="Name of the settlement.")
    score: float = Field(description="How well the household would do there, on the model's own scale.")


class DecisionHeld(Wire):
    """What one run knew of the household, and what it said."""

    run: str = Field(description="Reference of the run.")
    run_state: RunState = Field(description="Where the run is on its way.")
    requested_at: datetime = Field(description="When it was requested.")
    decided_at: datetime | None = Field(description="When somebody decided on it.")
    policy: str = Field(description="Name of the policy that it was decided by.")
    known: dict[str, Any] = Field(description="All that the run knew of the household, and how it was assessed.")
    proposal: str | None = Field(description="Reference of what the run said; null while nobody has decided.")
    outcome: ProposalState | None = Field(description="What became of that.")
    settlement: str | None = Field(description="Name of the settlement, where it was given a house.")
    house: str | None = Field(description="Reference of the house.")
    address: str | None = Field(description="Its address.")
    reason: str | None = Field(description="Why, as a code.")
    explanation: str | None = Field(description="Why, in words.")


class OfferHeld(Wire):
    """A house that was offered to the household, and its answer."""

    reference: str = Field(description="Public reference.")
    settlement: str = Field(description="Name of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Its address.")
    state: OfferState = Field(description="What became of the offer.")
    issued_at: datetime = Field(description="When it was made.")
    answer_by: IsoDate = Field(description="The last day for an answer, as counted then.")
    answered_on: IsoDate | None = Field(description="When the household answered.")
    given_how: GivenHow | None = Field(description="How it answered.")
    decline_reason: DeclineReason | None = Field(description="Why it declined, as a code.")
    note: str | None = Field(description="What it said of that.")
    end_reason: str | None = Field(description="Why the offer was withdrawn.")
    ended_at: datetime | None = Field(description="When it ended.")
    asked_again_at: datetime | None = Field(description="When the household asked for the settlement again.")


class AppealHeld(Wire):
    """An appeal of the household."""

    reference: str = Field(description="Public reference.")
    against: AppealAgainst = Field(description="What it was against.")
    ground: AppealGround = Field(description="Why, as a code.")
    statement: str | None = Field(description="What the family said.")
    corrections: dict[str, Any] = Field(description="What it said was otherwise.")
    state: AppealState = Field(description="Where it is on its way.")
    lodged_at: datetime = Field(description="When it was lodged.")
    decide_by: IsoDate = Field(description="The last day for its decision.")
    ended_at: datetime | None = Field(description="When it was decided or withdrawn.")
    reason: str | None = Field(description="The reason given.")
    gives_precedence: bool = Field(description="Whether the household comes before all others by it.")


class QuestionHeld(Wire):
    """What was asked of a run about the household: what it would have given otherwise."""

    reference: str = Field(description="Public reference.")
    kind: WhatIfKind = Field(description="What was asked.")
    asked_at: datetime = Field(description="When.")
    given: dict[str, Any] = Field(description="The facts that it was asked with.")
    found: dict[str, Any] | None = Field(description="The answer.")


class HolderHeld(Wire):
    """A member who holds the title to a house, or chose not to."""

    name: str = Field(description="The person's name.")
    opted_out_reason: str | None = Field(description="Why this person does not hold it; null for who does.")


class CheckHeld(Wire):
    """What was found when somebody looked who lives in the house."""

    checked_on: IsoDate = Field(description="When that was.")
    finding: Finding = Field(description="What was found.")
    note: str | None = Field(description="What was said of it.")


class SwapHeld(Wire):
    """A wish of the household to swap its house, and what came of it."""

    reference: str = Field(description="Public reference.")
    state: SwapWishState = Field(description="What became of it.")
    registered_at: datetime = Field(description="When it was registered.")
    ended_at: datetime | None = Field(description="When it ended.")
    options: list[str] = Field(description="What the household would have taken, the best first.")
    swaps: list[str] = Field(description="References of the swaps that it was part of.")


class TenancyHeld(Wire):
    """A house that the household lives or lived in."""

    reference: str = Field(description="Public reference.")
    settlement: str = Field(description="Name of the settlement.")
    house: str = Field(description="Reference of the house.")
    address: str = Field(description="Its address.")
    keys_given_on: IsoDate = Field(description="When it got the keys.")
    received_by: str | None = Field(description="Reference of the member who took them, where that was recorded.")
    representative: str | None = Field(description="Who took them for the household.")
    holders: list[HolderHeld] = Field(description="Who holds the title, and who chose not to.")
    moved_in_on: IsoDate | None = Field(description="When it moved in, once that is confirmed.")
    moved_out_on: IsoDate | None = Field(description="When it moved out.")
    ended_for: TenancyEnd | None = Field(description="Why it moved out, as a code.")
    end_reason: str | None = Field(description="Why it moved out.")
    checks: list[CheckHeld] = Field(description="What was found when somebody looked who lives there.")
    recorded_at: datetime = Field(description="When moving in was recorded.")


class PlacementHeld(Wire):
    """Where it was decided that the household is to live, or not, beside what the policy gives."""

    reference: str = Field(description="Public reference.")
    kind: PlacementKind = Field(description="What was decided.")
    settlement: str = Field(description="Name of the settlement.")
    size: int | None = Field(description="Size of the houses, where houses of one kind are meant.")
    step_free: bool | None = Field(description="Whether those are step-free.")
    house: str | None = Field(description="Reference of the house, where one is meant.")
    reason: PlacementReason = Field(description="Why, as a code.")
    note: str | None = Field(description="Why, in words.")
    state: PlacementState = Field(description="Whether it counts.")
    requested_at: datetime = Field(description="When it was asked for.")
    requested_by: str | None = Field(description="Reference of the user who asked.")
    confirmed_at: datetime | None = Field(description="When it was confirmed.")
    confirmed_by: str | None = Field(description="Reference of the user who confirmed it.")
    lifted_at: datetime | None = Field(description="When it was lifted.")
    lifted_by: str | None = Field(description="Reference of the user who lifted it.")
    lift_reason: str | None = Field(description="Why it was lifted.")


class PreviewHeld(Wire):
    """What a preview of a policy that was never decided on, or was later, compared for the household."""

    reference: str = Field(description="Reference of the preview.")
    requested_at: datetime = Field(description="When it was made.")
    draft: str = Field(description="Name of the policy that was previewed.")
    known: dict[str, Any] = Field(description="The household under the policy in force then, and under the draft.")


class OpeningHeld(Wire):
    """Somebody's leave to read the household beyond their own scope."""

    user: str = Field(description="Reference of who had it.")
    granted_at: datetime = Field(description="When it was given.")
    reads: int = Field(description="How often the household was read with it.")
    reason: str = Field(description="Why.")
    remark: str | None = Field(description="What the review said of it.")


class ActHeld(Wire):
    """An act on the household's data, or somebody's look at it, as the audit trail has it."""

    recorded_at: datetime = Field(description="When it was done.")
    act: str = Field(description="What was done.", examples=["household.change"])
    subject: str | None = Field(description="Reference of what it was done to; null where that was many things.")
    actor: str = Field(description="Reference of who did it; `operator` or `service` where that was no user.")


class SuspicionHeld(Wire):
    """That the household may be registered twice, and what somebody decided."""

    reference: str = Field(description="Public reference.")
    state: CandidateState = Field(description="What became of it.")
    found_at: datetime = Field(description="When it was found.")
    evidence: list[EvidenceCode] = Field(description="What spoke for and against, as codes.")
    decided_at: datetime | None = Field(description="When somebody decided.")
    reason: str | None = Field(description="Why.")


class SubjectAccess(Wire):
    """Everything that is held of one household."""

    prepared_at: datetime = Field(description="When this was put together.")
    household: HouseholdRead = Field(description="The household and its people.")
    origin_name: str | None = Field(description="Name of the settlement that it left.")
    applications: list[ApplicationHeld] = Field(description="Its applications, the first one first.")
    estimates: list[EstimateHeld] = Field(description="Outside estimates of how well it would do where.")
    decisions: list[DecisionHeld] = Field(description="Runs that it took part in, the first one first.")
    offers: list[OfferHeld] = Field(description="Houses that were offered to it, the first one first.")
    previews: list[PreviewHeld] = Field(description="Policies that were tried out over the register, by its reference.")
    placements: list[PlacementHeld] = Field(
        description="Where it is to live, or not, by decision, the first one first."
    )
    appeals: list[AppealHeld] = Field(description="Its appeals, the first one first.")
    questions: list[QuestionHeld] = Field(description="What was asked of runs about it, the first one first.")
    tenancies: list[TenancyHeld] = Field(description="Houses that it lives or lived in, the first one first.")
    merged: list[HouseholdRead] = Field(description="Records of the same family that were merged into this one.")
    suspicions: list[SuspicionHeld] = Field(description="When it looked as if it, or somebody in it, was there twice.")
    swaps: list[SwapHeld] = Field(description="Its wishes to swap its house, the first one first.")
    openings: list[OpeningHeld] = Field(description="Who was given leave to read it beyond their scope.")
    trail: list[ActHeld] = Field(description="Who did what with its data, and who read it, the first one first.")
