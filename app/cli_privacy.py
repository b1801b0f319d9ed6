"""hearth retention …, erase, subject-access: what families may ask of those who hold their data."""

from pathlib import Path
from typing import Annotated

import typer

from app import console, private_files
from app.access.permissions import OPERATOR
from app.cli_options import sentence
from app.database import Database
from app.documents import attachments
from app.documents.store import Store
from app.errors import Conflict
from app.opening import opened
from app.privacy import erasure, retention, subject_access
from app.references import normalised
from app.settings import Settings

AT_ONCE = 100

privacy_commands = typer.Typer()
retention_commands = typer.Typer(help="Erasing what is held longer than its time.", no_args_is_help=True)
privacy_commands.add_typer(retention_commands, name="retention")
HouseholdReference = Annotated[str, typer.Argument(metavar="HOUSEHOLD", help="Public reference of the household.")]


@retention_commands.command("preview")
def preview_retention() -> None:
    """Print the households whose data is due to be erased."""
    settings = Settings()
    with opened() as database, database.session(writes=False) as session:
        due = retention.due(session, settings, OPERATOR)
    for each in due:
        console.say(f"{each.household}  {each.ended_on}  {each.how.value.replace('_', ' ')}")
    console.say(f"{len(due):,} households are due: their cases ended {settings.retention_days:,} days ago or more.")


@retention_commands.command("apply")
def apply_retention() -> None:
    """Erase them. What was decided stays, by reference."""
    settings = Settings()
    count, left = 0, 1
    with opened() as database:
        while left:
            with database.session(writes=True) as session:
                attachments.unlink_after_commit(session, Store.under(settings.data_dir))
                erased, left = retention.apply(session, settings, OPERATOR, AT_ONCE)
            count += len(erased)
        _scrub(database)
    console.say(f"Erased {count:,} households.")


@privacy_commands.command("erase")
def erase_household(
    household: HouseholdReference,
    reason: Annotated[
        str, typer.Option(parser=sentence, metavar="TEXT", help="Why, in words that name nobody: this is kept.")
    ],
) -> None:
    """Erase one household for good. What was decided stays, by reference."""
    with opened() as database:
        with database.session(writes=True) as session:
            attachments.unlink_after_commit(session, Store.under(Settings().data_dir))
            erased = erasure.erase(session, normalised(household), reason, OPERATOR)
        _scrub(database)
    console.say(f"Erased {erased.reference}.")


def _scrub(database: Database) -> None:
    if not database.scrub():
        console.say("The database is in use, so that deleted data may stay in its log for a while; it goes later.")


@privacy_commands.command("subject-access")
def give_subject_access(
    household: HouseholdReference,
    html: Annotated[Path | None, typer.Option(help="A new file for the page; left out, JSON is printed.")] = None,
) -> None:
    """Give everything that is held of a household, for the family itself."""
    if html is not None and html.exists():
        raise Conflict(f"{html} is there already. Name a new file.")
    with opened() as database, database.session(writes=True) as session:
        held = subject_access.give(session, normalised(household), OPERATOR)
    if html is None:
        typer.echo(held.model_dump_json(indent=1))
        return
    with private_files.created(html) as file:
        file.write(subject_access.page(held).encode())
    console.say(f"Wrote {html}.")
