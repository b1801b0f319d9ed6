"""What endpoints ask for: a session in one transaction, and a signed-in user with a permission."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import structlog
from anyio.to_thread import run_sync
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from app.access import tokens
from app.access.permissions import Permission, Principal
from app.database import Database
from app.errors import Forbidden, Unauthorised

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/tokens.")


async def request_session(request: Request) -> AsyncIterator[Session]:
    """The request's one transaction: read-only for safe methods; committed before the response is sent."""
    database: Database = request.app.state.database
    async with database.request_session(writes=request.method not in SAFE_METHODS) as session:
        yield session


# `function` scope: the exit, and so the commit, comes before the response and not after it.
DbSession = Annotated[Session, Depends(request_session, scope="function")]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def current_principal(request: Request, session: DbSession, credentials: Credentials) -> Principal:
    """Who is signed in. Raises Unauthorised, and TooManyRequests of one user."""
    if credentials is None:
        raise Unauthorised(
            "Send a token as `Authorization: Bearer …`; POST /api/v1/tokens gives one.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    found = await run_sync(tokens.principal, session, credentials.credentials)
    structlog.contextvars.bind_contextvars(user=found.reference)
    request.app.state.user_allowance.take(found.reference)
    return found


SignedIn = Annotated[Principal, Depends(current_principal)]


def requires(permission: Permission) -> Any:
    """Return a dependency: the signed-in user, who has `permission` somewhere; operations check where.

    The OpenAPI document names the permission in the operation's security requirement.
    """

    def permitted(principal: SignedIn) -> Principal:
        if not principal.scope(permission):
            raise Forbidden(f"This needs the permission {permission.value}, which none of your roles gives.")
        return principal

    return Security(permitted, scopes=[permission.value])
