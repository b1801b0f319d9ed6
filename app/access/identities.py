"""Whom the identity provider vouches for: users by issuer and subject, never by address, and services."""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access import second_factor, sessions
from app.access.mapping import said
from app.access.models import BrowserSession, Identity, Role, User
from app.access.passwords import NO_PASSWORD
from app.access.permissions import SERVICE, HeldRole, Permission, Principal
from app.access.roles import grants
from app.access.sessions import Limits
from app.access.throttle import Place
from app.access.tokens import principal_of
from app.access.users import end_access
from app.audit import Act
from app.errors import Conflict, Invalid, NotFound, Unauthorised
from app.references import ALPHABET

LONGEST_NAME, LONGEST_DISPLAYED, LONGEST_SUBJECT = 48, 200, 255
FOR_PEOPLE_ALONE = frozenset({Role.ADMINISTRATOR, Role.APPROVER, Role.VERIFIER})
"""Who decides on families, houses and rights is a person, whatever a provider says of a program."""


@dataclass(frozen=True)
class Vouched:
    """What the provider says of a user who has just signed in there."""

    issuer: str
    subject: str
    roles: tuple[HeldRole, ...]
    has_second_factor: bool
    username: str = ""
    display_name: str = ""


@dataclass(frozen=True)
class Presented:
    """An access token of a service, whose signature and claims hold."""

    issuer: str
    subject: str
    roles: tuple[HeldRole, ...]
    fingerprint: str
    """What the audit trail calls the token."""

    @property
    def is_possible(self) -> bool:
        """Whether a service may hold these roles."""
        return bool(self.roles) and not said(self.roles) and not {each.role for each in self.roles} & FOR_PEOPLE_ALONE


def sign_in(session: Session, vouched: Vouched, place: Place, limits: Limits) -> tuple[BrowserSession, str] | None:
    """Begin a session of the user that the provider vouches for, with the roles that it gives today.

    Who comes for the first time is added. None: refused, on the record; of a user who has no role any more, or roles
    that exclude each other, roles and access end. The second value is the session's secret.
    """
    of_subject = select(User.id).join(Identity, Identity.user_id == User.id)
    of_subject = of_subject.where(Identity.issuer == vouched.issuer, Identity.subject == vouched.subject)
    session.execute(of_subject.with_for_update(of=User, key_share=True)).all()  # nobody ends the access meanwhile
    identity = _identity(session, vouched.issuer, vouched.subject)
    wrong = said(vouched.roles) if vouched.roles else "The identity provider gives no role here."
    if identity is not None and (identity.is_service or identity.user.disabled_at is not None):
        wrong = "This is a service." if identity.is_service else "The user is disabled."
        audit.record(session, SERVICE, Act.USER_SIGN_IN_REFUSED, identity.user, reason=wrong)
        return None
    if wrong:
        user = identity.user if identity else None
        if user is not None:
            _set_roles(session, user, ())
            end_access(session, user)
        told = {"issuer": vouched.issuer, "subject": audit.digest("identity", None, "subject", vouched.subject)}
        audit.record(session, SERVICE, Act.USER_SIGN_IN_REFUSED, user, reason=wrong, details=told)
        return None
    if identity is None:
        user = _add(session, vouched.issuer, vouched.subject, vouched.username, vouched.display_name, vouched.roles)
    else:
        user = identity.user
        _set_roles(session, user, vouched.roles)
    awaits_code = not vouched.has_second_factor and second_factor.is_in_use(session, user)
    return sessions.start(
        session, user, place, limits, has_second_factor=vouched.has_second_factor, awaits_code=awaits_code
    )


def refused(session: Session, issuer: str, why: str) -> None:
    """Record that what the provider gave for a code was not to be trusted, whoever it was about."""
    reason = f"Not to be trusted: {why}."
    audit.record(session, SERVICE, Act.USER_SIGN_IN_REFUSED, reason=reason, details={"issuer": issuer})


