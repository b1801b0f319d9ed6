"""Bad input: each case is refused with the file, row and column named, and nothing is written."""

import json
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.exchange import imports
from app.exchange.refusals import REPORTED, ImportRefused
from tests.exchange.village import (
    SQUARE,
    VILLAGE,
    Files,
    area,
    land,
    load,
    only,
    refused,
    rows,
    with_cell,
    with_row,
    written,
)

SETTLEMENTS, ORIGINS, HOUSES = "settlements.csv", "origins.csv", "houses.csv"
MILESTONES, JOBS, LAND = "milestones.csv", "jobs.csv", "land_release.geojson"
HOUSEHOLDS, PEOPLE, SUITABILITY = "households.csv", "people.csv", "suitability.csv"

CELLS = [
    # what a reference names is not there
    (HOUSES, 3, "settlement", "XYZ", "there is no settlement 'XYZ'"),
    (MILESTONES, 2, "settlement", "XYZ", "there is no settlement"),
    (JOBS, 2, "settlement", "XYZ", "there is no settlement"),
    (HOUSEHOLDS, 2, "preferred_2", "XYZ", "there is no settlement"),
    (HOUSEHOLDS, 3, "origin", "O-9", "there is no origin"),
    (SETTLEMENTS, 2, "merged_from", "O-1;O-9", "there is no origin 'O-9'"),
    (PEOPLE, 5, "household", "H-9", "there is no household"),
    (SUITABILITY, 2, "household", "H-9", "there is no household"),
    (SUITABILITY, 3, "settlement", "XYZ", "there is no settlement"),
    # heads
    (PEOPLE, 3, "relationship", "head", "2 heads"),
    (PEOPLE, 4, "relationship", "parent", "no head"),
    # dates
    (PEOPLE, 2, "birth_date", "1899-12-31", "not between"),
    (PEOPLE, 2, "birth_date", "1900-01-01", "more than 125 years"),
    (PEOPLE, 2, "birth_date", "2199-01-01", "future"),
    (PEOPLE, 2, "birth_date", "21.04.1980", "YYYY-MM-DD"),
    (PEOPLE, 2, "birth_date", "1980-02-30", "no such day"),
    (PEOPLE, 2, "birth_date", "19800421", "YYYY-MM-DD"),
    (PEOPLE, 2, "birth_date", "١٩٨٠-٠٤-٢١", "YYYY-MM-DD"),
    (PEOPLE, 2, "birth_date", "", "empty"),
    (HOUSES, 3, "handed_over_on", "2199-01-01", "future"),
    (HOUSEHOLDS, 2, "registered_on", "2199-01-01", "future"),
    (HOUSEHOLDS, 2, "displaced_on", "2024-03-01", "after the registration"),
    (MILESTONES, 2, "achieved_on", "2199-01-01", "future"),
    (MILESTONES, 3, "expected_on", "2999-01-01", "not between"),
    # wishes
    (HOUSEHOLDS, 2, "preferred_2", "ALD", "twice"),
    (HOUSEHOLDS, 2, "preferred_1", "", "move the preferences up"),
    (HOUSEHOLDS, 3, "anywhere", "0", "prefers no settlement"),
    (HOUSEHOLDS, 3, "anywhere", "", "empty"),
    # numbers
    (HOUSES, 2, "bedrooms", "4", "4 bedrooms do not fit in 3 rooms"),
    (HOUSES, 2, "bedrooms", "-1", "not from 0"),
    (HOUSES, 2, "rooms", "0", "not from 1"),
    (HOUSES, 2, "rooms", "3.0", "whole number"),
    (HOUSES, 2, "rooms", "3 000", "whole number"),
    (HOUSES, 2, "rooms", "9" * 400, "whole number"),
    (HOUSES, 2, "floor_area_m2", "0", "not above 0"),
    (HOUSES, 2, "floor_area_m2", "64,5", "not a number"),
    (HOUSES, 2, "floor_area_m2", "nan", "not a number"),
    (HOUSES, 2, "floor_area_m2", "inf", "not a number"),
    (HOUSES, 2, "floor_area_m2", "1e999", "not above 0 and at most"),
    (HOUSES, 2, "solar_kw", "-0.5", "not from 0"),
    (SETTLEMENTS, 2, "latitude", "90.1", "not from -90 to 90"),
    (SETTLEMENTS, 2, "longitude", "-180.5", "not from -180 to 180"),
    (ORIGINS, 2, "latitude", "0x1", "not a number"),
    (SETTLEMENTS, 2, "school_places", "-3", "not from 0"),
    (JOBS, 2, "openings", "1000001", "not from 0 to 1,000,000"),
    (SUITABILITY, 2, "score", "-inf", "not a number"),
    # flags and lists
    (HOUSES, 2, "step_free", "yes", "1 for yes or 0 for no"),
    (PEOPLE, 2, "needs_step_free", "TRUE", "1 for yes or 0 for no"),
    (PEOPLE, 2, "sex", "f", "female, male, unspecified"),
    (PEOPLE, 2, "relationship", "wife", "head, spouse, child"),
    (SETTLEMENTS, 2, "status", "Open", "planned, rebuilding, open, suspended"),
    (HOUSEHOLDS, 2, "current_accommodation", "tent", "dormitory"),
    (HOUSEHOLDS, 2, "language", "english_uk", "BCP 47"),
    (HOUSEHOLDS, 2, "language", "e", "BCP 47"),
    (MILESTONES, 2, "milestone", "Access Road", "access_road"),
    # text
    (PEOPLE, 2, "given_name", "", "empty"),
    (PEOPLE, 2, "given_name", "   ", "empty"),
    (PEOPLE, 2, "given_name", "x" * 201, "shorten it to 200"),
    (PEOPLE, 2, "given_name", "=HYPERLINK(1)", "starts with ="),
    (PEOPLE, 2, "given_name", "+cmd", "starts with +"),
    (PEOPLE, 2, "given_name", "-1+1", "starts with -"),
    (PEOPLE, 2, "given_name", "@SUM(1)", "starts with @"),
    (PEOPLE, 2, "given_name", "\tTab", "U+0009"),
    (PEOPLE, 2, "given_name", "\rReturn", "U+000D"),
    (PEOPLE, 2, "given_name", "two\nlines", "U+000A"),
    (PEOPLE, 2, "given_name", "nul\0l", "U+0000"),
    (PEOPLE, 2, "given_name", "escape\x9b", "U+009B"),
    (PEOPLE, 2, "given_name", "none\ufffe", "U+FFFE"),
    (PEOPLE, 2, "given_name", "none\uffff", "U+FFFF"),
    (HOUSEHOLDS, 2, "phone", "+cmd|' /C calc'!A0", "starts with +"),
    (HOUSEHOLDS, 2, "phone", "5" * 41, "shorten it to 40"),
    (HOUSEHOLDS, 2, "kin_group", "=K", "starts with ="),
    (SETTLEMENTS, 2, "merged_from", "O-1;O-1", "twice"),
]


