"""The keyring: the keys that personal data is encrypted with, and the one that finds it again.

Keys live in a file apart from the database, so that neither alone says anything. What is encrypted is bound to its
place: moved to another row or column, it cannot be read.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app import private_files
from app.errors import Conflict, Unavailable
from app.settings import Settings

FORMAT = "hearth-keys/1"
KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D: 96 random bits
ID_LENGTH = 8


class Unreadable(Unavailable):
    """The keyring is missing, or cannot read what was encrypted."""


@dataclass(frozen=True)
class Key:
    """One key for encrypting, by its id."""

    id: str
    made_at: datetime
    cipher: AESGCM


@dataclass(frozen=True)
class _Contents:
    stamp: tuple[int, int]
    keys: dict[str, Key]
    index_key: bytes


class Keyring:
    """The keys in a file, which is read again whenever it has changed. The key made last is the current one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._contents = self._read()

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise Unreadable(f"The keyring {self.path} cannot be read: {error.strerror}. Put the file back.") from error
        return found.st_ino, found.st_mtime_ns

    def _read(self) -> _Contents:
        stamp = self._stamp()
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                raise ValueError(document["format"])
            keys = [
                Key(row["id"], datetime.fromisoformat(row["made_at"]), AESGCM(base64.b64decode(row["key"])))
                for row in document["keys"]
            ]
            index_key = base64.b64decode(document["index_key"])
        except OSError as error:
            raise Unreadable(f"The keyring {self.path} cannot be read: {error.strerror}.") from error
        except (KeyError, TypeError, ValueError):
            raise Unreadable(f"The file {self.path} is no keyring of Hearth. Restore it from its backup.") from None
        return _Contents(stamp, {key.id: key for key in keys}, index_key)

    def _now(self) -> _Contents:
        contents = self._contents
        if self._stamp() != contents.stamp:
            contents = self._contents = self._read()
        return contents

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every key, the oldest first."""
        return tuple(self._now().keys.values())

    @property
    def current(self) -> Key:
        """The key that encrypts from now on."""
        return self.keys[-1]

    def encrypt(self, text: str, bound_to: str) -> str:
        """Return `text` encrypted (AES-256-GCM) under the current key, readable only with the same `bound_to`."""
        key = self.current
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + key.cipher.encrypt(nonce, text.encode(), bound_to.encode())
        return f"{key.id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def decrypt(self, sealed: str, bound_to: str) -> str:
        """Return the text that was encrypted. Raises Unreadable when its key is gone, or it was altered or moved."""
        identifier, _, body = sealed.partition(".")
        key = self._contents.keys.get(identifier) or self._now().keys.get(identifier)
        if key is None:
            raise Unreadable(
                f"The key {identifier[:ID_LENGTH]!a} is not in the keyring {self.path}. Put back the file that has it."
            )
        try:
            raw = base64.b64decode(body, altchars=b"-_", validate=True)
            return key.cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unreadable(
                f"What is stored as {bound_to} was altered, or belongs elsewhere. Restore it from a backup."
            ) from None

    def index(self, text: str, column: str) -> str:
        """Return the blind index of `text` in `column`: a keyed hash (HMAC-SHA-256) that finds exactly equal texts."""
        return hmac.new(self._now().index_key, f"{column}\0{text}".encode(), hashlib.sha256).hexdigest()

    def add(self) -> Key:
        """Make a new current key. The file has it before anything is encrypted with it."""
        with self.path.with_name(f"{self.path.name}.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two that add at once both count; let go when the file is closed
            document = json.loads(self.path.read_text(encoding="utf-8"))
            document["keys"].append(_new_key())
            _write(self.path, document)
        return self.current


def key_of(sealed: str) -> str:
    """Return the id of the key that `sealed` was encrypted with."""
    return sealed[:ID_LENGTH]


def _new_key() -> dict[str, str]:
    return {
        "id": secrets.token_hex(ID_LENGTH // 2),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "key": _secret(),
    }


def _secret() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _write(path: Path, document: dict[str, Any]) -> None:
    """Replace the file whole, or not at all; only its owner may read it."""
    made = _beside(path, document)
    made.replace(path)
    _sync(path.parent)


def _beside(path: Path, document: dict[str, Any]) -> Path:
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with private_files.created(made) as file:
        file.write(json.dumps(document, indent=1).encode())
        file.flush()
        os.fsync(file.fileno())
    return made


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make(path: Path) -> Keyring:
    """Make a keyring with a first key. Raises Conflict when there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = _beside(path, {"format": FORMAT, "index_key": _secret(), "keys": [_new_key()]})
    try:
        os.link(made, path)  # fails where there is one, also when two make it at once
    except FileExistsError:
        raise Conflict(f"There is a keyring at {path}. `hearth keys rotate` adds a key to it.") from None
    finally:
        made.unlink()
    _sync(path.parent)
    return Keyring(path)


def opened(settings: Settings) -> Keyring:
    """Open the keyring that `settings` name.

    Beside the embedded database it is made where there is none. A server's database is shared, and so must its keyring
    be: there it is made once, with a new database or by hand.
    """
    path = settings.keyring
    if not path.exists():
        if settings.database_url or settings.keys_file:
            raise Unreadable(
                f"There is no keyring at {path}. Put it back from its backup; where nothing was encrypted yet, "
                "`hearth keys make` makes one."
            )
        with suppress(Conflict):  # somebody else was faster
            make(path)
    return Keyring(path)


_in_use: list[Keyring] = []


def keyring() -> Keyring:
    """Return the keyring of this process: the one that the settings name when it is first asked for."""
    if not _in_use:
        _in_use.append(opened(Settings()))
    return _in_use[0]
