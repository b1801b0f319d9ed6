"""Keys change while the service runs, and a change that was cut short goes on where it stopped."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, select, text

from app import keys, migration, rotation
from app.access.models import Role
from app.database import Database
from app.errors import Conflict
from app.keys import Keyring, Unreadable
from app.registry.models import Household, Person
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    """A keyring of this test's own."""
    made = keys.make(tmp_path / "keys.json")
    monkeypatch.setattr(keys, "_in_use", [made])
    return made


@pytest.fixture
def families(database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A register of five households, in batches of two."""
    monkeypatch.setattr(rotation, "BATCH", 2)
    with database.session(writes=True) as session:
        for number in range(5):
            factories.household(session, phone=f"+999 50 {number}").people[0].national_id = f"K-{number}"
    return database


def _read(database: Database) -> set[tuple[str | None, str | None]]:
    with database.session(writes=False) as session:
        people = session.scalars(select(Person).join(Person.household)).all()
        households = {row.id: row.phone for row in session.scalars(select(Household))}
        return {(person.national_id, households[person.household_id]) for person in people}


WRITTEN = {(f"K-{number}", f"+999 50 {number}") for number in range(5)}


def _uses(database: Database) -> dict[str, int]:
    with database.session(writes=False) as session:
        return dict(rotation.uses(session))


def test_everything_is_under_the_new_key_and_reads_as_before(families: Database, keyring: Keyring) -> None:
    old = keyring.current.id
    assert _uses(families) == {old: 10}
    key, is_new, count = rotation.rotate(families, keyring)
    assert (key.id, is_new, count) == (keyring.current.id, True, 10)
    assert _uses(families) == {key.id: 10}
    assert old in {each.id for each in keyring.keys} - {key.id}
    assert _read(families) == WRITTEN


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 1, 4, 7, 9])
def test_a_rotation_that_was_killed_goes_on_with_the_same_key(families: Database, keyring: Keyring, after: int) -> None:
    updates = 0

    def die(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal updates
        updates += statement.startswith("UPDATE")
        if updates > after:
            raise _Killed

    event.listen(families.engine, "before_cursor_execute", die)
    with pytest.raises(_Killed):
        rotation.rotate(families, keyring)
    event.remove(families.engine, "before_cursor_execute", die)
    key = keyring.current
    assert _read(families) == WRITTEN
    left = sum(count for identifier, count in _uses(families).items() if identifier != key.id)
    assert left >= 10 - after
    assert rotation.rotate(families, keyring) == (key, False, left)
    assert _uses(families) == {key.id: 10}
    assert _read(families) == WRITTEN


def test_what_is_changed_meanwhile_stays_as_it_was_changed(families: Database, keyring: Keyring) -> None:
    def change() -> None:
        for number in range(5):
            with families.session(writes=True) as session:
                person = session.scalars(select(Person).order_by(Person.id).offset(number).limit(1)).one()
                person.national_id = f"K-{number} changed"

    at_once(change, lambda: rotation.rotate(families, keyring), lambda: rotation.rotate(families, keyring))
    assert {number for number, _ in _read(families)} == {f"K-{number} changed" for number in range(5)}
    rotation.rotate(families, keyring)
    assert _uses(families) == {keyring.current.id: 10}


def test_a_running_service_takes_the_new_key_and_finds_by_the_old_index(
    families: Database, keyring: Keyring, acting_as: ActingAs
) -> None:
    client = acting_as(Role.CASEWORKER)
    key, _, _ = rotation.rotate(families, Keyring(keyring.path))
    assert len(client.get("/households", params={"national_id": "k 3"}).json()["items"]) == 1
    body = {"current_accommodation": "other", "phone": "+999 60 1", "people": []}
    person = {"given_name": "A", "family_name": "B", "sex": "female", "birth_date": "1990-01-01"}
    made = client.post("/households", json=body | {"people": [person | {"relationship": "head"}]})
    assert made.json()["phone"] == "+999 60 1"
    assert _uses(families) == {key.id: 11}


def test_a_database_is_not_served_with_the_keyring_of_another(families: Database, tmp_path: Path) -> None:
    other = keys.make(tmp_path / "other.json")
    with families.session(writes=False) as session, pytest.raises(Unreadable, match="not the one of this database"):
        rotation.require_every_key(session, other)


def _stored(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def _to_plain_text(database: Database) -> None:
    migration.downgrade(database, "0001")


def test_a_register_from_before_is_encrypted_where_it_is(families: Database) -> None:
    """And nothing that refers to it is lost on the way, in either direction."""
    count = "SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM households)"
    before = _stored(families, count)
    _to_plain_text(families)
    plain = _stored(families, "SELECT national_id, phone FROM people JOIN households ON households.id = household_id")
    assert set(plain) == WRITTEN
    migration.upgrade(families)
    assert _stored(families, count) == before
    assert _read(families) == WRITTEN


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_of_the_plain_text_stays_in_the_file(families: Database, database_url: str) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    everything: Callable[[], bytes] = lambda: b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))  # noqa: E731
    _to_plain_text(families)
    assert b"+999 50 3" in everything()
    migration.upgrade(families)
    with families.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"+999 50 3" not in everything()
    assert b"K-3" not in everything()


def test_two_people_with_one_number_stop_the_migration_and_nothing_changes(families: Database) -> None:
    _to_plain_text(families)
    with families.engine.execution_options(hearth_writes=True).begin() as connection:
        connection.execute(text("UPDATE people SET national_id = 'k 4' WHERE national_id = 'K-3'"))
    with pytest.raises(Conflict, match="same national_id"):
        migration.upgrade(families)
    assert ("k 4",) in _stored(families, "SELECT national_id FROM people")
