"""Verifying the trail finds whatever was done to it, says to which entry, and why."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.audit import heads
from app.audit.heads import SignedHead
from app.audit.verification import Fault, Kept, Verification
from app.database import Database
from app.errors import Conflict, Unavailable
from app.settings import Settings
from app.worker import Worker
from benchmarks import tampering
from tests.concurrency import until

KEY, ANOTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
ENTRIES = 6
Trail = tuple[Database, SignedHead]


@pytest.fixture
def kept(database: Database) -> SignedHead:
    """A head that was kept of a trail of six entries."""
    tampering.write_trail(database, ENTRIES)
    with database.session(writes=True) as session:
        return heads.sign(session, KEY)


def _faults(database: Database, *kept: SignedHead, trusted: Ed25519PrivateKey | None = KEY) -> list[Fault]:
    keys = [heads.public_key_of(trusted)] if trusted else []
    with database.session(writes=False) as session:
        return list(Verification(session, [Kept(each, "the kept head") for each in kept], keys).faults())


def _past_the_triggers(database: Database, *statements: str) -> None:
    """Change the trail as whoever owns the database can."""
    with database.session(writes=True) as session:
        if database.is_sqlite:
            with tampering.without_triggers(session):
                for statement in statements:
                    session.execute(text(statement))
            return
        for table in ("audit_entries", "audit_heads"):
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        for statement in statements:
            session.execute(text(statement))
        for trigger in ("audit_entries_unchanged", "audit_entries_in_sequence"):
            session.execute(text(f"ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER {trigger}"))
        session.execute(text("ALTER TABLE audit_heads ENABLE ALWAYS TRIGGER audit_heads_unchanged"))


def test_a_trail_that_nobody_touched_holds(database: Database, kept: SignedHead) -> None:
    tampering.write_trail(database, 2)
    with database.session(writes=False) as session:
        checked = Verification(session, [Kept(kept, "the kept head")], [heads.public_key_of(KEY)])
        assert list(checked.faults()) == []
        assert (checked.entries, checked.heads) == (ENTRIES + 2, 2)


def test_an_empty_trail_holds_and_has_no_head(database: Database) -> None:
    assert _faults(database) == []
    with pytest.raises(Conflict, match="no entry"), database.session(writes=True) as session:
        heads.sign(session, KEY)


@pytest.mark.parametrize(
    ("statement", "sequence", "reason"),
    [
        ("UPDATE audit_entries SET actor = 'somebody' WHERE sequence = 3", 3, "was changed"),
        ("UPDATE audit_entries SET details = ' ' || details WHERE sequence = 3", 3, "was changed"),
        ("UPDATE audit_entries SET details = '[]' WHERE sequence = 1", 1, "was changed"),
        ("DELETE FROM audit_entries WHERE sequence = 3", 3, "Entry 3 is missing"),
        ("DELETE FROM audit_entries WHERE sequence IN (1, 2)", 1, "Entries 1 to 2 are missing"),
        ("DELETE FROM audit_entries WHERE sequence = 6", 6, "the trail ends at entry 5"),
        ("DELETE FROM audit_entries", 6, "the trail ends at entry 0"),
        ("UPDATE audit_entries SET sequence = 0 WHERE sequence = 1", 0, "comes before the first"),
        ("UPDATE audit_entries SET previous_hash = hash WHERE sequence = 4", 4, "does not follow"),
        ("UPDATE audit_heads SET sequence = 5", 5, "signature"),
    ],
)
def test_what_was_changed_is_named(
    database: Database, kept: SignedHead, statement: str, sequence: int, reason: str
) -> None:
    _past_the_triggers(database, statement)
    found = _faults(database, kept)
    assert any(fault.sequence == sequence and reason in fault.sentence for fault in found), found
    assert not any("protect" in fault.sentence for fault in found)


def test_what_cannot_be_put_back_is_missed(database: Database, kept: SignedHead) -> None:
    statement = "DROP TRIGGER audit_entries_unchanged"
    with database.session(writes=True) as session:
        session.execute(text(statement if database.is_sqlite else f"{statement} ON audit_entries"))
    (fault,) = _faults(database, kept)
    assert fault == Fault(None, "The database does not protect the trail: no trigger audit_entries_unchanged.")


def test_a_head_signed_by_somebody_else_counts_for_nothing(database: Database, kept: SignedHead) -> None:
    assert _faults(database, kept, trusted=None) == []
    found = _faults(database, kept, trusted=ANOTHER_KEY)
    assert [fault.sequence for fault in found] == [ENTRIES, ENTRIES], "the kept one, and that in the database"
    assert all("do not trust" in fault.sentence for fault in found)


def test_every_word_of_a_head_is_signed(kept: SignedHead) -> None:
    assert kept.is_genuine
    others = {
        "sequence": kept.sequence + 1,
        "hash": "0" * 64,
        "signed_at": "2026-01-01T00:00:00.000000Z",
        "public_key": heads.public_key_of(ANOTHER_KEY),
        "signature": "A" * 86 + "==",
    }
    for name, value in others.items():
        assert not kept.model_copy(update={name: value}).is_genuine, name


def test_a_head_is_read_as_it_was_printed_and_nothing_else_is(kept: SignedHead) -> None:
    printed = heads.as_text(kept)
    assert SignedHead.read(printed) == kept
    wrong = {"more": json.loads(printed) | {"more": 1}, "sequence": json.loads(printed) | {"sequence": "6"}}
    for where, document in wrong.items():
        with pytest.raises(ValueError, match=where):
            SignedHead.read(json.dumps(document))
    with pytest.raises(ValueError, match="JSON"):
        SignedHead.read("no head")


@pytest.fixture(scope="module")
def trail() -> Iterator[Trail]:
    with tampering.trail(entries=12) as made:
        yield made


@settings(max_examples=120)
@given(kind=st.sampled_from(sorted(tampering.KINDS)), seed=st.integers(0, 2**32))
def test_any_one_change_is_found(trail: Trail, kind: str, seed: int) -> None:
    database, head = trail
    assert tampering.tampered(database, kind, Random(seed), head)
    assert _faults(database, head, trusted=None) == [], "the change was undone"


def _signing_key(database: Database, settings: Settings) -> Ed25519PrivateKey:
    with database.session(writes=False) as session:
        return heads.signing_key(session, settings)


def test_a_key_is_made_once_and_only_its_owner_reads_it(database: Database, tmp_path: Path) -> None:
    embedded = Settings(data_dir=tmp_path)
    first = heads.public_key_of(_signing_key(database, embedded))
    assert heads.public_key_of(_signing_key(database, embedded)) == first
    assert embedded.audit_signing_key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="There is a key"):
        heads.make_signing_key(embedded.audit_signing_key)


def test_without_a_key_a_server_signs_nothing(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    server = Settings(data_dir=tmp_path, database_url="postgresql://somewhere/hearth")
    with pytest.raises(Unavailable, match="make-key"):
        _signing_key(database, server)
    path.write_text("no key")
    with pytest.raises(Unavailable, match="cannot be read"):
        _signing_key(database, Settings(data_dir=tmp_path, audit_signing_key_file=str(path)))


def test_a_worker_signs_what_no_head_covers_yet(database: Database, tmp_path: Path) -> None:
    tampering.write_trail(database, 3)
    worker = Worker(database, Settings(data_dir=tmp_path, audit_head_minutes=60))
    worker.start()
    try:
        signed = until(lambda: _newest(database))
    finally:
        worker.stop()
    assert (signed.sequence, signed.is_genuine) == (3, True)
    assert _faults(database, signed, trusted=None) == []


def test_no_other_key_is_made_where_heads_were_signed_with_one_that_is_gone(
    database: Database, kept: SignedHead, tmp_path: Path
) -> None:
    restored = Settings(data_dir=tmp_path)
    server = Settings(data_dir=tmp_path, database_url="postgresql://somewhere/hearth")
    for each in (restored, server):
        with pytest.raises(Unavailable, match=r"Put the file back from its backup\..*make-key"):
            _signing_key(database, each)
    assert not restored.audit_signing_key.exists()
    another = heads.public_key_of(heads.make_signing_key(restored.audit_signing_key))
    assert heads.public_key_of(_signing_key(database, restored)) == another


def _newest(database: Database) -> SignedHead | None:
    with database.session(writes=False) as session:
        row = heads.newest(session)
        return None if row is None else SignedHead.of(row)


def test_a_head_is_due_when_there_is_something_new_and_time_has_passed(database: Database) -> None:
    hour, moment = timedelta(hours=1), timedelta()
    with database.session(writes=False) as session:
        assert not heads.is_due(session, moment), "there is nothing to sign"
    tampering.write_trail(database, 1)
    with database.session(writes=True) as session:
        assert heads.is_due(session, hour), "there is no head yet"
        heads.sign(session, KEY)
        assert not heads.is_due(session, moment), "nothing has happened since"
    tampering.write_trail(database, 1)
    with database.session(writes=False) as session:
        assert heads.is_due(session, moment)
        assert not heads.is_due(session, hour)
