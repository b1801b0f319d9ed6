"""hearth …: everything that an operator needs without the web. Exit codes: 0 done, 1 refused or failed, 2 usage."""

import signal
import socket
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from alembic.util.exc import CommandError
from pydantic import ValidationError
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import console, demo, health, keys, logs, migration
from app.access import tokens, users
from app.access.models import Role
from app.access.permissions import OPERATOR, HeldRole
from app.allocation import policies, proof, queries, runs
from app.allocation.models import Run
from app.allocation.report import run_report
from app.cli_keys import key_commands
from app.database import Database
from app.errors import Conflict, FieldError, HearthError, Invalid, NotFound, Unavailable
from app.exchange import exports, imports
from app.exchange.refusals import ImportRefused
from app.housing.models import Settlement
from app.opening import opened
from app.policy.notation import parse_members
from app.policy.occupancy import STANDARDS, need
from app.references import normalised
from app.settings import Settings
from app.worker import Worker

GRACE_SECONDS = 5

cli = typer.Typer(
    help="Hearth: which displaced family gets which rebuilt house, and the proof.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
database_commands = typer.Typer(help="The database's schema.", no_args_is_help=True)
user_commands = typer.Typer(help="Who works with Hearth.", no_args_is_help=True)
run_commands = typer.Typer(help="Allocation runs. Without a command: request one.", invoke_without_command=True)
cli.add_typer(database_commands, name="db")
cli.add_typer(user_commands, name="users")
cli.add_typer(run_commands, name="run")
cli.add_typer(key_commands, name="keys")

RunReference = Annotated[str, typer.Argument(metavar="RUN", help="Public reference of the run.")]


def main() -> None:
    """Run the command line; what is refused or fails becomes one sentence on standard error."""
    try:
        cli()
    except ImportRefused as refused:
        console.show_refused(refused)
        raise SystemExit(1) from None
    except HearthError as error:
        console.fail(error.detail, *(f"{each.pointer}: {each.message}" for each in error.errors))
        raise SystemExit(1) from None
    except ValidationError as error:
        console.fail("A setting is wrong.", *(_setting_error(each["loc"], each["msg"]) for each in error.errors()))
        raise SystemExit(1) from None
    except (SQLAlchemyError, CommandError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        console.fail(f"The database at {Settings().url.split('@')[-1]} cannot be used: {reason}.")
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.fail(f"{where}{error.strerror or error}. Check the path and its permissions.")
        raise SystemExit(1) from None


def _setting_error(location: Sequence[str | int], message: str) -> str:
    return f"HEARTH_{'_'.join(str(part) for part in location).upper()}: {message}"


@cli.command()
def serve() -> None:
    """Serve the API, and work the queue too unless HEARTH_WORKER=separate."""
    with opened():
        start_server(Settings())


def require_free_port(settings: Settings) -> None:
    """Raise Unavailable when the service could not listen where the settings say."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Stop what uses it, or set HEARTH_PORT to another port."
            ) from error


def start_server(settings: Settings) -> None:
    """Serve until a signal ends it."""
    require_free_port(settings)
    uvicorn.run(
        "app.main:create_app",  # by name: no other command pays for loading the web framework
        factory=True,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@cli.command()
def worker() -> None:
    """Work the queue alone, beside a service that has HEARTH_WORKER=separate."""
    settings = Settings()
    with opened() as database:
        logs.configure(settings.log_level)
        working = Worker(database, settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: working.ask_to_stop())
        working.run()


@database_commands.command()
def upgrade() -> None:
    """Bring the schema to this version, and put the default policy in force if there is none."""
    settings = Settings()
    with Database(settings.url) as database:
        if migration.is_new(database) and not settings.keyring.exists():
            keys.make(settings.keyring)  # nothing can be encrypted under another yet
        migration.upgrade(database)
        with database.session(writes=True) as session:
            policies.ensure_default(session)
    console.say("The database stands at this version.")


@database_commands.command()
def check() -> None:
    """Say whether the schema is at this version; exit 1 if not."""
    with Database(Settings().url) as database:
        health.require_ready(database)
    console.say("The database stands at this version.")


@user_commands.command("add")
def add_user(
    username: Annotated[str, typer.Argument(help="What the user signs in with.")],
    role: Annotated[list[Role], typer.Option(help="A role; may be repeated.")],
    name: Annotated[str, typer.Option(help="The user's name for others to read.")] = "",
    district: Annotated[str | None, typer.Option(help="Roles only in this district.")] = None,
    settlement: Annotated[str | None, typer.Option(help="Roles only in this settlement (reference or key).")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; - reads it from standard input. Asked for if left out.")
    ] = None,
) -> None:
    """Add a user."""
    if password_file is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    elif str(password_file) == "-":
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = password_file.read_text(encoding="utf-8").rstrip("\n")
    with opened() as database, database.session(writes=True) as session:
        place = _settlement(session, settlement).reference if settlement else None
        made = users.add(
            session,
            username=username,
            display_name=name or username,
            password=password,
            roles=[HeldRole(each, district, place) for each in role],
            actor=OPERATOR,
        )
    console.say(f"Added {made.username} ({made.reference}).")


@user_commands.command("disable")
def disable_user(username: Annotated[str, typer.Argument(help="The user's name.")]) -> None:
    """End a user's access and every token at once."""
    with opened() as database, database.session(writes=True) as session:
        found = tokens.user_named(session, username)
        if found is None:
            raise NotFound(f"There is no user {username}.")
        users.disable(session, found, OPERATOR)
    console.say(f"{username} cannot sign in any more.")


@user_commands.command("token")
def issue_token(
    username: Annotated[str, typer.Argument(help="The user's name.")],
    days: Annotated[int, typer.Option(help="How long it lives.", min=1, max=366)] = 1,
) -> None:
    """Print an API token for a user. It is shown only this once."""
    with opened() as database, database.session(writes=True) as session:
        found = tokens.user_named(session, username)
        if found is None or found.disabled_at is not None:
            raise NotFound(f"There is no user {username} who can sign in.")
        token = tokens.issue(session, found, timedelta(days=days))[1]
    console.say(token)


def _settlement(session: Session, name: str) -> Settlement:
    found = session.scalar(
        select(Settlement).where(or_(Settlement.reference == normalised(name), Settlement.key == name))
    )
    if found is None:
        raise NotFound(f"There is no settlement {name}. Give its public reference or its key.")
    return found


@cli.command("import")
def import_files(
    source: Annotated[Path, typer.Argument(help="A folder, a zip, a spreadsheet (xlsx) or one file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and write nothing.")] = False,
) -> None:
    """Import settlements, houses, households and the rest. Everything is checked first; then all of it is written."""
    with opened() as database, database.session(writes=True) as session:
        report = imports.run(session, source, actor=OPERATOR, dry_run=dry_run)
    console.show_import(report)  # once it is committed, and not before


@cli.command("export")
def export_files(
    target: Annotated[Path, typer.Argument(help="A new or empty folder, or a name that ends in .zip or .xlsx.")],
) -> None:
    """Export what import takes. Importing it again changes nothing."""
    with opened() as database, database.session(writes=False) as session:
        files = exports.issue(session, actor=OPERATOR)
    exports.save(files, target)
    console.say(f"Wrote {target}.")


@cli.command("need")
def print_need(
    standard: Annotated[str, typer.Argument(help=f"One of {', '.join(STANDARDS)}.")],
    members: Annotated[list[str], typer.Argument(help="Age and sex, such as 40M 38F 3U; * marks a couple.")],
) -> None:
    """Print how large a home a household needs, and why."""
    if standard not in STANDARDS:
        raise typer.BadParameter(f"there is no standard {standard}; there are {', '.join(STANDARDS)}.")
    try:
        found = need(STANDARDS[standard], parse_members(members))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.show_need(found)


@run_commands.callback()
def request_run(
    context: typer.Context,
    settlement: Annotated[
        list[str] | None, typer.Option(help="Settlement to allocate (reference or key); every ready one if left out.")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="Public seed of the lottery and the draw.")] = None,
    seed_source: Annotated[str | None, typer.Option(help="Where anyone can look the seed up.")] = None,
    time_limit: Annotated[int | None, typer.Option(help="Seconds to search.", min=1, max=86_400)] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Solve it, show progress, and end with the proof.")] = False,
) -> None:
    """Request a run: freeze the register and the stock, and queue the solution."""
    if context.invoked_subcommand is not None:
        return
    if (seed is None) != (seed_source is None):
        raise typer.BadParameter("a seed comes with --seed-source, and a source with --seed.")
    settings = Settings()
    with opened() as database:
        with database.session(writes=True) as session:
            run = runs.request(
                session,
                settlements=[_settlement(session, name).reference for name in settlement] if settlement else None,
                seed=runs.Seed(seed, seed_source) if seed is not None and seed_source is not None else None,
                time_limit_seconds=time_limit or settings.solver_time_limit_seconds,
                actor=OPERATOR,
            )
        console.say(f"Requested {run.reference}; snapshot SHA-256 {run.snapshot_sha256}.")
        if wait:
            _follow(database, settings, run.reference)


def _follow(database: Database, settings: Settings, reference: str) -> None:
    try:
        console.follow(database, settings, reference)
    except KeyboardInterrupt:
        console.fail(f"Stopped. `hearth run follow {reference}` goes on, `hearth run cancel {reference}` ends the run.")
        raise
    _print_run(database, reference)


@run_commands.command("follow")
def follow_run(reference: RunReference) -> None:
    """Solve a run, or watch whoever does, with its progress, and end with the proof."""
    with opened() as database:
        _follow(database, Settings(), normalised(reference))


def _print_run(database: Database, reference: str) -> None:
    with database.session(writes=False) as session:
        console.show_run(session, queries.run(session, OPERATOR, normalised(reference)))


@run_commands.command("show")
def show_run(reference: RunReference) -> None:
    """Print who got what, and the proof."""
    with opened() as database:
        _print_run(database, reference)


@run_commands.command("list")
def list_runs() -> None:
    """Print every run, the newest first."""
    with opened() as database, database.session(writes=False) as session:
        console.show_runs(session.scalars(queries.runs(OPERATOR).order_by(Run.id.desc())).unique().all())


@run_commands.command("verify")
def verify_run(reference: RunReference) -> None:
    """Check a run again from its documents: hashes, lottery, solution, certificate and draw. Exit 1 if any is wrong."""
    with opened() as database, database.session(writes=False) as session:
        run = queries.run(session, OPERATOR, normalised(reference))
        if run.solution is None:
            raise Conflict(f"The run is {run.state.value} and has no solution to verify.")
        faults = proof.verify(session, run)
        if faults:
            raise Invalid(f"{run.reference} does not hold.", [FieldError(run.reference, fault) for fault in faults])
        console.say(f"{run.reference} holds: {run_report(session, run).proof}")


@run_commands.command("replay")
def replay_run(reference: RunReference) -> None:
    """Solve a run's problem anew and compare every byte of the solution. Exit 1 if any differs."""
    with opened() as database:
        with database.session(writes=False) as session:
            run = queries.run(session, OPERATOR, normalised(reference))
        faults = proof.replay(run, threads=Settings().solver_threads, beat=lambda _progress: None)
    if faults:
        raise Conflict(f"{run.reference} came out otherwise. {' '.join(faults)}")
    console.say(f"{run.reference} came out the same, byte for byte.")


@run_commands.command("approve")
def approve_run(reference: RunReference) -> None:
    """Approve what a run proposes: verify it, draw the addresses and reserve the houses."""
    with opened() as database:
        with database.session(writes=True) as session:
            runs.approve(session, queries.run(session, OPERATOR, normalised(reference)), OPERATOR)
        _print_run(database, reference)


@run_commands.command("reject")
def reject_run(reference: RunReference, reason: Annotated[str, typer.Option(help="What is wrong with it.")]) -> None:
    """Reject what a run proposes; its settlements are free for another run."""
    with opened() as database, database.session(writes=True) as session:
        runs.reject(session, queries.run(session, OPERATOR, normalised(reference)), reason, OPERATOR)
    console.say("Rejected.")


@run_commands.command("cancel")
def cancel_run(reference: RunReference) -> None:
    """End a run that is queued or being solved."""
    with opened() as database, database.session(writes=True) as session:
        runs.cancel(session, queries.run(session, OPERATOR, normalised(reference)), OPERATOR)
    console.say("Cancelled.")


@cli.command("demo")
def run_demo() -> None:
    """Load a fictional district if there is none, allocate it, print who got what, and serve."""
    settings = Settings()
    require_free_port(settings)
    with opened() as database:
        demo.prepare(database, settings)
    start_server(settings)


if __name__ == "__main__":
    main()
