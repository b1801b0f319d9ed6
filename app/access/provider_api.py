"""Signing in with an identity provider: to it, and back."""

import json
import secrets
import time
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.orm import Session

from app.access import authentication, cookies, second_factor, sessions, vouching
from app.access.dependencies import AccessRules, RequestPlace, RequestShown, SignedInBefore, Store
from app.access.models import BrowserSession, User
from app.access.provider import Begun, NotAcceptable, Provider, begin
from app.access.schemas import CodeGiven, IdentityProvider, SessionStarted
from app.errors import Conflict, Forbidden, HearthError, NotFound, TooManyRequests, Unauthorised, Unavailable
from app.keys import Unreadable, keyring
from app.problems import responses

router = APIRouter(tags=["access"])
BEGUN_SECONDS = 600
BOUND_TO = "sign-in at the identity provider"
OWN_PATH = r"^/(?:[A-Za-z0-9_.~%?&=+-][A-Za-z0-9/_.~%?&=+-]*)?$"
"""An address of ours and never another's: what begins with two slashes is the name of a host."""
LONGEST_PATH, LONGEST_PARAMETER = 500, 4096
PAGE = {"content": {"text/html": {"schema": {"type": "string"}}}}
_pages = Environment(loader=PackageLoader("app", "templates"), autoescape=True, undefined=StrictUndefined)
Parameter = Annotated[str | None, Query(max_length=LONGEST_PARAMETER)]


def _provider(request: Request) -> Provider:
    found: Provider | None = request.app.state.identity_provider
    if found is None:
        raise NotFound("Users sign in with passwords here: no identity provider is set.")
    return found


@router.get(
    "/oidc",
    operation_id="read_identity_provider",
    summary="The identity provider",
    responses=responses(NotFound, Unavailable),
)
async def read_identity_provider(request: Request) -> IdentityProvider:
    """Where to sign in with it, and where to end its session after one's own."""
    provider = _provider(request)
    return IdentityProvider(
        issuer=provider.issuer, sign_in=f"{provider.home}/api/v1/oidc/sign-in", sign_out=await provider.ending()
    )


@router.get(
    "/oidc/sign-in",
    status_code=status.HTTP_303_SEE_OTHER,
    operation_id="begin_at_identity_provider",
    summary="Go to the identity provider to sign in",
    response_class=RedirectResponse,
    responses={
        303: {"description": "To the provider.", "content": {}},
        **responses(Forbidden, NotFound, Unavailable),
    },
)
async def begin_at_identity_provider(
    request: Request,
    return_to: Annotated[
        str, Query(pattern=OWN_PATH, max_length=LONGEST_PATH, description="Address here to come back to.")
    ] = "/",
) -> RedirectResponse:
    """For browsers. What is needed when they come back is kept, encrypted, in a cookie of ten minutes."""
    provider = _provider(request)
    cookies.require_same_site(request)
    begun = begin()
    response = RedirectResponse(await provider.address(begun), status.HTTP_303_SEE_OTHER)
    kept = [begun.state, begun.nonce, begun.verifier, return_to, int(time.time())]
    cookies.set_begun(request, response, keyring().encrypt(json.dumps(kept), BOUND_TO), BEGUN_SECONDS)
    return response


@router.get(
    "/oidc/callback",
    operation_id="return_from_identity_provider",
    summary="Come back from the identity provider",
    response_class=HTMLResponse,
    responses={
        200: {"description": "A page that goes on, as signed in.", **PAGE},
        **responses(Unauthorised, Forbidden, NotFound, Unavailable),
    },
    openapi_extra={"x-other-parameters": True},
)
async def return_from_identity_provider(
    request: Request,
    place: RequestPlace,
    database: Store,
    rules: AccessRules,
    code: Parameter = None,
    state: Parameter = None,
    iss: Parameter = None,
    error: Parameter = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> Response:
    """The answer is a page in between: the session's cookie is not sent with what another site has led to."""
    provider = _provider(request)
    try:
        begun, return_to = _begun(request, state)
        try:
            await provider.require_issuer(iss)
        except NotAcceptable:
            raise vouching.refusal() from None
        if error is not None or not code:
            raise vouching.refusal()
        _, secret = await vouching.by_code(database, provider, code, begun, place, rules.limits)
    except HearthError as refused:
        if "text/html" not in accept:
            raise
        page = _pages.get_template("access/not_signed_in.html").render(detail=refused.detail)
        response = HTMLResponse(page, refused.status)
    else:
        response = HTMLResponse(_pages.get_template("access/signed_in.html").render(return_to=return_to))
        cookies.set_session(request, response, secret)
    cookies.set_begun(request, response, "", 0)
    return response


def _begun(request: Request, state: str | None) -> tuple[Begun, str]:
    """Return what this browser began, and where it goes on. Raises Unauthorised unless that is what comes back."""
    kept = cookies.read_begun(request)
    try:
        given = json.loads(keyring().decrypt(kept or "", BOUND_TO))
    except Unreadable:
        raise vouching.refusal() from None
    begun, return_to, began_at = Begun(*given[:3]), given[3], given[4]
    is_same = secrets.compare_digest(begun.state.encode(), (state or "").encode())
    if not is_same or time.time() - began_at > BEGUN_SECONDS:
        raise vouching.refusal()
    return begun, return_to


@router.post(
    "/session/second-factor",
    operation_id="step_up_session",
    summary="Give a code for the session that you are using",
    responses=responses(Unauthorised, Forbidden, Conflict, TooManyRequests),
)
async def step_up_session(
    body: CodeGiven,
    request: Request,
    response: Response,
    principal: SignedInBefore,
    shown: RequestShown,
    database: Store,
) -> SessionStarted:
    """For who signed in with an identity provider, and has an authenticator app here. The session gets a new cookie."""
    if shown.cookie is None:
        raise Conflict("You came with a token. Only a session goes on with a code.")

    def step_up(session: Session, user: User) -> tuple[BrowserSession, str] | None:
        if not second_factor.use_code(session, user, body.code):
            return None
        return sessions.step_up(session, principal)

    row, secret = await authentication.own_code(database, principal, step_up)
    cookies.set_session(request, response, secret)
    return SessionStarted(reference=row.reference, csrf_token=sessions.csrf_token(secret), expires_at=row.expires_at)
