"""Documents of applications: added as files, read as attachments and never in line."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile, status

from app import audit
from app.access.dependencies import DbSession, SignedInFirst, requires
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.documents import attachments, queries
from app.documents.attachments import ENDINGS, Limits
from app.documents.models import Document, DocumentKind
from app.documents.schemas import DocumentRead
from app.documents.store import Store
from app.errors import TooLarge, UnsupportedMediaType
from app.pagination import Page, Paging, page
from app.problems import ACT, READ, responses
from app.references import normalised
from app.registry.queries import visible_application
from app.settings import Settings

MOST_PARTS = 20
"""Parts of a form that are looked at; those that have no name of ours are passed over."""

router = APIRouter(
    tags=["documents"], route_class=SignedInFirst, form_limits={"max_files": MOST_PARTS, "max_fields": MOST_PARTS}
)
MayRead = Annotated[Principal, requires(Permission.DOCUMENT_READ)]
MayWrite = Annotated[Principal, requires(Permission.HOUSEHOLD_WRITE)]
BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def _multipart(request: Request) -> None:
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        raise UnsupportedMediaType("Send the file as multipart/form-data, in a field named file, and its kind beside.")


def _store(request: Request) -> Store:
    settings: Settings = request.app.state.settings
    return Store.under(settings.data_dir)


DocumentStore = Annotated[Store, Depends(_store)]


@router.post(
    "/applications/{reference}/documents",
    status_code=status.HTTP_201_CREATED,
    operation_id="add_document",
    summary="Add a document to an application",
    dependencies=[Depends(_multipart)],
    responses=ACT | responses(TooLarge, UnsupportedMediaType),
)
def add_document(
    reference: str,
    request: Request,
    session: DbSession,
    principal: MayWrite,
    store: DocumentStore,
    kind: Annotated[DocumentKind, Form(description="What it shows.")],
    file: Annotated[UploadFile, File(description="A PDF, or a picture (JPEG, PNG, HEIC).", examples=["%PDF-1.7"])],
) -> DocumentRead:
    """Its type is what its content says. The same file again gives the document that is there."""
    settings: Settings = request.app.state.settings
    application = visible_application(session, principal, normalised(reference))
    document = attachments.add(
        session,
        application,
        kind,
        file.file.read(),
        store=store,
        limits=Limits(settings.max_document_mb, settings.max_documents),
        actor=principal,
    )
    return DocumentRead.model_validate(document)


@router.get(
    "/applications/{reference}/documents",
    operation_id="list_documents",
    summary="List the documents of an application",
    responses=READ,
)
def list_documents(reference: str, session: DbSession, principal: MayRead, paging: Paging) -> Page[DocumentRead]:
    """What is recorded of each; not what is in it. With those of records that were merged into its household."""
    application = visible_application(session, principal, normalised(reference), Permission.DOCUMENT_READ)
    rows, following = page(session, queries.of_application(principal, application), Document, paging)
    found = {"application": application.reference, **audit.listed(rows, [application.household])}
    audit.record(session, principal, Act.DOCUMENT_LIST, details=found)
    return Page(items=[DocumentRead.model_validate(row) for row in rows], next=following)


@router.get(
    "/documents/{reference}",
    operation_id="read_document",
    summary="Read a document",
    response_class=Response,
    responses={**READ, 200: {"description": "Its bytes.", "content": dict.fromkeys(ENDINGS, BINARY)}},
)
def read_document(reference: str, session: DbSession, principal: MayRead, store: DocumentStore) -> Response:
    """As a file to save, never shown in line. Who read it is on record."""
    document = queries.document(session, principal, normalised(reference))
    name = f"{document.reference}.{ENDINGS[document.media_type]}"
    return Response(
        attachments.read(session, document, store, principal),
        media_type=document.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@router.delete(
    "/documents/{reference}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="remove_document",
    summary="Remove a document",
    responses=ACT,
)
def remove_document(reference: str, session: DbSession, principal: MayWrite, store: DocumentStore) -> Response:
    """For good, while nobody has verified the application by it."""
    document = queries.document(session, principal, normalised(reference), Permission.HOUSEHOLD_WRITE)
    attachments.remove(session, document, principal)
    attachments.unlink_after_commit(session, store)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
