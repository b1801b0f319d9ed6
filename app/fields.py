"""The kinds of field that the API takes: strict, bounded, and safe for both databases."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

LARGEST_INTEGER = 2**31 - 1
# Control characters, of which PostgreSQL cannot store all, and the two that XML, and so a spreadsheet, cannot hold.
_BESIDE_LINES = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff"
CONTROL = rf"{_BESIDE_LINES}\t\n"


def _without(control: str) -> str:
    """Return the pattern of what has at least one character that is not white space, and none of `control`."""
    return rf"^[^{control}]*[^\s{control}][^{control}]*$"


TEXT_PATTERN = _without(CONTROL)


class Wire(BaseModel):
    """What goes over the wire: unknown fields are refused, and objects are read by attribute."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


def _written_date(value: Any) -> Any:
    if isinstance(value, str) and (len(value) != 10 or value.count("-") != 2 or not value.isascii()):
        raise ValueError("write a date as YYYY-MM-DD")
    if not isinstance(value, str | date):
        raise ValueError("write a date as text: YYYY-MM-DD")
    return value


def left_out() -> Any:
    """Stand for a field that a change does not mention: no default in the schema, and never dumped as set."""
    return None


# The pattern sees a text as it was sent; the white space at its ends goes afterwards.
Name = Annotated[str, StringConstraints(max_length=200, pattern=TEXT_PATTERN), AfterValidator(str.strip)]
ShortName = Annotated[str, StringConstraints(max_length=120, pattern=TEXT_PATTERN), AfterValidator(str.strip)]
Address = Annotated[str, StringConstraints(max_length=300, pattern=TEXT_PATTERN), AfterValidator(str.strip)]
Sentence = Annotated[str, StringConstraints(max_length=500, pattern=TEXT_PATTERN), AfterValidator(str.strip)]
# Of several lines.
Words = Annotated[str, StringConstraints(max_length=4_000, pattern=_without(_BESIDE_LINES)), AfterValidator(str.strip)]
Key = Annotated[str, StringConstraints(max_length=80, pattern=TEXT_PATTERN), AfterValidator(str.strip)]
IsoDate = Annotated[date, BeforeValidator(_written_date)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}-[0-9A-Za-z]{8}$")]
