"""hearth documents …: attaching files to an application, and reading them."""

from pathlib import Path
from typing import Annotated

import typer

from app import audit, console, private_files
from app.access.permissions import OPERATOR, Permission
from app.audit import Act
from app.cli_options import ActingAs
from app.documents import attachments, queries
from app.documents.attachments import ENDINGS, Limits
from app.documents.models import Document, DocumentKind
from app.documents.store import Store
from app.opening import acting, opened
from app.references import normalised
from app.registry.queries import visible_application
from app.settings import Settings

document_commands = typer.Typer(help="Documents of applications.", no_args_is_help=True)
OfApplication = Annotated[str, typer.Argument(metavar="APPLICATION", help="Public reference of the application.")]
DocumentReference = Annotated[str, typer.Argument(metavar="DOCUMENT", help="Public reference of the document.")]


def _store() -> Store:
    return Store.under(Settings().data_dir)


@document_commands.command("attach")
def attach_document(
    application: OfApplication,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A PDF, or a picture (JPEG, PNG, HEIC).")],
    kind: Annotated[DocumentKind, typer.Option(help="What it shows.")],
    username: ActingAs = None,
) -> None:
    """Add a document. Its type is what its content says; the same file again is the document that is there."""
    settings, content = Settings(), file.read_bytes()
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        document = attachments.add(
            session,
            visible_application(session, actor, normalised(application)),
            kind,
            content,
            store=_store(),
            limits=Limits(settings.max_document_mb, settings.max_documents),
            actor=actor,
        )
        reference = document.reference
    console.say(f"Attached as {reference}.")


@document_commands.command("list")
def list_documents(application: OfApplication) -> None:
    """Print what is recorded of the documents of an application; not what is in them."""
    with opened() as database, database.session(writes=True) as session:
        found = visible_application(session, OPERATOR, normalised(application))
        rows = session.scalars(queries.of_application(OPERATOR, found).order_by(Document.id)).all()
        seen = {"application": found.reference, **audit.listed(rows, [found.household])}
        audit.record(session, OPERATOR, Act.DOCUMENT_LIST, details=seen)
    console.show_table(
        ("document", "kind", "type", "bytes", "added"),
        (
            (row.reference, row.kind.value, row.media_type, f"{row.size_bytes:,}", f"{row.added_at:%Y-%m-%d %H:%M} UTC")
            for row in rows
        ),
    )


@document_commands.command("save")
def save_document(
    reference: DocumentReference,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to; left out, under its reference, here.")
    ] = None,
    username: ActingAs = None,
) -> None:
    """Write a document to a file that is not there yet, for its owner alone to read. Who did is on record."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        actor.require_somewhere(Permission.DOCUMENT_READ)
        document = queries.document(session, actor, normalised(reference))
        content = attachments.read(session, document, _store(), actor)
        target = file or Path(f"{document.reference}.{ENDINGS[document.media_type]}")
    # Nothing leaves before it is on record.
    with private_files.created(target) as saved:
        saved.write(content)
    console.say(f"Saved {target}.")


@document_commands.command("remove")
def remove_document(reference: DocumentReference, username: ActingAs = None) -> None:
    """Remove a document for good, while nobody has verified the application by it."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        document = queries.document(session, actor, normalised(reference), Permission.HOUSEHOLD_WRITE)
        attachments.remove(session, document, actor)
        attachments.unlink_after_commit(session, _store())
    console.say("Removed.")
