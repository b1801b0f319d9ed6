"""hearth applications …: verifying what was submitted, and signing what the rules say of it, many at once."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from app import console
from app.access.permissions import Principal
from app.cli_options import ActingAs
from app.opening import acting, opened, origin_named, settlement_named
from app.references import normalised
from app.verification import bulk
from app.verification.bulk import Outcome, Selection

application_commands = typer.Typer(help="Verifying applications and deciding on them.", no_args_is_help=True)
References = Annotated[
    list[str] | None, typer.Argument(metavar="APPLICATION…", help="Public references; all that wait if left out.")
]
Settlement = Annotated[
    str | None, typer.Option(help="Only households from origins merged into this settlement (reference or key).")
]
Origin = Annotated[str | None, typer.Option(help="Only households from this origin (reference or key).")]
Act = Callable[[Session, Selection, Principal], Outcome]


class Verdict(StrEnum):
    """What can be signed."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"


@application_commands.command("verify")
def verify_applications(
    applications: References = None,
    username: ActingAs = None,
    settlement: Settlement = None,
    origin: Origin = None,
) -> None:
    """Verify what was submitted: by somebody else than who submitted or imported it. Exit 1 if nothing was."""
    count = _do(bulk.verify, applications, username, settlement, origin)
    console.say(f"Verified {count:,} applications.")


@application_commands.command("decide")
def decide_applications(
    applications: References = None,
    username: ActingAs = None,
    settlement: Settlement = None,
    origin: Origin = None,
    verdict: Annotated[
        Verdict, typer.Option(help="What is signed, where the rules say it. Others are left as they are.")
    ] = Verdict.ELIGIBLE,
) -> None:
    """Sign what the rules of the policy in force say of verified applications. Exit 1 if nothing was."""

    def decide(session: Session, chosen: Selection, actor: Principal) -> Outcome:
        return bulk.decide(session, chosen, eligible=verdict is Verdict.ELIGIBLE, actor=actor)

    count = _do(decide, applications, username, settlement, origin)
    console.say(f"Found {count:,} applications {verdict.value}.")


def _do(
    act: Act, references: list[str] | None, username: str | None, settlement: str | None, origin: str | None
) -> int:
    """Do it, transaction by transaction, and say what was refused; return with how many it was done."""
    if references and (settlement or origin):
        raise typer.BadParameter("name applications, or a settlement or an origin.")
    done, refused = 0, Counter[str]()
    with opened() as database:
        with database.session(writes=False) as session:
            chosen = Selection(
                references=tuple(map(normalised, references)) if references else None,
                settlement=settlement_named(session, settlement) if settlement else None,
                origin=origin_named(session, origin) if origin else None,
            )

        def in_one_transaction(chosen: Selection) -> Outcome:
            with database.session(writes=True) as session:
                return act(session, chosen, acting(session, username))

        for outcome in bulk.every(in_one_transaction, chosen):
            done += len(outcome.done)
            refused.update(each.reason for each in outcome.refused)
    for reason, count in refused.most_common():
        console.say(f"Refused {count:,}: {reason}")
    if not done and refused:
        raise SystemExit(1)
    return done
