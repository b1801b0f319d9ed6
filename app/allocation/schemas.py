"""Policies, runs, proposals and assessments as they go over the wire."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field
from sqlalchemy.orm import Session

from app.allocation import queries
from app.allocation.models import PolicyState, Proposal, ProposalState, Run, RunState
from app.allocation.placement_prices import in_words
from app.allocation.reserving import Moves
from app.allocation.snapshot import Reserved
from app.fields import Flag, Reference, Sentence, Wire
from app.policy.assess import Assessment, Service
from app.policy.eligibility import Ineligibility
from app.policy.occupancy import Measure, RoomReason
from solver import Solution

Seconds = Annotated[int, Field(strict=True, ge=1, le=86_400)]


class PolicyRead(Wire):
    """One version of the policy."""

    reference: str = Field(description="Public reference.", examples=["PO-7K3M9QTX"])
    state: PolicyState = Field(description="Where it is on its way.")
    name: str = Field(description="The policy's name.")
    sha256: str = Field(description="SHA-256 of the document's canonical JSON.")
    created_at: datetime = Field(description="When it was drafted.")
    in_force_at: datetime | None = Field(description="When it was put in force.")
    document: dict[str, Any] = Field(description="The policy, `hearth-policy/1`, every default written out.")


class RunNew(Wire):
    """A run to request."""

    settlements: list[Reference] | None = Field(
        None,
        description="The settlements to allocate; left out, every ready one where you may.",
        min_length=1,
        max_length=500,
        examples=[["ST-7K3M9QTX"]],
    )
    seed_source: Sentence | None = Field(
        None,
        description="Where the seed of the lottery and the draw will come from, and anyone can look it up: something "
        "that nobody controls and that is still to come. The run waits for it. Left out, the service draws a seed now.",
        min_length=1,
        examples=["Ball draw of the state lottery, 3 May 2026"],
    )
    time_limit_seconds: Seconds | None = Field(None, description="How long to search; left out, the service's limit.")
    move_issued: Flag = Field(
        False,
        description="Whether families with a reserved house that they have not accepted are allocated again, with as "
        "few moves as can be. Who has accepted or moved in never moves.",
    )


class Rejection(Wire):
    """Why a run is rejected."""

    reason: Sentence = Field(description="What is wrong with it.", examples=["Two households were entered twice."])


class Withdrawal(Wire):
    """Why an application is withdrawn."""

    reason: Sentence = Field(description="The family's reason, as far as it gives one.", examples=["Found a home."])


class ProgressRead(Wire):
    """How far a stage of the solution is."""

    stage: str = Field(description="`tier 1` and so on, `points`, `value`.", examples=["tier 1"])
    achieved: int = Field(description="The best found so far.")
    bound: int | None = Field(description="No allocation can be better than this; null while unknown.")
    seconds: float = Field(description="Since the solver started.")


class StageRead(Wire):
    """A stage of the solution, and the proof of its quality."""

    name: str = Field(description="`tier 1` and so on, `points`, `value`.", examples=["tier 1"])
    achieved: int = Field(description="What the solution attains.")
    bound: int = Field(description="No allocation that keeps the earlier stages can be better than this.")
    price_bound: int = Field(description="The bound that the certificate of prices proves by itself.")
    proof: Literal["prices", "search"] = Field(description="What `bound` rests on.")
    scope: Literal["any", "housed"] | None = Field(description="Over which allocations `value` is the best.")


class TierHoused(Wire):
    """Households of one tier."""

    tier: int = Field(description="1 is first.")
    housed: int = Field(description="Households that get a house.")
    households: int = Field(description="Eligible households.")


class ClassHoused(Wire):
    """Houses of one settlement and size that are allocated."""

    settlement: str = Field(description="Reference of the settlement.")
    size: int = Field(description="In the measure of the policy's occupancy standard.")
    step_free: bool = Field(description="Whether the houses are step-free.")
    housed: int = Field(description="Households that get one.")


class StagePrice(Wire):
    """What a stage is, and would be without some placements."""

    name: str = Field(description="`tier 1` and so on, `points`, `value`.", examples=["tier 1"])
    with_placements: int = Field(description="What the run attains.")
    without: int = Field(description="What was found without them.")
    bound: int = Field(description="Without them, no allocation that keeps the earlier stages can be better than this.")


class PlacementPrice(Wire):
    """What some placements cost: the same problem solved without them."""

    placements: list[str] = Field(description="References of those that are left out.", examples=[["PL-7K3M9QTX"]])
    sentence: str = Field(description="The price in words: the first stage that differs decides.")
    stages: list[StagePrice] = Field(description="Every stage, in order.")
    failure: str | None = Field(description="Why it could not be measured.")

    @classmethod
    def of(cls, price: Mapping[str, Any]) -> Self:
        """Return a price as it is stored."""
        return cls(
            placements=price["placements"],
            sentence=in_words(price),
            stages=[
                StagePrice(
                    name=each["name"], with_placements=each["with"], without=each["without"], bound=each["bound"]
                )
                for each in price["stages"]
            ],
            failure=price["failure"],
        )


class MovesRead(Wire):
    """What becomes of houses that were reserved, and not accepted, when the run was requested."""

    kept: int = Field(description="Families that keep their house, and their offer.")
    moved: int = Field(description="Families that get another.")
    ended: int = Field(description="Families that get none.")


class RunSummary(Wire):
    """A run in a list."""

    reference: str = Field(description="Public reference.", examples=["RUN-7K3M9QTX"])
    state: RunState = Field(description="Where it is on its way.")
    settlements: list[str] = Field(description="References of the settlements it allocates.")
    policy: str = Field(description="Reference of the policy version in force at the request.")
    requested_at: datetime = Field(description="When it was requested.")
    finished_at: datetime | None = Field(description="When its solution was there, or it failed or was cancelled.")
    decided_at: datetime | None = Field(description="When it was approved, rejected or cancelled.")

    @staticmethod
    def fields_of(run: Run) -> dict[str, Any]:
        """Return the fields of a run in short."""
        own = ("reference", "state", "requested_at", "finished_at", "decided_at")
        return {
            **{name: getattr(run, name) for name in own},
            "settlements": [part.settlement.reference for part in run.settlements],
            "policy": run.policy_version.reference,
        }

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return a run in short, whose settlements and policy version must be loaded."""
        return cls(**cls.fields_of(run))


