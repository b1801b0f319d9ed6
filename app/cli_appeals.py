"""hearth appeals …: lodged for families, decided by who took no part, and letters about them."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from app import audit, console, private_files
from app.access.permissions import OPERATOR
from app.allocation.corrections import Correction
from app.audit import Act
from app.cli_options import ActingAs
from app.database import utc_now
from app.errors import Invalid
from app.fields import Words
from app.letters import cases, letters, rendering
from app.opening import acting, opened
from app.policy.facts import Accommodation
from app.references import normalised
from app.registry.queries import visible_application
from app.settings import Settings
from app.tenancy import appeal_queries, appeals
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealGround, AppealState

appeal_commands = typer.Typer(help="Appeals of families.", no_args_is_help=True)
AppealReference = Annotated[str, typer.Argument(metavar="APPEAL", help="Public reference of the appeal.")]
_WORDS: TypeAdapter[str] = TypeAdapter(Words)


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


@appeal_commands.command("list")
def list_appeals(
    state: Annotated[AppealState, typer.Option(help="Those in this state.")] = AppealState.LODGED,
) -> None:
    """Print appeals by reference, and nothing of what they say."""
    with opened() as database, database.session(writes=True) as session:
        query = appeal_queries.appeals(OPERATOR).where(Appeal.state == state)
        rows = session.scalars(query.order_by(Appeal.id)).all()
        households = [row.household for row in rows]
        audit.record(session, OPERATOR, Act.APPEAL_LIST, details=audit.listed(rows, households))
    console.show_table(
        ("appeal", "against", "of", "lodged", "decide by", "calculated"),
        (
            (
                row.reference,
                row.against.value,
                row.subject,
                f"{row.lodged_at.astimezone(Settings().zone):%Y-%m-%d}",
                str(row.decide_by),
                row.what_if.state.value if row.what_if is not None else "",
            )
            for row in rows
        ),
    )


@appeal_commands.command("lodge")
def lodge_appeal(
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="Public reference of the application.")],
    statement: Annotated[Path, typer.Argument(metavar="FILE", help="What the family says; - reads standard input.")],
    against: Annotated[AppealAgainst, typer.Option(help="Against the last decision of this kind.")],
    ground: Annotated[AppealGround, typer.Option(help="Why.")],
    eligible: Annotated[bool | None, typer.Option("--eligible", help="It may take part.")] = None,
    size: Annotated[int | None, typer.Option(min=0, max=1_000, help="It needs a house of this size.")] = None,
    step_free: Annotated[bool | None, typer.Option(help="Whether it needs step-free access.")] = None,
    accommodation: Annotated[Accommodation | None, typer.Option(help="It lives like this.")] = None,
    tier: Annotated[int | None, typer.Option(min=1, max=20, help="Its tier is this.")] = None,
    points: Annotated[int | None, typer.Option(min=0, max=1_000_000, help="Its points are these.")] = None,
    username: ActingAs = None,
) -> None:
    """Lodge an appeal for a family. Where facts are said to be otherwise, a worker calculates the run with them."""
    correction = Correction(
        eligible=eligible,
        size=size,
        needs_step_free=step_free,
        accommodation=accommodation,
        tier=tier,
        points=points,
    )
    said = _words(statement)
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        made = appeals.lodge(
            session,
            visible_application(session, actor, normalised(application)),
            against=against,
            ground=ground,
            statement=said,
            correction=correction,
            zone=Settings().zone,
            actor=actor,
        )
        console.say(f"Lodged {made.reference}, to be decided by {made.decide_by}.")


@appeal_commands.command("decide")
def decide_appeal(
    reference: AppealReference,
    reason: Annotated[Path, typer.Argument(metavar="FILE", help="Why, for the family; - reads standard input.")],
    upheld: Annotated[bool, typer.Option("--uphold/--dismiss", help="Whether the family is right.")],
    first_in_line: Annotated[
        bool | None, typer.Option(help="Whether it comes before all others in the next run; else as calculated.")
    ] = None,
    username: ActingAs = None,
) -> None:
    """Decide on an appeal, by somebody who took no part. Upheld, what it is against is open again."""
    said = _words(reason)
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = appeal_queries.appeal(session, actor, normalised(reference))
        appeals.decide(session, found, upheld=upheld, reason=said, first_in_line=first_in_line, actor=actor)
        first = " It comes before all others in the next run." if found.gives_precedence else ""
        console.say(f"{found.reference} is {found.state.value}.{first}")


@appeal_commands.command("withdraw")
def withdraw_appeal(reference: AppealReference, username: ActingAs = None) -> None:
    """End an appeal at the family's wish."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        appeals.withdraw(session, appeal_queries.appeal(session, actor, normalised(reference)), actor)
    console.say("Withdrawn.")


def _words(file: Path) -> str:
    """What a family says, or is told: from a file, for what is typed in a command is seen by others on the machine."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return _WORDS.validate_python(text.strip())
    except ValueError as error:  # also of what is no UTF-8
        raise Invalid(f"{file} has no text, one beyond 4,000 characters, or control characters.") from error


@appeal_commands.command("letter")
def write_letter(
    reference: AppealReference,
    file: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="A new file to write it to.")],
    language: Annotated[str | None, typer.Option(help="BCP 47; left out, the family's.")] = None,
) -> None:
    """Write the letter about an appeal, for its owner alone to read: that it is there, or what became of it and why."""
    with opened() as database, database.session(writes=True) as session:
        appeal = appeal_queries.appeal(session, OPERATOR, normalised(reference))
        case = cases.case_of(session, OPERATOR, appeal.application.reference, Settings().zone)
        letter = letters.of_appeal(case.appeal(appeal.reference), case, language)
        audit.record(session, OPERATOR, Act.LETTER_READ, appeal)
    with private_files.created(file) as written:
        written.write(rendering.pdf(letter))
    console.say(f"Wrote {file}.")
