"""hearth audit …: signing heads of the audit trail, and verifying it."""

from pathlib import Path
from typing import Annotated

import typer

from app import console, health
from app.audit import heads
from app.audit.heads import SignedHead
from app.audit.verification import Kept, Verification
from app.database import Database
from app.opening import opened
from app.settings import Settings

audit_commands = typer.Typer(help="The audit trail.", no_args_is_help=True)


@audit_commands.command("head")
def sign_head() -> None:
    """Sign the head of the trail as it stands, keep it and print it. Publish it, or give it to somebody to keep."""
    settings = Settings()
    with opened() as database, database.session(writes=True) as session:
        head = heads.sign(session, heads.signing_key(session, settings))
    console.say(heads.as_text(head))


@audit_commands.command("public-key")
def print_public_key() -> None:
    """Print the public key of the heads that are signed here."""
    with opened() as database, database.session(writes=False) as session:
        console.say(heads.public_key_of(heads.signing_key(session, Settings())))


@audit_commands.command("make-key")
def make_key() -> None:
    """Make the key that heads are signed with, where there is none, and print its public key."""
    console.say(heads.public_key_of(heads.make_signing_key(Settings().audit_signing_key)))


@audit_commands.command("verify")
def verify(
    head: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A head that was kept; several can be.")
    ] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="A public key that you trust; several can be.")
    ] = None,
) -> None:
    """Check every entry, and that the trail is the one that heads were signed of. Exit 1, naming entries, if not."""
    settings = Settings()
    kept = [_kept(path) for path in head or ()]
    trusted = set(public_key or ())
    found = 0
    with Database(settings.url) as database:
        health.require_ready(database)
        with database.session(writes=False) as session:
            if not trusted and settings.audit_signing_key.exists():
                trusted = {heads.public_key_of(heads.signing_key(session, settings))}
            checked = Verification(session, kept, trusted)
            for fault in checked.faults():
                found += 1
                where = "" if fault.sequence is None else f"entry {fault.sequence}: "
                console.fail(f"{where}{fault.sentence}")
    last = f", the last of {checked.last_recorded_at}" if checked.entries else ""
    if found:
        console.fail(f"The audit trail does not hold: {found:,} faults in {checked.entries:,} entries.")
        raise typer.Exit(1)
    keys = "" if trusted else " No key was there to check their signers by; name one with --public-key."
    console.say(
        f"The audit trail holds: {checked.entries:,} entries{last}; {checked.heads:,} heads agree, "
        f"{len(kept):,} of them kept elsewhere.{keys}"
    )


def _kept(path: Path) -> Kept:
    try:
        return Kept(SignedHead.read(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} holds no head: {error}.", param_hint="--head") from error
