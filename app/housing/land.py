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
    None takes no paper of it away. Raises Invalid where its state and its papers contradict each other, and where it is
    released again without papers of the new release.
    """
    settlement = area.settlement
    actor.require(Permission.STOCK_WRITE, district=settlement.district, settlement=settlement.reference)
    state = fields.get("state", area.state)
    suspected_again = area.released_on is not None and state not in RELEASED
    if area.released_on is not None and area.state not in RELEASED:
        _check_new(state, fields)
    for name, value in fields.items():
        if not (suspected_again and name in PAPERS and value is None):
            setattr(area, name, value)
    _check(area)
    closures.note(session, [settlement.id])
    audit.record(session, actor, Act.LAND_RELEASE_AREA_CHANGE, area)
    return area


def needed(state: LandState) -> tuple[str, ...]:
    """Return the papers that land in `state` has (IMAS 07.11: documented, and handed over)."""
    if state not in RELEASED:
        return ()
    return ("released_on", "certificate", *(["method"] if state is LandState.CLEARED else []))


def _check_new(state: LandState, fields: Mapping[str, Any]) -> None:
    """A suspicion is lifted by what was done about it, never by the release that it put in question."""
    errors = [
        FieldError(f"#/body/{name}", "Give that of the new release; the one on record is of the release before.")
        for name in needed(state)
        if fields.get(name) is None
    ]
    if errors:
        raise Invalid("The area was suspected again after its release, and has no papers of a new one.", errors)


def _check(area: LandReleaseArea) -> None:
    errors = [
        FieldError(f"#/body/{name}", f"An area that is {area.state.value} needs this.")
        for name in needed(area.state)
        if getattr(area, name) is None
    ]
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
