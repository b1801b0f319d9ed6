"""The rules that the tables of a problem must obey; each broken one names table, row and field."""

import numpy as np
from numpy.typing import NDArray

from solver.tables import (
    LARGEST,
    LAST_TIER,
    LONGEST_IDENTIFIER,
    MOST_BEDROOMS,
    NONE,
    UNLIMITED,
    BoolArray,
    HouseClasses,
    Households,
    IntArray,
    InvalidProblem,
    Profiles,
    Settlements,
    SparseRows,
    StrArray,
)

MOST_DIGITS = 1_000
"""Of an integer of a solution: what is computed from some of them Python still writes."""


def validate(
    settlements: Settlements,
    classes: HouseClasses,
    profiles: Profiles,
    households: Households,
    services: StrArray,
    spare_bedroom_penalty: int,
) -> None:
    """Raises InvalidProblem on the first rule that is broken."""
    if type(spare_bedroom_penalty) is not int or not 0 <= spare_bedroom_penalty <= LARGEST:
        raise InvalidProblem("", "", "spare_bedroom_penalty", f"must be an integer from 0 to {LARGEST}")
    for name, identifiers in (
        ("settlements", settlements.id),
        ("house_classes", classes.id),
        ("profiles", profiles.id),
        ("households", households.id),
        ("services", services),
        ("kin groups", households.kin_groups),
    ):
        _identifiers(name, identifiers)
    _settlements(settlements, len(services))
    _classes(classes, len(settlements.id))
    _shape("profiles", "values", profiles.value, (len(profiles.id), len(settlements.id)))
    _range("profiles", "values", profiles.id, profiles.value, -LARGEST, LARGEST)
    _households(households, len(classes.id), len(profiles.id))
    for field, rows, columns, least, most in (
        ("options", households.options, len(settlements.id), -LARGEST, LARGEST),
        ("uses", households.uses, len(services), 0, LARGEST),
        ("forbidden", households.forbidden, len(settlements.id), 1, 1),
    ):
        _sparse(households.id, field, rows, columns, least, most)


def _refuse(table: str, field: str, identifiers: StrArray, wrong: NDArray[np.bool_], sentence: str) -> None:
    if wrong.any():
        raise InvalidProblem(table, repr(str(identifiers[int(np.argmax(wrong))])), field, sentence)


