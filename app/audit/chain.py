"""The hash chain: each entry's hash covers everything it says and the hash before it.

The hash is SHA-256 over the canonical JSON (RFC 8785) of the entry without its own hash, with `details` as the
document that its text is. docs/audit.md says it exactly enough for a verifier that is not ours.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

GENESIS = "0" * 64
"""The hash before the first entry."""


def canonical(document: Any) -> str:
    """Return the one text of a JSON document (RFC 8785)."""
    return rfc8785.dumps(document).decode()


def hash_of(content: Mapping[str, Any]) -> str:
    """Return the hash of an entry: `content` is everything of it but the hash, `details` as a document."""
    return hashlib.sha256(rfc8785.dumps(dict(content))).hexdigest()
