"""The migrations build what the models say, and can be undone, on both databases."""

from sqlalchemy import inspect

from app import migration
from app.database import Database


def test_models_and_migrations_agree(database: Database) -> None:
    migration.check(database)
    assert migration.is_current(database)


def test_down_to_nothing_and_up_again(database: Database) -> None:
    migration.downgrade(database, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert not migration.is_current(database)
    migration.upgrade(database)
    migration.check(database)
