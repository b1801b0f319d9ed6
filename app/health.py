"""Whether the process lives, and whether it can serve."""

from alembic.util.exc import CommandError
from sqlalchemy.exc import SQLAlchemyError

from app import migration
from app.database import Database
from app.errors import Unavailable


def require_ready(database: Database) -> None:
    """Raise Unavailable unless the database answers and stands at the newest migration; make no file where none is."""
    if database.file is not None and not database.file.exists():
        raise Unavailable(
            f"There is no database at {database.file}. Look at HEARTH_DATABASE_URL and HEARTH_DATA_DIR; "
            "`hearth db upgrade` makes one there."
        )
    try:
        current = migration.is_current(database)
    except (SQLAlchemyError, CommandError) as error:
        raise Unavailable("The database cannot be reached. Look at its log and at HEARTH_DATABASE_URL.") from error
    if not current:
        raise Unavailable("The database is not migrated to this version. Run `hearth db upgrade`.")
