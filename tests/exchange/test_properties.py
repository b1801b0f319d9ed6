"""Rules that hold whatever is sent: an import is taken or refused, and what was taken comes out as it went in."""

import io
import json
from collections.abc import Iterator
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy.orm import Session

from app.access.permissions import OPERATOR
from app.errors import TooLarge
from app.exchange import exports
from app.exchange.cells import escaped, is_formula_like, unescaped
from app.exchange.refusals import ImportRefused
from app.exchange.tables import TABLES
from app.sealed import letters_and_digits
from tests.exchange.village import VILLAGE, load, rows, sizes, undone, with_cell

RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
NASTY = st.sampled_from(
    [
        "",
        " ",
        "0",
        "-1",
        "1e9",
        "1e400",
        "nan",
        "=1",
        "'=1",
        "''@",
        "2024-02-30",
        "9999-12-31",
        "\0",
        "\ud800",
        "ALD",
        "H-1",
        *("H-1-1", "O-1;O-2", ";", "none", "head", '"', "\u2028", "٣", "½", "0x10", "1_000", "١٩٨٠-٠١-٠١", "9" * 5_000),
    ]
)
CELL = st.one_of(NASTY, st.text(max_size=12), st.integers().map(str), st.floats().map(str), st.dates().map(str))
CSV_FILES = [name for name in VILLAGE if name.endswith(".csv")]


@st.composite
def _place(draw: st.DrawFn) -> tuple[str, int, str]:
    file = draw(st.sampled_from(CSV_FILES))
    header, *lines = rows(VILLAGE[file])
    return file, draw(st.integers(1, len(lines) + 1)), draw(st.sampled_from(header))


def _taken_or_refused(session: Session, files: dict[str, bytes]) -> None:
    """An import writes what it says, and a refused one nothing; it never fails in another way."""
    with undone(session):
        before = sizes(session)
        try:
            report = load(session, files)
        except ImportRefused as refusal:
            json.dumps(refusal.problem(), ensure_ascii=False).encode()
            assert sizes(session) == before
            return
        assert sizes(session)["households"] == before["households"] + report.tables["households"].created
        again = exports.write(session, actor=OPERATOR)
        assert load(session, again).sentence.startswith("Nothing changed")


@RELAXED
@given(place=_place(), value=CELL, filled=st.booleans())
def test_any_cell_may_hold_anything(scratch: Session, place: tuple[str, int, str], value: str, filled: bool) -> None:
    value = value.encode("utf-8", "replace").decode()
    with undone(scratch):
        if filled:
            load(scratch)
        _taken_or_refused(scratch, with_cell(*place, value))


@RELAXED
@given(file=st.sampled_from(list(VILLAGE)), start=st.integers(0, 400), cut=st.integers(0, 9), new=st.binary(max_size=9))
def test_any_bytes_of_a_file_may_be_others(scratch: Session, file: str, start: int, cut: int, new: bytes) -> None:
    content = VILLAGE[file]
    _taken_or_refused(scratch, {**VILLAGE, file: content[:start] + new + content[start + cut :]})


@settings(RELAXED, max_examples=50)
@given(name=st.sampled_from(["v.zip", "v.xlsx"]), start=st.integers(0, 20_000), new=st.binary(min_size=1, max_size=4))
def test_any_bytes_of_an_archive_may_be_others(scratch: Session, name: str, start: int, new: bytes) -> None:
    content = exports.as_zip(VILLAGE) if name == "v.zip" else SPREADSHEET
    start %= len(content)
    with undone(scratch):
        try:
            load(scratch, {name: content[:start] + new + content[start + len(new) :]})
        except (ImportRefused, TooLarge):
            assert not any(sizes(scratch).values())


SPREADSHEET = exports.as_xlsx(VILLAGE)


@given(st.text() | st.tuples(st.sampled_from("=+-@\t\r\n＝＋－＠'"), st.text()).map("".join))
def test_escaping_is_undone_and_leaves_no_formula(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not is_formula_like(escaped(text))


# registers made up

TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("=+-@＝＋－＠'\";,"),
    min_size=1,
    max_size=20,
).filter(lambda text: text.strip() == text)
OPTIONAL_DATE = st.none() | st.dates(date(1950, 1, 1), date(2020, 1, 1))


