"""Seeds and draws: what is published before a seed is known, and the seed."""

from typing import Annotated

from fastapi import APIRouter
from sqlalchemy import select

from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.allocation import queries, runs
from app.allocation.draw_schemas import DrawRead, SeedNew
from app.allocation.models import Run
from app.allocation.schemas import RunSummary
from app.errors import NotFound
from app.pagination import Page, Paging, page
from app.problems import ACT, responses
from app.references import normalised

router = APIRouter(tags=["runs"])
MayDecide = Annotated[Principal, requires(Permission.RUN_DECIDE)]


@router.post("/runs/{reference}/seed", operation_id="enter_seed", summary="Enter the seed of a run", responses=ACT)
def enter_seed(reference: str, body: SeedNew, session: DbSession, principal: MayDecide) -> RunSummary:
    """The seed that the announced source gave, once the run's hash was published; by who did not request the run."""
    run = queries.actable_run(session, principal, Permission.RUN_DECIDE, normalised(reference))
    run = runs.enter_seed(session, run, body.seed, principal)
    return RunSummary.of(queries.in_short(session, run.id))


@router.get("/draws", operation_id="list_draws", summary="List what is published of every run")
def list_draws(session: DbSession, paging: Paging) -> Page[DrawRead]:
    """For everybody: the hash of each frozen snapshot, in the order they were published, and the seed that came after.

    Runs that were cancelled or rejected stay here, so that nobody can try seeds until one suits.
    """
    rows, following = page(session, queries.loaded(select(Run)), Run, paging)
    return Page(items=[DrawRead.of(row) for row in rows], next=following)


@router.get(
    "/draws/{reference}",
    operation_id="read_draw",
    summary="Read what is published of a run",
    responses=responses(NotFound),
)
def read_draw(reference: str, session: DbSession) -> DrawRead:
    """For everybody: the hash of the frozen snapshot, where the seed comes from, and the seed once it is there."""
    run = session.scalar(queries.loaded(select(Run).where(Run.reference == normalised(reference))))
    if run is None:
        raise NotFound("There is no such run.")
    return DrawRead.of(run)
