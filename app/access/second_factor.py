"""The second factor: codes of an authenticator app (RFC 6238), each used once, and recovery codes for its loss."""

import hashlib
import re
import secrets
import time

import pyotp
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from app import audit
from app.access.models import RecoveryCode, Role, SecondFactor, User
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid
from app.references import ALPHABET

ISSUER = "Hearth"
STEP_SECONDS = 30
STEPS_ASIDE = 1
"""A code of the step before or after is taken too, for clocks that differ."""
RECOVERY_CODES, GROUPS, GROUP_LENGTH = 10, 6, 4
"""24 characters of 5 random bits: more than the 112 from which on ASVS 6.5.2 takes a plain hash."""


def required_roles(setting: str) -> frozenset[Role]:
    """Return the roles that HEARTH_SECOND_FACTOR_ROLES names. Raises Invalid."""
    names = [name.strip() for name in setting.split(",") if name.strip()]
    unknown = sorted(set(names) - set(Role))
    if unknown:
        known = ", ".join(Role)
        message = f"There is no role {', '.join(unknown)}; there are {known}."
        raise Invalid("A setting is wrong.", [FieldError("HEARTH_SECOND_FACTOR_ROLES", message)])
    return frozenset(Role(name) for name in names)


def of(session: Session, user_id: int | None) -> SecondFactor | None:
    """Return the user's second factor, confirmed or not."""
    return session.scalar(select(SecondFactor).where(SecondFactor.user_id == user_id))


def begin(session: Session, user: User, actor: Principal) -> tuple[str, str]:
    """Make a new secret for `user`, to be confirmed; returns it and its otpauth URI.

    Raises Conflict where a confirmed one is in use.
    """
    row = of(session, user.id)
    if row is not None and row.confirmed_at is not None:
        raise Conflict("You have a second factor. Remove it first, with one of its codes.")
    secret = pyotp.random_base32()
    if row is None:
        row = SecondFactor(user_id=user.id, secret=secret)
        session.add(row)
    else:
        row.secret = secret
    audit.record(session, actor, Act.SECOND_FACTOR_BEGIN, row)
    return secret, pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name=ISSUER)


def confirm(session: Session, user: User, code: str, actor: Principal) -> list[str]:
    """Put the secret that was begun in use; returns the recovery codes. Raises Conflict, Invalid for a wrong code."""
    row = of(session, user.id)
    if row is None or row.confirmed_at is not None:
        raise Conflict("There is no second factor to confirm. Begin one with POST /api/v1/me/second-factor.")
    if not _is_code_of(session, row, code):
        raise wrong_code()
    row.confirmed_at = utc_now()
    codes = _new_recovery_codes(session, user)
    audit.record(session, actor, Act.SECOND_FACTOR_CONFIRM, row)
    return codes


def is_in_use(session: Session, user: User) -> bool:
    """Whether `user` has to give a code at sign-in."""
    row = of(session, user.id)
    return row is not None and row.confirmed_at is not None


def use_code(session: Session, user: User, code: str) -> bool:
    """Whether `code` is of the user's app, or a recovery code; either is used up by it."""
    row = of(session, user.id)
    if row is None or row.confirmed_at is None:
        return False
    return _is_code_of(session, row, code) or _is_recovery_code(session, user, code)


def _is_code_of(session: Session, row: SecondFactor, code: str) -> bool:
    digits = code.replace(" ", "")
    if re.fullmatch(r"[0-9]{6}", digits) is None or row.secret is None:
        return False
    app, now = pyotp.TOTP(row.secret), int(time.time()) // STEP_SECONDS
    for step in range(now - STEPS_ASIDE, now + STEPS_ASIDE + 1):
        if secrets.compare_digest(app.generate_otp(step), digits):
            # Of two that send the same code at once, the second waits for this row and finds the step used.
            taken = update(SecondFactor).where(SecondFactor.id == row.id, SecondFactor.last_step < step)
            return _rows(session, taken.values(last_step=step)) == 1
    return False


def _is_recovery_code(session: Session, user: User, code: str) -> bool:
    used = update(RecoveryCode).where(
        RecoveryCode.user_id == user.id, RecoveryCode.code_sha256 == _sha256(code), RecoveryCode.used_at.is_(None)
    )
    return _rows(session, used.values(used_at=utc_now())) == 1


def _rows(session: Session, statement: object) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})  # type: ignore[call-overload]
    assert isinstance(result, CursorResult)  # noqa: S101 - what an UPDATE gives
    return result.rowcount


def _sha256(code: str) -> str:
    plain = re.sub(r"[^0-9A-Z]", "", code.upper()).translate(str.maketrans("ILO", "110"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _new_recovery_codes(session: Session, user: User) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]
    session.add_all(RecoveryCode(user_id=user.id, code_sha256=_sha256(code)) for code in codes)
    session.flush()
    return codes


def new_recovery_codes(session: Session, user: User, actor: Principal) -> list[str]:
    """Replace the recovery codes of `user`, who has just given a code; returns the new ones."""
    row = of(session, user.id)
    codes = _new_recovery_codes(session, user)
    audit.record(session, actor, Act.SECOND_FACTOR_NEW_RECOVERY_CODES, row)
    return codes


def remove(session: Session, user: User, actor: Principal) -> None:
    """Take the second factor of `user` away, who has just given a code."""
    row = of(session, user.id)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.delete(row)
    audit.record(session, actor, Act.SECOND_FACTOR_REMOVE, row)


def reset(session: Session, user: User, actor: Principal) -> None:
    """Take the second factor of a user away who has lost it. Raises Conflict where there is none."""
    actor.require(Permission.USER_WRITE)
    row = of(session, user.id)
    if row is None:
        raise Conflict(f"{user.username} has no second factor.")
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.delete(row)
    audit.record(session, actor, Act.USER_RESET_SECOND_FACTOR, user)


def wrong_code() -> Invalid:
    """Return the refusal of a code."""
    message = "This is no code of yours, or it was used before. Wait for the next one."
    return Invalid("Nothing was changed.", [FieldError("#/body/code", message)])
