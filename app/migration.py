"""Bringing a database to this version of the schema, and saying whether it is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

import migrations
from app.database import Database


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _migrating(database: Database) -> Iterator[Connection]:
    """Open one transaction.

    SQLite changes some things by making a table anew and dropping the old one, which would delete, by cascade, what
    refers to it. So foreign keys are off meanwhile, and checked before anything counts.
    """
    with database.engine.execution_options(hearth_writes=True).connect() as connection:
        if not database.is_sqlite:
            with connection.begin():
                yield connection
            return
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA foreign_keys=OFF")  # has no effect once the transaction has begun
        try:
            with connection.begin():
                yield connection
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise CommandError("The migration would leave references to what is not there; nothing was changed")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate up to `revision`, in one transaction."""
    with _migrating(database) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Migrate down to `revision`, in one transaction."""
    with _migrating(database) as connection:
        command.downgrade(_config(connection), revision)


def check(database: Database) -> None:
    """Raise alembic.util.CommandError when the models and the migrated schema differ."""
    with database.engine.begin() as connection:
        command.check(_config(connection))


def is_new(database: Database) -> bool:
    """Whether the database has no schema yet."""
    with database.engine.connect() as connection:
        return not MigrationContext.configure(connection).get_current_heads()


def is_current(database: Database) -> bool:
    """Whether the database stands at the newest migration."""
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == _newest()


@cache
def _newest() -> frozenset[str]:
    """The newest migration of this version; read once, for every migration is compiled for that."""
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())
