"""Bringing a database to this version of the schema, and saying whether it is there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import migrations
from app.database import Database


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate up to `revision`, in one transaction."""
    with database.engine.execution_options(hearth_writes=True).begin() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Migrate down to `revision`, in one transaction."""
    with database.engine.execution_options(hearth_writes=True).begin() as connection:
        command.downgrade(_config(connection), revision)


def check(database: Database) -> None:
    """Raise alembic.util.CommandError when the models and the migrated schema differ."""
    with database.engine.begin() as connection:
        command.check(_config(connection))


def is_current(database: Database) -> bool:
    """Whether the database stands at the newest migration."""
    heads = set(ScriptDirectory.from_config(_config()).get_heads())
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == heads
