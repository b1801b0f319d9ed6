"""Who leaves a household, which may hold the title to the house that it lives in, as JSON."""

from typing import Annotated

from fastapi import APIRouter, Response, status

from app.access.dependencies import DbSession, requires
from app.access.permissions import Permission, Principal
from app.preconditions import IfMatch, require_version
from app.problems import CHANGE
from app.references import normalised
from app.registry import queries
from app.tenancy import holders

router = APIRouter(tags=["register"])
MayWrite = Annotated[Principal, requires(Permission.HOUSEHOLD_WRITE)]


@router.delete(
    "/people/{reference}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="remove_person",
    summary="Remove a person from a household",
    responses=CHANGE,
)
def remove_person(reference: str, session: DbSession, principal: MayWrite, if_match: IfMatch) -> Response:
    """A death, or a move out. If-Match is the household's ETag. Head and only holder of a title cannot be removed."""
    household, person = queries.visible_member(session, principal, normalised(reference))
    require_version(household, if_match)
    holders.remove_person(session, household, person, principal)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
