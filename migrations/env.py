"""Runs migrations over the address in force, or over a connection that the caller hands in."""

from typing import Literal

from alembic import context
from sqlalchemy import Connection, text

from app.database import Base, Database, UtcDateTime
from app.models import ALL_MODELS
from app.settings import Settings

LOCK_TIMEOUT = "5s"


def _render(kind: str, thing: object, _context: object) -> str | Literal[False]:
    """Write column types of ours as the plain type beneath, so that a migration never changes with the code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(thing, UtcDateTime) else False


def migrate(connection: Connection) -> None:
    """Run the migrations over `connection`, in one transaction."""
    if connection.dialect.name == "postgresql":
        # A migration that cannot get its lock gives way instead of queueing everyone behind it.
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        compare_server_default=True,
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


assert ALL_MODELS  # noqa: S101 - importing them filled the metadata
handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    migrate(handed_in)
else:
    database = Database(Settings().url)
    with database.engine.execution_options(hearth_writes=True).begin() as opened:
        migrate(opened)
    database.dispose()
