"""Folders, zips and spreadsheets give what the files in them give, and bad ones are refused."""

import io
import zipfile
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy.orm import Session

from app.access.permissions import OPERATOR
from app.errors import Conflict, Invalid, TooLarge
from app.exchange import exports, imports
from app.exchange.refusals import ImportRefused
from tests.exchange.village import SQUARE, VILLAGE, area, land, load, only, refused, rows

WHOLE = "Nothing changed"


def _zip(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _xlsx(**sheets: list[list[Any]]) -> bytes:
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, lines in sheets.items():
        sheet = workbook.create_sheet(name)
        for line in lines:
            sheet.append(line)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def _origins(*lines: list[Any]) -> dict[str, bytes]:
    return {"o.xlsx": _xlsx(origins=[["origin", "name", "latitude", "longitude"], *lines])}


def _houses(**cells: Any) -> dict[str, bytes]:
    line: dict[str, Any] = dict(zip(*rows(VILLAGE["houses.csv"])[:2], strict=True)) | cells
    return {
        **only(VILLAGE, "settlements.csv", "origins.csv"),
        "h.xlsx": _xlsx(houses=[list(line), list(line.values())]),
    }


# the same in every packing


def test_a_folder_a_zip_and_a_spreadsheet_give_the_same(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "village"
    exports.save(VILLAGE, folder)
    (folder / ".DS_Store").write_bytes(b"\0")
    assert imports.run(session, folder, actor=OPERATOR).sentence.startswith("21 rows added")
    exports.save(VILLAGE, tmp_path / "v.zip")
    exports.save(VILLAGE, tmp_path / "v.xlsx")
    for path in (tmp_path / "v.zip", tmp_path / "v.xlsx", folder / "people.csv", folder / "land_release.geojson"):
        assert imports.run(session, path, actor=OPERATOR).sentence.startswith(WHOLE)


def test_a_spreadsheet_fills_an_empty_register_as_the_files_do(session: Session, operator: Any) -> None:
    load(session, {"v.xlsx": exports.as_xlsx(VILLAGE)})
    assert exports.write(session, actor=operator) == VILLAGE


def test_a_zipped_folder_is_taken(scratch: Session) -> None:
    files = {f"village/{name}": content for name, content in VILLAGE.items()}
    load(scratch, {"v.zip": _zip({**files, "__MACOSX/village/._people.csv": b"\0", "village/.DS_Store": b"\0"})})
    assert load(scratch).sentence.startswith(WHOLE)


def test_a_path_that_is_not_there(scratch: Session, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="no such file or folder"):
        imports.run(scratch, tmp_path / "nowhere", actor=OPERATOR)
    with pytest.raises(ImportRefused, match="nothing to import"):
        imports.run(scratch, tmp_path, actor=OPERATOR)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ImportRefused, match="this is a folder"):
        imports.run(scratch, tmp_path, actor=OPERATOR)


# zips


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("../people.csv",), "put the files at the archive's top"),
        (("/people.csv",), "put the files at the archive's top"),
        (("a/b/people.csv",), "put the files at the archive's top"),
        (("C:/people.csv",), "put the files at the archive's top"),
        (("..\\people.csv",), "put the files at the archive's top"),
        (("..",), "put the files at the archive's top"),
        (("\\",), "has no name"),
        ((".",), "has no name"),
        (("./.",), "has no name"),
        (("a/people.csv", "b/people.csv"), "a/people.csv is the same table"),
        (("people.csv", "a/people.csv"), "people.csv is the same table"),
        (("readme.txt",), "no table has this name"),
        (("inner.zip",), "no table has this name"),
        ((), "nothing to import"),
    ],
)
def test_a_zip_of_the_wrong_files(scratch: Session, names: tuple[str, ...], said: str) -> None:
    archive = _zip(dict.fromkeys(names, VILLAGE["people.csv"]))
    errors = refused(
        scratch,
        {**only(VILLAGE, "settlements.csv", "origins.csv", "households.csv"), "v.zip": archive}
        if names
        else {"v.zip": archive},
    )
    assert any(said in each.message for each in errors)


def test_a_member_without_a_name(scratch: Session) -> None:
    content = _zip({"people.csv": VILLAGE["people.csv"]}).replace(b"people.csv", b"\0eople.csv")
    (error,) = refused(scratch, {"v.zip": content})  # a name ends where there is a NUL
    assert "has no name" in error.message


def test_two_members_of_one_name(scratch: Session) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("people.csv", VILLAGE["people.csv"])
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("people.csv", VILLAGE["people.csv"])
    (error,) = refused(scratch, {"v.zip": out.getvalue()})
    assert "the same name" in error.message


def test_an_encrypted_zip(scratch: Session) -> None:
    content = bytearray(_zip({"people.csv": VILLAGE["people.csv"]}))
    central = content.index(b"PK\x01\x02")
    content[6] |= 1
    content[central + 8] |= 1
    (error,) = refused(scratch, {"v.zip": bytes(content)})
    assert (error.file, error.value) == ("v.zip", "people.csv")
    assert "without a password" in error.message