def welcome(session: Session, presented: Presented) -> None:
    """Record that a service came with a token that was not seen before; it is added when it comes first."""
    identity = _identity(session, presented.issuer, presented.subject)
    user = identity.user if identity else None
    if not presented.is_possible or (identity is not None and not identity.is_service):
        told = {"issuer": presented.issuer, "subject": audit.digest("identity", None, "subject", presented.subject)}
        reason = "A service cannot hold these roles." if not presented.is_possible else "This is no service."
        audit.record(session, SERVICE, Act.USER_SIGN_IN_REFUSED, user, reason=reason, details=told)
        return
    if user is None:
        name = f"service-{presented.subject}"
        user = _add(session, presented.issuer, presented.subject, name, presented.subject, (), is_service=True)
    if user.disabled_at is not None:
        audit.record(session, SERVICE, Act.USER_SIGN_IN_REFUSED, user, reason="The service is disabled.")
    else:
        audit.record(session, _acting(user, presented), Act.USER_SIGN_IN, user)


def service(session: Session, presented: Presented) -> Principal:
    """Return the service that acts with a token. Raises Unauthorised."""
    identity = _identity(session, presented.issuer, presented.subject)
    if (
        identity is None
        or not identity.is_service
        or identity.user.disabled_at is not None
        or not presented.is_possible
    ):
        raise Unauthorised("The token is not taken here.", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return _acting(identity.user, presented)


def _acting(user: User, presented: Presented) -> Principal:
    """Return the service as who acts: with the roles of the token, and nothing to do with access of its own."""
    found = principal_of(user, presented.fingerprint, limits=frozenset(Permission))
    return replace(found, roles=presented.roles)


def link(session: Session, user: User, issuer: str, subject: str, actor: Principal) -> None:
    """Let `user` sign in as that subject of the provider, which gives the roles from then on.

    Raises Invalid for a subject that no token has, Conflict where it is somebody's already, or the user has one.
    """
    actor.require(Permission.USER_WRITE)
    if len(subject) > LONGEST_SUBJECT:
        raise Invalid(f"A subject has at most {LONGEST_SUBJECT} characters.")
    taken = session.scalar(
        select(Identity.id).where(
            (Identity.user_id == user.id) | ((Identity.issuer == issuer) & (Identity.subject == subject))
        )
    )
    if taken is not None:
        raise Conflict(f"{user.username} is linked already, or the subject is another user's. Unlink first.")
    session.add(Identity(user_id=user.id, issuer=issuer, subject=subject, is_service=False))
    audit.record(session, actor, Act.USER_LINK, user)


def unlink(session: Session, user: User, actor: Principal) -> None:
    """End that `user` signs in at the provider, and every session and token. Raises NotFound where that is not so."""
    actor.require(Permission.USER_WRITE)
    if session.scalar(select(Identity.id).where(Identity.user_id == user.id)) is None:
        raise NotFound(f"{user.username} is linked to no subject of an identity provider.")
    end_access(session, user)
    session.execute(delete(Identity).where(Identity.user_id == user.id))
    audit.record(session, actor, Act.USER_UNLINK, user)


def _identity(session: Session, issuer: str, subject: str) -> Identity | None:
    return session.scalar(
        select(Identity)
        .where(Identity.issuer == issuer, Identity.subject == subject)
        .options(joinedload(Identity.user).selectinload(User.grants))
    )


def _add(
    session: Session,
    issuer: str,
    subject: str,
    username: str,
    display_name: str,
    roles: Sequence[HeldRole],
    *,
    is_service: bool = False,
) -> User:
    name = _free_name(session, username)
    displayed = "".join(letter for letter in display_name if letter.isprintable()).strip()[:LONGEST_DISPLAYED]
    user = User(username=name, display_name=displayed or name, password_hash=NO_PASSWORD, grants=grants(roles))
    session.add(user)
    session.flush()
    session.add(Identity(user_id=user.id, issuer=issuer, subject=subject, is_service=is_service))
    audit.record(session, SERVICE, Act.USER_ADD, user)
    return user


def _free_name(session: Session, wanted: str) -> str:
    """Return `wanted` as a username that nobody has: what is somebody's already never makes two people one."""
    plain = unicodedata.normalize("NFKD", wanted.partition("@")[0]).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", plain)[:LONGEST_NAME].strip("._-") or "user"
    if session.scalar(select(User.id).where(User.username == name)) is None:
        return name
    return f"{name}-{''.join(secrets.choice(ALPHABET) for _ in range(6)).lower()}"


def _set_roles(session: Session, user: User, roles: Sequence[HeldRole]) -> None:
    made = grants(roles)
    if {(each.role, each.district, each.settlement) for each in user.grants} != {
        (each.role, each.district, each.settlement) for each in made
    }:
        user.grants = made
        audit.record(session, SERVICE, Act.USER_SET_ROLES, user)
