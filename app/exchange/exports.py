"""Exporting the register as the files that an import takes: importing them again changes nothing."""

import csv
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, Invalid
from app.exchange import cells
from app.exchange.applications import PREFERRED, latest, ranked
from app.exchange.survey import MODELS, Record
from app.exchange.tables import FILES, NOTE, NOTE_SHEET, TABLES, Column, Table
from app.references import new_reference
from app.registry.models import ApplicationState
from app.sealed import opened

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
LONGEST_CELL = 32_767
SPREADSHEET_DIGITS = 16
"""A number of more digits is written as text, or it would come back as another."""
NO_APPLICATION: Record = {"id": None, "state": None, "anywhere": False}
Line = dict[str, Any]


def write(session: Session, *, actor: Principal) -> dict[str, bytes]:
    """Return every file by name, rows sorted by key: the same register gives the same bytes.

    `session` reads one moment: else a file would speak of what another lacks. A thing without a sender's key goes by
    its public reference. `partner`, `application` and suitability.csv are there only where anything is in them.
    Raises Forbidden unless `actor` may export everywhere.
    """
    actor.require(Permission.EXCHANGE_EXPORT)
    register = _Register(session)
    lines: dict[str, list[Line]] = {name: list(getattr(register, name)()) for name in TABLES}
    if not lines["suitability"]:
        del lines["suitability"]
    return {TABLES[name].file: file_of(TABLES[name], found) for name, found in lines.items()}


def issue(session: Session, files: Mapping[str, bytes], *, actor: Principal) -> dict[str, bytes]:
    """Return the files and a note of who exported them, when, and under which reference, and record that."""
    reference = new_reference("EX")
    note = (
        f"Export {reference} from Hearth, by {actor.username} ({actor.reference}), on {utc_now():%Y-%m-%d %H:%M} UTC\n"
        "It holds personal data. Use it only for what the families agreed to, keep it where only those can read it who "
        "need it, and delete it when that is done.\n"
        "Files and sheets can be imported as they are; this one is passed over.\n"
    )
    audit.record(session, actor, Act.EXCHANGE_EXPORT, details={"export": reference, "files": sorted(files)})
    return {NOTE: note.encode(), **files}


class _Register:
    """Every table as lines of a file."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._read: dict[str, list[Record]] = {}
        self._keys: dict[str, dict[int | None, str]] = {}

    def _records(self, name: str) -> list[Record]:
        if name not in self._read:
            model = MODELS[name]
            read = self._session.execute(select(*model.__table__.columns)).mappings()
            self._read[name] = [opened(model, dict(record)) for record in read]
        return self._read[name]

    def _key(self, name: str, number: int | None) -> str | None:
        """Return what the thing goes by: its key, unless that is an origin's that merged_from could not list."""
        if name not in self._keys:
            self._keys[name] = {
                each["id"]: each["reference"]
                if each["key"] is None or (name == "origins" and ";" in each["key"])
                else each["key"]
                for each in self._records(name)
            }
        return self._keys[name].get(number)

    def settlements(self) -> Iterable[Line]:
        merged = defaultdict(list)
        for each in self._records("origins"):
            merged[each["settlement_id"]].append(self._key("origins", each["id"]))
        for each in self._records("settlements"):
            key = self._key("settlements", each["id"])
            yield {**each, "settlement": key, "merged_from": tuple(sorted(merged[each["id"]]))}

    def origins(self) -> Iterable[Line]:
        return ({**each, "origin": self._key("origins", each["id"])} for each in self._records("origins"))

    def houses(self) -> Iterable[Line]:
        for each in self._records("houses"):
            yield {**self._placed(each), "house": self._key("houses", each["id"])}

    def milestones(self) -> Iterable[Line]:
        return ({**self._placed(each), "milestone": each["name"]} for each in self._records("milestones"))

    def jobs(self) -> Iterable[Line]:
        return map(self._placed, self._records("jobs"))

    def land_release(self) -> Iterable[Line]:
        for each in self._records("land_release"):
            yield {**self._placed(each), "area": self._key("land_release", each["id"])}

    def _placed(self, record: Record) -> Line:
        return {**record, "settlement": self._key("settlements", record["settlement_id"])}

    def households(self) -> Iterable[Line]:
        applications = latest(self._records("applications"))
        preferences = ranked(self._records("preferences"))
        statuses = {ApplicationState.DRAFT: "draft", ApplicationState.WITHDRAWN: "none", None: "none"}
        for each in self._records("households"):
            if each["erased_at"] is not None or each["merged_into_id"] is not None:
                continue
            application = applications.get(each["id"], NO_APPLICATION)
            status = statuses.get(application["state"])
            wished = () if status == "none" else preferences.get(application["id"], ())
            yield {
                **each,
                "household": self._key("households", each["id"]),
                "origin": self._key("origins", each["origin_id"]),
                **dict(zip(PREFERRED, (self._key("settlements", settlement) for settlement in wished), strict=False)),
                "anywhere": status != "none" and application["anywhere"],
                "kin_group": self._key("kin_groups", each["kin_group_id"]),
                "application": status,
            }

    def people(self) -> Iterable[Line]:
        merged = self._merged()
        for each in self._records("people"):
            if each["household_id"] in merged:
                continue
            yield {
                **each,
                "household": self._key("households", each["household_id"]),
                "person": self._key("people", each["id"]),
                "partner": self._key("people", each["partner_id"]),
            }

    def suitability(self) -> Iterable[Line]:
        merged = self._merged()
        for each in self._records("suitability"):
            if each["household_id"] in merged:
                continue
            yield {**self._placed(each), "household": self._key("households", each["household_id"])}

    def _merged(self) -> set[int]:
        """Return the households that were merged into others, and are told of nowhere."""
        return {each["id"] for each in self._records("households") if each["merged_into_id"] is not None}


