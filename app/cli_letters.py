"""hearth letters: the letters of a run on disk, for printing; hearth letters-check: whether one is genuine."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app import audit, console, private_files
from app.access.permissions import OPERATOR
from app.allocation import queries
from app.allocation.models import Proposal
from app.audit import Act
from app.database import Database
from app.errors import Conflict
from app.letters import cases, codes, letters, rendering
from app.opening import opened
from app.pagination import LARGEST, PageRequest, page
from app.references import normalised
from app.settings import Settings
from app.tenancy.appeal_models import AppealState

letter_commands = typer.Typer()


@letter_commands.command("letters")
def write_letters(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Public reference of a run that was decided.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them; it is made.")],
    language: Annotated[
        str | None, typer.Option(help="All in this language (BCP 47); left out, each in its family's.")
    ] = None,
) -> None:
    """Write a letter to every family of a run, a PDF each, for its owner alone to read.

    Their names tell nothing; what is in them does.
    """
    written, cursor = 0, None
    with opened() as database:
        while True:
            made, cursor = _some(database, normalised(run), cursor, language)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, letter in made:
                file = folder / name
                file.unlink(missing_ok=True)  # printed before, maybe; and then for others to read
                with private_files.created(file) as pdf:
                    pdf.write(rendering.pdf(letter))
            written += len(made)
            if cursor is None:
                break
    console.say(f"Wrote {written:,} letters to {folder}.")


@letter_commands.command("letters-check")
def check_letter(
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="Public reference on the letter.")],
    written_on: Annotated[
        datetime, typer.Argument(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The day on the letter.")
    ],
    code: Annotated[str, typer.Argument(metavar="CODE", help="Its verification code.")],
    about: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="The offer or appeal on it; left out where it names none.")
    ] = None,
    appeal_state: Annotated[
        AppealState | None, typer.Option(help="What it says became of the appeal; left out, anything.")
    ] = None,
) -> None:
    """Say whether a letter is genuine; exit 1 if not. What else it says is looked up under its references."""
    with opened() as database, database.session(writes=True) as session:
        genuine = codes.is_genuine(session, OPERATOR, application, written_on.date(), code, about, appeal_state)
    if not genuine:
        console.fail("No such letter was written: compare its references, its day and its code once more.")
        raise typer.Exit(1)
    console.say("The letter is genuine.")


def _some(
    database: Database, run: str, cursor: str | None, language: str | None
) -> tuple[list[tuple[str, letters.Letter]], str | None]:
    with database.session(writes=True) as session:
        query = queries.proposals(session, OPERATOR, run)
        rows, following = page(session, query, Proposal, PageRequest(cursor, LARGEST))
        found = cases.cases_of(session, [row.id for row in rows], Settings().zone)
        if rows and not found:
            raise Conflict(f"Nobody has decided on run {run} yet: there is nothing to write about.")
        seen = audit.listed(rows, (case.application.household for case in found))
        audit.record(session, OPERATOR, Act.LETTER_LIST, details={"run": run, **seen})
        return [(letters.file_name(case), letters.of_case(case, language)) for case in found], following
