"""Candidates and decisions as they go over the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from app.duplicates import candidates
from app.fields import Reference, Sentence, Wire
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, FoundBy, Merge
from app.registry.matching import EvidenceCode
from app.registry.models import Household
from app.registry.schemas import ApplicationRead, HouseholdRead


class CandidateSummary(Wire):
    """Two households that may be one, or have somebody in common, in a list."""

    reference: str = Field(description="Public reference.", examples=["DC-7K3M9QTX"])
    state: CandidateState = Field(description="What became of it.")
    found_by: FoundBy = Field(description="How it was found.")
    score: float = Field(description="Sum of the weights of the evidence; from 9 on the rules name a pair.")
    first: str = Field(description="Reference of the household that was recorded first.")
    second: str = Field(description="Reference of the other.")
    found_at: datetime = Field(description="When it was found.")
    decided_at: datetime | None = Field(description="When it was decided on.")

    @classmethod
    def of(cls, candidate: DuplicateCandidate) -> "CandidateSummary":
        """Return `candidate`, whose households must be loaded."""
        own = {name: getattr(candidate, name) for name in cls.model_fields if name not in ("first", "second")}
        return cls(**own, first=candidate.first.reference, second=candidate.second.reference)


class EvidenceRead(Wire):
    """One thing that speaks for or against."""

    code: EvidenceCode = Field(description="What it is.")
    weight: float = Field(description="How much it says; below zero it speaks against.")
    first: str | None = Field(description="Reference of the person of the first household, where it is about one.")
    second: str | None = Field(description="Reference of the person of the second.")
    sentence: str = Field(description="The same in words.")


class Side(Wire):
    """One of the two households, with its newest application."""

    household: HouseholdRead = Field(description="The household with its people.")
    application: ApplicationRead | None = Field(description="Its newest application.")


class CandidateRead(CandidateSummary):
    """Two households beside each other, and what speaks for and against their being one."""

    evidence: list[EvidenceRead] = Field(description="What speaks for and against, person by person.")
    sides: list[Side] = Field(description="Both households, the first one first.", min_length=2, max_length=2)
    suggested: CandidateState | None = Field(description="What the evidence suggests, while it is open.")
    suggested_survivor: str | None = Field(description="Reference of the household that should go on, if they are one.")
    decided_by: str | None = Field(description="Reference of who decided.")
    decision_reason: str | None = Field(description="Why.")
    merge: str | None = Field(description="Reference of the merge that it led to last.")

    @classmethod
    def read(
        cls,
        candidate: DuplicateCandidate,
        sides: list[Side],
        people: Mapping[str, str],
        suggestion: candidates.Suggestion | None,
        merge: Merge | None,
    ) -> "CandidateRead":
        """Return `candidate`, whose households and decider must be loaded; `people`: what they are called."""
        evidence = [
            EvidenceRead(
                **each,
                sentence=candidates.sentence(EvidenceCode(each["code"]), each["first"], each["second"], people),
            )
            for each in candidate.evidence
        ]
        return cls(
            **CandidateSummary.of(candidate).model_dump(),
            evidence=evidence,
            sides=sides,
            suggested=suggestion.decision if suggestion else None,
            suggested_survivor=suggestion.survivor if suggestion else None,
            decided_by=candidate.decided_by.reference if candidate.decided_by else None,
            decision_reason=candidate.decision_reason,
            merge=merge.reference if merge else None,
        )


def side_of(household: Household, application: ApplicationRead | None) -> Side:
    """Return a household, loaded, and its application."""
    return Side(household=HouseholdRead.of(household), application=application)


class DecisionNew(Wire):
    """What somebody decides on a candidate."""

    decision: Literal["same", "different", "moved_household"] = Field(
        description="Whether it is one household in two records, two households, or somebody moved from one to the "
        "other.",
        examples=["different"],
    )
    reason: Sentence = Field(
        description="How you know.", examples=["Both families were called: they are cousins of the same name."]
    )
    survivor: Reference | None = Field(
        None, description="For `same`: the household that goes on; the suggested one if left out.", examples=[None]
    )
    people: list[Reference] = Field(
        default_factory=list,
        description="For `moved_household`: the people who left, by their records in the household that they left.",
        max_length=50,
        examples=[[]],
    )


class MergeRead(Wire):
    """What a decision changed."""

    reference: str = Field(description="Public reference.", examples=["MG-7K3M9QTX"])
    candidate: str = Field(description="Reference of the candidate that was decided on.")
    source: str = Field(description="Reference of the household that was merged, or that people left.")
    into: str = Field(description="Reference of the household that goes on, or that they joined.")
    made_at: datetime = Field(description="When.")
    undone_at: datetime | None = Field(description="When it was undone.")

    @classmethod
    def of(cls, merge: Merge) -> "MergeRead":
        """Return `merge`, whose candidate and households must be loaded."""
        return cls(
            reference=merge.reference,
            candidate=merge.candidate.reference,
            source=merge.source.reference,
            into=merge.into.reference,
            made_at=merge.made_at,
            undone_at=merge.undone_at,
        )


class UndoNew(Wire):
    """Why a merge is undone."""

    reason: Sentence = Field(description="Why.", examples=["They are brothers: the second family has come by."])
