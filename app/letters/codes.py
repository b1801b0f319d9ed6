"""The code on a letter: made of what stands on it and never changes, so that an office can check it years later."""

import json
import re
import secrets
from datetime import date

from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Principal
from app.audit import Act
from app.keys import keyring
from app.letters import cases
from app.references import ALPHABET, normalised, unconfused
from app.tenancy.appeal_models import AppealState

CHARACTERS = 12  # 60 bits
GROUP = 4


def code_of(application: str, written_on: date, about: str | None = None, state: str | None = None) -> str:
    """Return the code of a letter: keyed by the keyring, over its application, its day, what it is `about`, if that is
    an offer or an appeal, and the `state` of the appeal.

    Who holds the keyring makes it anew, and nobody else. What may be otherwise later is not in it: until when to
    answer, which is put off while a gate is closed, and the household, which another may be merged into.
    """
    told = json.dumps([application, written_on.isoformat(), about, state])
    keyed = int(keyring().index(told, "letters.verification"), 16)
    characters = "".join(ALPHABET[keyed >> (5 * number) & 31] for number in range(CHARACTERS))
    return "-".join(characters[first : first + GROUP] for first in range(0, CHARACTERS, GROUP))


def is_genuine(
    session: Session,
    principal: Principal,
    application: str,
    written_on: date,
    code: str,
    about: str | None,
    state: AppealState | None,
) -> bool:
    """Return whether a letter with this code was written to the family of an application, and record that it was asked.

    `code`, and the references, as somebody typed them. Without a `state`, whatever the letter says became of the
    appeal. Raises NotFound for an application that is not there or out of scope.
    """
    found = cases.application_of(session, principal, normalised(application))
    of = normalised(about) if about is not None else None
    typed = unconfused(re.sub(r"[\W_]", "", code)).encode()
    states = (state,) if state is not None else (None, *AppealState)
    codes = [code_of(found.reference, written_on, of, each).replace("-", "").encode() for each in states]
    genuine = any(secrets.compare_digest(each, typed) for each in codes)
    audit.record(session, principal, Act.LETTER_CHECK, found, details={"about": of, "genuine": genuine})
    return genuine
