"""Opening what was sent: a folder, a zip, a spreadsheet or single files, as sheets of text cells."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path, PurePosixPath
from typing import Any

from defusedxml import DefusedXmlException
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from app.archives import ARCHIVE_ERRORS
from app.errors import TooLarge
from app.exchange import geometry
from app.exchange.cells import LARGEST_EXACT
from app.exchange.refusals import CellError, Refusals
from app.exchange.tables import FILES, NOTE, NOTE_SHEET, TABLES, Table

MEGABYTE = 2**20
MOST_FILES = 40
WIDEST = 50
LONGEST = 1_048_576
"""Columns and rows of a sheet that are looked at: a cell far out must not cost a billion empty ones."""
MOST_MEMBERS = 1_000
"""So often may an archive say that a member follows, before the list of its members is read at all."""
MOST_TAGS, MOST_OTHER_TAGS = 4_000_000, 200_000
"""Of the sheets and texts of a spreadsheet together, and of everything else in it: each becomes an object in memory."""
MOST_BRACKETS = 1_000_000
"""Of a GeoJSON file: every position has one."""
LONGEST_LINE = 1_000_000
"""Characters of one line of a CSV file: a line of commas alone becomes as many cells."""
SPREADSHEET_DIGITS = 15
"""Spreadsheet programs keep so many digits of a number; the rest are zeros by the time that it is sent."""
JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
Cells = list[str]
Rows = Iterator[tuple[int, Cells | None]]


@dataclass(frozen=True)
class Sheet:
    """The cells of one table: rows with their numbers, the header first.

    A row that cannot be read goes to the refusals while iterating, and is None.
    """

    file: str
    table: Table
    rows: Rows


def sheets(source: Path | Mapping[str, bytes], refusals: Refusals, limit_mb: int) -> list[Sheet]:
    """Return the sheets of `source`, in the order of the tables.

    What is not an import goes to `refusals`. Raises TooLarge for more than `limit_mb` megabytes, packed or unpacked.
    """
    limit = limit_mb * MEGABYTE
    files = _files(source, refusals, limit)
    if sum(map(len, files.values())) > limit:
        raise TooLarge(f"These files hold more than {limit_mb} MB. Send the tables in several imports.")
    found: dict[str, Sheet] = {}
    for path, content in files.items():
        for sheet in _open(path, content, refusals, limit):
            if sheet.table.name in found:
                other = found[sheet.table.name].file
                refusals.add(sheet.file, 1, None, None, f"{other} is the same table; leave one of the two out")
            else:
                found[sheet.table.name] = sheet
    if not found and not refusals:
        refusals.add(_name_of(source), 1, None, None, f"there is nothing to import; send {', '.join(FILES)}")
    return [found[name] for name in TABLES if name in found]


def _name_of(source: Path | Mapping[str, bytes]) -> str:
    return source.name if isinstance(source, Path) else "files"


def _files(source: Path | Mapping[str, bytes], refusals: Refusals, limit: int) -> dict[str, bytes]:
    if not isinstance(source, Path):
        return dict(source)
    if source.is_dir():
        paths = sorted(path for path in source.iterdir() if not path.name.startswith(".") and path.name not in JUNK)
    elif source.is_file():
        paths = [source]
    else:
        refusals.add(source.name, 1, None, None, "there is no such file or folder; check the path")
        return {}
    files: dict[str, bytes] = {}
    for path in paths:
        if path.is_dir():
            refusals.add(path.name, 1, None, None, "this is a folder; put the files themselves here")
        elif sum(map(len, files.values())) + path.stat().st_size > limit:
            raise TooLarge(f"{path.name} brings the import over {limit // MEGABYTE} MB. Send it in parts.")
        else:
            files[path.name] = path.read_bytes()
    return files


def _open(path: str, content: bytes, refusals: Refusals, limit: int) -> Iterator[Sheet]:
    name = PurePosixPath(path.replace("\\", "/")).name
    if name.endswith(".zip"):
        for inner, unpacked in _unzip(name, content, refusals, limit).items():
            yield from _open_table(inner, unpacked, refusals)
    elif name.endswith(".xlsx"):
        yield from _open_workbook(name, content, refusals, limit)
    else:
        yield from _open_table(path, content, refusals)


def _open_table(path: str, content: bytes, refusals: Refusals) -> Iterator[Sheet]:
    name = PurePosixPath(path.replace("\\", "/")).name
    table = FILES.get(name)
    if name == NOTE:
        return
    if table is None:
        refusals.add(path, 1, None, None, f"no table has this name; the files are {', '.join(FILES)}")
        return
    text = _decoded(path, content, refusals)
    if text is None:
        yield Sheet(path, table, iter([(1, None)]))
    else:
        rows = _geojson_rows if table.is_geojson else _csv_rows
        yield Sheet(path, table, rows(path, table, text, refusals))


def _decoded(path: str, content: bytes, refusals: Refusals) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        message = f"line {line} is not UTF-8 (byte 0x{byte:02X}); save the file as “CSV UTF-8”"
        refusals.add(path, line, None, None, message)
        return None
    if not text.strip():
        refusals.add(path, 1, None, None, "the file is empty; give it its header, or leave it out")
        return None
    return text


def _csv_rows(path: str, _table: Table, text: str, refusals: Refusals) -> Rows:
    reader = csv.reader(_lines(text), strict=True)
    number = 0
    try:
        for number, row in enumerate(reader, 1):
            yield number, row
    except csv.Error as error:
        message = f"the row cannot be read ({error}); close every quote, and write a quote inside quotes twice"
        refusals.add(path, number + 1, None, None, message)
        yield number + 1, None


def _lines(text: str) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        if len(line) > LONGEST_LINE:
            raise csv.Error(f"it has more than {LONGEST_LINE:,} characters")
        yield line


def _geojson_rows(path: str, table: Table, text: str, refusals: Refusals) -> Rows:
    """Yield the header, then one row for each feature, numbered from 1."""
    names = [column.name for column in table.columns]
    yield 1, names
    try:
        if text.count("[") > MOST_BRACKETS:
            raise CellError(f"the areas have more than {MOST_BRACKETS:,} positions; simplify them")
        collection = geometry.loads(text)
    except CellError as error:
        refusals.add(path, 1, None, None, str(error))
        yield 1, None
        return
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or collection.get("type") != "FeatureCollection":
        refusals.add(path, 1, None, None, "this is not a GeoJSON FeatureCollection; export the areas as one")
        yield 1, None
        return
    for number, feature in enumerate(features, 1):
        try:
            yield number, _feature_cells(feature, names)
        except CellError as error:
            refusals.add(path, number, None, None, str(error))
            yield number, None


def _feature_cells(feature: Any, names: list[str]) -> Cells:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict) or feature.get("type") != "Feature":
        raise CellError("this is not a GeoJSON Feature with properties; export the areas again")
    unknown = [name for name in properties if name not in names or name == "geometry"]
    if unknown:
        raise CellError(f"the property {unknown[0]!r:.60} is not known; leave it out")
    absent = [name for name in names if name != "geometry" and name not in properties]
    if absent:
        raise CellError(f"the property {absent[0]} is missing; add it, empty if there is none")
    try:
        shape = json.dumps(feature.get("geometry"))
    except RecursionError:
        raise CellError("the geometry is nested too deeply; draw the area again") from None
    return [shape if name == "geometry" else _cell_text(properties[name]) for name in names]


def _cell_text(value: Any) -> str:
    """Return a cell of a spreadsheet, or a property, as it would stand in a CSV file."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(int(value))
        case float() if value.is_integer() and abs(value) < LARGEST_EXACT:
            return str(int(value))
        case int() | float():
            return repr(value)
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date() | datetime():
            return value.isoformat()
    raise CellError("this is neither text, number nor date; paste its value in place of the formula")


