"""What is wrong with an import, cell by cell: the first thousand of it, and how much more."""

from dataclasses import asdict, dataclass
from typing import Any

from app.errors import FieldError, Invalid

REPORTED = 1_000
SHOWN_CHARACTERS = 80


class CellError(ValueError):
    """A cell that cannot be taken: the sentence says what is wrong and how to mend it."""


@dataclass(frozen=True, slots=True)
class RowError:
    """One wrong cell. `row` counts as a spreadsheet does, the header being row 1 (in GeoJSON: the feature, from 1)."""

    file: str
    row: int
    column: str | None
    value: str | None
    message: str

    @property
    def sentence(self) -> str:
        """Say everything in one line."""
        column = f", {self.column}" if self.column else ""
        value = f" “{self.value}”" if self.value else ""
        return f"{self.file}, row {self.row}{column}{value}: {self.message}"

    @property
    def pointer(self) -> str:
        """Point at the cell: file, row, column."""
        parts = (self.file, str(self.row), *([self.column] if self.column else ()))
        return "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


class ImportRefused(Invalid):
    """Nothing was written: members `rows` (up to 1,000 wrong cells) and `more` (how many others there are)."""

    rows: tuple[RowError, ...]
    more: int

    def __init__(self, rows: list[RowError], more: int) -> None:
        total = len(rows) + more
        super().__init__(
            f"{total:,} thing{'s are' if total > 1 else ' is'} wrong in these files; nothing was written. "
            f"The first: {rows[0].sentence}",
            [FieldError(row.pointer, row.sentence) for row in rows],
            rows=[asdict(row) for row in rows],
            more=more,
        )
        self.rows, self.more = tuple(rows), more


class Refusals:
    """Collects wrong cells in bounded memory."""

    def __init__(self) -> None:
        self._rows: list[RowError] = []
        self._more = 0

    def __len__(self) -> int:
        return len(self._rows) + self._more

    def add(self, file: str, row: int, column: str | None, value: Any, message: str) -> None:
        """Note a wrong cell: kept while there are fewer than a thousand, counted after that."""
        if len(self._rows) >= REPORTED:
            self._more += 1
            return
        shown = None if value is None else _shown(str(value))
        self._rows.append(RowError(_shown(file), row, None if column is None else _shown(column), shown, message))

    def raise_if_any(self) -> None:
        """Raise ImportRefused when anything was noted."""
        if self._rows:
            raise ImportRefused(self._rows, self._more)


def _shown(text: str) -> str:
    """Return text that any reader can display: short, and encodable."""
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= SHOWN_CHARACTERS else clean[: SHOWN_CHARACTERS - 1] + "…"
