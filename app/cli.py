"""hearth …: everything that an operator needs without the web. Exit codes: 0 done, 1 refused or failed, 2 usage."""

import os
import signal
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from alembic.util.exc import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import console, demo, health, keys, logs, migration
from app.access import identities, passwords, roles, tokens, users
from app.access.models import Role
from app.access.permissions import OPERATOR, HeldRole
from app.allocation import policies
from app.audit import heads
from app.cli_appeals import appeal_commands
from app.cli_applications import application_commands
from app.cli_audit import audit_commands
from app.cli_documents import document_commands
from app.cli_duplicates import duplicate_commands
from app.cli_keys import key_commands
from app.cli_letters import letter_commands
from app.cli_occupancy import occupancy_commands
from app.cli_offers import offer_commands
from app.cli_options import name, short_name
from app.cli_placements import placement_commands
from app.cli_policies import policy_commands
from app.cli_privacy import privacy_commands
from app.cli_runs import run_commands
from app.cli_swaps import swap_commands
from app.database import Database
from app.errors import HearthError, Invalid, NotFound, Unavailable
from app.exchange import exports, imports
from app.exchange.refusals import ImportRefused
from app.opening import opened, settlement_named, user_named
from app.policy.notation import parse_members
from app.policy.occupancy import STANDARDS, need
from app.settings import Settings
from app.worker import Worker

GRACE_SECONDS = 5
MOST_CONNECTIONS = 1000
"""Open at once; of more, each is told that the service is busy."""

