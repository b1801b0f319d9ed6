"""The database itself lets nobody do anything to the trail but append to it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from app import audit
from app.access.permissions import OPERATOR
from app.audit import Act, heads
from app.audit.models import AuditHead
from app.database import Database
from tests.audit.trail import entries, require_chained

COLUMNS = "recorded_at, actor, act, details, previous_hash, hash"
COPY = f"INSERT INTO audit_entries (sequence, {COLUMNS}) SELECT %d, {COLUMNS} FROM audit_entries WHERE sequence = %d"  # noqa: S608 - constants
FORBIDDEN = {
    "change": "UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 2",
    "change what stays the same": "UPDATE audit_entries SET actor = actor",
    "change the number": "UPDATE audit_entries SET sequence = 9 WHERE sequence = 3",
    "delete": "DELETE FROM audit_entries WHERE sequence = 2",
    "delete the last": "DELETE FROM audit_entries WHERE sequence = 3",
    "delete all": "DELETE FROM audit_entries",
    "insert with a gap": COPY % (5, 3),
    "insert a fork": COPY % (4, 3),
    "insert before the first": COPY % (0, 1),
}
ON_POSTGRESQL = {
    "truncate": "TRUNCATE audit_entries",
    "truncate with others": "TRUNCATE audit_entries, users CASCADE",
    "change as a replica does": "SET session_replication_role = replica; UPDATE audit_entries SET actor = 'nobody'",
    "merge": "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE sequence = 2 "
    "ON CONFLICT (sequence) DO UPDATE SET actor = 'nobody'",
}
ON_SQLITE = {
    "replace": "REPLACE INTO audit_entries SELECT * FROM audit_entries WHERE sequence = 2",
    "merge": "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE sequence = 3 "
    "ON CONFLICT (sequence) DO UPDATE SET actor = 'nobody'",
}


@pytest.fixture
def three(database: Database) -> Database:
    """A trail of three entries."""
    with database.session(writes=True) as session:
        for _ in range(3):
            audit.record(session, OPERATOR, Act.USER_SIGN_IN)
    return database


def _refused(database: Database, statement: str) -> None:
    before = entries(database)
    with (
        pytest.raises(DatabaseError, match=r"append-only|only the entry after"),
        database.session(writes=True) as opened,
    ):
        opened.execute(text(statement))
    assert entries(database) == before


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN)
def test_nothing_is_changed_deleted_or_put_in_between(three: Database, statement: str) -> None:
    _refused(three, statement)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("statement", ON_POSTGRESQL.values(), ids=ON_POSTGRESQL)
def test_nor_by_what_postgresql_alone_can_do(three: Database, statement: str) -> None:
    _refused(three, statement)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", ON_SQLITE.values(), ids=ON_SQLITE)
def test_nor_by_what_sqlite_alone_can_do(three: Database, statement: str) -> None:
    _refused(three, statement)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_signed_head_is_replaced(three: Database) -> None:
    with three.session(writes=True) as session:
        signed = heads.sign(session, Ed25519PrivateKey.generate())
    columns = "hash, signed_at, public_key, signature"
    replaced = f"REPLACE INTO audit_heads (id, sequence, {columns}) SELECT id, 1, {columns} FROM audit_heads"  # noqa: S608 - constants
    with pytest.raises(DatabaseError, match="append-only"), three.session(writes=True) as session:
        session.execute(text(replaced))
    with three.session(writes=True) as session:
        assert heads.SignedHead.of(session.scalars(select(AuditHead)).one()) == signed
        heads.sign(session, Ed25519PrivateKey.generate())


def test_what_follows_is_taken(three: Database) -> None:
    with three.session(writes=True) as session:
        audit.record(session, OPERATOR, Act.USER_SIGN_OUT)
    found = entries(three)
    assert len(found) == 4
    require_chained(found)
