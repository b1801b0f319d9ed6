"""Signing in with an identity provider, in steps that hold no transaction while it is asked."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.access import identities
from app.access.identities import Presented, Vouched
from app.access.mapping import Claims
from app.access.models import BrowserSession
from app.access.provider import LONGEST_TOKEN, Begun, NotAcceptable, Provider
from app.access.sessions import Limits
from app.access.throttle import Place
from app.database import Database
from app.errors import Unauthorised

MOST_TOKENS_REMEMBERED = 10_000
FINGERPRINT_DIGITS = 12
Made = TypeVar("Made")
log = structlog.get_logger()


async def by_code(
    database: Database, provider: Provider, code: str, begun: Begun, place: Place, limits: Limits
) -> tuple[BrowserSession, str]:
    """Begin a session of whom the provider vouches for in exchange for `code`; the second value is its secret.

    Raises Unauthorised, the same whatever is wrong, and Unavailable.
    """
    try:
        claims = await provider.signed_in(code, begun)
    except NotAcceptable as error:
        why = str(error)
        log.warning("vouching_refused", why=why)
        await database.transact(lambda session: identities.refused(session, provider.issuer, why), writes=True)
        raise refusal() from None
    is_service = claims["sub"] in provider.services
    vouched = Vouched(
        provider.issuer,
        claims["sub"],
        () if is_service else provider.mapped.roles_of(claims),
        provider.mapped.has_second_factor(claims),
        _text(claims, "preferred_username"),
        _text(claims, "name"),
    )
    made = await _twice(database, lambda session: identities.sign_in(session, vouched, place, limits))
    if made is None:
        raise refusal()
    return made


async def _twice(database: Database, work: Callable[[Session], Made]) -> Made:
    """Do `work` in a transaction, and again where somebody adds the same subject at the same moment."""
    try:
        return await database.transact(work, writes=True)
    except IntegrityError:
        return await database.transact(work, writes=True)


def _text(claims: Claims, name: str) -> str:
    found = claims.get(name)
    return found if isinstance(found, str) else ""


def refusal() -> Unauthorised:
    """Return the one refusal of sign-ins at the provider: why is on the record, and nobody else's to know."""
    return Unauthorised(
        "You are not signed in. Begin again at /api/v1/oidc/sign-in; if it stays so, ask your administrator.",
        headers={"WWW-Authenticate": "Bearer"},
    )


class Seen:
    """The tokens of services that came already, to be recorded once each; in bounded memory."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, fingerprint: str) -> bool:
        return self._until.get(fingerprint, 0) > time.time()

    def add(self, fingerprint: str, until: float) -> None:
        """Remember a token until it ends."""
        self._until[fingerprint] = until
        self._until.move_to_end(fingerprint)
        if len(self._until) > MOST_TOKENS_REMEMBERED:
            self._until.popitem(last=False)


async def present(database: Database, provider: Provider, seen: Seen, token: str) -> Presented | None:
    """Return what an access token of the provider stands for; None where it is not one that counts here.

    Raises Unavailable where the provider's keys are needed and cannot be had.
    """
    if not provider.audience or token.count(".") != 2 or len(token) > LONGEST_TOKEN:
        return None
    try:
        claims = await provider.presented(token)
    except NotAcceptable as error:
        log.info("access_token_refused", why=str(error))
        return None
    if claims["sub"] not in provider.services:
        log.info("access_token_refused", why="the subject is no service")
        return None
    digest = hashlib.sha256(token.encode()).hexdigest()
    found = Presented(
        provider.issuer, claims["sub"], provider.mapped.roles_of(claims), f"JWT-{digest[:FINGERPRINT_DIGITS]}"
    )
    if digest not in seen:
        await _twice(database, lambda session: identities.welcome(session, found))
        seen.add(digest, claims["exp"])
    return found
