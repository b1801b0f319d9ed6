"""Looking at the trail."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.audit.chain import GENESIS, hash_of
from app.audit.models import AuditEntry
from app.database import Database


def entries(database: Database, after: int = 0) -> list[dict[str, Any]]:
    """Every entry beyond `after`, by column, with its details read."""
    with database.session(writes=False) as session:
        rows = session.execute(select(*AuditEntry.__table__.columns).where(AuditEntry.id > after)).mappings()
        return sorted(
            ({**row, "details": json.loads(row["details"])} for row in rows), key=lambda each: int(each["sequence"])
        )


def acts(database: Database, after: int = 0) -> list[str]:
    """The acts of those entries."""
    return [each["act"] for each in entries(database, after)]


def require_chained(found: Sequence[dict[str, Any]]) -> None:
    """Fail unless the entries, from the first, are numbered without a gap and each hash covers the one before."""
    previous = GENESIS
    for number, entry in enumerate(found, 1):
        content = {name: value for name, value in entry.items() if name != "hash"}
        assert (entry["sequence"], entry["previous_hash"]) == (number, previous)
        assert entry["hash"] == hash_of(content)
        previous = entry["hash"]