def file_of(table: Table, lines: Iterable[Line]) -> bytes:
    """Return a table's file: values by column, as an import reads them, in the order of the key."""
    lines = sorted(lines, key=lambda line: [str(line[name]) for name in table.key])
    if table.is_geojson:
        return _geojson(table, lines)
    columns = [
        column.name
        for column in table.columns
        if not column.may_be_absent or any(line.get(column.name) is not None for line in lines)
    ]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(line.get(name)) for name in columns] for line in lines)
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < cells.LARGEST_EXACT else repr(value)
        case tuple():
            return ";".join(map(cells.escaped, value))
        case date() | int():
            return str(value)
    return cells.escaped(str(value))


def _geojson(table: Table, lines: list[Line]) -> bytes:
    names = [column.name for column in table.columns if column.name != "geometry"]
    features = [
        {
            "type": "Feature",
            "geometry": line["geometry"],
            "properties": {name: line[name] if isinstance(line[name], float) else _cell(line[name]) for name in names},
        }
        for line in lines
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1, ensure_ascii=False).encode()


def as_zip(files: Mapping[str, bytes]) -> bytes:
    """Return `files` as a zip archive: the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def as_xlsx(files: Mapping[str, bytes]) -> bytes:
    """Return `files` as a spreadsheet, a sheet for each.

    Raises Invalid for a cell that a spreadsheet would cut off, a very detailed area, or could not be read back with:
    names that were taken before such characters were refused.
    """
    sheets = {FILES[name]: _lines(FILES[name], content) for name, content in files.items() if name != NOTE}
    for table, lines in sheets.items():
        for line in lines:
            if max(map(len, line)) > LONGEST_CELL or any(map(cells.UNSAFE.search, line)):
                raise Invalid(
                    f"{line[0]} in {table.file} does not fit in a spreadsheet's cell. Export as a zip instead."
                )
    workbook = Workbook(write_only=True)
    if NOTE in files:
        note = files[NOTE].decode()
        workbook.properties.title, workbook.properties.description = note.splitlines()[0], note
        about = workbook.create_sheet(NOTE_SHEET)
        for sentence in note.splitlines():
            about.append([sentence])
    for table, (header, *lines) in sheets.items():
        sheet = workbook.create_sheet(table.name)
        sheet.freeze_panes = "A2"
        sheet.append(header)
        known = {column.name: column for column in table.columns}
        columns = [known[name] for name in header]
        for line in lines:
            sheet.append([_typed(sheet, column, cell) for column, cell in zip(columns, line, strict=True)])
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _lines(table: Table, content: bytes) -> list[list[str]]:
    """Return the cells of a file, the header first."""
    if not table.is_geojson:
        return list(csv.reader(io.StringIO(content.decode(), newline="")))
    names = [column.name for column in table.columns]
    features = ({**each["properties"], "geometry": each["geometry"]} for each in json.loads(content)["features"])
    return [names, *([_flat(feature[name]) for name in names] for feature in features)]


def _flat(value: Any) -> str:
    match value:
        case str():
            return value
        case dict():
            return json.dumps(value)
    return _cell(value)


def _typed(sheet: Any, column: Column, cell: str) -> Any:
    if not cell:
        return None
    if column.is_date:
        return date.fromisoformat(cell)
    if column.is_number and float(f"{float(cell):.{SPREADSHEET_DIGITS}g}") == float(cell):
        return float(cell) if any(mark in cell for mark in ".e") else int(cell)
    text = WriteOnlyCell(sheet, cell)
    text.data_type = "s"  # whatever it looks like
    return text


def save(files: Mapping[str, bytes], target: Path) -> None:
    """Write `files` to a new folder, or to one file if `target` ends in .zip or .xlsx: whole or not at all.

    Only their owner may read them. A file is replaced. Raises Conflict for a folder that holds anything.
    """
    parent = target.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    if target.suffix in (".zip", ".xlsx"):
        if target.is_dir():
            raise Conflict(f"{target} is a folder. Name a file.")
        content = as_zip(files) if target.suffix == ".zip" else as_xlsx(files)
        _replace(parent, target, content)
        return
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Conflict(f"{target} is not an empty folder. Name one that is empty or not there yet.")
    made = Path(tempfile.mkdtemp(prefix=".export-", dir=parent))
    try:
        for name, content in files.items():
            (made / name).write_bytes(content)
        if target.exists():
            target.rmdir()
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _replace(parent: Path, target: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".export-", dir=parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
