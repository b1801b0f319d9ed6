"""The checkout, as the tests of what it promises read it."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = (".env", ".git")  # a password, and the pointer of a linked work tree
FOLDERS = (".ci", "app", "benchmarks", "docs", "migrations", "solver", "tests")
CODE = tuple(path for folder in ("app", "solver") for path in sorted((ROOT / folder).rglob("*.py")))


def text(path: str) -> str:
    """Return the text of a file, named from the root of the checkout."""
    return (ROOT / path).read_text("utf-8")


def committed_texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file that belongs to the project and is text."""
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    for path in sorted([*ROOT.iterdir(), *inside]):
        if path.is_file() and path.name not in NOT_OURS and "__pycache__" not in path.parts:
            content = path.read_bytes()
            if b"\0" not in content:
                yield path.relative_to(ROOT).as_posix(), content.decode("utf-8")


def table(markdown: str) -> dict[str, tuple[str, ...]]:
    """Return the rows of the Markdown tables whose first cell is `code`, by that code."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]
    return {row[0].strip("`"): row for row in rows if re.fullmatch("`[^`]+`", row[0])}
