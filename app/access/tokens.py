"""Opaque API tokens: issued once, kept as SHA-256, looked up by it."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access import passwords
from app.access.models import ApiToken, User
from app.access.permissions import HeldRole, Principal
from app.database import utc_now
from app.errors import Unauthorised

PREFIX = "hearth_"


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue(session: Session, user: User, lifetime: timedelta) -> tuple[ApiToken, str]:
    """Make a token for `user`; the second value is the token itself, which is nowhere else."""
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(user_id=user.id, token_sha256=_sha256(token), expires_at=utc_now() + lifetime)
    session.add(row)
    session.flush()
    return row, token


def sign_in(session: Session, username: str, password: str, lifetime: timedelta) -> tuple[ApiToken, str]:
    """Exchange a name and password for a token. Raises Unauthorised, the same whatever is wrong."""
    user = session.scalar(select(User).where(User.username == username, User.disabled_at.is_(None)))
    if not passwords.verified(password, user.password_hash if user else None) or user is None:
        raise Unauthorised("No user has this name and password.", headers={"WWW-Authenticate": "Bearer"})
    return issue(session, user, lifetime)


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
    return principal_of(row.user)


def principal_of(user: User) -> Principal:
    """Return `user` as one who acts; its grants must be loaded."""
    roles = tuple(HeldRole(grant.role, grant.district, grant.settlement) for grant in user.grants)
    return Principal(user.id, user.reference, user.username, roles)


def user_named(session: Session, username: str) -> User | None:
    """Return the user of that name, with grants."""
    return session.scalar(select(User).where(User.username == username).options(selectinload(User.grants)))


def revoke(session: Session, token: str) -> None:
    """End `token` now."""
    row = session.scalar(select(ApiToken).where(ApiToken.token_sha256 == _sha256(token)))
    if row is not None:
        row.revoked_at = utc_now()
