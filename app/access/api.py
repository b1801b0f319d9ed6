"""Signing in and out, and users."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response, status
from sqlalchemy.orm import Session

from app.access import authentication, passwords, roles, tokens, users
from app.access.authentication import Admission, Given
from app.access.dependencies import (
    DbSession,
    HashingTurns,
    RequestPlace,
    RequestShown,
    SignedIn,
    SignedInBefore,
    SignInEntrance,
    Store,
    requires,
)
from app.access.models import ApiToken, User
from app.access.permissions import HeldRole, Permission, Principal
from app.access.schemas import (
    Me,
    OneTimePassword,
    PasswordChange,
    RoleHeld,
    RolesSet,
    SignIn,
    TokenIssued,
    UserNew,
    UserRead,
)
from app.errors import Conflict, Forbidden, NewPasswordNeeded, TooManyRequests, Unauthorised
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, responses
from app.references import normalised

router = APIRouter(tags=["access"])
MayRead = Annotated[Principal, requires(Permission.USER_READ)]
MayWrite = Annotated[Principal, requires(Permission.USER_WRITE)]
MayWriteBefore = Annotated[Principal, requires(Permission.USER_WRITE, before=True)]


@router.post(
    "/tokens",
    status_code=status.HTTP_201_CREATED,
    operation_id="sign_in",
    summary="Exchange a name and password for a token",
    responses=responses(Unauthorised, NewPasswordNeeded, TooManyRequests),
)
async def sign_in(body: SignIn, request: Request, place: RequestPlace, entrance: SignInEntrance) -> TokenIssued:
    """The token acts for the user until it expires or is revoked. It is shown only in this answer."""
    lifetime = timedelta(hours=request.app.state.settings.token_hours)
    given = Given(body.username, body.password, body.new_password, body.code)

    def admit(session: Session, admission: Admission) -> tuple[ApiToken, str]:
        return tokens.sign_in(session, admission.user, lifetime, has_second_factor=admission.has_second_factor)

    row, token = await authentication.by_password(entrance, given, place, admit)
    return TokenIssued(token=token, expires_at=row.expires_at)


@router.delete(
    "/tokens/current",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="sign_out",
    summary="Revoke the token that you are using",
    responses=responses(Unauthorised, Forbidden, Conflict),
)
def sign_out(session: DbSession, principal: SignedIn, shown: RequestShown) -> Response:
    """From now on the token is refused."""
    if shown.bearer is None:
        raise Conflict("You came with a session. End it with DELETE /api/v1/session.")
    tokens.sign_out(session, shown.bearer, principal)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/me", operation_id="read_me", summary="Who you are and what you may do", responses=responses(Unauthorised))
def read_me(principal: SignedIn) -> Me:
    """Your roles, where you hold them, and the permissions that they give."""
    return Me(
        reference=principal.reference,
        username=principal.username,
        roles=[RoleHeld.model_validate(role) for role in principal.roles],
        permissions=[permission.value for permission in Permission if principal.scope(permission)],
        has_second_factor=principal.has_second_factor,
        withheld=[RoleHeld.model_validate(role) for role in principal.withheld],
    )


@router.post(
    "/me/password",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="change_password",
    summary="Change your own password",
    responses=responses(Unauthorised, Forbidden, TooManyRequests),
)
async def change_password(
    body: PasswordChange, principal: SignedInBefore, database: Store, hashing: HashingTurns
) -> Response:
    """Every other session and token of yours ends."""
    principal.require_whole()
    passwords.require_acceptable(body.new_password, principal.username, "#/body/new_password")
    authentication.require_other(body.new_password, body.password)
    verified_hash = await authentication.own_password(database, hashing, principal, body.password)
    password_hash = await authentication.new_hash(hashing, body.new_password)

    def change(session: Session) -> None:
        users.change_password(session, users.own(session, principal), verified_hash, password_hash, principal)

    await database.transact(change, writes=True)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/users", operation_id="list_users", summary="List users", responses=LIST)
def list_users(session: DbSession, principal: MayRead, paging: Paging) -> Page[UserRead]:
    """Every user, in the order they were added."""
    rows, following = page(session, users.visible_to(principal), User, paging)
    return Page(items=[UserRead.model_validate(row) for row in rows], next=following)


@router.post(
    "/users",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_user",
    summary="Add a user",
    responses=ACT,
)
async def add_user(
    body: UserNew, principal: MayWriteBefore, request_once: RequestOnce, database: Store, hashing: HashingTurns
) -> UserRead:
    """The user can sign in at once, with the roles given, and chooses another password in doing so."""
    passwords.require_acceptable(body.password, body.username)
    password_hash = await authentication.new_hash(hashing, body.password)

    def add(session: Session) -> UserRead:
        made = request_once.made(session, principal.reference)
        if made is not None:
            return UserRead.model_validate(users.get(session, made))
        user = users.add(
            session,
            username=body.username,
            display_name=body.display_name,
            password_hash=password_hash,
            password_expires_at=users.one_time_until(),
            roles=_held(body.roles),
            actor=principal,
        )
        request_once.remember(session, principal.reference, user.reference)
        return UserRead.model_validate(user)

    return await database.transact(add, writes=True)


def _held(sent: list[RoleHeld]) -> list[HeldRole]:
    return [HeldRole(role.role, role.district, role.settlement) for role in sent]


@router.put(
    "/users/{reference}/roles",
    operation_id="set_roles",
    summary="Set a user's roles",
    responses=ACT,
)
def set_roles(reference: str, body: RolesSet, session: DbSession, principal: MayWrite) -> UserRead:
    """These replace the ones before, from the user's next request on. Nobody changes their own."""
    user = users.get(session, normalised(reference))
    return UserRead.model_validate(roles.change(session, user, _held(body.roles), principal))


