"""A village small enough to read, as the files of an import, and ways to change a cell of it."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.permissions import OPERATOR
from app.exchange import imports
from app.exchange.refusals import ImportRefused, RowError
from app.exchange.survey import MODELS

Files = dict[str, bytes]


def _csv(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


SQUARE = [[[0.1, 0.1], [0.2, 0.1], [0.2, 0.2], [0.1, 0.2], [0.1, 0.1]]]


def area(key: str, settlement: str, state: str, **properties: object) -> dict[str, object]:
    """A GeoJSON feature."""
    given = {"method": "", "hectares": 12.5, "released_on": "", "certificate": ""} | properties
    ordered = {"area": key, "settlement": settlement, "state": state} | given
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": SQUARE}, "properties": ordered}


def land(*features: Mapping[str, object]) -> bytes:
    """A file of land-release areas."""
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1).encode()


VILLAGE: Files = {
    "settlements.csv": _csv(
        "settlement,name,district,latitude,longitude,merged_from,school_places,clinic_patients,status",
        "ALD,Alder,North,0.8400000000000001,-1,O-1;O-2,40,200,open",
        "BIR,Birch,North,0.5,-1.25,,0,0,planned",
    ),
    "origins.csv": _csv(
        "origin,name,latitude,longitude",
        "O-1,Upper Alder,0.85,-1",
        "O-2,Lower Alder,0.83,-1",
        "O-3,Gone,0,0",
    ),
    "houses.csv": _csv(
        "house,settlement,address,rooms,bedrooms,floor_area_m2,step_free,storeys,solar_kw,handed_over_on",
        'ALD-1,ALD,"Street 1, house 1",3,2,64,1,1,5,2025-07-01',
        "ALD-2,ALD,Street 2,2,1,52.5,0,2,0,",
    ),
    "milestones.csv": _csv(
        "settlement,milestone,achieved_on,expected_on",
        "ALD,access_road,2024-05-01,",
        "BIR,drinking_water,,2031-01-01",
    ),
    "jobs.csv": _csv("settlement,employer,sector,openings", "ALD,Dairy,manufacturing,12"),
    "land_release.geojson": land(
        area("L-1", "ALD", "cleared", method="manual", released_on="2023-04-05", certificate="C-77"),
        area("L-2", "BIR", "confirmed_hazardous", hectares=9.0),
    ),
    "households.csv": _csv(
        "household,registered_on,origin,displaced_on,current_accommodation,preferred_1,preferred_2,preferred_3,"
        "anywhere,kin_group,phone,language,consent_on",
        "H-1,2024-02-29,O-1,1999-03-04,dormitory,ALD,BIR,,0,K-1,'+999 50 201 11 26,az-Latn,2024-02-29",
        "H-2,2024-03-01,O-2,,host_family,,,,1,K-1,,,",
        "H-3,2024-03-02,,,other,BIR,,,1,,,,",
    ),
    "people.csv": _csv(
        "household,person,given_name,family_name,sex,birth_date,relationship,needs_step_free,occupation,national_id",
        "H-1,H-1-1,Nərmin,O'Brien,female,1980-04-21,head,0,transport,D1",
        "H-1,H-1-2,李,Ćosić,male,1979-01-02,spouse,1,,",
        "H-2,H-2-1,Ana,Lima,unspecified,1950-12-31,head,0,,",
        "H-3,H-3-1,Ion,Pop,male,2000-02-29,head,0,none,X-9",
    ),
    "suitability.csv": _csv("household,settlement,score", "H-1,ALD,0.75", "H-2,BIR,-3"),
}
ROWS = {"settlements": 2, "origins": 3, "houses": 2, "milestones": 2, "jobs": 1, "land_release": 2} | {
    "households": 3,
    "people": 4,
    "suitability": 2,
}


def rows(content: bytes) -> list[list[str]]:
    """The cells of a CSV file."""
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def written(lines: Iterable[Iterable[str]]) -> bytes:
    """Cells as a CSV file."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    return out.getvalue().encode()


def with_cell(file: str, row: int, column: str, value: str, files: Files = VILLAGE) -> Files:
    """The files with another value in a cell; rows as in a spreadsheet, the header being 1."""
    lines = rows(files[file])
    lines[row - 1][lines[0].index(column)] = value
    return {**files, file: written(lines)}


def with_row(file: str, line: str, files: Files = VILLAGE) -> Files:
    """The files with a row more."""
    return {**files, file: files[file] + line.encode() + b"\r\n"}


def only(files: Files, *names: str) -> Files:
    """Some of the files."""
    return {name: files[name] for name in names}


def load(session: Session, files: Mapping[str, bytes] = VILLAGE) -> imports.ImportReport:
    """Import as the operator."""
    return imports.run(session, files, actor=OPERATOR)


def refused(session: Session, files: Mapping[str, bytes]) -> tuple[RowError, ...]:
    """What is wrong with the files; nothing may have been written."""
    before = sizes(session)
    try:
        load(session, files)
    except ImportRefused as error:
        assert sizes(session) == before
        return error.rows
    raise AssertionError("the import was taken")


def sizes(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {name: session.scalar(select(func.count()).select_from(model)) or 0 for name, model in MODELS.items()}


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """A block whose writing is undone, whatever comes of it."""
    savepoint = session.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
