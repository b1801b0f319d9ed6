"""The migrations build what the models say, and can be undone, on both databases."""

from sqlalchemy import inspect, select

from app import migration
from app.access.models import Role
from app.database import Database
from app.registry.models import Application, Correction
from tests import factories


def test_models_and_migrations_agree(database: Database) -> None:
    migration.check(database)
    assert migration.is_current(database)


def test_down_to_nothing_and_up_again(database: Database) -> None:
    migration.downgrade(database, "base")
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert not migration.is_current(database)
    migration.upgrade(database)
    migration.check(database)


def test_who_corrected_an_application_before_that_was_kept_is_known(database: Database) -> None:
    with database.session(writes=True) as session:
        users = [factories.user(session, Role.CASEWORKER).user_id for _ in range(2)]
        corrected, untouched = (factories.submitted(session) for _ in range(2))
        for user in (*users, users[0], None):
            row = Correction(application_id=corrected.id, corrected_by_id=user, state_before=corrected.state)
            row.content = "{}"
            session.add(row)
    migration.downgrade(database, "unreplaced_heads")
    migration.upgrade(database)
    with database.session(writes=False) as session:
        written_by = dict(session.execute(select(Application.reference, Application.written_by)).all())
    assert set(written_by[corrected.reference]) == {*users, None}
    assert len(written_by[corrected.reference]) == 3
    assert written_by[untouched.reference] == []
