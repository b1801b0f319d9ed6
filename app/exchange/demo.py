"""An invented district to try Hearth with: five rebuilt settlements, one of them not ready, and who wishes to return.

Nothing in it is taken from a real place or person. The settlements lie in the open sea, telephone numbers begin with
a country code that no country has, and names mix languages and scripts at random.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from app.exchange.demo_families import families
from app.exchange.exports import Line, file_of
from app.exchange.tables import TABLES
from app.housing.models import LandState, SettlementStatus

HOUSEHOLDS = 1_900
HOUSES = 1_150
HOUSE_MIX = {1: 0.26, 2: 0.45, 3: 0.23, 4: 0.06}
"""Share of houses by bedrooms."""
FLOOR_AREA = {1: (52, 66), 2: (74, 94), 3: (98, 120), 4: (128, 150)}
STEP_FREE = 0.08
NOT_YET_HANDED_OVER = 0.04


@dataclass(frozen=True)
class Village:
    """A settlement to invent. `share`: of the houses; `school`, `clinic`: places in a district of full size."""

    key: str
    name: str
    district: str
    latitude: float
    longitude: float
    share: float
    school: int
    clinic: int
    origins: tuple[str, ...]
    jobs: tuple[tuple[str, str, int], ...]
    is_ready: bool = True


VILLAGES = (
    Village(
        *("AMB", "Amber Ridge", "Upper Vale", -0.41, 0.32, 0.5, 760, 3600),
        ("Amber Ridge", "Fox Hollow", "Upper Mill"),
        (("Cannery", "manufacturing", 85), ("Farm cooperative", "agriculture", 190), ("School", "education", 58)),
    ),
    Village(
        *("LAR", "Larkfield", "Upper Vale", -0.53, 0.41, 0.22, 230, 1000),
        ("Larkfield", "Heron Marsh"),
        (("Dairy", "manufacturing", 34), ("Farm cooperative", "agriculture", 70), ("Guest house", "hospitality", 18)),
    ),
    Village(
        *("QUA", "Quarry Bend", "Lower Vale", -0.66, 0.55, 0.1, 170, 760),
        ("Quarry Bend",),
        (("Quarry", "construction", 45), ("Bus depot", "transport", 22)),
    ),
    Village(
        *("SIL", "Silver Ford", "Lower Vale", -0.74, 0.68, 0.06, 42, 250),
        ("Silver Ford", "Old Ferry"),
        (("Health resort", "health", 30),),
    ),
    Village(
        *("WIN", "Windmill Rise", "Lake Shore", -0.87, 0.83, 0.12, 190, 900),
        ("Windmill Rise",),
        (("School", "education", 24), ("Town hall", "public_administration", 16)),
        is_ready=False,
    ),
)
LOST_ORIGIN = ("O-99", "Drowned Meadow")
"""An origin that is not rebuilt: its families ask to live elsewhere."""


def district(seed: int, scale: float = 1.0) -> dict[str, bytes]:
    """Return the files of an invented district, the same for the same `seed` and `scale`.

    At scale 1: 1,900 households, about 7,900 people, 1,150 houses. Raises ValueError for a scale that is not above 0.
    """
    if not scale > 0:
        raise ValueError(f"the scale {scale} is not above 0")
    random = Random(seed)  # noqa: S311 - invented data, to be the same each time
    origins = _origins()
    homes = {line["origin"]: village for village in VILLAGES for line in origins if line["village"] == village.key}
    households, people = families(
        random,
        max(1, round(HOUSEHOLDS * scale)),
        {line["origin"]: homes[line["origin"]].key if line["origin"] in homes else None for line in origins},
        {village.key: village.share for village in VILLAGES},
    )
    lines: dict[str, list[Line]] = {
        "settlements": [_settlement(village, origins, scale) for village in VILLAGES],
        "origins": origins,
        "houses": [line for village in VILLAGES for line in _houses(random, village, scale)],
        "milestones": [line for village in VILLAGES for line in _milestones(random, village)],
        "jobs": [
            {"settlement": village.key, "employer": employer, "sector": sector, "openings": openings}
            for village in VILLAGES
            for employer, sector, openings in village.jobs
        ],
        "land_release": [line for village in VILLAGES for line in _land(random, village)],
        "households": households,
        "people": people,
    }
    return {TABLES[name].file: file_of(TABLES[name], found) for name, found in lines.items()}


def _origins() -> list[Line]:
    found: list[Line] = []
    for village in VILLAGES:
        for number, name in enumerate(village.origins):
            found.append(
                {
                    "origin": f"O-{len(found) + 1:02}",
                    "name": f"Old {name}" if name == village.name else name,
                    "latitude": round(village.latitude + 0.011 * number, 3),
                    "longitude": round(village.longitude - 0.013 * number, 3),
                    "village": village.key,
                }
            )
    key, name = LOST_ORIGIN
    return [*found, {"origin": key, "name": name, "latitude": -0.95, "longitude": 0.95, "village": None}]


def _settlement(village: Village, origins: list[Line], scale: float) -> Line:
    return {
        "settlement": village.key,
        "name": village.name,
        "district": village.district,
        "latitude": village.latitude,
        "longitude": village.longitude,
        "merged_from": tuple(line["origin"] for line in origins if line["village"] == village.key),
        "school_places": round(village.school * scale),
        "clinic_patients": round(village.clinic * scale),
        "status": SettlementStatus.OPEN if village.is_ready else SettlementStatus.REBUILDING,
    }


def _houses(random: Random, village: Village, scale: float) -> Iterator[Line]:
    count = max(1, round(HOUSES * scale * village.share))
    bedrooms = sorted(random.choices(list(HOUSE_MIX), list(HOUSE_MIX.values()), k=count))
    for number, rooms in enumerate(bedrooms):
        step_free = random.random() < STEP_FREE
        handed_over_on = date(2024, 3, 1) + timedelta(days=random.randrange(600))
        yield {
            "house": f"{village.key}-{number + 1:04}",
            "settlement": village.key,
            "address": f"{village.name}, row {number // 24 + 1}, no. {number % 24 + 1}",
            "rooms": rooms + 1,
            "bedrooms": rooms,
            "floor_area_m2": float(random.randint(*FLOOR_AREA[rooms])),
            "step_free": step_free,
            "storeys": 2 if rooms >= 3 and not step_free and random.random() < 0.3 else 1,
            "solar_kw": 5.0 if rooms >= 3 or random.random() < 0.2 else 3.5,
            "handed_over_on": None if random.random() < NOT_YET_HANDED_OVER else handed_over_on,
        }


def _milestones(random: Random, village: Village) -> Iterator[Line]:
    steps = ("access_road", "electricity", "mobile_coverage", "drinking_water", "school", "clinic")
    for number, step in enumerate(steps):
        reached = village.is_ready or number < 3
        on = date(2023 if reached else 2027, 2 + number, random.randint(1, 28))
        yield {
            "settlement": village.key,
            "milestone": step,
            "achieved_on": on if reached else None,
            "expected_on": None if reached else on,
        }


def _land(random: Random, village: Village) -> Iterator[Line]:
    released = LandState.CLEARED if random.random() < 0.7 else LandState.REDUCED
    states = [released]
    if village.key == "LAR":
        states.append(LandState.SUSPECTED_HAZARDOUS)  # never part of the released land: it closes nothing
    if not village.is_ready:
        states.append(LandState.CONFIRMED_HAZARDOUS)
    for number, state in enumerate(states):
        is_released = state is released
        half = random.randint(30, 70) / 10_000
        yield {
            "area": f"{village.key}-L{number + 1}",
            "settlement": village.key,
            "state": state,
            "method": random.choice(("manual", "machine", "dogs")) if is_released else None,
            "hectares": round((half * 2 * 11_132) ** 2 / 100, 1),  # 0.0001° is 11.132 m at the equator
            "released_on": date(2022, 1 + random.randrange(12), 15) if is_released else None,
            "certificate": f"IR-{random.randint(1_000, 9_999)}" if is_released else None,
            "geometry": _square(village.latitude + 0.02 * number, village.longitude, half),
        }


def _square(latitude: float, longitude: float, half: float) -> dict[str, Any]:
    corners = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
    return {
        "type": "Polygon",
        "coordinates": [[[round(longitude + east, 6), round(latitude + north, 6)] for east, north in corners]],
    }