@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_a_broken_zip_or_spreadsheet(scratch: Session, cut: int) -> None:
    for name, content in (("v.zip", exports.as_zip(VILLAGE)), ("v.xlsx", exports.as_xlsx(VILLAGE))):
        (error,) = refused(scratch, {name: content[:cut]})
        assert error.file == name
        assert "cannot be opened" in error.message


def test_a_zip_whose_content_is_damaged(scratch: Session) -> None:
    content = bytearray(_zip({"people.csv": VILLAGE["people.csv"]}))
    content[60:90] = bytes(30)
    (error,) = refused(scratch, {"v.zip": bytes(content)})
    assert error.file == "v.zip"


@pytest.mark.parametrize("name", ["v.zip", "v.xlsx"])
def test_a_bomb_is_not_unpacked(scratch: Session, name: str) -> None:
    bomb = _zip({"people.csv": bytes(3 * 2**20)})
    assert len(bomb) < 10_000
    with pytest.raises(TooLarge, match="unpacks to more than 2 MB"):
        imports.run(scratch, {name: bomb}, actor=OPERATOR, limit_mb=2)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked_either(scratch: Session) -> None:
    bomb = bytearray(_zip({"people.csv": bytes(3 * 2**20)}))
    central = bomb.index(b"PK\x01\x02")
    for place in (22, central + 24):
        bomb[place : place + 4] = (1_000).to_bytes(4, "little")
    (error,) = refused(scratch, {"v.zip": bytes(bomb)})
    assert "cannot be opened" in error.message


def test_too_many_files_and_too_much(scratch: Session, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="holds 41 files"):
        load(scratch, {"v.zip": _zip({f"{number}.csv": b"" for number in range(41)})})
    with pytest.raises(TooLarge, match="more than 1 MB"):
        imports.run(scratch, {"people.csv": bytes(2**20 + 1)}, actor=OPERATOR, limit_mb=1)
    (tmp_path / "people.csv").write_bytes(bytes(2**20 + 1))
    with pytest.raises(TooLarge, match="over 1 MB"):
        imports.run(scratch, tmp_path, actor=OPERATOR, limit_mb=1)


# spreadsheets


def test_real_numbers_dates_and_truths_are_taken(scratch: Session) -> None:
    load(scratch)
    typed = {"rooms": 3.0, "floor_area_m2": 64, "step_free": True, "handed_over_on": datetime(2025, 7, 1)}  # noqa: DTZ001
    assert load(scratch, _houses(**typed)).tables["houses"].unchanged == 1
    assert load(scratch, _houses(handed_over_on=date(2025, 7, 1))).tables["houses"].unchanged == 1


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("address", "=A1&A2", "starts with ="),
        ("rooms", "=1+2", "not a whole number"),
        ("rooms", 3.5, "not a whole number"),
        ("rooms", "#REF!", "formula's error"),
        ("handed_over_on", 45_000, "YYYY-MM-DD"),
        ("handed_over_on", datetime(2025, 7, 1, 12, 30), "YYYY-MM-DD"),  # noqa: DTZ001
        ("handed_over_on", time(12, 30), "neither text, number nor date"),
    ],
)
def test_a_wrong_cell_of_a_sheet_is_named(scratch: Session, column: str, value: Any, said: str) -> None:
    (error,) = refused(scratch, _houses(**{column: value}))
    assert (error.file, error.row) == ("h.xlsx:houses", 2)
    assert error.column in (column, None)
    assert said in error.message


def _people(national_id: Any) -> dict[str, bytes]:
    lines: list[list[Any]] = [*rows(VILLAGE["people.csv"])]
    lines[3][-1] = national_id
    return {
        **only(VILLAGE, "settlements.csv", "origins.csv", "households.csv"),
        "p.xlsx": _xlsx(people=lines),
    }


@pytest.mark.parametrize("number", [10**15, 98765432109876543, -(10**15), 12345678901234567890, 1.2345678901234567e19])
def test_a_number_of_a_document_that_lost_digits_is_not_taken_for_another(scratch: Session, number: float) -> None:
    (error,) = refused(scratch, _people(number))
    assert (error.file, error.row, error.message) == (
        "p.xlsx:people",
        4,
        "cell 10: this number may have lost digits; format the column as text, and write it again",
    )
    assert str(number)[:8] not in error.sentence


@pytest.mark.parametrize("number", [10**15 - 1, 999_999_999_999_999.0, "12345678901234567890"])
def test_a_number_of_a_document_that_kept_its_digits_is_taken(session: Session, operator: Any, number: Any) -> None:
    load(session, _people(number))
    (line,) = (line for line in rows(exports.write(session, actor=operator)["people.csv"]) if line[0] == "H-2")
    assert line[-1] == str(int(number))


