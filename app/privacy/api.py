"""Erasure and retention as JSON; subject access as JSON and as a page."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import HTMLResponse

from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.privacy import erasure, retention, subject_access
from app.privacy.schemas import (
    EndedCaseRead,
    ErasureNew,
    ErasureRead,
    RetentionApplied,
    RetentionRead,
    SubjectAccess,
)
from app.problems import ACT, LIST, READ
from app.references import normalised
from app.settings import Settings

MOST_SHOWN = 1_000
MOST_AT_ONCE = 100

router = APIRouter(tags=["privacy"])
MayGive = Annotated[Principal, requires(Permission.SUBJECT_ACCESS_READ)]
MayErase = Annotated[Principal, requires(Permission.HOUSEHOLD_ERASE)]


@router.post(
    "/households/{reference}/erase", operation_id="erase_household", summary="Erase a household", responses=ACT
)
def erase_household(
    reference: str, body: ErasureNew, request: Request, session: DbSession, principal: MayErase
) -> ErasureRead:
    """For good: people, contacts, wishes, documents and texts are gone; what was decided stays, by reference."""
    erased = erasure.erase(session, normalised(reference), body.reason, principal)
    erasure.scrub_after_commit(session, request.app.state.database, request.app.state.settings)
    return ErasureRead.model_validate(
        {"household": erased.reference, "erased_at": erased.erased_at, "reason": erased.erased_reason}
    )


@router.get("/retention", operation_id="preview_retention", summary="See what is due to be erased", responses=LIST)
def preview_retention(request: Request, session: DbSession, principal: MayErase) -> RetentionRead:
    """Households whose case ended longer ago than their data is held."""
    settings: Settings = request.app.state.settings
    due = retention.due(session, settings, principal)
    return RetentionRead(
        retention_days=settings.retention_days,
        programme_ended_on=settings.programme_ended_on or None,
        due=len(due),
        cases=[EndedCaseRead.model_validate(each) for each in due[:MOST_SHOWN]],
    )


@router.post("/retention/apply", operation_id="apply_retention", summary="Erase what is due", responses=ACT)
def apply_retention(request: Request, session: DbSession, principal: MayErase) -> RetentionApplied:
    """At most 100 households at once, as each would be erased on request."""
    erased, left = retention.apply(session, request.app.state.settings, principal, MOST_AT_ONCE)
    erasure.scrub_after_commit(session, request.app.state.database, request.app.state.settings)
    return RetentionApplied(erased=[EndedCaseRead.model_validate(each) for each in erased], left=left)


@router.get(
    "/households/{reference}/subject-access",
    operation_id="read_subject_access",
    summary="Read everything that is held of a household",
    response_model=SubjectAccess,
    responses={**READ, 200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def read_subject_access(
    reference: str,
    session: DbSession,
    principal: MayGive,
    format: Annotated[  # noqa: A002 - the parameter's name on the wire
        Literal["json", "html"] | None, Query(description="Left out, what Accept asks for first.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> SubjectAccess | Response:
    """For the family, when it asks: as JSON, or as one page to read and to print. What is not decided is left out."""
    held = subject_access.give(session, normalised(reference), principal)
    preferred = accept.partition(",")[0].partition(";")[0].strip()
    if format == "json" or (format is None and preferred != "text/html"):
        return held
    return HTMLResponse(
        subject_access.page(held),
        headers={
            "Content-Disposition": f'attachment; filename="subject-access-{held.household.reference}.html"',
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        },
    )
