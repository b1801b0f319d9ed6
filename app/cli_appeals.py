"""hearth appeals …: which wait for a decision."""

import typer

from app import console
from app.database import utc_now
from app.opening import opened
from app.settings import Settings
from app.tenancy import appeals

appeal_commands = typer.Typer(help="Appeals of families.", no_args_is_help=True)


@appeal_commands.callback()
def appeal() -> None:
    """Keep the name of the one command there is."""


@appeal_commands.command("overdue")
def list_overdue() -> None:
    """Print the appeals that should have been decided by now: by reference, and nothing of what they say."""
    today = utc_now().astimezone(Settings().zone).date()
    with opened() as database, database.session(writes=False) as session:
        late = appeals.overdue(session, today)
        for each in late:
            days = (today - each.decide_by).days
            console.say(f"{each.reference}  {each.against.value}  {each.subject}  {days} days late")
    console.say(f"{len(late):,} appeals are overdue.")
