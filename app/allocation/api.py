"""Policies, assessments, runs and proposals as JSON."""

from collections.abc import AsyncIterator
from typing import Annotated

from anyio import sleep
from anyio.to_thread import run_sync
from fastapi import APIRouter, Body, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import declines, policies, queries, reservations, runs
from app.allocation.models import PolicyState, PolicyVersion, Proposal, ProposalState, Run, RunState
from app.allocation.schemas import (
    AssessmentRead,
    PolicyRead,
    ProposalRead,
    Rejection,
    RunNew,
    RunRead,
    RunSummary,
    Withdrawal,
    event_text,
)
from app.audit import Act
from app.database import Database, utc_now
from app.errors import Conflict, Forbidden, Invalid, Unauthorised
from app.housing.models import Settlement
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.policy.assess import assess
from app.policy.parameters import DEFAULT_POLICY, Policy
from app.preconditions import TAGGED, TAGGED_NEW, tag
from app.problems import ACT, LIST, READ, responses
from app.references import normalised
from app.registry.facts import facts_of
from app.registry.queries import visible_application, visible_household
from app.registry.schemas import ApplicationRead

EVENT_SECONDS = 0.5
"""How often a stream of events looks whether there is something new."""

router = APIRouter()
MayReadPolicies = Annotated[Principal, requires(Permission.POLICY_READ)]
MayWritePolicies = Annotated[Principal, requires(Permission.POLICY_WRITE)]
MayDecidePolicies = Annotated[Principal, requires(Permission.POLICY_DECIDE)]
MayReadHouseholds = Annotated[Principal, requires(Permission.HOUSEHOLD_READ)]
MayWriteHouseholds = Annotated[Principal, requires(Permission.HOUSEHOLD_WRITE)]
MayRead = Annotated[Principal, requires(Permission.RUN_READ)]
MayRequest = Annotated[Principal, requires(Permission.RUN_REQUEST)]
MayDecide = Annotated[Principal, requires(Permission.RUN_DECIDE)]
MayReadProposals = Annotated[Principal, requires(Permission.PROPOSAL_READ)]


@router.get("/policies", tags=["policy"], operation_id="list_policies", summary="List policies", responses=LIST)
def list_policies(
    session: DbSession,
    _principal: MayReadPolicies,
    paging: Paging,
    state: Annotated[PolicyState | None, Query(description="Only those in this state.")] = None,
) -> Page[PolicyRead]:
    """Every version of the policy, in the order they were drafted."""
    seen = query = select(PolicyVersion)
    if state is not None:
        query = query.where(PolicyVersion.state == state)
    rows, following = page(session, query, PolicyVersion, paging, seen)
    return Page(items=[PolicyRead.model_validate(row) for row in rows], next=following)


@router.get(
    "/policies/in-force",
    tags=["policy"],
    operation_id="read_policy_in_force",
    summary="Read the policy in force",
    responses=READ | TAGGED,
)
def read_policy_in_force(session: DbSession, _principal: MayReadPolicies, response: Response) -> PolicyRead:
    """The version that runs requested now go by."""
    version, _ = policies.in_force(session)
    tag(response, version)
    return PolicyRead.model_validate(version)


@router.get(
    "/policies/{reference}",
    tags=["policy"],
    operation_id="read_policy",
    summary="Read a policy",
    responses=READ | TAGGED,
)
def read_policy(reference: str, session: DbSession, _principal: MayReadPolicies, response: Response) -> PolicyRead:
    """One version, whole."""
    version = policies.get(session, normalised(reference))
    tag(response, version)
    return PolicyRead.model_validate(version)


@router.post(
    "/policies",
    tags=["policy"],
    status_code=status.HTTP_201_CREATED,
    operation_id="draft_policy",
    summary="Draft a policy",
    responses=ACT | TAGGED_NEW,
)
def draft_policy(
    body: Annotated[Policy, Body(examples=[DEFAULT_POLICY.model_dump(mode="json")])],
    session: DbSession,
    principal: MayWritePolicies,
    request_once: RequestOnce,
    response: Response,
) -> PolicyRead:
    """A draft decides nothing until it is put in force. It cannot be changed: draft another."""
    made = request_once.made(session, principal.reference)
    version = policies.get(session, made) if made is not None else policies.draft(session, body, principal)
    if made is None:
        request_once.remember(session, principal.reference, version.reference)
    tag(response, version)
    return PolicyRead.model_validate(version)


