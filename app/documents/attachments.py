"""Adding documents to an application, reading and removing them, and sweeping files that no document has."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import puremagic
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Principal
from app.audit import Act
from app.database import Database
from app.documents.models import Document, DocumentKind
from app.documents.store import Store, Stored
from app.errors import Conflict, FieldError, Invalid, TooLarge, UnsupportedMediaType
from app.registry.households import require
from app.registry.models import Application, ApplicationState, Household
from app.sealed import new_reference, table_of

ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png", "image/heif": "heic"}
"""Media type → ending of its name. Nothing that a browser would run, and nothing with macros."""
REMOVABLE = (ApplicationState.DRAFT, ApplicationState.SUBMITTED, ApplicationState.RETURNED)
"""Before somebody put their name to what the documents show."""
ORPHANED_AFTER_SECONDS = 3600.0
"""A file so old that no document has belongs to none that is just being added."""
GONE = "documents_gone"
SWEPT_AT_ONCE = 500


@dataclass(frozen=True)
class Limits:
    """How large a document may be, and how many an application may have."""

    megabytes: int
    documents: int


def add(
    session: Session,
    application: Application,
    kind: DocumentKind,
    content: bytes,
    *,
    store: Store,
    limits: Limits,
    actor: Principal,
) -> Document:
    """Add a document; the same bytes again give the one that is there.

    Its type is what its content says, whatever its name. Raises Forbidden; Invalid where it is empty, TooLarge,
    UnsupportedMediaType, and Conflict once the application is withdrawn or has as many as it may.
    """
    require(actor, application.household.origin)
    if not content:
        raise Invalid("The file is empty.", [FieldError("#/body/file", "Send a file that has something in it.")])
    if len(content) > limits.megabytes * 2**20:
        raise TooLarge(f"A document has at most {limits.megabytes} MB. Scan it with less detail.")
    media_type = _media_type(content)
    sha256 = hashlib.sha256(content).hexdigest()
    # One after the other, so that two at once do not pass the limit, or make the same document twice.
    state = session.scalar(
        select(Application.state).where(Application.id == application.id).with_for_update(of=Application)
    )
    there = session.scalar(select(Document).where(Document.application_id == application.id, Document.sha256 == sha256))
    if there is not None:
        return there
    if state is ApplicationState.WITHDRAWN:
        raise Conflict("The application is withdrawn and takes no documents any more.")
    count = session.scalar(select(func.count()).where(Document.application_id == application.id))
    if count is not None and count >= limits.documents:
        raise Conflict(f"The application has {count} documents, and may have no more. Remove one first.")
    reference = new_reference(table_of(Document))
    stored = store.write(content, reference)
    document = Document(
        reference=reference,
        application_id=application.id,
        kind=kind,
        media_type=media_type,
        size_bytes=len(content),
        sha256=sha256,
        stored_as=stored.name,
        added_by_id=actor.user_id,
    )
    document.secret = stored.secret
    session.add(document)
    audit.record(session, actor, Act.DOCUMENT_ADD, document)
    return document


def _media_type(content: bytes) -> str:
    try:
        found = puremagic.from_string(content, mime=True)
    except (puremagic.PureError, ValueError):
        found = ""
    if found not in ENDINGS:
        raise UnsupportedMediaType(
            "The content is no PDF and no picture (JPEG, PNG, HEIC), whatever the file is called. Scan or print it "
            "to one of these."
        )
    return found


def read(session: Session, document: Document, store: Store, actor: Principal) -> bytes:
    """Return the bytes of a document, and record that. Raises Unreadable where they are gone or altered."""
    content = store.read(Stored(document.stored_as, document.secret or ""), document.reference)
    audit.record(session, actor, Act.DOCUMENT_READ, document)
    return content


def remove(session: Session, document: Document, actor: Principal) -> None:
    """Remove a document that nobody has relied on yet. Raises Forbidden, and Conflict once the application is verified.

    The file goes once that is committed.
    """
    application = document.application
    require(actor, application.household.origin)
    state = session.scalar(
        select(Application.state).where(Application.id == application.id).with_for_update(of=Application)
    )
    if state not in REMOVABLE:
        raise Conflict(f"The application is {state}: its documents stay, for they are what it was checked by.")
    _delete(session, [document])
    audit.record(session, actor, Act.DOCUMENT_REMOVE, document)


def discard(session: Session, household: Household) -> list[str]:
    """Delete every document of a household that is being erased, and return their references. Records nothing."""
    found = session.scalars(
        select(Document)
        .join(Application, Application.id == Document.application_id)
        .where(Application.household_id == household.id)
    ).all()
    _delete(session, found)
    return [document.reference for document in found]


def _delete(session: Session, documents: Sequence[Document]) -> None:
    for document in documents:
        session.delete(document)
        session.info.setdefault(GONE, []).append(document.stored_as)


def unlink_after_commit(session: Session, store: Store) -> None:
    """Have the files deleted of the documents that `session` deletes, as soon as that is committed.

    Their keys go with their rows: a file that stays, because the process ends here, says nothing, and is swept.
    """
    event.listen(session, "after_commit", lambda done: store.delete(done.info.pop(GONE, ())), once=True)


def sweep(database: Database, store: Store) -> int:
    """Delete old files that no document has: what was left half done. Return how many."""
    count, found = 0, store.names_older_than(ORPHANED_AFTER_SECONDS)
    while names := set(islice(found, SWEPT_AT_ONCE)):
        with database.session(writes=False) as session:
            names -= set(session.scalars(select(Document.stored_as).where(Document.stored_as.in_(names))))
        store.delete(names)
        count += len(names)
    return count
