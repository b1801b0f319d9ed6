"""Signing in and out, and users."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response, status

from app.access import roles, tokens, users
from app.access.dependencies import Credentials, DbSession, SignedIn, requires
from app.access.models import User
from app.access.permissions import HeldRole, Permission, Principal
from app.access.schemas import Me, RoleHeld, RolesSet, SignIn, TokenIssued, UserNew, UserRead
from app.errors import Unauthorised
from app.idempotency import RequestOnce
from app.pagination import Page, Paging, page
from app.problems import ACT, LIST, responses
from app.references import normalised

router = APIRouter(tags=["access"])
MayRead = Annotated[Principal, requires(Permission.USER_READ)]
MayWrite = Annotated[Principal, requires(Permission.USER_WRITE)]


@router.post(
    "/tokens",
    status_code=status.HTTP_201_CREATED,
    operation_id="sign_in",
    summary="Exchange a name and password for a token",
    responses=responses(Unauthorised),
)
def sign_in(body: SignIn, request: Request, session: DbSession) -> TokenIssued:
    """The token acts for the user until it expires or is revoked. It is shown only in this answer."""
    lifetime = timedelta(hours=request.app.state.settings.token_hours)
    row, token = tokens.sign_in(session, body.username, body.password, lifetime)
    return TokenIssued(token=token, expires_at=row.expires_at)


@router.delete(
    "/tokens/current",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="sign_out",
    summary="Revoke the token that you are using",
    responses=responses(Unauthorised),
)
def sign_out(session: DbSession, principal: SignedIn, credentials: Credentials) -> Response:
    """From now on the token is refused."""
    if credentials is not None:
        tokens.sign_out(session, credentials.credentials, principal)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/me", operation_id="read_me", summary="Who you are and what you may do", responses=responses(Unauthorised))
def read_me(principal: SignedIn) -> Me:
    """Your roles, where you hold them, and the permissions that they give."""
    return Me(
        reference=principal.reference,
        username=principal.username,
        roles=[RoleHeld.model_validate(role) for role in principal.roles],
        permissions=[permission.value for permission in Permission if principal.scope(permission)],
    )


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
def add_user(body: UserNew, session: DbSession, principal: MayWrite, request_once: RequestOnce) -> UserRead:
    """The user can sign in at once, with the roles given."""
    made = request_once.made(session, principal.reference)
    if made is not None:
        return UserRead.model_validate(users.get(session, made))
    user = users.add(
        session,
        username=body.username,
        display_name=body.display_name,
        password=body.password,
        roles=_held(body.roles),
        actor=principal,
    )
    request_once.remember(session, principal.reference, user.reference)
    return UserRead.model_validate(user)


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