@router.post(
    "/users/{reference}/reset-password",
    operation_id="reset_password",
    summary="Give a user a password for one sign-in",
    responses=ACT,
)
async def reset_password(
    reference: str, principal: MayWriteBefore, database: Store, hashing: HashingTurns
) -> OneTimePassword:
    """Every token of the user ends. The password is shown only in this answer; the user replaces it at sign-in."""
    password = passwords.one_time()
    password_hash = await authentication.new_hash(hashing, password)

    def reset(session: Session) -> datetime:
        user = users.get(session, normalised(reference))
        return users.reset_password(session, user, password_hash, principal)

    return OneTimePassword(password=password, expires_at=await database.transact(reset, writes=True))


@router.post(
    "/users/{reference}/reset-second-factor",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="reset_second_factor",
    summary="Take a lost second factor away",
    responses=ACT,
)
def reset_second_factor(reference: str, session: DbSession, principal: MayWrite) -> Response:
    """Every session and token of the user ends. Make sure who asks for it, and not by the telephone alone."""
    users.reset_second_factor(session, users.get(session, normalised(reference)), principal)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post(
    "/users/{reference}/end-sessions",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="end_sessions_of_user",
    summary="Sign a user out everywhere",
    responses=ACT,
)
def end_sessions_of_user(reference: str, session: DbSession, principal: MayWrite) -> Response:
    """Every session and token of the user ends; the user may sign in again."""
    users.end_sessions(session, users.get(session, normalised(reference)), principal)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post(
    "/users/{reference}/disable",
    operation_id="disable_user",
    summary="End a user's access",
    responses=ACT,
)
def disable_user(reference: str, session: DbSession, principal: MayWrite) -> UserRead:
    """The user cannot sign in any more, and every token of theirs is refused from now on."""
    return UserRead.model_validate(users.disable(session, users.get(session, normalised(reference)), principal))


@router.post(
    "/users/{reference}/enable",
    operation_id="enable_user",
    summary="Give a user's access back",
    responses=ACT,
)
def enable_user(reference: str, session: DbSession, principal: MayWrite) -> UserRead:
    """The user can sign in again and holds the roles from before. Tokens that ended stay so."""
    return UserRead.model_validate(users.enable(session, users.get(session, normalised(reference)), principal))
