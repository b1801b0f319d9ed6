"""Reading appeals: of the families that a reader may see."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from app.access.permissions import Permission, Principal
from app.errors import NotFound
from app.housing.models import Origin
from app.registry.models import Household
from app.registry.queries import visible_to
from app.tenancy.appeal_models import Appeal


def appeals(principal: Principal) -> Select[Appeal]:
    """Select the appeals that `principal` may see, with what they name."""
    return (
        select(Appeal)
        .join(Appeal.household)
        .where(visible_to(principal, Permission.APPEAL_READ))
        .options(
            joinedload(Appeal.application),
            joinedload(Appeal.household).joinedload(Household.origin).joinedload(Origin.settlement),
            joinedload(Appeal.what_if),
            joinedload(Appeal.lodged_by),
            joinedload(Appeal.decided_by),
        )
    )


def appeal(session: Session, principal: Principal, reference: str) -> Appeal:
    """Return one appeal. Raises NotFound, also for one out of scope."""
    found = session.scalar(appeals(principal).where(Appeal.reference == reference))
    if found is None:
        raise NotFound("There is no such appeal that you may see.")
    return found
