"""Reading what is recorded of documents."""

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, joinedload

from app.access.permissions import Permission, Principal
from app.documents.models import Document
from app.errors import NotFound
from app.housing.models import Origin
from app.registry.models import Application, Household
from app.registry.queries import visible_to


def documents(principal: Principal, permission: Permission = Permission.DOCUMENT_READ) -> Select[Document]:
    """Select the documents of applications over which `principal` has `permission`, with application and household."""
    of_visible = exists().where(
        Application.id == Document.application_id,
        Household.id == Application.household_id,
        Household.erased_at.is_(None),
        visible_to(principal, permission),
    )
    household = joinedload(Document.application).joinedload(Application.household)
    return (
        select(Document).where(of_visible).options(household.joinedload(Household.origin).joinedload(Origin.settlement))
    )


def document(
    session: Session, principal: Principal, reference: str, permission: Permission = Permission.DOCUMENT_READ
) -> Document:
    """Return one document. Raises NotFound, also for one out of scope."""
    found = session.scalar(documents(principal, permission).where(Document.reference == reference))
    if found is None:
        raise NotFound("There is no such document that you may see.")
    return found
