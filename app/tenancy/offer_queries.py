"""Reading offers: seen by who answers for the house's settlement, and by who stands by the family."""

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.permissions import Permission, Principal
from app.allocation.offer_models import Offer
from app.errors import NotFound
from app.housing.models import House, Origin, Settlement
from app.housing.queries import within
from app.registry.models import Household
from app.registry.queries import visible_to


def offers(principal: Principal, permission: Permission = Permission.OFFER_READ) -> Select[Offer]:
    """Select the offers over which `principal` has `permission`, with what they name.

    Those of houses in its scope there, and those to families in it.
    """
    return (
        select(Offer)
        .join(Offer.household)
        .join(Offer.house)
        .join(House.settlement)
        .where(or_(within(principal.scope(permission)), visible_to(principal, permission)))
        .options(
            joinedload(Offer.run),
            joinedload(Offer.house).joinedload(House.settlement),
            joinedload(Offer.household).options(
                selectinload(Household.people), joinedload(Household.origin).joinedload(Origin.settlement)
            ),
        )
    )


def offer(session: Session, principal: Principal, permission: Permission, reference: str) -> Offer:
    """Return one offer over which `principal` has `permission`. Raises NotFound."""
    found = session.scalar(offers(principal, permission).where(Offer.reference == reference))
    if found is None:
        raise NotFound("There is no such offer that you may see.")
    return found


def in_settlement(query: Select[Offer], reference: str) -> Select[Offer]:
    """Select only those of houses in this settlement."""
    return query.where(Settlement.reference == reference)
