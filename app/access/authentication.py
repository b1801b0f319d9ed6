"""Signing in with a name and a password, in steps that hold no transaction while the password is hashed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app import audit
from app.access import passwords, second_factor, throttle, users
from app.access.doors import Doors
from app.access.hashing import Hashing, Rank
from app.access.models import User
from app.access.permissions import SERVICE, Principal
from app.access.throttle import Counted, Place, Standing
from app.access.users import end_access
from app.audit import Act
from app.database import Database, utc_now
from app.errors import FieldError, Invalid, NewPasswordNeeded, SecondFactorNeeded, Unauthorised

Admitted = TypeVar("Admitted")


@dataclass(frozen=True)
class Given:
    """What somebody signs in with."""

    username: str
    password: str
    new_password: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Admission:
    """A user who is let in, with grants."""

    user: User
    has_second_factor: bool


class _WrongCode(Exception):  # noqa: N818 - ends a transaction, and becomes the refusal
    """The password was right, and the code was not."""


@dataclass(frozen=True)
class _Checked:
    """A password that was right, and what else there is to write."""

    user_id: int
    password_hash: str
    renewed_hash: str | None
    counted: Counted


@dataclass(frozen=True)
class Entrance:
    """What signing in needs of the process: its database, its turns at hashing, and the doors that it knows closed."""

    database: Database
    hashing: Hashing
    doors: Doors


async def by_password(
    entrance: Entrance, given: Given, place: Place, admit: Callable[[Session, Admission], Admitted]
) -> Admitted:
    """Return what `admit` makes of the admission, in the transaction that records the sign-in.

    Raises Unauthorised, the same and as late whatever is wrong; TooManyRequests; Invalid for a new password that is
    not acceptable; NewPasswordNeeded when there has to be one; SecondFactorNeeded when a code lacks.
    """
    if given.new_password is not None:
        passwords.require_acceptable(given.new_password, given.username, "#/body/new_password")
        require_other(given.new_password, given.password)
    await entrance.doors.require_open(entrance.database, entrance.hashing, given.username, place)
    with entrance.doors.entering(given.username, place):
        try:
            return await _looked_at(entrance, given, place, admit)
        except throttle.Closed as closed:
            entrance.doors.shut(closed)
            raise


async def _looked_at(
    entrance: Entrance, given: Given, place: Place, admit: Callable[[Session, Admission], Admitted]
) -> Admitted:
    database, hashing = entrance.database, entrance.hashing
    standing = await database.transact(lambda session: throttle.standing(session, given.username, place), writes=False)
    async with hashing.turn(standing.rank):
        checked = await _check(database, hashing, given, standing)

    def complete(session: Session) -> Admitted:
        user = session.scalar(
            select(User)
            .where(User.id == checked.user_id, User.disabled_at.is_(None), User.password_hash == checked.password_hash)
            .options(selectinload(User.grants))
            .with_for_update(of=User, key_share=True)  # who ends the user's access meanwhile waits for what is begun
        )
        if user is None:
            raise _refusal()
        if user.password_expires_at is not None and given.new_password is None:
            raise NewPasswordNeeded("This password was made for you and works once. Send a `new_password` with it.")
        has_second_factor = second_factor.is_in_use(session, user)
        if has_second_factor and given.code is None:
            raise SecondFactorNeeded("The password was right. Send the `code` of your authenticator app with it.")
        if has_second_factor and not second_factor.use_code(session, user, given.code or ""):
            raise _WrongCode
        throttle.forgive(session, checked.counted)
        throttle.remember(session, user, place, checked.counted)
        if given.new_password is not None:
            end_access(session, user)
            user.password_expires_at = None
        user.password_hash = checked.renewed_hash or user.password_hash
        return admit(session, Admission(user, has_second_factor))

    try:
        admitted = await database.transact(complete, writes=True)
    except _WrongCode:
        record = partial(_record_refused, counted=checked.counted, user_id=checked.user_id)
        await database.transact(record, writes=True)
        raise _refusal() from None
    entrance.doors.welcome(given.username, place)
    return admitted


async def _check(database: Database, hashing: Hashing, given: Given, standing: Standing) -> _Checked:
    """Count the try, then compare the password. Raises Unauthorised."""

    def begin(session: Session) -> tuple[Counted, int, str]:
        counted = throttle.count(session, standing)
        user = session.scalar(select(User).where(User.username == given.username, User.disabled_at.is_(None)))
        if user is None or (user.password_expires_at is not None and user.password_expires_at <= utc_now()):
            return counted, 0, passwords.NO_PASSWORD
        return counted, user.id, user.password_hash

    counted, user_id, password_hash = await database.transact(begin, writes=True)
    if not await hashing.verified(given.password, password_hash):
        await database.transact(lambda session: _record_refused(session, counted, user_id), writes=True)
        raise _refusal()
    renewed = given.new_password
    if renewed is None and passwords.is_outdated(password_hash):
        renewed = given.password
    return _Checked(user_id, password_hash, None if renewed is None else await hashing.hashed(renewed), counted)


def _record_refused(session: Session, counted: Counted, user_id: int) -> None:
    throttle.failed(session, counted)
    user = session.get(User, user_id)
    if user is not None:
        audit.record(session, SERVICE, Act.USER_SIGN_IN_REFUSED, user)


async def own_password(database: Database, hashing: Hashing, actor: Principal, password: str) -> str:
    """Check the password of `actor`, who is signed in; returns its hash.

    Raises Invalid, which is recorded, and TooManyRequests.
    """
    standing = throttle.of_signed_in(actor.reference)
    async with hashing.turn(Rank.BROWSER):

        def begin(session: Session) -> tuple[Counted, str]:
            counted = throttle.count(session, standing)
            own = select(User.password_hash).where(User.reference == actor.reference)
            return counted, session.scalars(own).one()

        counted, password_hash = await database.transact(begin, writes=True)
        if not await hashing.verified(password, password_hash):
            await database.transact(partial(_record_wrong, actor=actor), writes=True)
            raise users.wrong_password()
    await database.transact(lambda session: throttle.forgive(session, counted), writes=True)
    return password_hash


async def own_code(database: Database, actor: Principal, use: Callable[[Session, User], Admitted | None]) -> Admitted:
    """Return what `use` makes of a code of `actor`, who is signed in; None says that the code is wrong.

    Raises Invalid for that, which is recorded, and TooManyRequests.
    """
    standing = throttle.of_signed_in(actor.reference)
    counted = await database.transact(lambda session: throttle.count(session, standing), writes=True)

    def tried(session: Session) -> Admitted:
        user = users.own(session, actor)
        made = use(session, user)
        if made is None:
            raise second_factor.wrong_code()
        throttle.forgive(session, counted)
        return made

    try:
        return await database.transact(tried, writes=True)
    except Invalid:
        await database.transact(partial(_record_wrong, actor=actor), writes=True)
        raise


def _record_wrong(session: Session, actor: Principal) -> None:
    """Record that who is signed in gave a wrong password or code: perhaps somebody else at an open browser."""
    audit.record(session, actor, Act.USER_PROOF_REFUSED, users.get(session, actor.reference))


async def new_hash(hashing: Hashing, password: str) -> str:
    """Return the hash of a password that was found acceptable, for a signed-in user."""
    async with hashing.turn(Rank.BROWSER):
        return await hashing.hashed(password)


def require_other(new_password: str, password: str) -> None:
    """Raise Invalid when the new password is the present one."""
    if passwords.normalised(new_password) == passwords.normalised(password):
        raise Invalid("The password was not changed.", [FieldError("#/body/new_password", "Choose another password.")])


def _refusal() -> Unauthorised:
    return Unauthorised("No user has this name, password and code.", headers={"WWW-Authenticate": "Bearer"})
