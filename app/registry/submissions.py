"""A household, its people and its application at once, as they were taken down where there was no connection."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import engine_of
from app.errors import Conflict, FieldError, Invalid
from app.housing.models import Origin, Settlement
from app.registry import applications, households
from app.registry.households import require
from app.registry.models import Application, KinGroup


def made(session: Session, client_id: uuid.UUID) -> str | None:
    """Return the reference of the application that came of this submission before, by whichever device.

    The same submission at the same moment waits here until the first is done, then finds what that made. Raises
    Conflict where the id is that of a household which was registered without an application.
    """
    if engine_of(session).dialect.name == "postgresql":  # SQLite lets one writer in at a time anyway
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"submission {client_id}", 0))))
    application = applications.by_client_id(session, client_id)
    if application is None and (household := households.by_client_id(session, client_id)) is not None:
        raise Conflict(f"Household {household} was registered under this id by itself. Begin its application.")
    return application


def take(
    session: Session,
    client_id: uuid.UUID,
    fields: Mapping[str, Any],
    people: Sequence[Mapping[str, Any]],
    *,
    origin: Origin | None,
    kin_group: KinGroup | None,
    wishes: Sequence[Settlement],
    anywhere: bool,
    actor: Principal,
) -> Application:
    """Register a household with its people and submit its application, all of it or nothing.

    `client_id` becomes the id of both. Raises Forbidden, Invalid and Conflict, as each of the two does.
    """
    require(actor, origin, Permission.APPLICATION_SUBMIT)
    try:
        household = households.make(
            session, {**fields, "client_id": client_id}, people, origin=origin, kin_group=kin_group, actor=actor
        )
    except (Invalid, Conflict) as error:
        inside = [FieldError(f"#/body/household{each.pointer[6:]}", each.message) for each in error.errors]
        raise type(error)(error.detail, inside) from error
    application = applications.make(
        session, household, client_id=client_id, wishes=wishes, anywhere=anywhere, actor=actor
    )
    applications.hand_in(session, application, actor)
    audit.record(session, actor, Act.SUBMISSION_TAKE, application)
    return application
