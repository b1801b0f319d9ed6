"""The four tables of a problem as columns of integers (NumPy), identifiers apart.

A million households are a few arrays, never a million objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]

UNLIMITED = -1
"""In `Settlements.capacity`: the service is not limited there."""
NONE = -1
"""In an index column: no profile, no kin group, no pin."""
LARGEST = 10**9
"""No integer of a problem is larger, so that sums over a million households stay far inside 64 bits."""
MOST_BEDROOMS = 1_000
"""Enough for square metres, where a standard measures those."""
LAST_TIER = 100
LONGEST_IDENTIFIER = 200


class InvalidProblem(ValueError):  # noqa: N818 - the name is the public interface of the package
    """A problem that breaks the format; says in which table, in which row and in which field."""

    def __init__(self, table: str, row: str, field: str, sentence: str) -> None:
        self.table, self.row, self.field, self.sentence = table, row, field, sentence
        place = ", ".join(part for part in (f"{table} {row}".strip(), field) if part)
        super().__init__(f"{place}: {sentence}" if place else sentence)


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Compressed sparse rows: row i holds the entries start[i]:start[i + 1] of `column` and `value`."""

    start: IntArray
    column: IntArray
    value: IntArray

    @classmethod
    def empty(cls, rows: int) -> Self:
        nothing = np.zeros(0, np.int64)
        return cls(np.zeros(rows + 1, np.int64), nothing, nothing)

    @classmethod
    def from_mappings(cls, rows: Sequence[Mapping[int, int]]) -> Self:
        """One mapping of column to value for each row."""
        start = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
        column = np.fromiter((c for row in rows for c in row), np.int64, int(start[-1]))
        value = np.fromiter((v for row in rows for v in row.values()), np.int64, int(start[-1]))
        return cls(start, column, value)

    @classmethod
    def where(cls, has: BoolArray, column: IntArray) -> Self:
        """One entry of value 1 in every row that has it."""
        start = np.concatenate([[0], np.cumsum(has)])
        return cls(start, column[has], np.ones(int(start[-1]), np.int64))

    @property
    def row(self) -> IntArray:
        """The row of every entry."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def __getitem__(self, rows: slice) -> "SparseRows":
        """Neighbouring rows."""
        start = self.start[rows.start : rows.stop + 1]
        entries = slice(int(start[0]), int(start[-1]))
        return SparseRows(start - start[0], self.column[entries], self.value[entries])

    @cached_property
    def ascending(self) -> bool:
        """Whether the columns of each row ascend, or are there twice."""
        return not ((np.diff(self.column) < 0) & (np.diff(self.row) == 0)).any()

    def take(self, order: IntArray) -> "SparseRows":
        """The rows in another order (or some of them), the columns of each row ascending."""
        length = np.diff(self.start)[order]
        start = np.concatenate([[0], np.cumsum(length)])
        entry = np.repeat(self.start[:-1][order] - start[:-1], length) + np.arange(int(start[-1]))
        if not self.ascending:
            entry = entry[np.lexsort((self.column[entry], np.repeat(np.arange(len(order)), length)))]
        return SparseRows(start, self.column[entry], self.value[entry])

    def at(self, i: int) -> dict[int, int]:
        """Row i as {column: value}."""
        entries = slice(int(self.start[i]), int(self.start[i + 1]))
        return dict(zip(self.column[entries].tolist(), self.value[entries].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Settlements:
    """id [S]; capacity [S, K]: places of each service, UNLIMITED where it is not listed."""

    id: StrArray
    capacity: IntArray


@dataclass(frozen=True, eq=False)
class HouseClasses:
    """All [C]. settlement: index; reserved: how many of `count` only those who need step-free may take."""

    id: StrArray
    settlement: IntArray
    bedrooms: IntArray
    step_free: BoolArray
    count: IntArray
    reserved: IntArray


@dataclass(frozen=True, eq=False)
class Profiles:
    """id [P]; value [P, S]: what households of this kind gain in each settlement."""

    id: StrArray
    value: IntArray


@dataclass(frozen=True, eq=False)
class Households:
    """Columns [H]; index columns hold NONE where there is nothing.

    options: settlement → value; uses: service → places; forbidden: settlement → 1. `anywhere` counts where
    `has_anywhere`. `kin_groups` [G] are the identifiers that `kin_group` points to.
    """

    id: StrArray
    tier: IntArray
    points: IntArray
    bedrooms_min: IntArray
    bedrooms_max: IntArray
    needs_step_free: BoolArray
    options: SparseRows
    has_anywhere: BoolArray
    anywhere: IntArray
    profile: IntArray
    kin_groups: StrArray
    kin_group: IntArray
    uses: SparseRows
    lottery: IntArray
    pinned: IntArray
    forbidden: SparseRows

    def take(self, rows: IntArray) -> "Households":
        """Some of them."""
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        return Households(
            **{name: column if name == "kin_groups" else column.take(rows) for name, column in columns.items()}
        )


def alike(*columns: IntArray | BoolArray | SparseRows) -> IntArray:
    """A number for each row: rows have the same where every column is the same. Below 0: no other row has it.

    Rows that are like no other are left alone from then on: columns that tell many apart come first, for speed.
    """
    rows = len(columns[0].start) - 1 if isinstance(columns[0], SparseRows) else len(columns[0])
    number, shared = np.zeros(rows, np.int64), np.arange(rows)
    for column in columns:
        if not isinstance(column, SparseRows):
            shared = _split(number, shared, column[shared])
            continue
        length, position = np.diff(column.start), 0
        shared = _split(number, shared, length[shared])
        while position < length[shared].max(initial=0):
            for part in (column.column, column.value):
                entry = np.where(position < length[shared], column.start[shared] + position, 0)
                shared = _split(number, shared, part[entry])
            position += 1
    return number


def _split(number: IntArray, shared: IntArray, values: IntArray | BoolArray) -> IntArray:
    """Numbers anew the rows that share a number, apart where the values are; which of them still do."""
    different, code = np.unique(values, return_inverse=True)
    _, same, count = np.unique(number[shared] * len(different) + code, return_inverse=True, return_counts=True)
    several = count[same] > 1
    number[shared] = np.where(several, same, ~shared)
    still: IntArray = shared[several]
    return still
