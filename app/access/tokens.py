"""Opaque API tokens: issued once, kept as SHA-256, looked up by it."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.models import ApiToken, User
from app.access.permissions import OPERATOR, HeldRole, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import Unauthorised

PREFIX = "hearth_"


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue(session: Session, user: User, lifetime: timedelta, *, actor: Principal = OPERATOR) -> tuple[ApiToken, str]:
    """Make a token for `user`; the second value is the token itself, which is nowhere else."""
    row, token = _made(session, user, lifetime)
    audit.record(session, actor, Act.TOKEN_ISSUE, user)
    return row, token


def _made(session: Session, user: User, lifetime: timedelta) -> tuple[ApiToken, str]:
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(user_id=user.id, token_sha256=_sha256(token), expires_at=utc_now() + lifetime)
    session.add(row)
    session.flush()
    return row, token


def sign_in(session: Session, user: User, lifetime: timedelta) -> tuple[ApiToken, str]:
    """Make a token for `user`, who has shown a password."""
    row, token = _made(session, user, lifetime)
    audit.record(session, principal_of(user, row.reference), Act.USER_SIGN_IN, user)
    return row, token


def principal(session: Session, token: str) -> Principal:
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
    return principal_of(row.user, row.reference)


def principal_of(user: User, token: str | None = None) -> Principal:
    """Return `user` as one who acts, with the token of that reference; its grants must be loaded."""
    roles = tuple(HeldRole(grant.role, grant.district, grant.settlement) for grant in user.grants)
    return Principal(user.id, user.reference, user.username, roles, token=token)


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
