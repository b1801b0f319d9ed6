"""Adding users, and ending and giving back their access."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, select, union_all
from sqlalchemy.orm import Session, selectinload

from app import audit
from app.access import roles as held_roles
from app.access import second_factor, sessions, tokens
from app.access.models import ApiToken, BrowserSession, User
from app.access.permissions import HeldRole, Permission, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid, NotFound, Unauthorised

ONE_TIME_LIFETIME = timedelta(days=3)
USERNAME = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"


def add(
    session: Session,
    *,
    username: str,
    display_name: str,
    password_hash: str,
    roles: Sequence[HeldRole],
    actor: Principal,
    password_expires_at: datetime | None = None,
) -> User:
    """Add a user with roles. Raises Invalid for a bad name or roles, Conflict for a name that is taken.

    `password_hash`: of a password that `passwords` found acceptable, or its `NO_PASSWORD`.
    `password_expires_at`: for a password that the user is to replace.
    """
    actor.require(Permission.USER_WRITE)
    errors = []
    if not re.fullmatch(USERNAME, username):
        errors.append(FieldError("#/body/username", "Use 1 to 64 of a-z, 0-9, dot, dash and underscore."))
    errors += held_roles.faults(roles)
    if errors:
        raise Invalid("The user was not added.", errors)
    if session.scalar(select(User.id).where(User.username == username)):
        raise Conflict(f"The username {username} is taken.")
    user = User(
        username=username,
        display_name=display_name,
        password_hash=password_hash,
        password_expires_at=password_expires_at,
        grants=held_roles.grants(roles),
    )
    session.add(user)
    audit.record(session, actor, Act.USER_ADD, user)
    return user


def visible_to(actor: Principal) -> Select[User]:
    """Select users with their grants. Raises Forbidden unless `actor` may read them."""
    actor.require(Permission.USER_READ)
    return select(User).options(selectinload(User.grants))


def get(session: Session, reference: str) -> User:
    """Return the user with grants. Raises NotFound."""
    user = session.scalar(select(User).where(User.reference == reference).options(selectinload(User.grants)))
    if user is None:
        raise NotFound("There is no such user.")
    return user


def own(session: Session, actor: Principal) -> User:
    """Return the user who is `actor`, locked, for a change of the own access: nobody ends that before it is done.

    Raises Unauthorised where the token or session of `actor` has ended since it was shown.
    """
    user = get(session, actor.reference)
    session.refresh(user, ["password_hash"], with_for_update={"key_share": True})
    in_use = union_all(
        select(ApiToken.id).where(ApiToken.reference == actor.token, ApiToken.revoked_at.is_(None)),
        select(BrowserSession.id).where(BrowserSession.reference == actor.token, BrowserSession.ended_at.is_(None)),
    )
    if session.scalar(in_use) is None:
        raise Unauthorised("Your access was ended just now. Sign in again.")
    return user


def disable(session: Session, user: User, actor: Principal) -> User:
    """End a user's access and every token at once. Raises Conflict when already disabled, or the last administrator."""
    actor.require(Permission.USER_WRITE)
    if user.disabled_at is not None:
        raise Conflict(f"{user.username} is disabled already.")
    held_roles.require_another_administrator(session, user)
    user.disabled_at = utc_now()
    end_access(session, user)
    audit.record(session, actor, Act.USER_DISABLE, user)
    return user


def enable(session: Session, user: User, actor: Principal) -> User:
    """Let a user sign in again, with the roles held before; tokens that ended stay so. Raises Conflict when enabled."""
    actor.require(Permission.USER_WRITE)
    if user.disabled_at is None:
        raise Conflict(f"{user.username} is not disabled.")
    user.disabled_at = None
    audit.record(session, actor, Act.USER_ENABLE, user)
    return user


def change_password(session: Session, user: User, verified_hash: str, password_hash: str, actor: Principal) -> None:
    """Give `user`, who is `actor`, the password that the user has chosen, and end every token but the one in use.

    Raises Invalid where the password is not that of `verified_hash` any more.
    """
    if user.password_hash != verified_hash:
        raise wrong_password()
    user.password_hash, user.password_expires_at = password_hash, None
    end_access(session, user, but=actor.token)
    audit.record(session, actor, Act.USER_CHANGE_PASSWORD, user)


def wrong_password() -> Invalid:
    """Return the refusal of a password that is not the user's own."""
    return Invalid("Nothing was changed.", [FieldError("#/body/password", "This is not your password.")])


def reset_password(session: Session, user: User, password_hash: str, actor: Principal) -> datetime:
    """Give `user` a password for one sign-in, and end every token; returns when the password ends.

    Raises Conflict when the user is disabled.
    """
    actor.require(Permission.USER_WRITE)
    if user.disabled_at is not None:
        raise Conflict(f"{user.username} is disabled, and has no use for a password.")
    user.password_hash, user.password_expires_at = password_hash, one_time_until()
    end_access(session, user)
    audit.record(session, actor, Act.USER_RESET_PASSWORD, user)
    return user.password_expires_at


def one_time_until() -> datetime:
    """Return when a password ends that is made now for one sign-in."""
    return utc_now() + ONE_TIME_LIFETIME


def end_access(session: Session, user: User, *, but: str | None = None) -> None:
    """End every session and every token of `user` now, except that of the public reference `but`.

    Waits for who signs in or makes a token at this moment, and ends that too.
    """
    session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    tokens.end_all(session, user, but=but)
    sessions.end_all(session, user, but=but)


def end_sessions(session: Session, user: User, actor: Principal) -> None:
    """End every session and token of a user, who may sign in again."""
    actor.require(Permission.USER_WRITE)
    end_access(session, user)
    audit.record(session, actor, Act.USER_END_SESSIONS, user)


def end_own_sessions(session: Session, user: User, actor: Principal) -> None:
    """End every session and token of `user`, who is `actor`, but the one in use."""
    end_access(session, user, but=actor.token)
    audit.record(session, actor, Act.USER_END_SESSIONS, user)


def reset_second_factor(session: Session, user: User, actor: Principal) -> None:
    """Take away the second factor that a user has lost, and end every session and token."""
    end_access(session, user)  # first, as everybody locks the user before the second factor
    second_factor.reset(session, user, actor)
