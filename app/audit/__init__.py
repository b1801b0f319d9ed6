"""The audit trail: who did what, and who looked. `audit.record` is all that other features need to know of it."""

from app.audit.acts import Act
from app.audit.changes import described
from app.audit.digests import digest
from app.audit.recording import Actor, is_noted, listed, record

__all__ = ["Act", "Actor", "described", "digest", "is_noted", "listed", "record"]