def _shape(table: str, field: str, column: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if column.shape != shape:
        raise InvalidProblem(table, "", field, f"has shape {column.shape}, not {shape}")


def _range(table: str, field: str, ids: StrArray, column: IntArray, least: int, most: int) -> None:
    if column.dtype != np.int64:
        raise InvalidProblem(table, "", field, f"must be 64-bit integers, not {column.dtype}")
    wrong = np.any((column < least) | (column > most), axis=tuple(range(1, column.ndim)))
    _refuse(table, field, ids, np.atleast_1d(wrong), f"must be an integer from {least} to {most}")


def _index(table: str, field: str, ids: StrArray, column: IntArray, least: int, size: int) -> None:
    _shape(table, field, column, (len(ids),))
    if column.dtype != np.int64:
        raise InvalidProblem(table, "", field, f"must be 64-bit integers, not {column.dtype}")
    _refuse(table, field, ids, (column < least) | (column >= size), "points to a row that does not exist")


def _bool(table: str, field: str, column: BoolArray, rows: int) -> None:
    _shape(table, field, column, (rows,))
    if column.dtype != np.bool_:
        raise InvalidProblem(table, "", field, f"must be booleans, not {column.dtype}")


def identifier_fault(identifier: str) -> str:
    """Why a string cannot be an identifier; empty where it can."""
    if not identifier:
        return "is empty"
    if len(identifier) > LONGEST_IDENTIFIER:
        return f"is longer than {LONGEST_IDENTIFIER} characters"
    return value_fault(identifier)


def value_fault(value: object) -> str:
    """Why a string or an integer of a document cannot be shown, whatever it says; empty where it can."""
    if isinstance(value, str) and not value.isprintable():
        return "has a character that cannot be printed"
    return f"has more than {MOST_DIGITS} digits" if isinstance(value, int) and abs(value) >= 10**MOST_DIGITS else ""


def _identifiers(table: str, identifiers: StrArray) -> None:
    if identifiers.ndim != 1 or identifiers.dtype.kind != "U":
        raise InvalidProblem(table, "", "id", "must be a one-dimensional array of strings")
    for identifier in identifiers.tolist():
        if fault := identifier_fault(identifier):
            raise InvalidProblem(table, repr(identifier[:LONGEST_IDENTIFIER]), "id", fault)
    ordered = np.sort(identifiers)
    _refuse(table, "id", ordered[1:], ordered[1:] == ordered[:-1], "is there twice")


def _settlements(settlements: Settlements, services: int) -> None:
    _shape("settlements", "capacities", settlements.capacity, (len(settlements.id), services))
    _range("settlements", "capacities", settlements.id, settlements.capacity, UNLIMITED, LARGEST)


def _classes(classes: HouseClasses, settlements: int) -> None:
    table, rows = "house_classes", len(classes.id)
    _index(table, "settlement", classes.id, classes.settlement, 0, settlements)
    for field, column, most in (
        ("bedrooms", classes.bedrooms, MOST_BEDROOMS),
        ("count", classes.count, LARGEST),
        ("reserved", classes.reserved, LARGEST),
    ):
        _shape(table, field, column, (rows,))
        _range(table, field, classes.id, column, 0, most)
    _bool(table, "step_free", classes.step_free, rows)
    _refuse(table, "reserved", classes.id, classes.reserved > classes.count, "is more than count")


def _households(households: Households, classes: int, profiles: int) -> None:
    table, rows = "households", len(households.id)
    for field, column, least, most in (
        ("tier", households.tier, 1, LAST_TIER),
        ("points", households.points, 0, LARGEST),
        ("bedrooms_min", households.bedrooms_min, 0, MOST_BEDROOMS),
        ("bedrooms_max", households.bedrooms_max, 0, MOST_BEDROOMS),
        ("anywhere", households.anywhere, -LARGEST, LARGEST),
        ("lottery", households.lottery, -LARGEST, LARGEST),
    ):
        _shape(table, field, column, (rows,))
        _range(table, field, households.id, column, least, most)
    _bool(table, "needs_step_free", households.needs_step_free, rows)
    _bool(table, "has_anywhere", households.has_anywhere, rows)
    for field, column, size in (
        ("profile", households.profile, profiles),
        ("kin_group", households.kin_group, len(households.kin_groups)),
        ("pinned", households.pinned, classes),
    ):
        _index(table, field, households.id, column, NONE, size)
    wrong = households.bedrooms_min > households.bedrooms_max
    _refuse(table, "bedrooms_min", households.id, wrong, "is more than bedrooms_max")


def _sparse(ids: StrArray, field: str, rows: SparseRows, columns: int, least: int, most: int) -> None:
    table = "households"
    _shape(table, field, rows.start, (len(ids) + 1,))
    for column in (rows.start, rows.column):
        if column.dtype != np.int64:
            raise InvalidProblem(table, "", field, f"must be 64-bit integers, not {column.dtype}")
    entries = rows.column.size
    _shape(table, field, rows.value, (entries,))
    bounds = rows.start[0] == 0 and rows.start[-1] == entries
    if not bounds or (rows.start[1:] < rows.start[:-1]).any():
        raise InvalidProblem(table, "", field, "has row starts that do not ascend from 0 to the number of entries")
    row = rows.row
    _index(table, field, ids[row], rows.column, 0, columns)
    _range(table, field, ids[row], rows.value, least, most)
    if not rows.ascending:
        rows = rows.take(np.arange(len(ids)))
    same = (np.diff(row) == 0) & (np.diff(rows.column) == 0)
    _refuse(table, field, ids[row[1:]], same, "names the same column twice")
