"""Every message of the code is in every catalogue, whole, with the same things named in it."""

from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file

from app.languages.words import FOLDER, SCRIPTS, SOURCE, catalogue
from tests.architecture.repository import ROOT

OTHERS = [language for language in SCRIPTS if language != SOURCE]
SPELLED_OUT = {"number"}
"""What a form of the plural may leave out: "one house", "two houses" in a word."""
Message = str | tuple[str, ...]


def _speaking() -> Iterator[Path]:
    for path in sorted((ROOT / "app").rglob("*.py")):
        if path.parent == FOLDER or "from app.languages" in path.read_text("utf-8"):
            yield path


def _messages() -> dict[str, Message]:
    """First form → message, of everything that the code says to families."""
    found: dict[str, Message] = {}
    for path in _speaking():
        for _line, message, _comments, _context in extract_from_file(
            "python", str(path), keywords={"say": None, "count": (1, 2)}
        ):
            found[message if isinstance(message, str) else message[0]] = message
    return found


MESSAGES = _messages()


def _named(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in Formatter().parse(text) if name is not None}


def _is_whole(message: Message, catalog: Catalog) -> bool:
    """Whether a catalogue has every form of a message, each of which names what the message names."""
    first = message if isinstance(message, str) else message[0]
    entry = catalog.get(first)
    if entry is None or entry.fuzzy or entry.string is None:
        return False
    forms = [entry.string] if isinstance(entry.string, str) else list(entry.string)
    expected = 1 if isinstance(message, str) else catalog.num_plurals
    may_lack = set() if isinstance(message, str) else SPELLED_OUT
    return len(forms) == expected and all(
        form.strip() and _named(first) - may_lack <= _named(form) <= _named(first) for form in forms
    )


def _faults(catalog: Catalog) -> list[Message]:
    return [message for message in MESSAGES.values() if not _is_whole(message, catalog)]


def test_there_is_much_to_say() -> None:
    assert len(MESSAGES) > 80
    assert any(isinstance(message, tuple) for message in MESSAGES.values())


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_whole(language: str) -> None:
    assert _faults(catalogue(language)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_holds_nothing_that_is_not_said(language: str) -> None:
    held = [entry.id if isinstance(entry.id, str) else entry.id[0] for entry in catalogue(language) if entry.id]
    assert [each for each in held if each not in MESSAGES] == []


def test_what_lacks_or_names_another_thing_is_found() -> None:
    first = next(message for message in MESSAGES.values() if isinstance(message, str) and _named(message))
    plural = next(message for message in MESSAGES.values() if isinstance(message, tuple))
    for spoil in (
        lambda catalog: catalog.delete(first),
        lambda catalog: setattr(catalog[first], "string", "nothing named"),
        lambda catalog: setattr(catalog[first], "string", ""),
        lambda catalog: setattr(catalog[first], "string", f"{first} {{another}}"),
        lambda catalog: setattr(catalog[plural[0]], "string", ("a form",)),
    ):
        catalog = catalogue("uk")
        spoil(catalog)
        assert len(_faults(catalog)) > 0
