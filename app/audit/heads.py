"""Signed heads: what the trail looked like at a moment, for others to keep.

Whoever can write to the database and knows how entries are hashed can make the whole chain anew; they cannot make it
agree with a head that somebody else has kept, nor sign another one without the key.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import private_files
from app.audit.chain import canonical
from app.audit.models import AuditEntry, AuditHead
from app.audit.recording import moment
from app.database import utc_now
from app.errors import Conflict, Unavailable
from app.settings import Settings

FORMAT: Literal["hearth-audit-head/1"] = "hearth-audit-head/1"
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=88)]


class SignedHead(BaseModel):
    """A head as it is published."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["hearth-audit-head/1"] = Field(FORMAT, description="Always `hearth-audit-head/1`.")
    sequence: Annotated[int, Field(strict=True, ge=1)] = Field(description="Number of the last entry.", examples=[1912])
    hash: str = Field(description="Hash of that entry.", pattern=r"^[0-9a-f]{64}$")
    signed_at: str = Field(description="When it was signed.", pattern=r"^[0-9T:.-]{26}Z$")
    public_key: Base64 = Field(description="The Ed25519 public key, in base64.")
    signature: Base64 = Field(description="Ed25519 signature, in base64, over the canonical JSON of all the rest.")

    @classmethod
    def of(cls, row: AuditHead) -> Self:
        """Return a head as it is kept in the database."""
        return cls.model_validate({name: getattr(row, name) for name in cls.model_fields if name != "format"})

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the head that a file holds. Raises ValueError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the document"
            raise ValueError(f"{where}: {first['msg']}") from None

    @property
    def is_genuine(self) -> bool:
        """Whether the signature is that of the key that the head names."""
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public_key))
            key.verify(base64.b64decode(self.signature), _signed(self.model_dump()))
        except (InvalidSignature, ValueError):
            return False
        return True


def _signed(head: Mapping[str, object]) -> bytes:
    return canonical({name: value for name, value in head.items() if name != "signature"}).encode()


def public_key_of(key: Ed25519PrivateKey) -> str:
    """Return the public key, as heads name it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def signing_key(session: Session, settings: Settings) -> Ed25519PrivateKey:
    """Return the key that heads are signed with; beside an embedded database without heads it is made if there is none.

    Raises Unavailable where there is none, or the file holds none.
    """
    path = settings.audit_signing_key
    if not path.exists():
        if newest(session) is not None:  # made by itself, another would have every earlier head distrusted
            raise Unavailable(
                f"There is no key at {path}, and this trail has heads that were signed. Put the file back from its "
                "backup. Where it is lost for good, `hearth audit make-key` makes another: name both public keys to "
                "`hearth audit verify` from then on."
            )
        if settings.database_url or settings.audit_signing_key_file:
            raise Unavailable(f"There is no key at {path} to sign heads with. `hearth audit make-key` makes one.")
        with suppress(Conflict):  # somebody else was faster
            make_signing_key(path)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError, ValueError) as error:
        raise Unavailable(f"The key at {path} cannot be read. Put the file back from its backup.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Unavailable(f"The key at {path} is no Ed25519 key. Heads are signed with one.")
    return key


def make_signing_key(path: Path) -> Ed25519PrivateKey:
    """Make a key in a file that only its owner reads. Raises Conflict where there is a file."""
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with private_files.created(made) as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(made, path)  # fails where there is one, also when two make it at once
    except FileExistsError:
        raise Conflict(f"There is a key at {path}. Heads that it has signed need it: keep it.") from None
    finally:
        made.unlink()
    return key


def sign(session: Session, key: Ed25519PrivateKey) -> SignedHead:
    """Sign the head of the chain as it stands, and keep it. Raises Conflict where there is no entry yet."""
    newest = session.execute(
        select(AuditEntry.id, AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    ).one_or_none()
    if newest is None:
        raise Conflict("The audit trail has no entry yet.")
    head = {
        "format": FORMAT,
        "sequence": newest.id,
        "hash": newest.hash,
        "signed_at": moment(utc_now()),
        "public_key": public_key_of(key),
    }
    signed = SignedHead.model_validate({**head, "signature": base64.b64encode(key.sign(_signed(head))).decode()})
    session.add(AuditHead(**signed.model_dump(exclude={"format"})))
    session.flush()
    return signed


def newest(session: Session) -> AuditHead | None:
    """Return the head that was signed last."""
    return session.scalar(select(AuditHead).order_by(AuditHead.id.desc()).limit(1))


def is_due(session: Session, every: timedelta) -> bool:
    """Whether there are entries that no head covers, and the last head is as old as that."""
    last = newest(session)
    sequence = session.scalar(select(AuditEntry.id).order_by(AuditEntry.id.desc()).limit(1))
    if sequence is None or (last is not None and last.sequence == sequence):
        return False
    return last is None or datetime.fromisoformat(last.signed_at) <= datetime.now(UTC) - every


def as_text(head: SignedHead) -> str:
    """Return a head as it is printed and published."""
    return json.dumps(head.model_dump(), indent=1)
