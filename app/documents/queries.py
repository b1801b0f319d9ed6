"""Reading what is recorded of documents."""

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session, joinedload

from app.access.permissions import Permission, Principal
from app.documents.models import Document
from app.errors import NotFound
from app.housing.models import Origin
from app.registry.models import Application, Household
from app.registry.queries import visible_to, with_merged


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


def of_application(principal: Principal, application: Application) -> Select[Document]:
    """Select the documents of an application, and those brought for records that were merged into its household.

    The applications of those records are seen no more, and what they showed is evidence of the same family.
    """
    of_merged = select(Application.id).where(
        Application.household_id.in_(with_merged(application.household_id)),
        Application.household_id != application.household_id,
    )
    ours = or_(Document.application_id == application.id, Document.application_id.in_(of_merged))
    return documents(principal).where(ours)


def document(
    session: Session, principal: Principal, reference: str, permission: Permission = Permission.DOCUMENT_READ
) -> Document:
    """Return one document. Raises NotFound, also for one out of scope."""
    found = session.scalar(documents(principal, permission).where(Document.reference == reference))
    if found is None:
        raise NotFound("There is no such document that you may see.")
    return found
