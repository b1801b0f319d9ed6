"""hearth appeals …: which wait for a decision, and letters about them."""

from pathlib import Path
from typing import Annotated

import typer

from app import audit, console
from app.access.permissions import OPERATOR
from app.audit import Act
from app.database import utc_now
from app.letters import cases, letters, rendering
from app.opening import opened
from app.references import normalised
from app.settings import Settings
from app.tenancy import appeal_queries, appeals

appeal_commands = typer.Typer(help="Appeals of families.", no_args_is_help=True)


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


@appeal_commands.command("letter")
def write_letter(
    reference: Annotated[str, typer.Argument(metavar="APPEAL", help="Public reference of the appeal.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Where to write it.")],
    language: Annotated[str | None, typer.Option(help="BCP 47; left out, the family's.")] = None,
) -> None:
    """Write the letter about an appeal: that it is there, or what became of it and why."""
    with opened() as database, database.session(writes=True) as session:
        appeal = appeal_queries.appeal(session, OPERATOR, normalised(reference))
        case = cases.case_of(session, OPERATOR, appeal.application.reference, Settings().zone)
        letter = letters.of_appeal(case.appeal(appeal.reference), case, language)
        audit.record(session, OPERATOR, Act.LETTER_READ, appeal)
    file.write_bytes(rendering.pdf(letter))
    console.say(f"Wrote {file}.")
