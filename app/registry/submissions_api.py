"""What was taken down without a connection, sent in one piece, as JSON."""

from typing import Annotated

from fastapi import APIRouter, status

from app import audit
from app.access.dependencies import DbSession, Today, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.problems import ACT
from app.registry import queries, submissions
from app.registry.naming import named, wishes
from app.registry.schemas import ApplicationRead, HouseholdRead, SubmissionNew, SubmissionRead

router = APIRouter(tags=["register"])
MaySubmit = Annotated[Principal, requires(Permission.APPLICATION_SUBMIT)]


@router.post(
    "/submissions",
    status_code=status.HTTP_201_CREATED,
    operation_id="take_submission",
    summary="Submit a household and its application at once",
    responses=ACT,
)
def take_submission(body: SubmissionNew, today: Today, session: DbSession, principal: MaySubmit) -> SubmissionRead:
    """All of it or nothing. The same `client_id` again, from whichever device, gives what came of it the first time."""
    reference = submissions.made(session, body.client_id)
    if reference is not None:
        application = queries.visible_application(session, principal, reference)
        audit.record(session, principal, Act.APPLICATION_READ, application)
    else:
        fields = named(session, principal, body.household.model_dump(exclude={"people"}), "#/body/household")
        fields["registered_on"] = fields["registered_on"] or today
        application = submissions.take(
            session,
            body.client_id,
            {name: value for name, value in fields.items() if name not in ("origin", "kin_group")},
            [person.model_dump() for person in body.household.people],
            origin=fields["origin"],
            kin_group=fields["kin_group"],
            wishes=wishes(session, body.preferences),
            anywhere=body.anywhere,
            actor=principal,
        )
    household = queries.visible_household(session, principal, application.household.reference)
    return SubmissionRead(household=HouseholdRead.of(household), application=ApplicationRead.of(application))
