"""Digests of personal data: under a key, so that nobody without it can try out what they stand for."""

from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from app.audit.chain import canonical
from app.keys import keyring


def plain(value: Any) -> Any:
    """Return a value of a column as JSON has it: moments and days in ISO 8601, enums by their value."""
    match value:
        case Enum():
            return value.value
        case datetime() | date():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return value.hex()
    return value


def digest(thing: str, reference: str | None, field: str, value: Any) -> str:
    """Return HMAC-SHA-256, under the keyring's index key, of "audit", a zero and [thing, reference, field, value].

    The list is canonical JSON. What the value belongs to is part of it: the same name of two people has two digests,
    and only that a person's name is again what it was can be told.
    """
    return f"hmac-sha256:{keyring().index(canonical([thing, reference, field, plain(value)]), 'audit')}"
