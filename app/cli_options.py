"""What several commands take: who acts, a day, how a family answered, and a sentence, checked as the API checks it."""

from datetime import date, datetime
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from app.allocation.offer_models import GivenHow
from app.database import utc_now
from app.fields import Name, Sentence
from app.settings import Settings

_SENTENCE: TypeAdapter[str] = TypeAdapter(Sentence)
_NAME: TypeAdapter[str] = TypeAdapter(Name)

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


def sentence(given: str) -> str:
    """Return a sentence for the record. Raises BadParameter for one that the API would refuse too."""
    try:
        return _SENTENCE.validate_python(given)
    except ValidationError as error:
        raise typer.BadParameter("give a sentence of at most 500 characters, without control characters.") from error


def name(given: str) -> str:
    """Return somebody's name for the record. Raises BadParameter for one that the API would refuse too."""
    try:
        return _NAME.validate_python(given)
    except ValidationError as error:
        raise typer.BadParameter("give a name of at most 200 characters, without control characters.") from error