@pytest.mark.parametrize(("file", "row", "column", "value", "said"), CELLS)
def test_a_wrong_cell_is_named(scratch: Session, file: str, row: int, column: str, value: str, said: str) -> None:
    errors = refused(scratch, with_cell(file, row, column, value))
    found = [each for each in errors if (each.file, each.row, each.column) == (file, row, column)]
    assert [said in each.message for each in found] == [True]
    assert {each.file for each in errors} <= {file, HOUSEHOLDS, PEOPLE}
    shown = found[0].value or ""
    assert (shown.removesuffix("…") in value) or shown in value.split(";")


@pytest.mark.parametrize(
    ("file", "line", "row", "column", "said"),
    [
        (HOUSES, "ALD-1,ALD,Street 5,3,2,64,1,1,5,", 4, "house", "row 2 is the same house"),
        (MILESTONES, "ALD,access_road,,", 4, "milestone", "row 2 is the same"),
        (JOBS, "ALD,Dairy,manufacturing,3", 3, "sector", "row 2 is the same"),
        (PEOPLE, "H-1,H-1-1,A,B,male,2000-01-01,child,0,,", 6, "person", "row 2 is the same"),
        (SUITABILITY, "H-1,ALD,1", 4, "settlement", "row 2 is the same"),
        (HOUSES, "ALD-3,ALD,Street 5", 4, None, "3 cells and the header 10; fill it up with commas"),
        (HOUSES, "ALD-3,ALD,Street 5, house 1,3,2,64,1,1,5,", 4, None, "11 cells and the header 10"),
        (HOUSES, 'ALD-3,ALD,"Street 5,3,2,64,1,1,5,', 4, None, "close every quote"),
        (HOUSES, 'ALD-3,ALD,"Street" 5,3,2,64,1,1,5,', 4, None, "close every quote"),
        (HOUSES, f"ALD-3,ALD,{'x' * 140_000},3,2,64,1,1,5,", 4, None, "field larger"),
        (SETTLEMENTS, "CED,Cedar,North,0,0,O-2,0,0,open", 4, "merged_from", "into ALD already, and now into CED"),
        (
            HOUSEHOLDS,
            "H-4,2024-01-01,,,other,,,,1,,,,",
            5,
            "household",
            "has no people",
        ),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(scratch: Session, file: str, line: str, row: int, column: str | None, said: str) -> None:
    (error,) = refused(scratch, with_row(file, line))
    assert (error.file, error.row, error.column) == (file, row, column)
    assert said in error.message


def _with_header(file: str, header: str) -> Files:
    return {**VILLAGE, file: header.encode() + VILLAGE[file][VILLAGE[file].index(b"\r\n") :]}


@pytest.mark.parametrize(
    ("header", "column", "said"),
    [
        ("origin,name,latitude", "longitude", "missing"),
        ("origin,name,latitude,longitude,height", "height", "no such column"),
        ("origin,name,latitude,longitude,name", "name", "twice"),
        ("origin;name;latitude;longitude", "origin;name;latitude;longitude", "commas"),
        ("origin,name,latitude,Longitude", "longitude", "missing"),
    ],
)
def test_a_wrong_header_is_named(scratch: Session, header: str, column: str, said: str) -> None:
    errors = refused(scratch, _with_header(ORIGINS, header))
    assert {(each.file, each.row) for each in errors} == {(ORIGINS, 1)}
    assert any(each.column == column and said in each.message for each in errors)


@pytest.mark.parametrize(
    ("content", "row", "said"),
    [
        (b"", 1, "empty"),
        (b"\xef\xbb\xbf", 1, "empty"),
        (b"  \r\n", 1, "empty"),
        (VILLAGE[ORIGINS].replace(b"Lower", b"L\xf6wer"), 3, "line 3 is not UTF-8 (byte 0xF6)"),
        (VILLAGE[ORIGINS].decode().encode("utf-16"), 1, "not UTF-8"),
        (b"PK\x03\x04", 1, "missing"),
    ],
)
def test_a_file_that_is_no_text_is_named(scratch: Session, content: bytes, row: int, said: str) -> None:
    errors = refused(scratch, {**VILLAGE, ORIGINS: content})
    assert {(each.file, each.row) for each in errors} == {(ORIGINS, row)}
    assert any(said in each.message for each in errors)


@pytest.mark.parametrize("name", ["village.csv", "People.csv", "people.txt", "people", "land_release.csv", "", ".."])
def test_a_file_of_another_name_is_refused(scratch: Session, name: str) -> None:
    (error,) = refused(scratch, {**VILLAGE, name: VILLAGE[PEOPLE]})
    assert (error.file, error.row) == (name, 1)
    assert "people.csv" in error.message


def test_nothing_is_no_import(scratch: Session) -> None:
    (error,) = refused(scratch, {})
    assert "nothing to import" in error.message


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + VILLAGE[PEOPLE],
        VILLAGE[PEOPLE].replace(b"\r\n", b"\n"),
        VILLAGE[PEOPLE].replace(b"\r\n", b"\r"),
        VILLAGE[PEOPLE] + b"\r\n,,,,,,,,,\r\n\r\n",
        VILLAGE[PEOPLE].replace(b",", b" , "),
        VILLAGE[PEOPLE].removesuffix(b"\r\n"),
    ],
)
def test_what_spreadsheets_make_of_a_file_is_taken(scratch: Session, content: bytes) -> None:
    load(scratch)
    assert load(scratch, {**VILLAGE, PEOPLE: content}).sentence.startswith("Nothing changed")


