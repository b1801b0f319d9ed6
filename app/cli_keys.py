"""hearth keys …: the keys that personal data is encrypted with."""

import typer

from app import audit, console, keys, rotation
from app.access.permissions import OPERATOR
from app.audit import Act
from app.opening import opened
from app.settings import Settings

key_commands = typer.Typer(help="The keys that personal data is encrypted with.", no_args_is_help=True)


@key_commands.command("make")
def make_keyring() -> None:
    """Make the keyring of a new installation. The embedded database makes its own."""
    made = keys.make(Settings().keyring)
    console.say(f"Made {made.path}. Back it up apart from the database: without it, nobody reads what it encrypts.")


@key_commands.command("list")
def list_keys() -> None:
    """Print every key, and how many texts are encrypted with it."""
    with opened() as database, database.session(writes=False) as session:
        console.show_keys(keys.keyring(), rotation.uses(session))


@key_commands.command("rotate")
def rotate_keys() -> None:
    """Make a new key and encrypt everything with it, while the service runs. Ends a rotation that was cut short."""
    with opened() as database:
        key, is_new, count = rotation.rotate(database, keys.keyring())
        with database.session(writes=True) as session:
            audit.record(session, OPERATOR, Act.KEYS_ROTATE, details={"key": key.id, "texts": count})
    began = "made" if is_new else "made before"
    console.say(f"{count:,} texts are encrypted anew, with the key {key.id}, {began}. The older keys stay for backups.")