@router.post(
    "/policies/{reference}/put-in-force",
    tags=["policy"],
    operation_id="put_policy_in_force",
    summary="Put a policy in force",
    responses=ACT | TAGGED,
)
def put_policy_in_force(
    reference: str, session: DbSession, principal: MayDecidePolicies, response: Response
) -> PolicyRead:
    """By somebody else than who drafted it. Runs requested from now on go by it, and earlier ones keep theirs."""
    version = policies.put_in_force(session, policies.get(session, normalised(reference)), principal)
    tag(response, version)
    return PolicyRead.model_validate(version)


@router.get(
    "/households/{reference}/assessment",
    tags=["policy"],
    operation_id="read_assessment",
    summary="Assess a household",
    responses=READ,
)
def read_assessment(reference: str, session: DbSession, principal: MayReadHouseholds) -> AssessmentRead:
    """What the household needs, whether it may take part and how it ranks: today, under the policy in force."""
    household = visible_household(session, principal, normalised(reference))
    version, policy = policies.in_force(session)
    audit.record(session, principal, Act.ASSESSMENT_READ, household)
    today = utc_now().date()
    past = declines.of(declines.past_offers(session, today, [household.id]), household.id)
    facts = facts_of(household, on=today, has_home=queries.has_home(session, household), declines=past)
    return AssessmentRead.of(assess(facts, policy), version.reference)


@router.post(
    "/applications/{reference}/withdraw",
    tags=["register"],
    operation_id="withdraw_application",
    summary="Withdraw an application",
    responses=ACT | TAGGED,
)
def withdraw_application(
    reference: str, body: Withdrawal, session: DbSession, principal: MayWriteHouseholds, response: Response
) -> ApplicationRead:
    """At the family's wish, at any time before it moves in. A house reserved for it is free again at once."""
    application = visible_application(session, principal, normalised(reference))
    reservations.withdraw(session, application, body.reason, principal)
    tag(response, application)
    return ApplicationRead.of(application)


@router.get("/runs", tags=["runs"], operation_id="list_runs", summary="List runs", responses=LIST)
def list_runs(
    session: DbSession,
    principal: MayRead,
    paging: Paging,
    state: Annotated[RunState | None, Query(description="Only those in this state.")] = None,
) -> Page[RunSummary]:
    """The runs all of whose settlements you may plan or check, in the order they were requested."""
    seen = query = queries.runs(principal)
    if state is not None:
        query = query.where(Run.state == state)
    rows, following = page(session, query, Run, paging, seen)
    return Page(items=[RunSummary.of(row) for row in rows], next=following)


@router.post(
    "/runs",
    tags=["runs"],
    status_code=status.HTTP_202_ACCEPTED,
    operation_id="request_run",
    summary="Request a run",
    responses={
        **responses(Unauthorised, Forbidden, Conflict, Invalid),
        202: {"headers": {"Location": {"description": "Where to follow the run.", "schema": {"type": "string"}}}},
    },
)
def request_run(
    body: RunNew,
    request: Request,
    session: DbSession,
    principal: MayRequest,
    request_once: RequestOnce,
    response: Response,
) -> RunSummary:
    """Freezes what there is to allocate and queues its solution; follow it at the address in Location.

    With a `seed_source` it waits for its seed, and its hash is published among the draws.
    """
    made = request_once.made(session, principal.reference)
    if made is None:
        made = runs.request(
            session,
            settlements=body.settlements,
            time_limit_seconds=body.time_limit_seconds or request.app.state.settings.solver_time_limit_seconds,
            actor=principal,
            seed_source=body.seed_source,
            move_issued=body.move_issued,
        ).reference
        request_once.remember(session, principal.reference, made)
    run = session.scalars(queries.loaded(select(Run).where(Run.reference == made))).one()
    response.headers["Location"] = request.url_for("read_run", reference=made).path
    return RunSummary.of(run)


@router.get("/runs/{reference}", tags=["runs"], operation_id="read_run", summary="Read a run", responses=READ)
def read_run(reference: str, session: DbSession, principal: MayRead) -> RunRead:
    """Where it is, how far the solver is, what it proposes in numbers, and the proof of its quality."""
    return RunRead.read(session, queries.run(session, principal, normalised(reference)))


