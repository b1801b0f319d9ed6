"""Opening the database for a command, and what commands name in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import health, logs, migration, rotation
from app.access import tokens
from app.access.models import User
from app.access.permissions import OPERATOR, Principal
from app.allocation import policies
from app.database import Database
from app.errors import NotFound
from app.housing.models import Origin, Settlement
from app.keys import keyring
from app.references import normalised
from app.settings import Settings


@contextmanager
def opened() -> Iterator[Database]:
    """Open the database. The embedded one is brought up to date; a server must have been, by `hearth db upgrade`."""
    settings = Settings()
    logs.configure("warning")
    with Database(settings.url, settings.pool_size) as database:
        if database.is_sqlite and not migration.is_current(database):
            migration.upgrade(database)
        health.require_ready(database)
        with database.session(writes=False) as session:  # a command that reads waits for nobody who writes
            rotation.require_every_key(session, keyring())
            is_first = not policies.is_any_in_force(session)
        if is_first:
            with database.session(writes=True) as session:
                policies.ensure_default(session)
        yield database


def settlement_named(session: Session, name: str) -> Settlement:
    """Return the settlement of that reference or key. Raises NotFound."""
    found = session.scalar(
        select(Settlement).where(or_(Settlement.reference == normalised(name), Settlement.key == name))
    )
    if found is None:
        raise NotFound(f"There is no settlement {name}. Give its public reference or its key.")
    return found


def origin_named(session: Session, name: str) -> Origin:
    """Return the origin of that reference or key. Raises NotFound."""
    found = session.scalar(select(Origin).where(or_(Origin.reference == normalised(name), Origin.key == name)))
    if found is None:
        raise NotFound(f"There is no origin {name}. Give its public reference or its key.")
    return found


def user_named(session: Session, username: str) -> User:
    """Return the user of that name, with grants. Raises NotFound."""
    found = tokens.user_named(session, username)
    if found is None:
        raise NotFound(f"There is no user {username}.")
    return found


def acting(session: Session, username: str | None) -> Principal:
    """Return who acts: the user named, with that user's rights alone, or the operator. Raises NotFound."""
    if username is None:
        return OPERATOR
    user = user_named(session, username)
    if user.disabled_at is not None:
        raise NotFound(f"The user {username} is disabled and cannot act.")
    return tokens.principal_of(user)