class RunRead(RunSummary):
    """A run."""

    requested_by: str | None = Field(description="Reference of the user who requested it; null for the operator.")
    decided_by: str | None = Field(description="Reference of the user who decided; null for the operator.")
    decision_reason: str | None = Field(description="Why it was rejected.")
    time_limit_seconds: int = Field(description="How long the solver may search.")
    seed: str | None = Field(description="Seed of the lottery and of the draw of addresses; null until it is entered.")
    seed_source: str = Field(description="Where the seed comes from.")
    seed_is_public: bool = Field(description="Whether anyone can look the seed up elsewhere.")
    seed_entered_at: datetime | None = Field(description="When a public seed was entered.")
    seed_entered_by: str | None = Field(description="Reference of the user who entered it; null for the operator.")
    snapshot_sha256: str = Field(description="SHA-256 of the frozen snapshot.")
    problem_sha256: str | None = Field(description="SHA-256 of the solver's problem; null until the seed is there.")
    solution_sha256: str | None = Field(description="SHA-256 of the solution as it is served here.")
    attempts: int = Field(description="How often a worker began to solve it.")
    started_at: datetime | None = Field(description="When a worker began to solve it, the last time.")
    failure: str | None = Field(description="Why it failed.")
    progress: list[ProgressRead] = Field(description="The stages that the solver has begun.")
    status: str | None = Field(description="`optimal` where every stage is proven, else `feasible`.")
    stages: list[StageRead] = Field(description="The stages of the solution, and their proof.")
    tiers: list[TierHoused] = Field(description="Households housed, by tier.")
    houses: list[ClassHoused] = Field(description="Houses allocated, by settlement and size.")
    moves: MovesRead | None = Field(description="Where it may move reservations: how many it moves.")
    placement_prices: list[PlacementPrice] = Field(
        description="What the placements that it rests on cost: all of them first, then each, where they are few."
    )

    @classmethod
    def read(cls, session: Session, run: Run) -> Self:
        """Return a run, which must be loaded with its documents."""
        solution = Solution.from_json(run.solution) if run.solution is not None else None
        own = (
            "decision_reason",
            "time_limit_seconds",
            "seed",
            "seed_source",
            "seed_is_public",
            "seed_entered_at",
            "snapshot_sha256",
            "attempts",
            "started_at",
            "failure",
            "progress",
        )
        return cls(
            **cls.fields_of(run),
            **{name: getattr(run, name) for name in own},
            requested_by=run.requested_by.reference if run.requested_by else None,
            seed_entered_by=run.seed_entered_by.reference if run.seed_entered_by else None,
            decided_by=run.decided_by.reference if run.decided_by else None,
            problem_sha256=hashlib.sha256(run.problem.encode()).hexdigest() if run.problem is not None else None,
            solution_sha256=hashlib.sha256(run.solution.encode()).hexdigest() if run.solution is not None else None,
            status=solution.status.value if solution else None,
            stages=[StageRead.model_validate(stage) for stage in solution.stages] if solution else [],
            tiers=[
                TierHoused(tier=tier, housed=housed, households=households)
                for tier, housed, households in queries.housed_by_tier(session, run)
            ],
            moves=_moves(run, solution),
            placement_prices=[PlacementPrice.of(price) for price in run.placement_prices or ()],
            houses=[_class_housed(name, housed) for name, housed in queries.housed_by_class(session, run).items()],
        )


def _moves(run: Run, solution: Solution | None) -> MovesRead | None:
    homes = Reserved.model_validate_json(run.snapshot).homes if solution is not None else {}
    if solution is None or not homes:
        return None
    moves = Moves.of(homes, dict(solution.assignments))
    return MovesRead(kept=len(moves.kept), moved=len(moves.moved), ended=len(moves.lost))


