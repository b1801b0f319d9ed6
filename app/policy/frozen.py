"""The kinds of value that policy parameters are made of: immutable, bounded, never coerced."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from app.fields import CONTROL

Age = Annotated[int, Field(strict=True, ge=0, le=130)]
Amount = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000)]
Label = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=200, pattern=rf"^[^\s{CONTROL}](?:[^{CONTROL}]*[^\s{CONTROL}])?$"),
]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Switch = StrictBool
Tier = Annotated[int, Field(strict=True, ge=1, le=20)]


class Frozen(BaseModel):
    """Parameters that cannot change and take no unknown field.

    Strictness is in the scalar types above and not in the model, so that arrays and enumerations read the
    same from JSON text and from JSON already parsed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
