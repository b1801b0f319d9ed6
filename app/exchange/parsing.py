"""From sheets of text to rows of values, every cell checked on its own."""

from dataclasses import dataclass, field
from typing import Any

from app.exchange.cells import UNSAFE
from app.exchange.reading import Cells, Rows, Sheet
from app.exchange.refusals import CellError, Refusals
from app.exchange.tables import Column, Table

Values = dict[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row whose every cell is good."""

    number: int
    values: Values


@dataclass
class Parsed:
    """A table as sent: its good rows by key, and what is known of the others, so that nothing is blamed twice."""

    file: str
    table: Table
    columns: frozenset[str] = frozenset()
    rows: dict[Key, Row] = field(default_factory=dict)
    bad_keys: set[Key] = field(default_factory=set)
    is_whole: bool = True

    def mentions(self, key: Key) -> bool:
        """Whether the file has a row of this key, good or bad, or may have had one that could not be read."""
        return key in self.rows or key in self.bad_keys or not self.is_whole


def parse(sheet: Sheet, refusals: Refusals) -> Parsed:
    """Return the rows of `sheet`; wrong cells go to `refusals`."""
    parsed = Parsed(sheet.file, sheet.table)
    _, header = next(sheet.rows, (1, []))
    columns = None if header is None else _columns(parsed, header, refusals)
    if columns is None:
        parsed.is_whole = False
    else:
        parsed.columns = frozenset(column.name for column in columns)
        _rows(parsed, columns, sheet.rows, refusals)
    return parsed


def _columns(parsed: Parsed, header: Cells, refusals: Refusals) -> list[Column] | None:
    """Return the columns in the order of the header, or None when it is wrong."""
    names = [name.strip() for name in header]
    known = {column.name: column for column in parsed.table.columns}
    absent = [name for name, column in known.items() if name not in names and not column.may_be_absent]
    wrong = [
        (name, f"there is no such column; the columns are {','.join(known)}") for name in names if name not in known
    ]
    wrong += [(name, "this column is here twice; leave it once") for name in known if names.count(name) > 1]
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and mark in names[0]:
            wrong = [(names[0], f"the columns are separated by {word}; save the file with commas")]
            absent = []
    for name, message in wrong:
        refusals.add(parsed.file, 1, name, None, message)
    for name in absent:
        refusals.add(parsed.file, 1, name, None, "this column is missing; add it, with empty cells if there is nothing")
    return None if wrong or absent else [known[name] for name in names]


def _rows(parsed: Parsed, columns: list[Column], rows: Rows, refusals: Refusals) -> None:
    numbers: dict[Key, int] = {}
    seen: list[dict[str, Any]] = [{} for _ in columns]
    names = [column.name for column in columns]
    key_names = parsed.table.key
    width = len(columns)
    for number, cells in rows:
        if cells is None:
            parsed.is_whole = False
            continue
        if not any(cells):
            continue  # spreadsheets leave empty rows at the end
        if len(cells) != width and not _fit(parsed, columns, number, cells, refusals):
            continue
        before = len(refusals)
        values = {}
        for column, name, memory, cell in zip(columns, names, seen, cells, strict=True):
            # Cells repeat: reading each distinct text once takes half the time.
            if cell in memory:
                values[name] = memory[cell]
                continue
            try:
                values[name] = memory[cell] = _value(column, cell)
            except CellError as error:
                refusals.add(parsed.file, number, name, None if column.is_sealed else cell, str(error))
        try:
            key = tuple(values[name] for name in key_names)
        except KeyError:
            parsed.is_whole = False
            continue
        if key in numbers:
            message = f"row {numbers[key]} is the same {' and '.join(key_names)}; leave one of the two out"
            refusals.add(parsed.file, number, key_names[-1], key[-1], message)
            continue
        numbers[key] = number
        if len(refusals) > before:
            parsed.bad_keys.add(key)
        else:
            parsed.rows[key] = Row(number, values)


def _fit(parsed: Parsed, columns: list[Column], number: int, cells: Cells, refusals: Refusals) -> bool:
    """Bring a sheet's short row to the header's width; refuse any other row of another width."""
    short = len(columns) - len(cells)
    if short > 0 and ".xlsx:" in parsed.file:
        cells.extend([""] * short)
        return True
    mend = (
        "quote cells that hold a comma" if short < 0 else "fill it up with commas, or send the whole file if it was cut"
    )
    message = f"the row has {len(cells)} cells and the header {len(columns)}; {mend}"
    refusals.add(parsed.file, number, None, None, message)
    parsed.is_whole = False
    return False


def _value(column: Column, cell: str) -> Any:
    if found := UNSAFE.search(cell):
        raise CellError(f"the character U+{ord(found[0]):04X} cannot be part of a cell; remove it")
    stripped = cell.strip()
    if stripped:
        return column.read(stripped)
    if column.required:
        raise CellError("this is empty; fill it in")
    return None
