"""What users do with their own access: sessions of browsers, second factor, tokens for programs."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response, status
from sqlalchemy.orm import Session

from app.access import authentication, cookies, second_factor, sessions, tokens, users
from app.access.authentication import Admission, Given
from app.access.dependencies import (
    AccessRules,
    DbSession,
    HashingTurns,
    RequestPlace,
    RequestShown,
    SignedIn,
    SignedInBefore,
    SignInEntrance,
    Store,
)
from app.access.models import BrowserSession, User
from app.access.schemas import (
    ApiTokenIssued,
    ApiTokenNew,
    ApiTokenRead,
    ApiTokens,
    CodeGiven,
    PasswordAgain,
    RecoveryCodes,
    SecondFactorBegun,
    SecondFactorConfirmed,
    SessionRead,
    Sessions,
    SessionStarted,
    SignIn,
)
from app.errors import Conflict, Forbidden, NewPasswordNeeded, NotFound, TooManyRequests, Unauthorised
from app.problems import responses
from app.references import normalised

router = APIRouter(tags=["access"])
OWN = responses(Unauthorised, Forbidden)
ONE_OF_OWN = responses(Unauthorised, Forbidden, NotFound)
NOTHING = status.HTTP_204_NO_CONTENT


@router.post(
    "/session",
    status_code=status.HTTP_201_CREATED,
    operation_id="begin_session",
    summary="Sign in from a browser",
    responses=responses(Unauthorised, NewPasswordNeeded, TooManyRequests),
)
async def begin_session(
    body: SignIn,
    request: Request,
    response: Response,
    place: RequestPlace,
    entrance: SignInEntrance,
    rules: AccessRules,
) -> SessionStarted:
    """The session's secret comes as a cookie that no script can read; a session that the browser had is left to end."""
    cookies.require_same_site(request)
    device = place.device or cookies.new_device()
    here = type(place)(place.address, place.agent, device)

    def admit(session: Session, admission: Admission) -> tuple[BrowserSession, str]:
        return sessions.start(
            session, admission.user, here, rules.limits, has_second_factor=admission.has_second_factor
        )

    given = Given(body.username, body.password, body.new_password, body.code)
    row, secret = await authentication.by_password(entrance, given, here, admit)
    cookies.set_session(request, response, secret)
    cookies.set_device(request, response, device)
    return SessionStarted(reference=row.reference, csrf_token=sessions.csrf_token(secret), expires_at=row.expires_at)


@router.get("/session", operation_id="read_session", summary="The session that you are using", responses=ONE_OF_OWN)
def read_session(session: DbSession, _principal: SignedIn, shown: RequestShown, rules: AccessRules) -> SessionStarted:
    """With its CSRF token, for a page that was loaded anew."""
    if shown.cookie is None:
        raise NotFound("You came with a token, and not with a session.")
    row = sessions.found(session, shown.cookie, rules.limits)
    return SessionStarted(
        reference=row.reference, csrf_token=sessions.csrf_token(shown.cookie), expires_at=row.expires_at
    )


@router.delete(
    "/session",
    status_code=NOTHING,
    operation_id="end_session",
    summary="Sign out",
    responses=ONE_OF_OWN,
)
def end_session(request: Request, session: DbSession, principal: SignedIn) -> Response:
    """From now on the session is refused."""
    sessions.end(session, principal.token or "", principal)
    response = Response(status_code=NOTHING)
    cookies.end_session(request, response)
    return response


@router.get("/sessions", operation_id="list_sessions", summary="Where you are signed in", responses=OWN)
def list_sessions(session: DbSession, principal: SignedIn, rules: AccessRules) -> Sessions:
    """Your sessions that are not over."""
    rows = sessions.of(session, principal.user_id, rules.limits)
    found = [SessionRead.model_validate(row) for row in rows]
    items = [each.model_copy(update={"is_current": each.reference == principal.token}) for each in found]
    return Sessions(items=items)


@router.delete(
    "/sessions/{reference}",
    status_code=NOTHING,
    operation_id="end_one_session",
    summary="Sign out elsewhere",
    responses=ONE_OF_OWN,
)
def end_one_session(reference: str, session: DbSession, principal: SignedIn) -> Response:
    """The session is refused from now on."""
    principal.require_whole()
    sessions.end(session, normalised(reference), principal)
    return Response(status_code=NOTHING)


@router.delete(
    "/sessions", status_code=NOTHING, operation_id="end_other_sessions", summary="Sign out everywhere", responses=OWN
)
def end_other_sessions(session: DbSession, principal: SignedIn) -> Response:
    """Every session and token of yours ends, but the one that you are using."""
    principal.require_whole()
    users.end_own_sessions(session, users.get(session, principal.reference), principal)
    return Response(status_code=NOTHING)


