"""The migrations build what the models say, and can be undone, on both databases."""

from sqlalchemy import inspect, select

from app import migration
from app.access.models import Role
from app.database import Database
from app.registry.models import Application, ApplicationState, Correction
from tests import factories
from tests.conftest import ActingAs


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
        corrected, untouched = factories.submitted(session), factories.submitted(session)
        untouched.state, untouched.submitted_at = ApplicationState.DRAFT, None
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


def test_who_submitted_an_application_before_that_was_kept_is_known_once_somebody_corrects_it(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        application = factories.application(
            session, factories.household(session), anywhere=True, state=ApplicationState.RETURNED
        )
    path = f"/applications/{application.reference}"
    both, caseworker = acting_as(Role.CASEWORKER, Role.VERIFIER), acting_as(Role.CASEWORKER)
    assert both.post(f"{path}/submit").status_code == 200
    migration.downgrade(database, "unreplaced_heads")
    migration.upgrade(database)

    def seen() -> dict[str, str]:
        return {"If-Match": both.get(path).headers["ETag"]}

    size = {"size_override": 4, "size_override_reason": "A doctor says so."}
    assert caseworker.patch(path, json=size, headers=seen()).status_code == 200
    assert both.post(f"{path}/verify", headers=seen()).status_code == 403
    assert acting_as(Role.VERIFIER).post(f"{path}/verify", headers=seen()).status_code == 200
