"""What several commands take: who acts, a day, how a family answered, and texts, checked as the API checks them."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from app.allocation.offer_models import GivenHow
from app.database import utc_now
from app.fields import Name, Sentence, ShortName
from app.settings import Settings

ActingAs = Annotated[
    str | None, typer.Option("--as", metavar="USER", help="Who does it: a user, with that user's rights.")
]
Day = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="On which day; today if left out."),
]
How = Annotated[GivenHow, typer.Option("--how", help="How the family said so.")]


def the_day(given: datetime | None) -> date:
    """Return the day that was given, or today where the programme is."""
    return given.date() if given is not None else utc_now().astimezone(Settings().zone).date()


def _text(kind: Any, what: str) -> Callable[[str], str]:
    """Return what reads a text for the record. It raises BadParameter for one that the API would refuse too."""
    field: TypeAdapter[str] = TypeAdapter(kind)

    def read(given: str) -> str:
        try:
            return field.validate_python(given)
        except ValidationError as error:
            raise typer.BadParameter(f"give {what}, without control characters.") from error

    return read


sentence = _text(Sentence, "a sentence of at most 500 characters")
name = _text(Name, "a name of at most 200 characters")
short_name = _text(ShortName, "a name of at most 120 characters")
