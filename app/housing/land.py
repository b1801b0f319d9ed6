"""Registering land-release areas and following them from suspicion to release, and back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import latest_today
from app.errors import FieldError, Invalid
from app.housing import closures
from app.housing.models import LandReleaseArea, LandState, Settlement
from app.housing.readiness import RELEASED

PAPERS = ("method", "released_on", "certificate")
"""What a release leaves on record, also once the area is suspected again."""


def add(session: Session, settlement: Settlement, fields: Mapping[str, Any], actor: Principal) -> LandReleaseArea:
    """Register an area of `settlement`. Raises Invalid when its state and its papers contradict each other."""
    actor.require(Permission.STOCK_WRITE, district=settlement.district, settlement=settlement.reference)
    area = LandReleaseArea(settlement=settlement, **fields)
    _check_rings(area.geometry)
    _check(area)
    session.add(area)
    closures.note(session, [settlement.id])
    audit.record(session, actor, Act.LAND_RELEASE_AREA_ADD, area)
    return area


def change(session: Session, area: LandReleaseArea, fields: Mapping[str, Any], actor: Principal) -> LandReleaseArea:
    """Change an area, whose settlement must be loaded.

    A released area may be suspected again: its earlier release stays on record, and closes the settlement, and
    None takes no paper of it away.
    """
    settlement = area.settlement
    actor.require(Permission.STOCK_WRITE, district=settlement.district, settlement=settlement.reference)
    suspected_again = area.released_on is not None and fields.get("state", area.state) not in RELEASED
    for name, value in fields.items():
        if not (suspected_again and name in PAPERS and value is None):
            setattr(area, name, value)
    _check(area)
    closures.note(session, [settlement.id])
    audit.record(session, actor, Act.LAND_RELEASE_AREA_CHANGE, area)
    return area


def _check(area: LandReleaseArea) -> None:
    """Released land has a method, a day and a certificate (IMAS 07.11: documented, and handed over)."""
    errors = []
    if area.state in RELEASED:
        errors = [
            FieldError(f"#/body/{name}", f"An area that is {area.state.value} needs this.")
            for name in ("released_on", "certificate")
            if getattr(area, name) is None
        ]
    if area.state is LandState.CLEARED and area.method is None:
        errors.append(FieldError("#/body/method", "Say how it was cleared."))
    if area.released_on is not None and area.released_on > latest_today():
        errors.append(FieldError("#/body/released_on", "Give a date up to today."))
    if errors:
        raise Invalid("The area's state and its papers do not agree.", errors)


def _check_rings(geometry: Mapping[str, Any]) -> None:
    """Every ring ends where it starts (RFC 7946)."""
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    errors = [
        FieldError("#/body/geometry/coordinates", f"Ring {number} of a polygon ends elsewhere than it starts.")
        for rings in polygons
        for number, ring in enumerate(rings)
        if ring[0] != ring[-1]
    ]
    if errors:
        raise Invalid("The geometry has open rings.", errors)
