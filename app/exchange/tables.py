"""The tables of an import: their files, keys and columns. Import, export and spreadsheets all read this page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.exchange import cells, geometry
from app.exchange.cells import Reader
from app.housing.models import LandState, SettlementStatus
from app.policy.facts import Accommodation, Relationship, Sex


@dataclass(frozen=True)
class Column:
    """A column: how its cells are read, whether each row must have one, and whether the column may be left out.

    What is in an `is_sealed` one is never repeated in a refusal.
    """

    name: str
    read: Reader
    required: bool = True
    may_be_absent: bool = False
    is_number: bool = False
    is_date: bool = False
    is_sealed: bool = False


@dataclass(frozen=True)
class Table:
    """A table: one CSV file (or GeoJSON), or one sheet. `key`: the columns that tell its rows apart."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    is_geojson: bool = False

    def column(self, name: str) -> Column:
        """Return the column of this name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.name}.geojson" if self.is_geojson else f"{self.name}.csv"


def _text(name: str, longest: int, *, required: bool = True) -> Column:
    return Column(name, cells.text(longest), required)


def _key(name: str, *, required: bool = True, may_be_absent: bool = False) -> Column:
    return Column(name, cells.key, required, may_be_absent)


def _whole(name: str, low: int = 0, high: int = cells.LARGEST_COUNT) -> Column:
    return Column(name, cells.whole(low, high), is_number=True)


def _number(name: str, low: float, high: float, *, positive: bool = False) -> Column:
    return Column(name, cells.number(low, high, positive=positive), is_number=True)


def _date(name: str, read: Callable[[str], Any] = cells.past_day, *, required: bool = True) -> Column:
    return Column(name, read, required, is_date=True)


def _flag(name: str) -> Column:
    return Column(name, cells.flag, is_number=True)


WHERE = (_number("latitude", -90, 90), _number("longitude", -180, 180))

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "settlements",
            ("settlement",),
            (
                _key("settlement"),
                _text("name", 200),
                _text("district", 120),
                *WHERE,
                Column("merged_from", cells.keys, required=False),
                _whole("school_places"),
                _whole("clinic_patients"),
                Column("status", cells.enum(SettlementStatus)),
            ),
        ),
        Table("origins", ("origin",), (_key("origin"), _text("name", 200), *WHERE)),
        Table(
            "houses",
            ("house",),
            (
                _key("house"),
                _key("settlement"),
                _text("address", 300),
                _whole("rooms", 1, 60),
                _whole("bedrooms", 0, 60),
                _number("floor_area_m2", 0, 100_000, positive=True),
                _flag("step_free"),
                _whole("storeys", 1, 50),
                _number("solar_kw", 0, 10_000),
                _date("handed_over_on", required=False),
            ),
        ),
        Table(
            "milestones",
            ("settlement", "milestone"),
            (
                _key("settlement"),
                Column("milestone", cells.milestone),
                _date("achieved_on", required=False),
                _date("expected_on", cells.day, required=False),
            ),
        ),
        Table(
            "jobs",
            ("settlement", "employer", "sector"),
            (_key("settlement"), _text("employer", 200), _text("sector", 80), _whole("openings")),
        ),
        Table(
            "land_release",
            ("area",),
            (
                _key("area"),
                _key("settlement"),
                Column("state", cells.enum(LandState)),
                _text("method", 80, required=False),
                _number("hectares", 0, 100_000, positive=True),
                _date("released_on", required=False),
                _text("certificate", 120, required=False),
                Column("geometry", geometry.area),
            ),
            is_geojson=True,
        ),
        Table(
            "households",
            ("household",),
            (
                _key("household"),
                _date("registered_on"),
                _key("origin", required=False),
                _date("displaced_on", required=False),
                Column("current_accommodation", cells.enum(Accommodation)),
                *(_key(f"preferred_{rank}", required=False) for rank in (1, 2, 3)),
                _flag("anywhere"),
                _key("kin_group", required=False),
                Column("phone", cells.phone, required=False, is_sealed=True),
                Column("language", cells.language, required=False),
                _date("consent_on", required=False),
                Column(
                    "application",
                    cells.text(9, "submitted|draft|none", "write submitted, draft or none, or leave it empty"),
                    required=False,
                    may_be_absent=True,
                ),
            ),
        ),
        Table(
            "people",
            ("household", "person"),
            (
                _key("household"),
                _key("person"),
                _text("given_name", 200),
                _text("family_name", 200),
                Column("sex", cells.enum(Sex)),
                _date("birth_date", cells.birth_date),
                Column("relationship", cells.enum(Relationship)),
                _flag("needs_step_free"),
                _text("occupation", 80, required=False),
                Column("national_id", cells.text(80), required=False, is_sealed=True),
                _key("partner", required=False, may_be_absent=True),
            ),
        ),
        Table(
            "suitability",
            ("household", "settlement"),
            (_key("household"), _key("settlement"), _number("score", -1e9, 1e9)),
        ),
    )
}
NOTE, NOTE_SHEET = "README.txt", "README"
"""What an export says of itself, as a file and as a sheet. An import passes over it."""
FILES = {table.file: table for table in TABLES.values()}
