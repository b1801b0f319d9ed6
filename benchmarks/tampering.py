"""Whether every change to an audit trail is found: `python -m benchmarks.tampering [--changes 10000] [--seed 1]`.

Makes a trail in an SQLite file, signs its head and keeps that apart. Then, again and again: drops the triggers, makes
one change at random directly in the file, puts the triggers back, verifies with the kept head, and undoes it. A change
counts as found where the verification says that something is wrong.

What is added after the kept head and chained as it should be is not among the changes: until the next head is kept,
nobody can tell it from what the service has written.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.progress import track
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from app import audit, migration
from app.access.permissions import OPERATOR
from app.audit import Act, heads
from app.audit.heads import SignedHead
from app.audit.verification import Fault, Kept, Verification
from app.database import Database
from app.housing import settlements
from benchmarks.tables import Table

ENTRIES = 40
COLUMNS = (
    "sequence",
    "recorded_at",
    "actor",
    "token",
    "act",
    "subject_type",
    "subject",
    "reason",
    "request_id",
    "details",
    "previous_hash",
    "hash",
)
TEXTS = COLUMNS[1:]
MAY_BE_NULL = ("token", "subject_type", "subject", "reason", "request_id")
Row = dict[str, Any]


class Tampering:
    """One change at random to a trail of `count` entries, made past every rule of the database."""

    def __init__(self, connection: Connection, random: Random, count: int) -> None:
        self._connection, self._random, self._count = connection, random, count

    def _execute(self, statement: str, *values: Any) -> Any:
        return self._connection.exec_driver_sql(statement, values)

    def _row(self, sequence: int) -> Row:
        found = self._execute("SELECT * FROM audit_entries WHERE sequence = ?", sequence).mappings().one()
        return dict(found)

    def _any(self, last: int | None = None) -> int:
        return self._random.randint(1, last or self._count)

    def _set(self, sequence: int, column: str, value: Any) -> None:
        self._execute(f"UPDATE audit_entries SET {column} = ? WHERE sequence = ?", value, sequence)  # noqa: S608 - ours

    def _insert(self, row: Row) -> None:
        marks = ", ".join("?" * len(COLUMNS))
        names = ", ".join(COLUMNS)
        self._execute(
            f"INSERT INTO audit_entries ({names}) VALUES ({marks})",  # noqa: S608 - ours
            *(row[name] for name in COLUMNS),
        )

    def _other(self, value: str | None) -> str | bytes | None:
        """Another value for a text: one character changed, added, left out, doubled, or something else altogether."""
        if value is None:
            return self._random.choice(["", "x", "null"])
        place = self._random.randrange(len(value)) if value else 0
        character = self._random.choice('0123456789abcdefXYZ \n"\\{}[]:,é\u2028')
        choices: list[str | bytes] = [
            value[:place] + character + value[place + 1 :],
            value[:place] + character + value[place:],
            value[:place] + value[place + 1 :],
            value[:place] + value[place : place + 1] + value[place:],
            value.swapcase(),
            value + " ",
            value.encode(),
            "",
        ]
        return self._random.choice([each for each in choices if each != value])

    def change_a_text(self) -> None:
        """Change any column of any entry but its number."""
        sequence, column = self._any(), self._random.choice(TEXTS)
        self._set(sequence, column, self._other(self._row(sequence)[column]))

    def forget_a_value(self) -> None:
        """Make a value null."""
        sequence = self._any()
        row = self._row(sequence)
        there = [name for name in MAY_BE_NULL if row[name] is not None]
        if there:
            self._set(sequence, self._random.choice(there), None)
        else:
            self.change_a_text()

    def reorder_the_details(self) -> None:
        """Write the same details with other white space."""
        sequence = self._any()
        self._set(sequence, "details", self._row(sequence)["details"].replace(":", ": ", 1) + " ")

    def renumber(self) -> None:
        """Give an entry a number that no other has."""
        self._set(self._any(), "sequence", self._random.choice([0, -1, self._count + 1, self._count + 9]))

    def delete(self) -> None:
        """Delete one entry."""
        self._execute("DELETE FROM audit_entries WHERE sequence = ?", self._any())

    def truncate(self) -> None:
        """Delete some entries at the end, or all."""
        self._execute("DELETE FROM audit_entries WHERE sequence >= ?", self._any())

    def behead(self) -> None:
        """Delete some entries at the beginning."""
        self._execute("DELETE FROM audit_entries WHERE sequence <= ?", self._any(self._count - 1))

    def swap(self) -> None:
        """Let two entries change places: all of them, or only what they say."""
        first, second = self._random.sample(range(1, self._count + 1), 2)
        names = self._random.choice([TEXTS, TEXTS[:-2], TEXTS[:-1]])
        before, after = self._row(first), self._row(second)
        for name in names:
            self._set(first, name, after[name])
            self._set(second, name, before[name])

    def replace_by_another(self) -> None:
        """Put a copy of one entry in the place of another."""
        first, second = self._random.sample(range(1, self._count + 1), 2)
        for name, value in self._row(first).items():
            if name != "sequence":
                self._set(second, name, value)

    def insert(self) -> None:
        """Put an entry between two, and count those after it on, without chaining anything anew."""
        place = self._any()
        self._make_room(place)
        self._insert(self._row(place + 1) | {"sequence": place, "actor": "US-00000000"})

    def change_and_hash(self) -> None:
        """Change an entry and give it the right hash, but leave those after it."""
        sequence = self._any()
        self._forge(sequence)
        self._rechain(sequence, sequence)

    def change_and_rechain(self) -> None:
        """Change an entry, and make the chain anew from there."""
        sequence = self._any()
        self._forge(sequence)
        self._rechain(sequence, self._count)

    def delete_and_rechain(self) -> None:
        """Take an entry out, close the gap, and make the chain anew."""
        sequence = self._any()
        self.delete_at(sequence)
        self._rechain(sequence, self._count - 1)

    def delete_at(self, sequence: int) -> None:
        """Delete an entry and count those after it back."""
        self._execute("DELETE FROM audit_entries WHERE sequence = ?", sequence)
        for number in range(sequence + 1, self._count + 1):
            self._set(number, "sequence", number - 1)

    def insert_and_rechain(self) -> None:
        """Put an entry between two and make the chain anew."""
        place = self._any()
        self._make_room(place)
        self._insert(self._row(place + 1) | {"sequence": place})
        self._forge(place)
        self._rechain(place, self._count + 1)

    def swap_and_rechain(self) -> None:
        """Let two entries change places and make the chain anew."""
        first, second = sorted(self._random.sample(range(1, self._count + 1), 2))
        before, after = self._row(first), self._row(second)
        for name in TEXTS:
            self._set(first, name, after[name])
            self._set(second, name, before[name])
        self._rechain(first, self._count)

    def truncate_and_write_on(self) -> None:
        """Delete some entries at the end and write others in their place, chained as they should be."""
        sequence = self._any()
        for number in range(sequence, self._count + 1):
            self._forge(number)
        self._rechain(sequence, self._count)

    def change_a_head(self) -> None:
        """Change the head that the database keeps."""
        column = self._random.choice(["sequence", "hash", "signed_at", "public_key", "signature"])
        held = self._execute(f"SELECT {column} FROM audit_heads").scalar_one()  # noqa: S608 - ours
        other = held - 1 if isinstance(held, int) else self._other_than(held)
        self._execute(f"UPDATE audit_heads SET {column} = ?", other)  # noqa: S608 - ours

    def _other_than(self, held: str) -> str:
        place = self._random.randrange(len(held) - 3)  # the last characters of base64 may stand for nothing
        return held[:place] + ("1" if held[place] != "1" else "2") + held[place + 1 :]

    def _forge(self, sequence: int) -> None:
        """Let an entry say something else."""
        self._set(sequence, "actor", f"US-{self._random.getrandbits(35):08X}"[:11])

    def _make_room(self, place: int) -> None:
        for number in range(self._count, place - 1, -1):
            self._set(number, "sequence", number + 1)

    def _rechain(self, first: int, last: int) -> None:
        """Compute hashes anew, as anybody can who has read how."""
        previous = self._row(first - 1)["hash"] if first > 1 else "0" * 64
        for number in range(first, last + 1):
            row = self._row(number) | {"previous_hash": previous}
            content = {name: value for name, value in row.items() if name != "hash"}
            text = rfc8785.dumps({**content, "details": json.loads(row["details"])})
            self._set(number, "previous_hash", previous)
            previous = hashlib.sha256(text).hexdigest()
            self._set(number, "hash", previous)


KINDS: Mapping[str, Callable[[Tampering], None]] = {
    name.replace("_", " "): method
    for name, method in vars(Tampering).items()
    if not name.startswith("_") and name != "delete_at"
}


def write_trail(database: Database, entries: int = ENTRIES) -> None:
    """Write a trail of acts of several kinds, each in a transaction of its own."""
    acts = [Act.USER_SIGN_IN, Act.HOUSE_CHANGE, Act.RUN_REJECT, Act.EXCHANGE_IMPORT]
    for number in range(entries):
        with database.session(writes=True) as session:
            if number % 3 == 0:
                fields = {"name": f"Ori\u0121in {number}", "latitude": 0.5, "longitude": 1e-7}
                settlements.add_origin(session, fields, OPERATOR)
            else:
                reason = "The roof\nleaks." if number % 5 == 0 else None
                audit.record(session, OPERATOR, acts[number % 4], reason=reason, details={"number": number})


@contextmanager
def without_triggers(session: Session) -> Iterator[None]:
    """Drop the triggers of the trail, and put them back at the end."""
    connection = session.connection()
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit%'"
    triggers = connection.exec_driver_sql(query).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _, statement in triggers:
        connection.exec_driver_sql(statement)


def tampered(database: Database, kind: str, random: Random, kept: SignedHead) -> list[Fault]:
    """Make one change of a kind, return what the verification says of it, and undo the change."""
    with Session(database.engine.execution_options(hearth_writes=True)) as session:
        with without_triggers(session):
            KINDS[kind](Tampering(session.connection(), random, kept.sequence))
        faults = list(Verification(session, [Kept(kept, "the kept head")], [kept.public_key]).faults())
        session.rollback()
    return faults


@contextmanager
def trail(entries: int = ENTRIES) -> Iterator[tuple[Database, SignedHead]]:
    """Open a database with a trail in a file, and the head that was kept of it."""
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/hearth.db") as database:
        migration.upgrade(database)
        write_trail(database, entries)
        with database.session(writes=True) as session:
            head = heads.sign(session, Ed25519PrivateKey.generate())
        yield database, head


def main() -> int:
    """Make the changes, print a table, and return how many were not found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    made: Counter[str] = Counter()
    found: Counter[str] = Counter()
    names = list(KINDS)
    began = time.perf_counter()
    with trail() as (database, kept):
        with database.session(writes=False) as session:
            assert not list(Verification(session, [Kept(kept, "the kept head")]).faults())  # noqa: S101 - a baseline
        for number in track(range(arguments.changes), "Changing the trail"):
            kind = names[number % len(names)]
            made[kind] += 1
            found[kind] += bool(tampered(database, kind, Random(f"{arguments.seed} {number}"), kept))
    table = Table(f"Changes to a trail of {ENTRIES} entries", ["kind of change", "made", "found"])
    table.rows = [[kind, f"{made[kind]:,}", f"{found[kind]:,}"] for kind in names]
    table.rows.append(["all", f"{made.total():,}", f"{found.total():,}"])
    Console().print(table)
    print(f"{time.perf_counter() - began:.0f} s")
    return made.total() - found.total()


if __name__ == "__main__":
    raise SystemExit(min(main(), 1))
