"""Previews of a draft of the policy: who gains, who loses, before anybody decides."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from sqlalchemy import select

from app import audit
from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import policies, previews
from app.allocation.comparison import Effect
from app.allocation.models import PolicyVersion
from app.allocation.preview_models import PolicyPreview
from app.allocation.preview_schemas import ComparedRead, PreviewNew, PreviewRead
from app.audit import Act
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, READ
from app.references import normalised

router = APIRouter(tags=["policy"])
MayRead = Annotated[Principal, requires(Permission.POLICY_READ)]
MayPreview = Annotated[Principal, requires(Permission.POLICY_PREVIEW)]


@router.post(
    "/policies/{reference}/preview",
    status_code=status.HTTP_202_ACCEPTED,
    operation_id="preview_policy",
    summary="Preview a draft over the live register",
    responses={
        **ACT,
        202: {"headers": {"Location": {"description": "Where to follow it.", "schema": {"type": "string"}}}},
    },
)
def preview_policy(
    reference: str,
    body: PreviewNew,
    request: Request,
    session: DbSession,
    principal: MayPreview,
    request_once: RequestOnce,
    response: Response,
) -> PreviewRead:
    """Compares the order of every household that waits; where that is asked for, solves who would be housed too."""
    made = request_once.made(session, principal.reference)
    if made is None:
        limit = body.time_limit_seconds or request.app.state.settings.solver_time_limit_seconds
        draft = policies.get(session, normalised(reference))
        preview = previews.request(session, draft, solve=body.solve, time_limit_seconds=limit, actor=principal)
        request_once.remember(session, principal.reference, preview.reference)
    else:
        preview = previews.get(session, made)
    response.headers["Location"] = request.url_for("read_preview", reference=preview.reference).path
    return PreviewRead.of(preview)


@router.get("/policy-previews", operation_id="list_previews", summary="List previews", responses=LIST)
def list_previews(
    session: DbSession,
    _principal: MayRead,
    paging: Paging,
    policy: Annotated[str | None, Query(description="Only of this draft.", max_length=40)] = None,
) -> Page[PreviewRead]:
    """What was compared, in numbers, in the order it was requested."""
    seen = query = previews.loaded(select(PolicyPreview))
    if policy is not None:
        query = query.join(PolicyPreview.draft).where(PolicyVersion.reference == normalised(policy))
    rows, following = page(session, query, PolicyPreview, paging, seen)
    return Page(items=[PreviewRead.of(row) for row in rows], next=following)


@router.get("/policy-previews/{reference}", operation_id="read_preview", summary="Read a preview", responses=READ)
def read_preview(reference: str, session: DbSession, _principal: MayRead) -> PreviewRead:
    """Who gains and who loses, in numbers: by tier and by group; and how far the solver is."""
    return PreviewRead.of(previews.get(session, normalised(reference)))


@router.get(
    "/policy-previews/{reference}/households",
    operation_id="list_preview_households",
    summary="List what a preview says of each household",
    responses=READ,
)
def list_preview_households(
    reference: str,
    session: DbSession,
    principal: MayPreview,
    paging: Paging,
    effect: Annotated[Effect | None, Query(description="Only those whose place changes so.")] = None,
) -> Page[ComparedRead]:
    """By public reference, in their order."""
    principal.require(Permission.POLICY_PREVIEW)
    preview = previews.get(session, normalised(reference), whole=True)
    rows = [row for row in json.loads(preview.households) if effect is None or row["effect"] == effect]
    rest = [row for row in rows if paging.cursor is None or row["household"] > paging.cursor]
    shown = [ComparedRead.of(row) for row in rest[: paging.limit]]
    found = {"count": len(shown), "references": [row.household for row in shown]}
    audit.record(session, principal, Act.POLICY_PREVIEW_READ, preview, details=found)
    return Page(items=shown, next=shown[-1].household if len(rest) > len(shown) and shown else None)


@router.post(
    "/policy-previews/{reference}/cancel", operation_id="cancel_preview", summary="Cancel a preview", responses=ACT
)
def cancel_preview(reference: str, session: DbSession, principal: MayPreview) -> PreviewRead:
    """Ends what waits or is being solved, within two seconds; what was compared without solving stays."""
    return PreviewRead.of(previews.cancel(session, previews.get(session, normalised(reference)), principal))
