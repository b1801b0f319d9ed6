"""The folder of encrypted documents: a file is there whole or not at all, and one that nobody knows is swept."""

import os
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app import private_files
from app.keys import KEY_BYTES, NONCE_BYTES, Unreadable

FOLDER = "documents"
UNFINISHED = ".part"


@dataclass(frozen=True)
class Stored:
    """Where the bytes of a document are, and the key that reads them."""

    name: str
    secret: str


@dataclass(frozen=True)
class Store:
    """Files under random names, each encrypted (AES-256-GCM) under a key of its own, which is kept elsewhere."""

    folder: Path

    @classmethod
    def under(cls, data_dir: Path) -> "Store":
        """Return the store in the data folder."""
        return cls(data_dir / FOLDER)

    def write(self, content: bytes, bound_to: str) -> Stored:
        """Write `content`, readable only with the same `bound_to`; it is on the disk when this returns."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name, key, nonce = secrets.token_hex(16), secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
        unfinished = self.folder / f"{name}{UNFINISHED}"
        with private_files.created(unfinished) as file:
            file.write(nonce + AESGCM(key).encrypt(nonce, content, bound_to.encode()))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self.folder / name)
        self._sync()
        return Stored(name, b64encode(key).decode())

    def read(self, stored: Stored, bound_to: str) -> bytes:
        """Return what was written. Raises Unreadable where the file is gone, was altered or belongs elsewhere."""
        try:
            raw = (self.folder / stored.name).read_bytes()
            key = AESGCM(b64decode(stored.secret))
            return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode())
        except FileNotFoundError:
            raise Unreadable(f"The file of {bound_to} is gone. Restore the folder of documents.") from None
        except (InvalidTag, ValueError):
            raise Unreadable(f"The file of {bound_to} was altered. Restore it from a backup.") from None

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; one that is gone already is no matter."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def names_older_than(self, seconds: float) -> Iterator[str]:
        """Yield the names of files that were last written so long ago, unfinished ones too."""
        before = time.time() - seconds
        if self.folder.is_dir():
            for entry in os.scandir(self.folder):
                with suppress(FileNotFoundError):  # finished, or swept by another worker, since the folder was read
                    if entry.is_file() and entry.stat().st_mtime < before:
                        yield entry.name

    def _sync(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