cli = typer.Typer(
    help="Hearth: which displaced family gets which rebuilt house, and the proof.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
database_commands = typer.Typer(help="The database's schema.", no_args_is_help=True)
user_commands = typer.Typer(help="Who works with Hearth.", no_args_is_help=True)
cli.add_typer(database_commands, name="db")
cli.add_typer(user_commands, name="users")
cli.add_typer(application_commands, name="applications")
cli.add_typer(document_commands, name="documents")
cli.add_typer(policy_commands, name="policy")
cli.add_typer(run_commands, name="run")
cli.add_typer(offer_commands, name="offers")
cli.add_typer(occupancy_commands, name="occupancy")
cli.add_typer(swap_commands, name="swaps")
cli.add_typer(placement_commands, name="placement")
cli.add_typer(key_commands, name="keys")
cli.add_typer(audit_commands, name="audit")
cli.add_typer(duplicate_commands, name="duplicates")
cli.add_typer(privacy_commands)
cli.add_typer(letter_commands)
cli.add_typer(appeal_commands, name="appeals")


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
        console.fail("A setting is wrong.", *_wrong_settings(error))
        raise SystemExit(1) from None
    except (SQLAlchemyError, CommandError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        console.fail(f"The database at {Settings().url.split('@')[-1]} cannot be used: {reason}.")
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.fail(f"{where}{error.strerror or error}. Check the path and its permissions.")
        raise SystemExit(1) from None


def _wrong_settings(error: ValidationError) -> list[str]:
    wrong: dict[str, str] = {}
    for each in error.errors():  # of a setting of several kinds, what the first kind wants
        wrong.setdefault(f"HEARTH_{each['loc'][0]}".upper(), each["msg"])
    return [f"{name}: {message}" for name, message in wrong.items()]


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
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
        ws="none",
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
        if migration.is_new(database) and not settings.audit_signing_key.exists():
            heads.make_signing_key(settings.audit_signing_key)
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


RoleOption = Annotated[list[Role], typer.Option(help="A role; may be repeated.")]
DistrictOption = Annotated[
    str | None, typer.Option(parser=short_name, metavar="DISTRICT", help="Roles only in this district.")
]
SettlementOption = Annotated[str | None, typer.Option(help="Roles only in this settlement (reference or key).")]


def _held(session: Session, given: list[Role], district: str | None, settlement: str | None) -> list[HeldRole]:
    place = settlement_named(session, settlement).reference if settlement else None
    return [HeldRole(each, district, place) for each in given]


@user_commands.command("add")
def add_user(
    username: Annotated[str, typer.Argument(help="What the user signs in with.")],
    role: RoleOption,
    name: Annotated[
        str | None, typer.Option(parser=name, metavar="NAME", help="The user's name for others to read.")
    ] = None,
    district: DistrictOption = None,
    settlement: SettlementOption = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; - reads it from standard input. Asked for if left out.")
    ] = None,
) -> None:
    """Add a user."""
    try:
        if password_file is None:
            password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        elif str(password_file) == "-":
            password = sys.stdin.readline().rstrip("\n")
        else:
            password = password_file.read_text(encoding="utf-8").rstrip("\n")
    except UnicodeDecodeError as error:
        raise Invalid(f"{password_file} is no text in UTF-8.") from error
    passwords.require_acceptable(password, username)
    password_hash = passwords.hashed(password)
    with opened() as database, database.session(writes=True) as session:
        made = users.add(
            session,
            username=username,
            display_name=name or username,
            password_hash=password_hash,
            roles=_held(session, role, district, settlement),
            actor=OPERATOR,
        )
    console.say(f"Added {made.username} ({made.reference}).")


@user_commands.command("disable")
def disable_user(username: Annotated[str, typer.Argument(help="The user's name.")]) -> None:
    """End a user's access and every token at once."""
    with opened() as database, database.session(writes=True) as session:
        users.disable(session, user_named(session, username), OPERATOR)
    console.say(f"{username} cannot sign in any more.")


@user_commands.command("enable")
def enable_user(username: Annotated[str, typer.Argument(help="The user's name.")]) -> None:
    """Give a user's access back. Tokens that ended stay so."""
    with opened() as database, database.session(writes=True) as session:
        users.enable(session, user_named(session, username), OPERATOR)
    console.say(f"{username} can sign in again.")


@user_commands.command("roles")
def set_roles(
    username: Annotated[str, typer.Argument(help="The user's name.")],
    role: RoleOption,
    district: DistrictOption = None,
    settlement: SettlementOption = None,
) -> None:
    """Set a user's roles, in place of those before."""
    with opened() as database, database.session(writes=True) as session:
        held = _held(session, role, district, settlement)
        roles.change(session, user_named(session, username), held, OPERATOR)
    console.say(f"{username} is {', '.join(role)}.")


@user_commands.command("reset-password")
def reset_password(username: Annotated[str, typer.Argument(help="The user's name.")]) -> None:
    """Print a password for one sign-in, at which the user chooses another. It is shown only this once."""
    password = passwords.one_time()
    password_hash = passwords.hashed(password)
    with opened() as database, database.session(writes=True) as session:
        users.reset_password(session, user_named(session, username), password_hash, OPERATOR)
    console.say(password)


@user_commands.command("reset-second-factor")
def reset_second_factor(username: Annotated[str, typer.Argument(help="The user's name.")]) -> None:
    """Take away a second factor that its user has lost."""
    with opened() as database, database.session(writes=True) as session:
        users.reset_second_factor(session, user_named(session, username), OPERATOR)
    console.say(f"{username} signs in without a code, and can begin with another app.")


@user_commands.command("link")
def link_user(
    username: Annotated[str, typer.Argument(help="The user's name.")],
    subject: Annotated[str, typer.Argument(help="What the identity provider calls the user (the claim `sub`).")],
) -> None:
    """Let a user sign in with the identity provider, which gives the roles from then on."""
    issuer = Settings().oidc_issuer
    if not issuer:
        raise NotFound("No identity provider is set: HEARTH_OIDC_ISSUER names one.")
    with opened() as database, database.session(writes=True) as session:
        identities.link(session, user_named(session, username), issuer, subject, OPERATOR)
    console.say(f"{username} signs in with {issuer}.")


@user_commands.command("unlink")
def unlink_user(username: Annotated[str, typer.Argument(help="The user's name.")]) -> None:
    """End that a user signs in with the identity provider, and every session and token."""
    with opened() as database, database.session(writes=True) as session:
        identities.unlink(session, user_named(session, username), OPERATOR)
    console.say(f"{username} does not sign in with an identity provider any more.")


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
    with opened() as database:
        with database.session(writes=False, one_moment=True) as session:
            found = exports.write(session, actor=OPERATOR)
        with database.session(writes=True) as session:
            files = exports.issue(session, found, actor=OPERATOR)
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


@cli.command("demo")
def run_demo() -> None:
    """Load a fictional district if there is none, allocate it, print who got what, and serve."""
    settings = Settings()
    require_free_port(settings)
    with opened() as database:
        demo.prepare(database, settings)
    # Its visitors have no authenticator app at hand, and its district is invented.
    os.environ.setdefault("HEARTH_SECOND_FACTOR_ROLES", "")
    start_server(settings)


if __name__ == "__main__":
    main()
