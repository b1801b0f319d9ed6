"""Verifying the trail: every number, every hash and every head, a few entries in memory at a time."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from app.audit.chain import GENESIS, canonical, hash_of
from app.audit.heads import SignedHead
from app.audit.models import AuditEntry, AuditHead
from app.database import engine_of

AT_ONCE = 500
TRIGGERS = {
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE tgenabled = 'A'",
        ("audit_entries_unchanged", "audit_entries_in_sequence", "audit_heads_unchanged"),
    ),
    "sqlite": (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        (
            "audit_entries_unchanged",
            "audit_entries_undeleted",
            "audit_entries_in_sequence",
            "audit_heads_unchanged",
            "audit_heads_undeleted",
            "audit_heads_unreplaced",
        ),
    ),
}


@dataclass(frozen=True)
class Fault:
    """What is wrong, in a sentence, and with which entry, if it is one."""

    sequence: int | None
    sentence: str


@dataclass(frozen=True)
class Kept:
    """A head, and where it was found."""

    head: SignedHead
    source: str


class Verification:
    """One pass over the trail of a database.

    `kept` are heads that were kept elsewhere; those in the database are checked too. Heads must be signed with one of
    `public_keys`, or, without any, with the key that they name. `entries` and `heads` count what was found good or
    bad so far; `last_recorded_at` is when the last entry was written.
    """

    def __init__(self, session: Session, kept: Sequence[Kept] = (), public_keys: Collection[str] = ()) -> None:
        self._session, self._kept, self._public_keys = session, kept, public_keys
        self._heads: dict[int, list[Kept]] = defaultdict(list)
        self._sequence, self._hash = 0, GENESIS
        self.entries, self.heads = 0, 0
        self.last_recorded_at: str | None = None

    def faults(self) -> Iterator[Fault]:
        """Yield everything that is wrong."""
        yield from self._missing_triggers()
        yield from self._read_heads()
        rows = self._session.execute(
            select(*AuditEntry.__table__.columns).order_by(AuditEntry.id).execution_options(yield_per=AT_ONCE)
        ).mappings()
        try:
            for row in rows:
                yield from self._check(dict(row))
        except (DatabaseError, UnicodeDecodeError):
            yield Fault(None, f"What follows entry {self._sequence} cannot be read: it is no text.")
            return
        for sequence, unmet in sorted(self._heads.items()):
            end = f", and the trail ends at entry {self._sequence}" if sequence > self._sequence else ""
            for each in unmet:
                yield Fault(sequence, f"It is missing: {each.source} names it{end}.")

    def _missing_triggers(self) -> Iterator[Fault]:
        query, wanted = TRIGGERS[engine_of(self._session).dialect.name]
        missing = set(wanted) - set(self._session.scalars(text(query)))
        if missing:
            yield Fault(None, f"The database does not protect the trail: no trigger {', '.join(sorted(missing))}.")

    def _read_heads(self) -> Iterator[Fault]:
        kept = list(self._kept)
        for row in self._session.scalars(select(AuditHead).order_by(AuditHead.id)):
            source = f"head {row.id} in the database"
            try:
                kept.append(Kept(SignedHead.of(row), source))
            except ValueError:
                yield Fault(None, f"{source.capitalize()} was changed: it is no head.")
        for each in kept:
            self.heads += 1
            if not each.head.is_genuine:
                yield Fault(each.head.sequence, f"The signature of {each.source} is wrong.")
            elif self._public_keys and each.head.public_key not in self._public_keys:
                yield Fault(each.head.sequence, f"{each.source} is signed with a key that you do not trust.")
            else:
                self._heads[each.head.sequence].append(each)

    def _check(self, row: dict[str, Any]) -> Iterator[Fault]:
        """Check one entry against the one before it, against its own hash and against the heads that name it."""
        sequence, expected = row["sequence"], self._sequence + 1
        if sequence > expected:
            named = f"Entry {expected} is" if sequence == expected + 1 else f"Entries {expected} to {sequence - 1} are"
            yield Fault(expected, f"{named} missing.")
        elif sequence < expected:
            yield Fault(sequence, "It comes before the first: entries are numbered from 1.")
        elif row["previous_hash"] != self._hash:
            yield Fault(sequence, "It does not follow the one before: its previous_hash is not the hash of that one.")
        if not _is_whole(row):
            yield Fault(sequence, "It was changed: its hash is not that of what it says.")
        for each in self._heads.pop(sequence, ()):
            if each.head.hash != row["hash"]:
                yield Fault(sequence, f"It is not the one that {each.source} names: the chain was made anew.")
        self.entries += 1
        self.last_recorded_at = row["recorded_at"]
        self._sequence, self._hash = sequence, row["hash"]


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether the hash is that of what the entry says, whose details have the one text that such a document has."""
    try:
        details = json.loads(row["details"])
        if not isinstance(details, dict) or canonical(details) != row["details"]:
            return False
        content = {name: value for name, value in row.items() if name != "hash"}
        found = hash_of({**content, "details": details})
    except (RecursionError, TypeError, ValueError):
        return False
    return bool(found == row["hash"])
