"""The things that payloads name by reference: origins, kin groups and the settlements wished for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.access.permissions import Permission, Principal
from app.housing.models import Settlement
from app.housing.queries import named_origin, named_settlement
from app.references import normalised
from app.registry.queries import named_kin_group


def named(session: Session, principal: Principal, fields: dict[str, Any], at: str = "#/body") -> dict[str, Any]:
    """Replace the references of origin and kin group, where `fields` has them, by the things they name.

    `at` is where the fields are in the body. Raises Forbidden, and Invalid, pointing at the field.
    """
    origin, kin_group = fields.get("origin"), fields.get("kin_group")
    if origin:
        principal.require_somewhere(Permission.HOUSEHOLD_WRITE)
        scope = principal.scope(Permission.HOUSEHOLD_WRITE)
        fields["origin"] = named_origin(session, normalised(origin), f"{at}/origin", scope)
    if kin_group:
        fields["kin_group"] = named_kin_group(session, principal, normalised(kin_group), f"{at}/kin_group")
    return fields


def wishes(session: Session, references: Sequence[str]) -> list[Settlement]:
    """Return the settlements that a body's `preferences` name. Raises Invalid, pointing at the first unknown one."""
    return [
        named_settlement(session, normalised(reference), f"#/body/preferences/{number}")
        for number, reference in enumerate(references)
    ]
