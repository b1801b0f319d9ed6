"""GeoJSON areas (RFC 7946): polygons of closed rings, in WGS 84 degrees."""

import json
import math
from typing import Any

from app.exchange.refusals import CellError

FEWEST_POSITIONS = 4
MOST_POSITIONS = 100_000


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def loads(text: str) -> Any:
    """Parse JSON, strictly. Raises CellError for what is not JSON, NaN and infinity, and too deep nesting."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise CellError("this is nested too deeply to be GeoJSON") from None
    except ValueError as error:
        raise CellError(f"this is not JSON ({error}); export the file as GeoJSON again") from None


def area(text: str) -> dict[str, Any]:
    """Return the Polygon or MultiPolygon in JSON `text`, with its type and coordinates alone.

    Raises CellError unless every ring is closed, has at least four positions, and lies within WGS 84 degrees.
    """
    found = loads(text)
    if not isinstance(found, dict) or found.get("type") not in ("Polygon", "MultiPolygon"):
        raise CellError("the geometry must be a GeoJSON Polygon or MultiPolygon; draw the area as one")
    coordinates = found.get("coordinates")
    polygons = [coordinates] if found["type"] == "Polygon" else coordinates
    if not isinstance(polygons, list) or not polygons:
        raise CellError("the geometry has no coordinates; draw the area again")
    positions = sum(_check_polygon(polygon) for polygon in polygons)
    if positions > MOST_POSITIONS:
        raise CellError(f"the area has {positions:,} positions; simplify it to {MOST_POSITIONS:,} at most")
    return {"type": found["type"], "coordinates": coordinates}


def _check_polygon(rings: Any) -> int:
    if not isinstance(rings, list) or not rings:
        raise CellError("a polygon has no rings; draw the area again")
    for ring in rings:
        if not isinstance(ring, list) or len(ring) < FEWEST_POSITIONS:
            raise CellError(f"a ring needs at least {FEWEST_POSITIONS} positions; draw the area again")
        for position in ring:
            _check_position(position)
        if ring[0] != ring[-1]:
            raise CellError("a ring is not closed; repeat its first position at its end")
    return sum(len(ring) for ring in rings)


def _check_position(position: Any) -> None:
    if (
        not isinstance(position, list)
        or len(position) not in (2, 3)
        or not all(type(number) in (int, float) and abs(number) < math.inf for number in position)
    ):
        raise CellError("a position is not two finite numbers; write [longitude, latitude]")
    if not (-180 <= position[0] <= 180 and -90 <= position[1] <= 90):
        raise CellError(f"the position {position!r:.60} is off the earth; write [longitude, latitude] in degrees")