def _unzip(name: str, content: bytes, refusals: Refusals, limit: int) -> dict[str, bytes]:
    try:
        with _opened(name, content) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.filename.endswith("/")  # is_dir() fails on a member without a name
                and not any(part in JUNK for part in PurePosixPath(member.filename).parts)
            ]
            _check_size(name, archive, limit)
            if any(_is_refused(name, member, refusals) for member in members):
                return {}
            if len({member.filename for member in members}) < len(members):
                refusals.add(name, 1, None, None, "two files in the archive have the same name; leave one out")
                return {}
            return {member.filename: archive.read(member) for member in members}
    except ARCHIVE_ERRORS as error:
        refusals.add(name, 1, None, None, f"the archive cannot be opened ({error}); make it again")
        return {}


def _opened(name: str, content: bytes) -> zipfile.ZipFile:
    """Open an archive, whose list of members, which is read at once, must not be endless."""
    if content.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise TooLarge(f"{name} holds too many files. Send the tables of one import alone.")
    return zipfile.ZipFile(io.BytesIO(content))


def _check_tags(name: str, archive: zipfile.ZipFile) -> None:
    """Raise TooLarge for a spreadsheet of so many tags that reading it would take all memory."""
    counts = {True: 0, False: 0}
    for member in archive.infolist():
        is_table = member.filename.startswith(("xl/worksheets/", "xl/sharedStrings"))
        with archive.open(member) as opened:
            counts[is_table] += sum(chunk.count(b"<") for chunk in iter(lambda: opened.read(MEGABYTE), b""))
    if counts[True] > MOST_TAGS or counts[False] > MOST_OTHER_TAGS:
        raise TooLarge(f"{name} holds more than a spreadsheet of tables may. Send the tables as CSV files.")


