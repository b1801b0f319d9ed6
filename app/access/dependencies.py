"""What endpoints ask for: a session in one transaction, and a signed-in user with a permission."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import structlog
from anyio.to_thread import run_sync
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from app import audit
from app.access import tokens
from app.access.hashing import Hashing
from app.access.permissions import PERSONAL_DATA, Permission, Principal
from app.access.throttle import Place
from app.database import Database
from app.errors import Forbidden, Unauthorised

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/tokens.")


def request_database(request: Request) -> Database:
    """The service's database, for what needs more than one transaction."""
    database: Database = request.app.state.database
    return database


def request_hashing(request: Request) -> Hashing:
    """The turns at hashing of this process."""
    hashing: Hashing = request.app.state.hashing
    return hashing


Store = Annotated[Database, Depends(request_database)]
HashingTurns = Annotated[Hashing, Depends(request_hashing)]


async def request_session(request: Request, database: Store) -> AsyncIterator[Session]:
    """The request's one transaction: read-only for safe methods; committed before the response is sent.

    A route that shows personal data writes who looked, and is not answered otherwise.
    """
    reads, looks = request.method in SAFE_METHODS, _shows_personal_data(request)
    async with database.request_session(writes=looks or not reads) as session:
        yield session
        if looks and reads and not audit.is_noted(session):
            raise RuntimeError("personal data was read and no entry of the audit trail says so")


def _shows_personal_data(request: Request) -> bool:
    """Whether the route needs, by `requires`, a permission that shows personal data."""
    dependencies = request.scope["route"].dependant.dependencies
    return any(scope in PERSONAL_DATA for each in dependencies for scope in each.own_oauth_scopes or ())


# `function` scope: the exit, and so the commit, comes before the response and not after it.
DbSession = Annotated[Session, Depends(request_session, scope="function")]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def _token(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None:
        raise Unauthorised(
            "Send a token as `Authorization: Bearer …`; POST /api/v1/tokens gives one.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return credentials.credentials


async def current_principal(request: Request, session: DbSession, credentials: Credentials) -> Principal:
    """Who is signed in. Raises Unauthorised, and TooManyRequests of one user."""
    found = await run_sync(tokens.principal, session, _token(credentials))
    structlog.contextvars.bind_contextvars(user=found.reference)
    request.app.state.user_allowance.take(found.reference)
    return found


async def principal_before(request: Request, database: Store, credentials: Credentials) -> Principal:
    """Who is signed in, read in a transaction that has ended: for what must not hold one. Raises the same."""
    token = _token(credentials)
    found = await database.transact(lambda session: tokens.principal(session, token), writes=False)
    structlog.contextvars.bind_contextvars(user=found.reference)
    request.app.state.user_allowance.take(found.reference)
    return found


def request_place(request: Request) -> Place:
    """Where the request comes from."""
    return Place(address=request.client.host if request.client else "")


SignedIn = Annotated[Principal, Depends(current_principal)]
SignedInBefore = Annotated[Principal, Depends(principal_before)]
RequestPlace = Annotated[Place, Depends(request_place)]


def requires(permission: Permission, *, before: bool = False) -> Any:
    """Return a dependency: the signed-in user, who has `permission` somewhere; operations check where.

    With `before`, the transaction that found the user has ended. The OpenAPI document names the permission in the
    operation's security requirement.
    """

    def permitted(principal: SignedIn) -> Principal:
        return _permitted(principal)

    def permitted_before(principal: SignedInBefore) -> Principal:
        return _permitted(principal)

    def _permitted(principal: Principal) -> Principal:
        if not principal.scope(permission):
            raise Forbidden(f"This needs the permission {permission.value}, which none of your roles gives.")
        return principal

    return Security(permitted_before if before else permitted, scopes=[permission.value])
