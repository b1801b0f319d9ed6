"""The audit trail as it goes over the wire."""

import json
from typing import Any

from pydantic import Field

from app.audit.models import AuditEntry
from app.fields import Wire


class EntryRead(Wire):
    """An entry, with every field that its hash covers, as the hash covers it."""

    sequence: int = Field(description="1, 2, 3, … without a gap.", examples=[1912])
    recorded_at: str = Field(description="When, in UTC.", examples=["2026-11-23T08:15:00.123456Z"])
    actor: str = Field(description="User's reference, `operator` or `service`.", examples=["US-7K3M9QTX"])
    token: str | None = Field(description="Reference of the token that was used.", examples=["TK-7K3M9QTX"])
    act: str = Field(description="What was done.", examples=["application.submit"])
    subject_type: str | None = Field(description="Kind of thing that it was done to.", examples=["application"])
    subject: str | None = Field(description="Reference of that thing.", examples=["AP-7K3M9QTX"])
    reason: str | None = Field(description="Why, where the act has a reason.")
    request_id: str | None = Field(description="X-Request-ID of the request.")
    details: dict[str, Any] = Field(
        description="What changed, before and after, or what was seen. Personal data is told by digests.",
        examples=[{"changes": []}],
    )
    previous_hash: str = Field(description="Hash of the entry before.", pattern="^[0-9a-f]{64}$")
    hash: str = Field(description="SHA-256 of the canonical JSON of all the rest.", pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, entry: AuditEntry) -> "EntryRead":
        """Return `entry`."""
        names = [name for name in cls.model_fields if name not in ("sequence", "details")]
        fields = {name: getattr(entry, name) for name in names}
        return cls(sequence=entry.id, details=json.loads(entry.details), **fields)