def test_columns_may_come_in_another_order(scratch: Session) -> None:
    load(scratch)
    assert load(scratch, {ORIGINS: written(line[::-1] for line in rows(VILLAGE[ORIGINS]))}).tables["origins"].unchanged


def test_a_bad_row_is_not_blamed_on_those_that_refer_to_it(scratch: Session) -> None:
    (error,) = refused(scratch, with_cell(SETTLEMENTS, 2, "status", "there"))
    assert error.column == "status"
    (error,) = refused(scratch, with_cell(PEOPLE, 2, "sex", "none"))
    assert error.column == "sex"


def test_people_of_a_household_that_is_elsewhere(scratch: Session) -> None:
    files = with_cell(HOUSEHOLDS, 4, "household", "H-30")
    errors = {(each.file, each.row, each.column) for each in refused(scratch, files)}
    assert errors == {(PEOPLE, 5, "household"), (HOUSEHOLDS, 4, "household")}


def test_every_wrong_row_is_reported_at_once(scratch: Session) -> None:
    files = with_cell(HOUSES, 2, "rooms", "x", with_cell(PEOPLE, 2, "sex", "x", with_cell(JOBS, 2, "openings", "x")))
    assert [(each.file, each.row) for each in refused(scratch, files)] == [(HOUSES, 2), (JOBS, 2), (PEOPLE, 2)]


