"""hearth duplicates …: who may be registered twice."""

from typing import Annotated

import typer

from app import audit, console
from app.access.permissions import OPERATOR
from app.audit import Act
from app.duplicates import candidates, sweep
from app.opening import opened
from app.registry.duplicate_models import CandidateState, DuplicateCandidate

duplicate_commands = typer.Typer(help="Households that may be registered twice.", no_args_is_help=True)


@duplicate_commands.command("list")
def list_duplicates(
    state: Annotated[CandidateState, typer.Option(help="What became of them.")] = CandidateState.OPEN,
) -> None:
    """Print the pairs of households in one state, the likeliest first. They are decided on by people, over the API."""
    query = candidates.with_references(candidates.visible(OPERATOR)).where(DuplicateCandidate.state == state)
    with opened() as database, database.session(writes=True) as session:
        rows = session.scalars(query.order_by(DuplicateCandidate.score.desc(), DuplicateCandidate.id)).all()
        about = [household for row in rows for household in (row.first, row.second)]
        audit.record(session, OPERATOR, Act.DUPLICATE_LIST, details=audit.listed(rows, about))
        for row in rows:
            console.say(f"{row.reference}  {row.first.reference}  {row.second.reference}  {row.score:5.1f}")
    console.say(f"{len(rows):,} pairs are {state.value.replace('_', ' ')}.")


@duplicate_commands.command("sweep")
def sweep_register(
    splink: Annotated[
        bool, typer.Option("--splink", help="With the statistical model too; the extra `sweep` has it.")
    ] = False,
) -> None:
    """Compare the whole register. What is found waits for a person; nothing is changed."""
    with opened() as database, database.session(writes=True) as session:
        found = sweep.sweep(session, OPERATOR, with_model=splink)
    by_model = f", {found.by_model:,} more by the model" if splink else ""
    console.say(f"{found.by_rules:,} pairs are new{by_model}: `hearth duplicates list` names them.")
