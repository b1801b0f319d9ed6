"""The documents of a run, exactly as they were hashed."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import bundle, queries
from app.errors import NotFound
from app.problems import ACT, READ
from app.references import normalised

router = APIRouter(tags=["runs"])
MayRead = Annotated[Principal, requires(Permission.RUN_READ)]
DOCUMENT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


def _document(text: str) -> Response:
    return Response(text, media_type="application/json")


@router.get(
    "/runs/{reference}/snapshot",
    operation_id="read_snapshot",
    summary="Read the snapshot of a run",
    response_class=Response,
    responses={**READ, **DOCUMENT},
)
def read_snapshot(reference: str, session: DbSession, principal: MayRead) -> Response:
    """`hearth-snapshot/1`, exactly as it was hashed: everything that decides the run but the seed."""
    return _document(queries.run(session, principal, normalised(reference)).snapshot)


@router.get(
    "/runs/{reference}/problem",
    operation_id="read_problem",
    summary="Read the solver's problem",
    response_class=Response,
    responses={**READ, **DOCUMENT},
)
def read_problem(reference: str, session: DbSession, principal: MayRead) -> Response:
    """`hearth-problem/1`: what `python -m solver` solves and checks."""
    run = queries.run(session, principal, normalised(reference))
    if run.problem is None:
        raise NotFound(f"Run {run.reference} is {run.state.value} and has no problem: its seed is not there.")
    return _document(run.problem)


@router.get(
    "/runs/{reference}/solution",
    operation_id="read_solution",
    summary="Read the solution of a run",
    response_class=Response,
    responses={**READ, **DOCUMENT},
)
def read_solution(reference: str, session: DbSession, principal: MayRead) -> Response:
    """`hearth-solution/1`, with the certificate that proves it."""
    run = queries.run(session, principal, normalised(reference))
    if run.solution is None:
        raise NotFound(f"Run {run.reference} is {run.state.value} and has no solution.")
    return _document(run.solution)


@router.get(
    "/runs/{reference}/bundle",
    operation_id="read_bundle",
    summary="Read the proof bundle of a run",
    response_class=Response,
    responses={
        **ACT,
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
def read_bundle(reference: str, session: DbSession, principal: MayRead) -> Response:
    """One zip with every document, the draw and how to check them, without a database. The same run, the same bytes.

    No person is named in it, but every household is there by its reference: hand it to who checks, do not publish it.
    """
    run = queries.run(session, principal, normalised(reference))
    headers = {"Content-Disposition": f'attachment; filename="{run.reference}.zip"'}
    return Response(bundle.write(session, run), media_type="application/zip", headers=headers)
