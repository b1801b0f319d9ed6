"""Opening the database for a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from app import health, logs, migration, rotation
from app.allocation import policies
from app.database import Database
from app.keys import keyring
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
        with database.session(writes=True) as session:
            rotation.require_every_key(session, keyring())
            policies.ensure_default(session)
        yield database
