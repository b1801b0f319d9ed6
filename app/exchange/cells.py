"""What a cell may hold: one reader for each kind of column.

A reader takes the cell's text, stripped and not empty, and returns its value or raises CellError. Bounds are those
that the API sets on the same fields.
"""

import re
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Any

from app.database import latest_today, utc_now
from app.exchange.refusals import CellError

Reader = Callable[[str], Any]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, halves of characters, and what XML, and with it a spreadsheet, cannot hold."""
EARLIEST = date(1900, 1, 1)
LATEST = date(2200, 1, 1)
OLDEST_YEARS = 125
LARGEST_COUNT = 1_000_000
LONGEST_PHONE = 40
LARGEST_EXACT = 2**53
"""Whole numbers below this are floats without loss."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_PHONE = re.compile(r"\+?[0-9(][0-9 ()./-]*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def is_formula_like(cell: str) -> bool:
    """Whether a spreadsheet could run the cell as a formula."""
    return cell.startswith(FORMULA_STARTS)


def escaped(cell: str) -> str:
    """Return a cell that no spreadsheet runs: `unescaped` gives the text back."""
    return f"'{cell}" if is_formula_like(cell.lstrip("'")) else cell


def unescaped(cell: str) -> str:
    """Return the text that was `escaped`."""
    return cell[1:] if cell.startswith("'") and is_formula_like(cell.lstrip("'")) else cell


def text(longest: int, pattern: str | None = None, mend: str = "") -> Reader:
    """Read a text of at most `longest` characters, that matches `pattern`, or `mend` says how to put it right."""
    compiled = re.compile(pattern) if pattern else None

    def read(cell: str) -> str:
        if is_formula_like(cell):
            raise CellError(f"this starts with {cell[0]}, as a formula does; write it without, or put ' before it")
        value = unescaped(cell)
        if len(value) > longest:
            raise CellError(f"this is {len(value):,} characters long; shorten it to {longest}")
        if compiled and not compiled.fullmatch(value):
            raise CellError(mend)
        return value

    return read


key = text(80)
_short_text = text(LONGEST_PHONE)
milestone = text(
    80, r"[a-z][a-z0-9_]*", "write it in small letters and underscores: access_road, drinking_water, school"
)


def keys(cell: str) -> tuple[str, ...]:
    """Read references separated by semicolons."""
    found = tuple(key(part.strip()) for part in cell.split(";") if part.strip())
    if len(set(found)) < len(found):
        raise CellError("the same reference is here twice; leave it once")
    return found


def enum(kind: type[StrEnum]) -> Reader:
    """Read one value of `kind`."""
    members = {member.value: member for member in kind}

    def read(cell: str) -> StrEnum:
        if cell not in members:
            raise CellError(f"this is not one of {', '.join(members)}; write one of these")
        return members[cell]

    return read


def flag(cell: str) -> bool:
    """Read 0 or 1."""
    if cell not in ("0", "1"):
        raise CellError("write 1 for yes or 0 for no")
    return cell == "1"


def whole(low: int, high: int) -> Reader:
    """Read a whole number from `low` to `high`."""

    def read(cell: str) -> int:
        if not _WHOLE.fullmatch(cell):
            raise CellError("this is not a whole number; write digits alone")
        if not low <= int(cell) <= high:
            raise CellError(f"this is not from {low} to {high:,}; correct the number")
        return int(cell)

    return read


count = whole(0, LARGEST_COUNT)


def number(low: float, high: float, *, positive: bool = False) -> Reader:
    """Read a finite number from `low` to `high`; with `positive`, above zero."""

    def read(cell: str) -> float:
        if not _NUMBER.fullmatch(cell):
            raise CellError("this is not a number; write digits, with a dot before decimals")
        value = float(cell)
        if not low <= value <= high or (positive and value <= 0):
            bounds = f"above 0 and at most {high:,}" if positive else f"from {low:,} to {high:,}"
            raise CellError(f"this is not {bounds}; correct the number")
        return value

    return read


def day(cell: str) -> date:
    """Read an ISO 8601 date."""
    if not _DATE.fullmatch(cell):
        raise CellError("write a date as YYYY-MM-DD")
    try:
        value = date.fromisoformat(cell)
    except ValueError:
        raise CellError("there is no such day in the calendar; write a date as YYYY-MM-DD") from None
    if not EARLIEST <= value <= LATEST:
        raise CellError(f"this is not between {EARLIEST} and {LATEST}; correct the year")
    return value


def past_day(cell: str) -> date:
    """Read a date up to today, wherever on earth it was written."""
    value = day(cell)
    if value > latest_today():
        raise CellError("this lies in the future; write the day on which it happened, or leave it out until then")
    return value


def birth_date(cell: str) -> date:
    """Read a birth date of someone who may be alive."""
    value = past_day(cell)
    if value.year < utc_now().year - OLDEST_YEARS:
        raise CellError(f"this is more than {OLDEST_YEARS} years ago; correct the year")
    return value


def is_phone(cell: str) -> bool:
    """Whether the cell is a telephone number: digits, which may start with +."""
    return _PHONE.fullmatch(cell) is not None


def phone(cell: str) -> str:
    """Read a telephone number, or another text that is safe in a spreadsheet ("ask at the school")."""
    return cell if is_phone(cell) and len(cell) <= LONGEST_PHONE else str(_short_text(cell))


def language(cell: str) -> str:
    """Read a language tag (BCP 47)."""
    if len(cell) > 35 or not _LANGUAGE.fullmatch(cell):
        raise CellError("this is not a language tag (BCP 47); write one such as en, uk or az-Latn")
    return cell
