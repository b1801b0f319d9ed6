"""What a request shows for who sends it, and whom that stands for."""

from dataclasses import dataclass, replace

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.access import identities, sessions, tokens
from app.access.identities import Presented
from app.access.models import ApiToken, BrowserSession, Role
from app.access.permissions import Principal
from app.access.sessions import Limits
from app.database import utc_now
from app.errors import Unauthorised


@dataclass(frozen=True)
class Rules:
    """What the settings say of sessions and second factors."""

    limits: Limits
    second_factor_roles: frozenset[Role]


@dataclass(frozen=True)
class Shown:
    """A bearer token, or else the secret of a session's cookie."""

    bearer: str | None
    cookie: str | None
    presented: Presented | None = None
    """The bearer token, where it is one of the identity provider's."""


def principal(session: Session, shown: Shown, rules: Rules) -> Principal:
    """Return who acts. Raises Unauthorised."""
    if shown.presented is not None:
        return identities.service(session, shown.presented)
    if shown.bearer is not None:
        return tokens.principal(session, shown.bearer, rules.second_factor_roles)
    if shown.cookie is not None:
        row = sessions.found(session, shown.cookie, rules.limits)
        needing_it = frozenset(Role) if row.awaits_code else rules.second_factor_roles
        found = tokens.principal_of(
            row.user, row.reference, has_second_factor=row.has_second_factor, needing_it=needing_it
        )
        return replace(found, is_use_due=tokens.is_use_due(row.used_at))
    raise Unauthorised(
        "Send a token as `Authorization: Bearer …`; POST /api/v1/tokens gives one. Browsers begin a session with "
        "POST /api/v1/session.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def note_use(session: Session, found: Principal) -> None:
    """Note that the token or session with which `found` acts was used now."""
    for model in (ApiToken, BrowserSession):
        session.execute(update(model).where(model.reference == found.token).values(used_at=utc_now()))
