"""Files made to take memory or time are refused before they can."""

import io
import struct
import zipfile
from collections.abc import Mapping

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.errors import TooLarge
from app.exchange import exports, imports, reading
from tests.conftest import ActingAs
from tests.exchange.village import VILLAGE, only, refused
from tests.test_problems import assert_problem

MEGABYTE = 2**20
SHEET = "xl/worksheets/sheet1.xml"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _packed(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _spreadsheet(member: str, before: bytes, inserted: bytes) -> dict[str, bytes]:
    """A spreadsheet of origins with `inserted` in one of its members."""
    with zipfile.ZipFile(io.BytesIO(exports.as_xlsx(only(VILLAGE, "origins.csv")))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    at = members[member].index(before)
    members[member] = members[member][:at] + inserted + members[member][at:]
    return {"o.xlsx": _packed(members)}


def _endless_list() -> dict[str, bytes]:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHLL", 1, 0, 0, 0, 0, 0, 0) + b"a"
    entries = entry * (reading.MOST_MEMBERS + 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(entries), 0, 0)  # says that there is one
    return {"o.zip": entries + end}


def _overlapping() -> dict[str, bytes]:
    """A zip whose every member is the same megabytes."""
    packed = _packed({"people.csv": b"0" * (30 * MEGABYTE)})
    start = packed.index(b"PK\x01\x02")
    entry, end = packed[start:-22], packed[-22:]
    entries = b"".join(entry.replace(b"people.csv", name) for name in (b"people.csv", b"houses.csv", b"origin.csv"))
    size = struct.pack("<HHLL", 3, 3, len(entries), start)
    return {"o.zip": packed[:start] + entries + end[:8] + size + end[20:]}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(_endless_list(), id="a list of members without end"),
        pytest.param(_overlapping(), id="members that overlap"),
        pytest.param({"o.zip": _packed({f"{n}.csv": b"" for n in range(41)})}, id="many members"),
        pytest.param({"o.zip": _packed({"people.csv": b"0" * (65 * MEGABYTE)})}, id="a thousandfold"),
        pytest.param(_spreadsheet("xl/styles.xml", b"</styleSheet>", b"<x/>" * 200_001), id="styles"),
        pytest.param(_spreadsheet(SHEET, b"</row>", b"<c/>" * 4_000_001), id="a row of cells"),
        pytest.param(_spreadsheet(SHEET, b"</sheetData>", b"<row/>" * 4_000_001), id="rows"),
    ],
)
def test_what_would_unpack_to_too_much_is_too_large(scratch: Session, files: dict[str, bytes]) -> None:
    with pytest.raises(TooLarge):
        imports.run(scratch, files, actor=OPERATOR, limit_mb=64)


def test_shared_texts_without_end_are_too_large(scratch: Session) -> None:
    text = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + b"<si/>" * 4_000_001 + b"</sst>"
    with zipfile.ZipFile(io.BytesIO(exports.as_xlsx(only(VILLAGE, "origins.csv")))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | {"xl/sharedStrings.xml": text}
    with pytest.raises(TooLarge):
        imports.run(scratch, {"o.xlsx": _packed(members)}, actor=OPERATOR, limit_mb=64)


def test_an_archive_in_an_archive_is_not_opened(scratch: Session) -> None:
    inner = _packed({"people.csv": b"0" * (60 * MEGABYTE)})
    (error,) = refused(scratch, {"o.zip": _packed({"inner.zip": inner})})
    assert "no table has this name" in error.message


def test_a_sheet_that_declares_a_billion_rows_and_columns_is_read_as_far_as_it_goes(scratch: Session) -> None:
    most = _spreadsheet(SHEET, b"<sheetFormatPr", b'<dimension ref="A1:XFD1048576"/>')
    assert imports.run(scratch, most, actor=OPERATOR).tables["origins"].created == 3
    (error,) = refused(scratch, _spreadsheet(SHEET, b"<sheetFormatPr", b'<dimension ref="A1:ZZZZZZ1000000000"/>'))
    assert "save it again as .xlsx" in error.message
    (error,) = refused(scratch, _spreadsheet(SHEET, b"</row>", b'<c r="ZZZZZZ1"><v>1</v></c>'))
    assert error.file == "o.xlsx:origins"


GEOJSON = b'{"type": "FeatureCollection", "features": [%s]}'
AREA = b'{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [%s]}}'


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("land_release.geojson", GEOJSON % (AREA % (b"[[1,1]]," * 1_000_000 + b"[[1,1]]")), "positions"),
        ("land_release.geojson", GEOJSON % (b"9" * 100_000), "not JSON"),
        ("land_release.geojson", GEOJSON % b"NaN", "not JSON"),
        ("land_release.geojson", GEOJSON % (b"[" * 900_000), "nested too deeply"),
        ("origins.csv", b"origin,name,latitude,longitude\n" + b"," * 1_000_001, "more than 1,000,000 characters"),
        ("origins.csv", b"origin,name,latitude,longitude\nO," + b"x" * 900_000 + b",1,1\n", "field larger than"),
        ("origins.csv", b"origin,name,latitude,longitude\nO,Far,1e400,0\n", ""),
        ("origins.csv", b"origin,name,latitude,longitude\nO,Far,NaN,0\n", ""),
        ("origins.csv", b"origin,name,latitude,longitude\nO,Far," + b"9" * 5_000 + b",0\n", ""),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_table_made_to_take_memory_is_refused(scratch: Session, name: str, content: bytes, said: str) -> None:
    errors = refused(scratch, {name: content})
    assert said in errors[0].message


@on_sqlite
def test_who_is_not_signed_in_is_told_so_before_the_files_are_read(service: TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert_problem(service.post("/api/v1/imports", content=b"no form at all", headers=headers), 401)


@on_sqlite
def test_a_form_of_too_many_parts_or_odd_ones_is_refused(acting_as: ActingAs) -> None:
    planner = acting_as(Role.PLANNER)
    form = [("files", (f"{n}.csv", b"")) for n in range(41)]
    assert_problem(planner.post("/imports", files=form), 400)
    assert_problem(planner.post("/imports", files=form[:21]), 422)
    fields = {f"field-{n}": "x" for n in range(30)}
    assert_problem(planner.post("/imports", files=form[:1], data=fields), 400)
    for odd in (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n' + b"a" * 100_000,
        b"--x\r\n" + b"A: b\r\n" * 100 + b"\r\n\r\n--x--\r\n",
        b"--x\r\n\r\n\r\n--x--\r\n",
        b"",
    ):
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = planner.post("/imports", content=odd, headers=headers)
        assert answer.status_code in (400, 422), odd[:60]
        assert_problem(answer, answer.status_code)
