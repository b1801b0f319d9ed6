"""Personal data that is encrypted where it is stored: an attribute like any other for whoever reads and sets it.

A sealed attribute stands beside two columns: `<name>_sealed` holds the encrypted text, bound to table, column and the
row's public reference; `<name>_index`, where there is one, holds the blind index of its normalised text, by which
exactly equal ones are found.
"""

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, overload

from sqlalchemy import ColumnElement, Table, inspect

from app.database import Base
from app.keys import keyring

Normalised = Callable[[str], str]


def letters_and_digits(text: str) -> str:
    """Return what of `text` counts when it is compared: letters and digits, in one case and one set of digits."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in folded if each.isalnum())


def dialled(text: str) -> str:
    """Return what of a telephone number counts: its digits, without the zeros that stand for +."""
    return letters_and_digits(text).removeprefix("00")


class Sealed:
    """A text that is stored encrypted. `normalised` says what of it counts in a search; without it there is none."""

    def __init__(self, normalised: Normalised | None = None) -> None:
        self._normalised = normalised
        self.name = ""

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    @property
    def sealed_name(self) -> str:
        """Name of the column with the encrypted text."""
        return f"{self.name}_sealed"

    @property
    def index_name(self) -> str | None:
        """Name of the column with the blind index, if there is one."""
        return f"{self.name}_index" if self._normalised else None

    @overload
    def __get__(self, row: None, model: type) -> "Sealed": ...
    @overload
    def __get__(self, row: Base, model: type) -> str | None: ...
    def __get__(self, row: Base | None, model: type) -> "Sealed | str | None":
        if row is None:
            return self
        table = table_of(type(row))
        return self.read(table, getattr(row, "reference", ""), getattr(row, self.sealed_name))

    def __set__(self, row: Base, text: str | None) -> None:
        table = table_of(type(row))
        if getattr(row, "reference", None) is None:  # the row is new, and its text is bound to it from the start
            row.reference = new_reference(table)  # type: ignore[attr-defined]  # every model with sealed text has one
        if text == self.__get__(row, type(row)):
            return
        for name, value in self.columns(table, row.reference, text).items():  # type: ignore[attr-defined]  # as above
            setattr(row, name, value)

    def columns(self, table: Table, reference: str, text: str | None) -> dict[str, str | None]:
        """Return what the columns hold for `text` in the row of this public reference."""
        bound_to = _bound_to(table, self.name, reference)
        found = {self.sealed_name: None if text is None else keyring().encrypt(text, bound_to)}
        if self.index_name:
            found[self.index_name] = None if text is None else self.index(table, text)
        return found

    def read(self, table: Table, reference: str, sealed: str | None) -> str | None:
        """Return the text of one row. Raises Unreadable."""
        return None if sealed is None else keyring().decrypt(sealed, _bound_to(table, self.name, reference))

    def index(self, table: Table, text: str) -> str | None:
        """Return the blind index of `text`; None where nothing of it counts."""
        counts = self._normalised(text) if self._normalised else ""
        return keyring().index(counts, f"{table.name}.{self.name}") if counts else None

    def is_equal(self, model: type[Base], text: str) -> ColumnElement[bool]:
        """Return the SQL condition, over `model`, that the text is `text`, but for what does not count."""
        table = table_of(model)
        column: ColumnElement[str] = inspect(model).attrs[str(self.index_name)].class_attribute
        return column == (self.index(table, text) or "")


def _bound_to(table: Table, name: str, reference: str) -> str:
    return f"{table.name}.{name}:{reference}"


def table_of(model: type[Base]) -> Table:
    """Return the table of `model`."""
    found = model.__table__
    assert isinstance(found, Table)  # noqa: S101 - every model is mapped to one table
    return found


def new_reference(table: Table) -> str:
    """Return a fresh public reference for a row of `table`."""
    default: Any = table.c.reference.default
    return str(default.arg(None))


@cache
def sealed_of(model: type) -> tuple[Sealed, ...]:
    """Return the sealed attributes of `model`."""
    return tuple(each for each in vars(model).values() if isinstance(each, Sealed))


def opened(model: type[Base], record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of `model`'s table, as read by column, with its sealed texts beside what is stored of them."""
    found = sealed_of(model)
    if not found:
        return record
    table = table_of(model)
    return {**record, **{each.name: each.read(table, record["reference"], record[each.sealed_name]) for each in found}}


def closed(model: type[Base], values: Mapping[str, Any], reference: str | None) -> dict[str, Any]:
    """Return `values` by column, as they are written: sealed texts encrypted for the row of this public reference.

    A row that is new, without one, gets one.
    """
    found = sealed_of(model)
    if not found:
        return dict(values)
    table = table_of(model)
    bound = reference or new_reference(table)
    written: dict[str, Any] = {} if reference else {"reference": bound}
    names = {each.name: each for each in found}
    for name, value in values.items():
        written |= names[name].columns(table, bound, value) if name in names else {name: value}
    return written