@st.composite
def _register(draw: st.DrawFn) -> dict[str, bytes]:
    """A register of households with keys, names and wishes of every kind."""
    settlements = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    keys = draw(st.lists(TEXT, max_size=4, unique=True))
    lines: dict[str, list[dict[str, object]]] = {
        "settlements": [
            {
                "settlement": key,
                "name": draw(TEXT),
                "district": draw(TEXT),
                "latitude": draw(st.floats(-90, 90)),
                "longitude": draw(st.floats(-180, 180)),
                "merged_from": (),
                "school_places": draw(st.integers(0, 1_000_000)),
                "clinic_patients": 0,
                "status": draw(st.sampled_from(["planned", "rebuilding", "open", "suspended"])),
            }
            for key in settlements
        ],
        "jobs": [
            {"settlement": settlements[0], "employer": each, "sector": draw(TEXT), "openings": 1} for each in keys
        ],
        "suitability": [
            {"household": key, "settlement": settlements[0], "score": draw(st.floats(-1e9, 1e9))} for key in keys
        ],
        "households": [],
        "people": [],
    }
    numbers = draw(st.lists(TEXT, min_size=12, max_size=12, unique_by=lambda text: letters_and_digits(text) or text))
    for key in keys:
        preferred = draw(st.lists(st.sampled_from(settlements), max_size=3, unique=True))
        lines["households"].append(
            {
                "household": key,
                "registered_on": draw(st.dates(date(2020, 1, 1), date(2025, 1, 1))),
                "origin": None,
                "displaced_on": draw(OPTIONAL_DATE),
                "current_accommodation": "other",
                **{f"preferred_{rank}": each for rank, each in enumerate(preferred, 1)},
                "anywhere": not preferred or draw(st.booleans()),
                "kin_group": draw(st.none() | TEXT),
                "phone": draw(st.none() | st.sampled_from(["+999 1", "+1-1", "(0)1", "=1", "ask at the school"])),
                "language": draw(st.none() | st.just("zh-Hant-TW")),
                "consent_on": draw(OPTIONAL_DATE),
            }
        )
        members = draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))
        pairs = dict([members[:2], members[:2][::-1]]) if len(members) > 1 and draw(st.booleans()) else {}
        lines["people"] += [
            {
                "household": key,
                "person": person,
                "given_name": draw(TEXT),
                "family_name": draw(TEXT),
                "sex": "female",
                "birth_date": draw(st.dates(date(1930, 1, 1), date(2020, 1, 1))),
                "relationship": "head" if number == 0 else "sibling",
                "needs_step_free": draw(st.booleans()),
                "occupation": draw(st.none() | TEXT),
                "national_id": draw(st.sampled_from([None, numbers.pop()])),
                "partner": pairs.get(person),
            }
            for number, person in enumerate(members)
        ]
    return {TABLES[name].file: exports.file_of(TABLES[name], found) for name, found in lines.items() if found}


@settings(RELAXED, max_examples=60)
@given(files=_register())
def test_a_register_comes_out_as_it_went_in(scratch: Session, files: dict[str, bytes]) -> None:
    with undone(scratch):
        load(scratch, files)
        out = exports.write(scratch, actor=OPERATOR)
        assert {name: out[name] for name in files} == files
        for source in (out, {"v.zip": exports.as_zip(out)}, {"v.xlsx": exports.as_xlsx(out)}):
            assert load(scratch, source).sentence.startswith("Nothing changed")


def _cells(files: dict[str, bytes]) -> Iterator[tuple[str, object]]:
    """Every cell of a zip's CSV files and of a spreadsheet, with its column."""
    for content in (content for name, content in files.items() if name.endswith(".csv")):
        header, *lines = rows(content)
        yield from ((column, cell) for line in lines for column, cell in zip(header, line, strict=True))
    workbook = load_workbook(io.BytesIO(exports.as_xlsx(files)))
    for sheet in workbook.worksheets:
        names, *values = sheet.values
        assert all(cell.data_type != "f" for line in sheet.iter_rows() for cell in line)
        yield from ((str(name), cell) for line in values for name, cell in zip(names, line, strict=True))


@settings(RELAXED, max_examples=60)
@given(files=_register())
def test_no_spreadsheet_runs_anything_of_an_export(scratch: Session, files: dict[str, bytes]) -> None:
    numbers = {column.name for table in TABLES.values() for column in table.columns if column.is_number}
    with undone(scratch):
        load(scratch, files)
        for column, cell in _cells(exports.write(scratch, actor=OPERATOR)):
            if isinstance(cell, str) and is_formula_like(cell):
                assert column in numbers
                float(cell)