def _check_size(name: str, archive: zipfile.ZipFile, limit: int) -> None:
    """Raise TooLarge by what the archive declares; zipfile never unpacks more of a member than that."""
    members = archive.infolist()
    if len(members) > MOST_FILES * (5 if name.endswith(".xlsx") else 1):
        raise TooLarge(f"{name} holds {len(members):,} files. Send the tables of one import alone.")
    if sum(member.file_size for member in members) > limit:
        raise TooLarge(f"{name} unpacks to more than {limit // MEGABYTE} MB. Send the tables in several imports.")


def _is_refused(name: str, member: zipfile.ZipInfo, refusals: Refusals) -> bool:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if member.flag_bits & 1:
        refusals.add(name, 1, None, member.filename, "this is encrypted; make the archive without a password")
    elif not path.name:
        refusals.add(name, 1, None, member.filename, "a file in the archive has no name; leave it out")
    elif path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or len(path.parts) > 2:
        refusals.add(name, 1, None, member.filename, "a path has no place here; put the files at the archive's top")
    else:
        return False
    return True


def _open_workbook(name: str, content: bytes, refusals: Refusals, limit: int) -> Iterator[Sheet]:
    try:
        with _opened(name, content) as archive:
            _check_size(name, archive, limit)
            _check_tags(name, archive)
        workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        for worksheet in workbook.worksheets:
            table = TABLES.get(worksheet.title)
            if worksheet.title == NOTE_SHEET:
                continue
            if table is None:
                message = f"no table has this name; the sheets are {', '.join(TABLES)}"
                refusals.add(name, 1, None, worksheet.title, message)
                continue
            worksheet.reset_dimensions()
            file = f"{name}:{table.name}"
            yield Sheet(file, table, _sheet_rows(file, worksheet.iter_rows(max_col=WIDEST), refusals))
    except TooLarge:
        raise
    except DefusedXmlException:
        refusals.add(name, 1, None, None, "the spreadsheet declares entities; save it again from a spreadsheet program")
    except WORKBOOK_ERRORS as error:
        message = f"the spreadsheet cannot be opened ({type(error).__name__}); save it again as .xlsx, with no password"
        refusals.add(name, 1, None, None, message)


# openpyxl lets whatever its parsing trips over through, and names no class of its own for most of it.
WORKBOOK_ERRORS = (
    *ARCHIVE_ERRORS,
    InvalidFileException,
    LookupError,
    AttributeError,
    TypeError,
    SyntaxError,
    OverflowError,
)


def _sheet_rows(file: str, rows: Iterator[tuple[Any, ...]], refusals: Refusals) -> Rows:
    number = 0
    try:
        for number, row in enumerate(rows, 1):
            if number > LONGEST:
                raise OverflowError
            is_empty = all(cell.value is None for cell in row)  # a formatted sheet may end in a million of these
            yield number, [] if is_empty else _sheet_cells(file, number, row, refusals)
    except WORKBOOK_ERRORS as error:
        message = f"the sheet cannot be read from here on ({type(error).__name__}); save it again as .xlsx"
        refusals.add(file, number + 1, None, None, message)
        yield number + 1, None


def _sheet_cells(file: str, number: int, row: tuple[Any, ...], refusals: Refusals) -> Cells | None:
    cells: Cells = []
    before = len(refusals)
    for position, cell in enumerate(row, 1):
        value = cell.value
        if cell.data_type == "e":  # a text may look the same
            refusals.add(file, number, None, value, f"cell {position} holds a formula's error; paste a value")
        try:
            if isinstance(value, int | float) and abs(value) >= 10**SPREADSHEET_DIGITS:
                raise CellError("this number may have lost digits; format the column as text, and write it again")
            cells.append(_cell_text(value))
        except CellError as error:
            refusals.add(file, number, None, type(value).__name__, f"cell {position}: {error}")
    while cells and not cells[-1]:
        cells.pop()
    return None if len(refusals) > before else cells