@router.post(
    "/me/second-factor",
    operation_id="begin_second_factor",
    summary="Begin with an authenticator app",
    responses=responses(Unauthorised, Forbidden, Conflict, TooManyRequests),
)
async def begin_second_factor(
    body: PasswordAgain, principal: SignedInBefore, database: Store, hashing: HashingTurns
) -> SecondFactorBegun:
    """The secret is shown only in this answer, and counts once it is confirmed with a code."""
    principal.require_whole()
    await authentication.own_password(database, hashing, principal, body.password)

    def begin(session: Session) -> tuple[str, str]:
        return second_factor.begin(session, users.own(session, principal), principal)

    secret, uri = await database.transact(begin, writes=True)
    return SecondFactorBegun(secret=secret, uri=uri)


@router.post(
    "/me/second-factor/confirm",
    operation_id="confirm_second_factor",
    summary="Put the authenticator app in use",
    responses=responses(Unauthorised, Forbidden, Conflict, TooManyRequests),
)
async def confirm_second_factor(
    body: CodeGiven,
    request: Request,
    response: Response,
    principal: SignedInBefore,
    shown: RequestShown,
    database: Store,
) -> SecondFactorConfirmed:
    """From now on every sign-in needs a code. Your session goes on with a new cookie; every other ends."""
    principal.require_whole()

    def confirm(session: Session, user: User) -> tuple[list[str], str | None]:
        codes = second_factor.confirm(session, user, body.code, principal)
        users.end_access(session, user, but=principal.token)
        new = shown.cookie and sessions.renew_secret(session, principal.token or "")
        return codes, new

    codes, secret = await authentication.own_code(database, principal, confirm)
    if secret is not None:
        cookies.set_session(request, response, secret)
    return SecondFactorConfirmed(
        recovery_codes=codes, csrf_token=None if secret is None else sessions.csrf_token(secret)
    )


@router.post(
    "/me/second-factor/recovery-codes",
    operation_id="renew_recovery_codes",
    summary="Get new recovery codes",
    responses=responses(Unauthorised, Forbidden, TooManyRequests),
)
async def renew_recovery_codes(body: CodeGiven, principal: SignedInBefore, database: Store) -> RecoveryCodes:
    """Those from before end."""
    principal.require_whole()

    def renew(session: Session, user: User) -> list[str] | None:
        if not second_factor.use_code(session, user, body.code):
            return None
        return second_factor.new_recovery_codes(session, user, principal)

    return RecoveryCodes(recovery_codes=await authentication.own_code(database, principal, renew))


@router.post(
    "/me/second-factor/remove",
    status_code=NOTHING,
    operation_id="remove_second_factor",
    summary="Do without the authenticator app",
    responses=responses(Unauthorised, Forbidden, TooManyRequests),
)
async def remove_second_factor(body: CodeGiven, principal: SignedInBefore, database: Store) -> Response:
    """Sign-ins need no code any more. Every other session and token of yours ends; roles that need one are withheld."""
    principal.require_whole()

    def remove(session: Session, user: User) -> bool | None:
        if not second_factor.use_code(session, user, body.code):
            return None
        second_factor.remove(session, user, principal)
        users.end_access(session, user, but=principal.token)
        return True

    await authentication.own_code(database, principal, remove)
    return Response(status_code=NOTHING)


@router.get("/api-tokens", operation_id="list_api_tokens", summary="Your tokens", responses=OWN)
def list_api_tokens(session: DbSession, principal: SignedIn) -> ApiTokens:
    """Those that have not ended, of sign-ins too. The tokens themselves were shown once."""
    return ApiTokens(items=[ApiTokenRead.model_validate(row) for row in tokens.of(session, principal.user_id)])


@router.post(
    "/api-tokens",
    status_code=status.HTTP_201_CREATED,
    operation_id="issue_api_token",
    summary="Make a token for a program",
    responses=OWN,
)
def issue_api_token(body: ApiTokenNew, session: DbSession, principal: SignedIn) -> ApiTokenIssued:
    """It acts for you, with these permissions alone, where you have them. It is shown only in this answer."""
    principal.require_whole()
    user, lifetime = users.own(session, principal), timedelta(days=body.days)
    row, token = tokens.issue_named(session, user, body.name, body.permissions, lifetime, principal)
    return ApiTokenIssued(reference=row.reference, token=token, expires_at=row.expires_at)


@router.delete(
    "/api-tokens/{reference}",
    status_code=NOTHING,
    operation_id="revoke_api_token",
    summary="Revoke one of your tokens",
    responses=ONE_OF_OWN,
)
def revoke_api_token(reference: str, session: DbSession, principal: SignedIn) -> Response:
    """From now on it is refused."""
    principal.require_whole()
    tokens.revoke(session, normalised(reference), principal)
    return Response(status_code=NOTHING)