def _class_housed(house_class: str, housed: int) -> ClassHoused:
    settlement, size, access = house_class.split("/")
    return ClassHoused(settlement=settlement, size=int(size), step_free=access == "step-free", housed=housed)


class RunEvent(Wire):
    """What a run's stream of events tells: where it is, and how far."""

    state: RunState = Field(description="Where the run is on its way.")
    failure: str | None = Field(description="Why it failed.")
    progress: list[ProgressRead] = Field(description="The stages that the solver has begun.")


class ProposalRead(Wire):
    """What a run says of one household."""

    reference: str = Field(description="Public reference.", examples=["PR-7K3M9QTX"])
    household: str = Field(description="Reference of the household.")
    application: str = Field(description="Reference of its application.")
    state: ProposalState = Field(description="What became of it.")
    tier: int | None = Field(description="The household's tier; 1 is first.")
    points: int | None = Field(description="Its points.")
    settlement: str | None = Field(description="Reference of the settlement where it gets a house.")
    house_class: str | None = Field(description="The houses among which its own is drawn.")
    house: str | None = Field(description="Reference of the house drawn for it.")
    reason: str = Field(description="Why, as a code.", examples=["housed"])
    explanation: str = Field(description="Why, in a sentence.")
    decided_at: datetime | None = Field(description="When the state last changed.")

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Return a proposal, with what it names loaded."""
        own = ("reference", "state", "tier", "points", "house_class", "reason", "explanation", "decided_at")
        return cls(
            **{name: getattr(proposal, name) for name in own},
            household=proposal.household.reference,
            application=proposal.application.reference,
            settlement=proposal.settlement.reference if proposal.settlement else None,
            house=proposal.house.reference if proposal.house else None,
        )


class PersonNeed(Wire):
    """Why a person counts as they do."""

    person: str = Field(description="Reference of the person.")
    code: RoomReason = Field(description="Why, as a code.")
    sentence: str = Field(description="Why, in words.")
    shares_with: list[str] = Field(description="References of those who share the room.")


class NeedRead(Wire):
    """What a household needs."""

    standard: str = Field(description="The occupancy standard.", examples=["lha_size_criteria"])
    version: int = Field(description="Its version.")
    measure: Measure = Field(description="What it counts.")
    amount: int = Field(description="How much the household needs.")
    people: list[PersonNeed] = Field(description="Why each person counts as they do.")


class WhyNot(Wire):
    """A reason why a household may not take part."""

    code: Ineligibility = Field(description="Why not, as a code.")
    sentence: str = Field(description="Why not, in words.")


class RuleRead(Wire):
    """What a rule of priority gave."""

    rule: str = Field(description="Name of the rule.")
    tier: int | None = Field(description="The tier it gave.")
    points: int = Field(description="The points it gave.")
    sentence: str = Field(description="Why it applies.")


class AssessmentRead(Wire):
    """A household under the policy in force, today."""

    policy: str = Field(description="Reference of the policy version.")
    need: NeedRead = Field(description="What it needs.")
    size_min: int = Field(description="The smallest house it may be given.")
    size_max: int = Field(description="The largest house it may be given.")
    needs_step_free: bool = Field(description="Whether it needs step-free access.")
    eligible: bool = Field(description="Whether it may take part.")
    ineligible: list[WhyNot] = Field(description="Every reason why it may not.")
    tier: int = Field(description="Its tier; 1 is first.")
    points: int = Field(description="Its points.")
    rules: list[RuleRead] = Field(description="What each rule of priority gave.")
    uses: dict[Service, int] = Field(description="Places that it takes in each service.")

    @classmethod
    def of(cls, assessment: Assessment, policy: str) -> Self:
        """Return an assessment under the policy version of that reference."""
        need, verdict, priority = assessment.need, assessment.eligibility, assessment.priority
        return cls(
            policy=policy,
            need=NeedRead(
                standard=need.standard,
                version=need.version,
                measure=need.measure,
                amount=need.amount,
                people=[
                    PersonNeed(
                        person=each.member,
                        code=each.code,
                        sentence=each.sentence,
                        shares_with=list(each.shares_with),
                    )
                    for each in need.reasons
                ],
            ),
            size_min=assessment.size_min,
            size_max=assessment.size_max,
            needs_step_free=assessment.needs_step_free,
            eligible=verdict.eligible,
            ineligible=[WhyNot.model_validate(reason) for reason in verdict.reasons],
            tier=priority.tier,
            points=priority.points,
            rules=[RuleRead.model_validate(reason) for reason in priority.reasons],
            uses=dict(assessment.uses),
        )


def event_text(run: Run) -> str:
    """Return the event that tells how a run stands, as JSON."""
    event = RunEvent(state=run.state, failure=run.failure, progress=run.progress)
    return json.dumps(event.model_dump(mode="json"), ensure_ascii=False)
