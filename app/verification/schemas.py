"""Verification and eligibility as they go over the wire."""

from typing import Annotated

from pydantic import ConfigDict, Field

from app.fields import Flag, Reference, Sentence, Wire
from app.policy.eligibility import Ineligibility
from app.registry.models import ReturnReason
from app.verification.bulk import AT_ONCE, Outcome
from app.verification.verdicts import Verdict


class Return(Wire):
    """Why an application is given back."""

    reasons: list[ReturnReason] = Field(
        description="What it lacks.", min_length=1, max_length=len(ReturnReason), examples=[["missing_document"]]
    )
    note: Sentence | None = Field(
        None, description="What exactly, for the caseworker. `other` needs one.", examples=["The marriage certificate."]
    )


class IneligibilityRead(Wire):
    """One reason against."""

    code: Ineligibility = Field(description="The reason.")
    sentence: str = Field(description="The reason in words.", examples=["No consent is recorded."])


class EligibilityRead(Wire):
    """What the rules say of an application today: what is signed, as it is."""

    application: str = Field(description="Reference of the application.", examples=["AP-7K3M9QTX"])
    eligible: bool = Field(description="Whether its household may take part.")
    reasons: list[IneligibilityRead] = Field(description="Every reason against; none where it may.")
    policy: str = Field(description="Reference of the policy in force, whose rules say so.", examples=["PO-7K3M9QTX"])
    facts_hash: str = Field(description="Stays the same as long as what the rules judge by does.")

    @classmethod
    def of(cls, application: str, verdict: Verdict) -> "EligibilityRead":
        """Return `verdict` on the application of that reference."""
        return cls(
            application=application,
            eligible=verdict.eligible,
            reasons=[IneligibilityRead(code=each.code, sentence=each.sentence) for each in verdict.reasons],
            policy=verdict.policy,
            facts_hash=verdict.facts_hash,
        )


class Signature(Wire):
    """The verdict that is signed: as it was read from the application's eligibility."""

    eligible: Flag = Field(description="Whether its household may take part.")
    policy: Reference = Field(description="The policy whose rules say so.", examples=["PO-7K3M9QTX"])
    facts_hash: Annotated[str, Field(max_length=80)] = Field(description="As it was read.", examples=["hmac-sha256:…"])


class Chosen(Wire):
    """Which applications: these, or everything that waits. One of the two."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"applications": ["AP-7K3M9QTX"]}]})

    applications: list[Reference] | None = Field(
        None, description="These.", min_length=1, max_length=AT_ONCE, examples=[["AP-7K3M9QTX"]]
    )
    everything: Flag = Field(False, description="All that wait for this, where you may do it.")
    settlement: Reference | None = Field(
        None, description="Of everything, only households from origins merged into this settlement."
    )
    origin: Reference | None = Field(None, description="Of everything, only households from this origin.")
    after: Reference | None = Field(None, description="The `next` of the answer before, to go on.")


class ChosenVerdict(Chosen):
    """The verdict to sign, and on which applications."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"applications": ["AP-7K3M9QTX"], "eligible": True}]})

    eligible: Flag = Field(
        description="What is signed, where the rules say it; where they say otherwise, it is refused.", examples=[True]
    )


class RefusedRead(Wire):
    """An application with which nothing was done."""

    application: str = Field(description="Its reference.", examples=["AP-7K3M9QTX"])
    reason: str = Field(description="Why, and what to do.")


class OutcomeRead(Wire):
    """What became of each application."""

    done: list[str] = Field(description="References of those with which it was done.", examples=[["AP-7K3M9QTX"]])
    refused: list[RefusedRead] = Field(description="Those with which it was not.")
    next: str | None = Field(description="Send it as `after` to go on; null at the end.")

    @classmethod
    def of(cls, outcome: Outcome) -> "OutcomeRead":
        """Return `outcome`."""
        return cls(
            done=list(outcome.done),
            refused=[RefusedRead(application=each.reference, reason=each.reason) for each in outcome.refused],
            next=outcome.following,
        )