def test_the_first_thousand_wrong_rows_and_the_count_of_the_rest(scratch: Session) -> None:
    header = VILLAGE[ORIGINS].split(b"\r\n")[0].decode()
    lines = [header, *(f"O-{number},Place,91,0" for number in range(100_000))]
    with pytest.raises(ImportRefused) as caught:
        load(scratch, {ORIGINS: "\n".join(lines).encode()})
    assert [each.row for each in caught.value.rows] == list(range(2, REPORTED + 2))
    assert caught.value.more == 99_000
    assert "100,000 things are wrong" in caught.value.detail
    assert len(caught.value.problem()["errors"]) == REPORTED


def test_a_good_import_after_a_refused_one(scratch: Session) -> None:
    refused(scratch, with_cell(HOUSES, 2, "rooms", "x"))
    assert isinstance(load(scratch), imports.ImportReport)


# land release

RING = SQUARE[0]


def _feature(**properties: object) -> dict[str, object]:
    given = {"method": "manual", "released_on": "2023-04-05", "certificate": "C-1"} | properties
    feature = area("L-9", "ALD", "cleared")
    return {**feature, "properties": {"hectares": 12.5, "area": "L-9", "settlement": "ALD", "state": "cleared"} | given}


@pytest.mark.parametrize(
    ("properties", "column"),
    [
        ({"released_on": ""}, "released_on"),
        ({"certificate": ""}, "certificate"),
        ({"method": ""}, "method"),
        ({"state": "reduced", "certificate": None}, "certificate"),
        ({"state": "cancelled", "released_on": None}, "released_on"),
        ({"state": "confirmed_hazardous", "released_on": ""}, "certificate"),
        ({"state": "suspected_hazardous", "released_on": ""}, "certificate"),
        ({"state": "safe"}, "state"),
        ({"hectares": 0}, "hectares"),
        ({"hectares": True, "certificate": "=1"}, "certificate"),
        ({"hectares": "much"}, "hectares"),
        ({"settlement": "XYZ"}, "settlement"),
        ({"released_on": "2199-01-01"}, "released_on"),
        ({"certificate": "half a character \ud800"}, "certificate"),
        ({"area": ""}, "area"),
        ({"area": 10**400}, "area"),
    ],
)
def test_land_and_its_papers_agree(scratch: Session, properties: dict[str, object], column: str) -> None:
    (error,) = refused(
        scratch, {**VILLAGE, LAND: land(area("L-1", "BIR", "suspected_hazardous"), _feature(**properties))}
    )
    assert (error.file, error.row, error.column) == (LAND, 2, column)