def test_empty_rows_and_short_rows_of_a_sheet(scratch: Session) -> None:
    load(scratch, _origins([], ["O-1", "Alder", 1, 2], [None, "", None], ["O-2", "Birch", 1.5, -2]))
    (error,) = refused(scratch, _origins(["O-1", "Alder", 1]))
    assert (error.row, error.column) == (2, "longitude")
    (error,) = refused(scratch, _origins(["O-1", "Alder", 1, 2, "more"]))
    assert "5 cells and the header 4" in error.message
    far = [None] * 20_000
    load(scratch, _origins(["O-3", "Far", 1, 2, *far[:16_000]]))


def test_a_sheet_of_another_name(scratch: Session) -> None:
    (error,) = refused(scratch, {"v.xlsx": _xlsx(Sheet1=[["origin"]])})
    assert (error.file, error.value) == ("v.xlsx", "Sheet1")
    assert "people" in error.message


def test_a_sheet_beside_a_file_of_the_same_table(scratch: Session) -> None:
    files = _origins(["O-1", "Alder", 1, 2]) | only(VILLAGE, "origins.csv")
    (error,) = refused(scratch, files)
    assert "o.xlsx:origins is the same table" in error.message


def test_a_spreadsheet_that_declares_entities(scratch: Session) -> None:
    packed = _origins(["O-1", "Alder", 1, 2])["o.xlsx"]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    laughs = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    for name in (sheet, "xl/workbook.xml"):
        start = members[name].index(b"<worksheet" if name == sheet else b"<workbook")
        changed = {**members, name: members[name][:start] + laughs + members[name][start:]}
        (error,) = refused(scratch, {"o.xlsx": _zip(changed)})
        assert error.file.startswith("o.xlsx")


def test_a_cell_far_down_costs_nothing(scratch: Session) -> None:
    packed = _origins(["O-1", "Alder", 1, 2])["o.xlsx"]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    members[sheet] = members[sheet].replace(b'<row r="2"', b'<row r="2000000000"')
    (error,) = refused(scratch, {"o.xlsx": _zip(members)})
    assert "cannot be read from here on" in error.message


# what is written


def test_saving_is_whole_and_refuses_a_folder_in_use(tmp_path: Path) -> None:
    target = tmp_path / "made" / "out"
    exports.save(VILLAGE, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == VILLAGE
    assert target.stat().st_mode & 0o077 == 0
    with pytest.raises(Conflict, match="not an empty folder"):
        exports.save(VILLAGE, target)
    with pytest.raises(Conflict, match="not an empty folder"):
        exports.save(VILLAGE, target / "people.csv")
    (tmp_path / "empty").mkdir()
    exports.save(VILLAGE, tmp_path / "empty")
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(Conflict, match="is a folder"):
        exports.save(VILLAGE, tmp_path / "folder.zip")
    archive = tmp_path / "out.zip"
    archive.write_bytes(b"old")
    exports.save(VILLAGE, archive)
    assert archive.read_bytes() == exports.as_zip(VILLAGE)
    assert archive.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.rglob(".export-*"))


def test_nothing_is_left_when_saving_fails(tmp_path: Path) -> None:
    broken = {**VILLAGE, "no/such/folder.csv": b""}
    with pytest.raises(FileNotFoundError):
        exports.save(broken, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_spreadsheet_has_typed_cells(tmp_path: Path) -> None:
    workbook = load_workbook(io.BytesIO(exports.as_xlsx(VILLAGE)))
    assert workbook.sheetnames == [name.split(".")[0] for name in VILLAGE]
    house = [cell.value for cell in workbook["houses"][2]]
    assert house == ["ALD-1", "ALD", "Street 1, house 1", 3, 2, 64, 1, 1, 5, datetime(2025, 7, 1)]  # noqa: DTZ001
    assert workbook["settlements"]["D2"].value == 0.8400000000000001


def test_a_text_that_looks_like_an_error_is_one_in_a_spreadsheet_too(session: Session) -> None:
    files = {**VILLAGE, "origins.csv": VILLAGE["origins.csv"].replace(b"Gone", b"#N/A")}
    assert load(session, files).tables["origins"].created == 3
    assert load(session, {"v.xlsx": exports.as_xlsx(files)}).sentence.startswith(WHOLE)


def test_an_area_too_detailed_for_a_cell_is_not_cut_off() -> None:
    detailed = {**area("L-1", "ALD", "cleared"), "geometry": {"type": "Polygon", "coordinates": [SQUARE[0] * 700]}}
    with pytest.raises(Invalid, match=r"L-1 in land_release\.geojson does not fit"):
        exports.as_xlsx({"land_release.geojson": land(detailed)})


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_a_character_that_no_spreadsheet_can_hold_makes_none_that_cannot_be_opened(character: str) -> None:
    with pytest.raises(Invalid, match=r"O-1 in origins\.csv does not fit"):
        exports.as_xlsx({"origins.csv": f"origin,name\nO-1,Old{character}\n".encode()})
