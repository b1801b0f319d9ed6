"""hearth policy …: drafting a policy, previewing it over the live register, and putting it in force."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from sqlalchemy import select

from app import console, interrupts
from app.allocation import policies, previews
from app.allocation.models import PolicyVersion
from app.allocation.preview_models import PolicyPreview
from app.cli_options import ActingAs
from app.database import Database
from app.errors import Conflict, FieldError, Invalid
from app.opening import acting, opened
from app.policy.parameters import Policy
from app.references import normalised
from app.settings import Settings
from app.worker import preview_one

LOOK_SECONDS = 0.3
IN_ORDER = ("households", "gains", "loses", "same", "eligible_before", "eligible_after", "need_more", "need_less")
HOUSED = ("housed_before", "housed_after", "gain_a_house", "lose_a_house")
"""What is counted of the households of a preview, and of those that would be housed."""

policy_commands = typer.Typer(help="The policy that decides, version by version.", no_args_is_help=True)
PolicyReference = Annotated[str, typer.Argument(metavar="POLICY", help="Public reference of the version.")]


@policy_commands.command("list")
def list_policies() -> None:
    """Print every version, in the order they were drafted."""
    with opened() as database, database.session(writes=False) as session:
        rows = session.scalars(select(PolicyVersion).order_by(PolicyVersion.id)).all()
    console.show_table(
        ("policy", "state", "drafted", "SHA-256", "name"),
        (
            (row.reference, row.state.value, f"{row.created_at:%Y-%m-%d %H:%M} UTC", row.sha256, row.name)
            for row in rows
        ),
    )


@policy_commands.command("show")
def show_policy(reference: PolicyReference) -> None:
    """Print a version as JSON: changed, it is what `hearth policy draft` takes."""
    with opened() as database, database.session(writes=False) as session:
        found = policies.get(session, normalised(reference))
        console.say(json.dumps(found.document, ensure_ascii=False, indent=2))


@policy_commands.command("draft")
def draft_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="The policy, whole.")],
    username: ActingAs = None,
) -> None:
    """Record a policy that is not in force yet. Somebody else puts it in force."""
    try:
        policy = Policy.model_validate_json(file.read_bytes())
    except ValidationError as error:
        wrong = [FieldError("/".join(("#", *map(str, each["loc"]))), each["msg"]) for each in error.errors()]
        raise Invalid(f"{file} is no policy.", wrong) from error
    with opened() as database, database.session(writes=True) as session:
        made = policies.draft(session, policy, acting(session, username))
        console.say(f"Drafted {made.reference}. See what it changes: hearth policy preview {made.reference}")


@policy_commands.command("put-in-force")
def put_in_force(reference: PolicyReference, username: ActingAs = None) -> None:
    """Put a draft in force, in place of the version before. By somebody else than who drafted it."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        policies.put_in_force(session, policies.get(session, normalised(reference)), actor)
    console.say("In force.")


@policy_commands.command("preview")
def preview_policy(
    reference: PolicyReference,
    solve: Annotated[
        bool, typer.Option("--solve", help="Solve under both policies too, and say who would be housed.")
    ] = False,
    time_limit: Annotated[int | None, typer.Option(help="Seconds under each.", min=1, max=86_400)] = None,
    username: ActingAs = None,
) -> None:
    """Compare a draft with the policy in force over the live register: who gains, and who loses, both ways."""
    settings = Settings()
    with opened() as database:
        with database.session(writes=True) as session:
            made = previews.request(
                session,
                policies.get(session, normalised(reference)),
                solve=solve,
                time_limit_seconds=time_limit or settings.solver_time_limit_seconds,
                actor=acting(session, username),
            ).reference
        try:
            _show(_followed(database, settings, made))
        except KeyboardInterrupt:
            console.fail(f"Stopped. A worker goes on with it; `hearth policy previewed {made}` shows what it finds.")
            raise


@policy_commands.command("previewed")
def show_preview(
    preview: Annotated[str, typer.Argument(metavar="PREVIEW", help="Public reference of the preview.")],
) -> None:
    """Print what a preview that was made before has found."""
    with opened() as database:
        _show(_read(database, normalised(preview)))


def _read(database: Database, reference: str) -> PolicyPreview:
    with database.session(writes=False) as session:
        return previews.get(session, reference)


def _followed(database: Database, settings: Settings, reference: str) -> PolicyPreview:
    """Solve it in this process, unless a worker does. Raises Conflict where it fails."""
    with interrupts.deferred() as interrupted:
        while (found := _read(database, reference)).state in previews.UNDER_WAY and not interrupted.is_set():
            if preview_one(database, settings, stopping=interrupted) is None:
                sleep(LOOK_SECONDS)
    if found.failure is not None:
        raise Conflict(f"{reference} is {found.state.value}. {found.failure}")
    return found


def _show(preview: PolicyPreview) -> None:
    assessed, solved = preview.summary["assessed"], preview.summary["solved"]
    console.say(
        f"{preview.reference} is {preview.state.value}: {preview.draft.reference} beside {preview.in_force.reference}, "
        f"which is in force.\n"
    )
    console.show_table(("order", *_headed(IN_ORDER)), _grouped(assessed, IN_ORDER))
    console.say("")
    console.show_table(
        ("tier now", "tier then", "households"),
        ((_tier(each["before"]), _tier(each["after"]), f"{each['households']:,}") for each in assessed["tiers"]),
    )
    if solved is not None:
        console.say("")
        console.show_table(("houses", *_headed(HOUSED)), _grouped(solved, HOUSED))
    elif preview.is_solved:
        console.say("\nWho would be housed is not solved yet.")


def _headed(names: Sequence[str]) -> list[str]:
    return [name.replace("_", " ") for name in names]


def _grouped(found: Mapping[str, Any], names: Sequence[str]) -> Iterator[list[str]]:
    """All first, then group by group."""
    for each in ({"group": "all", **found["all"]}, *found["groups"]):
        yield [each["group"], *(f"{each[name]:,}" for name in names)]


def _tier(tier: int | None) -> str:
    return "not eligible" if tier is None else f"{tier}"
