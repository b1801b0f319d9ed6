"""Sessions of browsers: an opaque secret in a cookie, looked up by its SHA-256, with an idle and an absolute limit."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.models import BrowserSession, User
from app.access.permissions import Principal
from app.access.throttle import Place
from app.access.tokens import principal_of
from app.audit import Act
from app.database import utc_now
from app.errors import NotFound, Unauthorised


@dataclass(frozen=True)
class Limits:
    """How long a session lasts: unused, and at all."""

    idle: timedelta
    absolute: timedelta


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(secret: str) -> str:
    """Return what requests with the cookie of `secret` must bring to change something; it does not tell the secret."""
    return hashlib.sha256(f"csrf {secret}".encode()).hexdigest()


def start(
    session: Session,
    user: User,
    place: Place,
    limits: Limits,
    *,
    has_second_factor: bool,
    awaits_code: bool = False,
) -> tuple[BrowserSession, str]:
    """Begin a session of `user`, who has just signed in; the second value is its secret, which is nowhere else."""
    secret = secrets.token_urlsafe(32)
    row = BrowserSession(
        user_id=user.id,
        secret_sha256=_sha256(secret),
        address=place.address[:64],
        agent=place.agent[:200],
        has_second_factor=has_second_factor,
        awaits_code=awaits_code,
        expires_at=utc_now() + limits.absolute,
    )
    session.add(row)
    session.flush()
    audit.record(session, principal_of(user, row.reference), Act.USER_SIGN_IN, user)
    return row, secret


def _live(limits: Limits) -> Select[BrowserSession]:
    now = utc_now()
    return select(BrowserSession).where(
        BrowserSession.ended_at.is_(None),
        BrowserSession.expires_at > now,
        BrowserSession.used_at > now - limits.idle,
    )


def found(session: Session, secret: str, limits: Limits) -> BrowserSession:
    """Return the session of `secret`, with its user and grants. Raises Unauthorised when it is unknown or over."""
    row = session.scalar(
        _live(limits)
        .join(BrowserSession.user)
        .options(joinedload(BrowserSession.user).selectinload(User.grants))
        .where(BrowserSession.secret_sha256 == _sha256(secret), User.disabled_at.is_(None))
    )
    if row is None:
        raise Unauthorised("Your session is over. Sign in again with POST /api/v1/session.")
    return row


def of(session: Session, user_id: int | None, limits: Limits) -> Sequence[BrowserSession]:
    """Return the sessions of a user that are not over, the last used first."""
    live = _live(limits).where(BrowserSession.user_id == user_id)
    return session.scalars(live.order_by(BrowserSession.used_at.desc(), BrowserSession.id.desc())).all()


def end(session: Session, reference: str, actor: Principal) -> None:
    """End one session of `actor`. Raises NotFound."""
    row = session.scalar(
        select(BrowserSession).where(
            BrowserSession.reference == reference,
            BrowserSession.user_id == actor.user_id,
            BrowserSession.ended_at.is_(None),
        )
    )
    if row is None:
        raise NotFound("You have no such session.")
    row.ended_at = utc_now()
    audit.record(session, actor, Act.SESSION_END, row)


def end_all(session: Session, user: User, *, but: str | None = None) -> None:
    """End every session of `user`, except that of the public reference `but`."""
    ending = update(BrowserSession).where(BrowserSession.user_id == user.id, BrowserSession.ended_at.is_(None))
    if but is not None:
        ending = ending.where(BrowserSession.reference != but)
    session.execute(ending.values(ended_at=utc_now()))


def step_up(session: Session, actor: Principal) -> tuple[BrowserSession, str]:
    """Go on with the session of `actor`, who has given a code, as one with a second factor; returns its new secret."""
    secret = renew_secret(session, actor.token or "")
    row = session.scalars(select(BrowserSession).where(BrowserSession.reference == actor.token)).one()
    audit.record(session, actor, Act.SESSION_STEP_UP, row)
    return row, secret


def renew_secret(session: Session, reference: str) -> str:
    """Give the session a new secret, as what it stands for has changed; the old one is refused from now on."""
    secret = secrets.token_urlsafe(32)
    row = session.scalars(select(BrowserSession).where(BrowserSession.reference == reference)).one()
    row.secret_sha256, row.has_second_factor, row.awaits_code = _sha256(secret), True, False
    session.flush()
    return secret