def test_land_that_is_suspected_again_keeps_its_papers(scratch: Session) -> None:
    load(scratch, {**VILLAGE, LAND: land(_feature(state="suspected_hazardous"))})


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        [],
        {"type": "Point", "coordinates": [0, 0]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [RING[:3]]},
        {"type": "Polygon", "coordinates": [RING[:4]]},
        {"type": "Polygon", "coordinates": [[*RING[:-1], [0.1, 0.1000001]]]},
        {"type": "Polygon", "coordinates": [[[181, 0], *RING[1:-1], [181, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 91], *RING[1:-1], [0, 91]]]},
        {"type": "Polygon", "coordinates": [[["0", 1], *RING[1:-1], ["0", 1]]]},
        {"type": "Polygon", "coordinates": [[[True, 1], *RING[1:-1], [True, 1]]]},
        {"type": "Polygon", "coordinates": [[[10**400, 1], *RING[1:-1], [10**400, 1]]]},
        {"type": "Polygon", "coordinates": [[[1], *RING[1:-1], [1]]]},
        {"type": "Polygon", "coordinates": "0 0, 1 1"},
        {"type": "MultiPolygon", "coordinates": SQUARE},
        {"type": "MultiPolygon", "coordinates": []},
    ],
)
def test_an_area_is_made_of_closed_rings(scratch: Session, geometry: Any) -> None:
    (error,) = refused(scratch, {**VILLAGE, LAND: land({**_feature(), "geometry": geometry})})
    assert (error.file, error.row, error.column) == (LAND, 1, "geometry")


def test_an_area_has_a_bounded_number_of_positions(scratch: Session) -> None:
    polygon = {"type": "Polygon", "coordinates": [RING * 20_001]}
    feature = json.dumps({"type": "FeatureCollection", "features": [{**_feature(), "geometry": polygon}]})
    (error,) = refused(scratch, {**VILLAGE, LAND: feature.encode()})
    assert "100,005 positions" in error.message


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "MultiPolygon", "coordinates": [SQUARE, SQUARE]},
        {"type": "Polygon", "coordinates": [RING, RING]},
        {"type": "Polygon", "coordinates": [[[0, 0, 5], [0, 1, 5], [1, 1, 5], [0, 0, 5]]]},
    ],
)
def test_areas_that_are_taken(scratch: Session, geometry: Any) -> None:
    load(scratch, {**VILLAGE, LAND: land({**_feature(), "geometry": geometry})})


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'"text"',
        b'{"type": "Feature"}',
        b'{"type": "FeatureCollection", "features": {}}',
        b'{"type": "FeatureCollection", "features": [1]}',
        b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": null}]}',
        b'{"type": "FeatureCollection", "features": [NaN]}',
        b'{"type": "FeatureCollection", "features": [1e5, Infinity]}',
        b"[" * 100_000,
        b'{"type": "FeatureCollection", "features": [' + b"9" * 5_000 + b"]}",
        land({**_feature(), "properties": {"area": "L-9"}}),
        land(_feature(colour="red")),
        land(_feature(method=["manual"])),
        land({**_feature(), "type": "Thing"}),
    ],
)
def test_what_is_not_geojson_is_named(scratch: Session, content: bytes) -> None:
    (error,) = refused(scratch, {**VILLAGE, LAND: content})
    assert (error.file, error.row) == (LAND, 1)
    assert json.dumps(error.message)


def test_a_geometry_nested_too_deeply_is_refused(scratch: Session) -> None:
    deep = land(_feature()).replace(b'"Polygon"', b'"Polygon", "more": ' + b"[" * 900 + b"]" * 900)
    load(scratch, {**VILLAGE, LAND: deep})
    deeper = land(_feature()).replace(b'"Polygon"', b'"Polygon", "more": ' + b"[" * 90_000 + b"]" * 90_000)
    (error,) = refused(scratch, {**only(VILLAGE, SETTLEMENTS, ORIGINS), LAND: deeper})
    assert "nested too deeply" in error.message
