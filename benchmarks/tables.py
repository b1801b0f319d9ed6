"""Tables of text, for the terminal and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.table
from rich.markup import escape


@dataclass
class Table:
    """A title, a header and rows; all columns but the first are aligned to the right."""

    title: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def __rich__(self) -> rich.table.Table:
        table = rich.table.Table(title=escape(self.title), title_justify="left")
        for index, name in enumerate(self.header):
            table.add_column(escape(name), justify="right" if index else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        return table

    def markdown(self) -> str:
        """The table under its title, as GitHub reads it."""
        lines = [self.header, ["---", *["--:"] * (len(self.header) - 1)], *self.rows]
        escaped = ("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return "\n".join((f"**{self.title}**", "", *escaped, ""))
