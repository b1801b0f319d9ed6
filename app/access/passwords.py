"""Passwords, kept as argon2id hashes."""

from functools import cache

from pwdlib import PasswordHash

SHORTEST, LONGEST = 12, 200
_hasher = PasswordHash.recommended()


@cache
def _nobody() -> str:
    """A hash that is verified when the user does not exist, so that the answer takes as long as when it does."""
    return _hasher.hash("nobody has this password")


def hashed(password: str) -> str:
    """Return the argon2id hash of `password`. Raises ValueError when it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters")
    return _hasher.hash(password)


def verified(password: str, password_hash: str | None) -> bool:
    """Whether `password` belongs to the hash; takes the same time when there is no hash."""
    matches = _hasher.verify(password, password_hash or _nobody())
    return matches and password_hash is not None
