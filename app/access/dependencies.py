"""What endpoints ask for: a session in one transaction, and a signed-in user with a permission."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import date
from typing import Annotated, Any

import structlog
from anyio.to_thread import run_sync
from fastapi import BackgroundTasks, Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from app import audit
from app.access import cookies, credentials, tokens, vouching
from app.access.authentication import Entrance
from app.access.credentials import Rules, Shown
from app.access.hashing import Hashing
from app.access.permissions import PERSONAL_DATA, Permission, Principal
from app.access.throttle import Place
from app.database import Database, utc_now

bearer = HTTPBearer(auto_error=False, description="A token from POST /api/v1/tokens, or of the provider.")
cookie = APIKeyCookie(
    name=cookies.SESSION,
    auto_error=False,
    scheme_name="Session",
    description="The cookie of POST /api/v1/session, over TLS with the prefix `__Host-`. What changes something needs "
    f"the session's CSRF token too, as `{cookies.CSRF_HEADER}`.",
)


async def request_database(request: Request) -> Database:
    """The service's database, for what needs more than one transaction."""
    database: Database = request.app.state.database
    return database


async def request_hashing(request: Request) -> Hashing:
    """The turns at hashing of this process."""
    hashing: Hashing = request.app.state.hashing
    return hashing


async def request_entrance(request: Request) -> Entrance:
    """What signing in needs of this process."""
    state = request.app.state
    return Entrance(state.database, state.hashing, state.doors)


async def request_today(request: Request) -> date:
    """Today where the programme is."""
    today: date = utc_now().astimezone(request.app.state.settings.zone).date()
    return today


# None of these waits for anything: as coroutines they cost no thread.
Store = Annotated[Database, Depends(request_database)]
HashingTurns = Annotated[Hashing, Depends(request_hashing)]
SignInEntrance = Annotated[Entrance, Depends(request_entrance)]
Today = Annotated[date, Depends(request_today)]


async def request_session(request: Request, database: Store) -> AsyncIterator[Session]:
    """The request's one transaction: read-only for safe methods; committed before the response is sent.

    A route that shows personal data writes who looked, and is not answered otherwise.
    """
    reads, looks = request.method in cookies.SAFE_METHODS, _shows_personal_data(request)
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
SessionCookie = Annotated[str | None, Depends(cookie)]


async def request_rules(request: Request) -> Rules:
    """What the settings say of sessions and second factors."""
    rules: Rules = request.app.state.access_rules
    return rules


AccessRules = Annotated[Rules, Depends(request_rules)]


async def recognise(request: Request) -> None:
    """See whether the bearer token is one of the identity provider's, before any transaction is open.

    Raises Unavailable where that cannot be told.
    """
    provider, seen = request.app.state.identity_provider, request.app.state.tokens_seen
    credentials = await bearer(request) if provider is not None else None
    if provider is None or credentials is None or credentials.credentials.startswith(tokens.PREFIX):
        return
    database = await request_database(request)
    request.state.presented = await vouching.present(database, provider, seen, credentials.credentials)


async def request_shown(request: Request, credentials: Credentials, _documented: SessionCookie) -> Shown:
    """What the request shows for who sends it. Raises ForgedRequest where a browser was made to send its cookie."""
    if credentials is not None:
        return Shown(credentials.credentials, None, getattr(request.state, "presented", None))
    secret = cookies.read(request, cookies.SESSION)
    if secret is not None:
        cookies.require_own_request(request, secret)
    return Shown(None, secret)


RequestShown = Annotated[Shown, Depends(request_shown)]


def _identified(request: Request, background: BackgroundTasks, found: Principal) -> Principal:
    structlog.contextvars.bind_contextvars(user=found.reference)
    request.app.state.user_allowance.take(found.reference)
    if found.is_use_due:
        background.add_task(_note_use, request.app.state.database, found)
    return found


async def _note_use(database: Database, found: Principal) -> None:
    await database.transact(lambda session: credentials.note_use(session, found), writes=True)


async def current_principal(
    request: Request, session: DbSession, shown: RequestShown, rules: AccessRules, background: BackgroundTasks
) -> Principal:
    """Who is signed in. Raises Unauthorised, ForgedRequest, and TooManyRequests of one user."""
    return _identified(request, background, await run_sync(credentials.principal, session, shown, rules))


async def identify(request: Request) -> None:
    """Ask who sends the request, before its body is read. Raises what `principal_before` does."""
    await recognise(request)
    shown = await request_shown(request, await bearer(request), None)
    rules = await request_rules(request)
    await principal_before(request, await request_database(request), shown, rules, BackgroundTasks())


async def principal_before(
    request: Request, database: Store, shown: RequestShown, rules: AccessRules, background: BackgroundTasks
) -> Principal:
    """Who is signed in, read in a transaction that has ended: for what must not hold one. Raises the same."""
    found = await database.transact(lambda session: credentials.principal(session, shown, rules), writes=False)
    return _identified(request, background, found)


async def request_place(request: Request) -> Place:
    """Where the request comes from."""
    agent = "".join(letter for letter in request.headers.get("User-Agent", "") if letter.isprintable())
    return Place(request.client.host if request.client else "", agent, cookies.read_device(request))


SignedIn = Annotated[Principal, Depends(current_principal)]
SignedInBefore = Annotated[Principal, Depends(principal_before)]
RequestPlace = Annotated[Place, Depends(request_place)]


def requires(permission: Permission, *, before: bool = False) -> Any:
    """Return a dependency: the signed-in user, who has `permission` somewhere; operations check where.

    With `before`, the transaction that found the user has ended. The OpenAPI document names the permission in the
    operation's security requirement.
    """

    async def permitted(principal: SignedIn) -> Principal:
        return _permitted(principal)

    async def permitted_before(principal: SignedInBefore) -> Principal:
        return _permitted(principal)

    def _permitted(principal: Principal) -> Principal:
        principal.require_somewhere(permission)
        return principal

    return Security(permitted_before if before else permitted, scopes=[permission.value])


class SignedInFirst(APIRoute):
    """Asks who sends it before it reads a body of many megabytes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what serves a request."""
        serve = super().get_route_handler()

        async def serve_who_is_signed_in(request: Request) -> Response:
            await identify(request)
            return await serve(request)

        return serve_who_is_signed_in