@router.get(
    "/runs/{reference}/events",
    tags=["runs"],
    operation_id="follow_run",
    summary="Follow a run",
    response_class=StreamingResponse,
    responses={
        **READ,
        200: {
            "description": "Server-sent events: `progress` whenever something changed, `end` when the solver is done.",
            "content": {
                "text/event-stream": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "event": {"type": "string", "enum": ["progress", "end"]},
                            "data": {"type": "string", "description": "JSON: state, failure and progress of the run."},
                        },
                        "required": ["event", "data"],
                    }
                }
            },
        },
    },
)
def follow_run(reference: str, request: Request, session: DbSession, principal: MayRead) -> StreamingResponse:
    """A stream of server-sent events, whose data is the state and the progress; it ends when solving has ended."""
    run = queries.run_in_short(session, principal, normalised(reference))
    return StreamingResponse(_events(request.app.state.database, run.id), media_type="text/event-stream")


async def _events(database: Database, run_id: int) -> AsyncIterator[bytes]:
    """Look again and again, each time in a transaction of its own: nothing is held while nothing happens."""
    told = ""
    while True:
        async with database.request_session(writes=False) as session:
            text, ends = await run_sync(_event, session, run_id)
        if ends:
            yield format_sse_event(event="end", data_str=text)
            return
        if text != told:
            yield format_sse_event(event="progress", data_str=text)
            told = text
        await sleep(EVENT_SECONDS)


def _event(session: Session, run_id: int) -> tuple[str, bool]:
    run = session.scalars(select(Run).where(Run.id == run_id)).one()
    return event_text(run), run.state not in (RunState.QUEUED, RunState.SOLVING)


@router.post(
    "/runs/{reference}/cancel", tags=["runs"], operation_id="cancel_run", summary="Cancel a run", responses=ACT
)
def cancel_run(reference: str, session: DbSession, principal: MayRequest) -> RunSummary:
    """Ends a run that waits or is being solved, within two seconds; its settlements are free for another."""
    run = queries.actable_run(session, principal, Permission.RUN_REQUEST, normalised(reference))
    runs.cancel(session, run, principal)
    return _summary(session, run)


@router.post(
    "/runs/{reference}/approve",
    tags=["runs"],
    operation_id="approve_run",
    summary="Approve a run and draw the addresses",
    responses=ACT,
)
def approve_run(reference: str, session: DbSession, principal: MayDecide) -> RunSummary:
    """Verifies everything again, draws the exact houses and reserves them. By somebody else than who requested it."""
    run = queries.actable_run(session, principal, Permission.RUN_DECIDE, normalised(reference))
    runs.approve(session, run, principal)
    return _summary(session, run)


@router.post(
    "/runs/{reference}/reject",
    tags=["runs"],
    operation_id="reject_run",
    summary="Reject a run",
    responses=ACT,
)
def reject_run(reference: str, body: Rejection, session: DbSession, principal: MayDecide) -> RunSummary:
    """What it proposes is discarded; its settlements are free for another run."""
    run = queries.actable_run(session, principal, Permission.RUN_DECIDE, normalised(reference))
    runs.reject(session, run, body.reason, principal)
    return _summary(session, run)


def _summary(session: Session, run: Run) -> RunSummary:
    return RunSummary.of(queries.in_short(session, run.id))


@router.get(
    "/runs/{reference}/proposals",
    tags=["runs"],
    operation_id="list_proposals",
    summary="List what a run says of each household",
    responses=READ,
)
def list_proposals(
    reference: str,
    session: DbSession,
    principal: MayReadProposals,
    paging: Paging,
    state: Annotated[ProposalState | None, Query(description="Only those in this state.")] = None,
    settlement: Annotated[str | None, Query(description="Only houses in this settlement.", max_length=40)] = None,
) -> Page[ProposalRead]:
    """For the households that you may see: who gets which house and who gets none, and why.

    A run that is not drawn is there only for who plans and decides.
    """
    seen = query = queries.proposals(session, principal, normalised(reference))
    if state is not None:
        query = query.where(Proposal.state == state)
    if settlement is not None:
        query = query.join(Proposal.settlement).where(Settlement.reference == normalised(settlement))
    rows, following = page(session, query, Proposal, paging, seen)
    found = {"run": normalised(reference), **audit.listed(rows, (row.household for row in rows))}
    audit.record(session, principal, Act.PROPOSAL_LIST, details=found)
    return Page(items=[ProposalRead.of(row) for row in rows], next=following)
