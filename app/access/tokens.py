"""Opaque API tokens: issued once, kept as SHA-256, looked up by it."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.models import ApiToken, Role, User
from app.access.permissions import OPERATOR, HeldRole, Permission, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import NotFound, Unauthorised

PREFIX = "hearth_"
USE_NOTED_EVERY = timedelta(minutes=1)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue(session: Session, user: User, lifetime: timedelta, *, actor: Principal = OPERATOR) -> tuple[ApiToken, str]:
    """Make a token for `user`, whose operator vouches for it; the second value is the token, which is nowhere else."""
    row, token = _made(session, user, lifetime, has_second_factor=True)
    audit.record(session, actor, Act.TOKEN_ISSUE, user)
    return row, token


def _made(
    session: Session,
    user: User,
    lifetime: timedelta,
    *,
    has_second_factor: bool,
    name: str | None = None,
    permissions: list[str] | None = None,
) -> tuple[ApiToken, str]:
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        user_id=user.id,
        token_sha256=_sha256(token),
        expires_at=utc_now() + lifetime,
        has_second_factor=has_second_factor,
        name=name,
        permissions=permissions,
    )
    session.add(row)
    session.flush()
    return row, token


def sign_in(session: Session, user: User, lifetime: timedelta, *, has_second_factor: bool) -> tuple[ApiToken, str]:
    """Make a token for `user`, who has just signed in."""
    row, token = _made(session, user, lifetime, has_second_factor=has_second_factor)
    audit.record(session, principal_of(user, row.reference), Act.USER_SIGN_IN, user)
    return row, token


def issue_named(
    session: Session, user: User, name: str, permissions: Sequence[Permission], lifetime: timedelta, actor: Principal
) -> tuple[ApiToken, str]:
    """Make a token of `user`'s own, who is `actor`, for these permissions alone.

    Raises Forbidden for a permission that the actor has nowhere, or when a token made for some acts would make another.
    """
    actor.require_whole()
    for permission in permissions:
        actor.require_somewhere(permission)
    chosen = sorted({permission.value for permission in permissions})
    row, token = _made(
        session, user, lifetime, has_second_factor=actor.has_second_factor, name=name, permissions=chosen
    )
    audit.record(session, actor, Act.TOKEN_ISSUE, user)
    return row, token


def of(session: Session, user_id: int | None) -> Sequence[ApiToken]:
    """Return the tokens of a user that have not ended, the newest first."""
    live = select(ApiToken).where(
        ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > utc_now()
    )
    return session.scalars(live.order_by(ApiToken.id.desc())).all()


def revoke(session: Session, reference: str, actor: Principal) -> None:
    """End one token of `actor`'s own. Raises NotFound."""
    row = session.scalar(
        select(ApiToken).where(
            ApiToken.reference == reference, ApiToken.user_id == actor.user_id, ApiToken.revoked_at.is_(None)
        )
    )
    if row is None:
        raise NotFound("You have no such token.")
    row.revoked_at = utc_now()
    audit.record(session, actor, Act.TOKEN_REVOKE, row)


def principal(session: Session, token: str, needing_second_factor: frozenset[Role] = frozenset()) -> Principal:
    """Return who acts with `token`. Raises Unauthorised when it is unknown, expired, revoked or its user disabled."""
    row = session.scalar(
        select(ApiToken)
        .join(ApiToken.user)
        .options(joinedload(ApiToken.user).selectinload(User.grants))
        .where(
            ApiToken.token_sha256 == _sha256(token),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > utc_now(),
            User.disabled_at.is_(None),
        )
    )
    if row is None:
        raise Unauthorised(
            "The token is unknown, expired or revoked. Get a new one with POST /api/v1/tokens.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    found = principal_of(
        row.user,
        row.reference,
        has_second_factor=row.has_second_factor,
        needing_it=needing_second_factor,
        limits=None if row.permissions is None else _known(row.permissions),
    )
    return replace(found, is_use_due=is_use_due(row.used_at))


def is_use_due(used_at: datetime) -> bool:
    """Whether so long has passed since the use last noted that this one is to be noted."""
    return used_at <= utc_now() - USE_NOTED_EVERY


def _known(permissions: list[str]) -> frozenset[Permission]:
    """Return the permissions of these names; one that there is no more gives nothing."""
    return frozenset(Permission(name) for name in permissions if name in set(Permission))


def principal_of(
    user: User,
    token: str | None = None,
    *,
    has_second_factor: bool = True,
    needing_it: frozenset[Role] = frozenset(),
    limits: frozenset[Permission] | None = None,
) -> Principal:
    """Return `user` as one who acts, with the token or session of that reference; its grants must be loaded.

    Without a second factor the roles `needing_it` are withheld.
    """
    held = [HeldRole(grant.role, grant.district, grant.settlement) for grant in user.grants]
    withheld = tuple(role for role in held if role.role in needing_it and not has_second_factor)
    return Principal(
        user.id,
        user.reference,
        user.username,
        tuple(role for role in held if role not in withheld),
        token=token,
        has_second_factor=has_second_factor,
        withheld=withheld,
        limits=limits,
    )


def user_named(session: Session, username: str) -> User | None:
    """Return the user of that name, with grants."""
    return session.scalar(select(User).where(User.username == username).options(selectinload(User.grants)))


def sign_out(session: Session, token: str, actor: Principal) -> None:
    """End `token`, with which `actor` is signed in, now."""
    row = session.scalars(
        select(ApiToken).where(ApiToken.token_sha256 == _sha256(token)).options(joinedload(ApiToken.user))
    ).one()
    row.revoked_at = utc_now()
    audit.record(session, actor, Act.USER_SIGN_OUT, row.user)


def end_all(session: Session, user: User, *, but: str | None = None) -> None:
    """End every token of `user` now, except `but`, a token's public reference."""
    ending = update(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    if but is not None:
        ending = ending.where(ApiToken.reference != but)
    session.execute(ending.values(revoked_at=utc_now()))
