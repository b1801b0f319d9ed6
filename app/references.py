"""Public references: short, unguessable, safe to read out over the telephone."""

import re
import secrets

from stdnum import luhn

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32: no I, L, O, U
RANDOM_CHARACTERS = 7  # 35 bits


def new_reference(prefix: str) -> str:
    """Return a fresh reference such as `HH-7K3M9QTX`: seven random characters and a check character.

    The check character is Luhn's, modulo 32, over Crockford's alphabet: it catches every single wrong character
    and nearly every swap of two neighbours.
    """
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
    return f"{prefix}-{body}{luhn.calc_check_digit(body, ALPHABET)}"


def normalised(reference: str) -> str:
    """Return `reference` as it was issued: upper case, with the letters people confuse put right.

    What can be no reference becomes an empty text, which names nothing.
    """
    if re.fullmatch(r"[A-Za-z]{2,3}-[0-9A-Za-z]{8}", reference) is None:
        return ""
    prefix, dash, body = reference.upper().partition("-")
    return prefix + dash + unconfused(body)


def unconfused(characters: str) -> str:
    """Return `characters` in upper case, and each letter that is no part of the alphabet as the digit it looks like."""
    return characters.upper().translate(str.maketrans("ILO", "110"))
