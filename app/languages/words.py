"""The words of one language: its catalogue with its plurals, and dates, numbers and lists as its locale writes them.

English is the source: the texts in the code. The other catalogues are the `.po` files beside this one, compiled in
memory when they are first needed. Messages name what goes into them in braces; `say` and `count` are what a catalogue
is extracted by.
"""

import re
from datetime import date
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from unicodedata import bidirectional

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

SOURCE = "en"
SCRIPTS = {SOURCE: "Latn", "az": "Latn", "uk": "Cyrl", "ar": "Arab"}
"""Language → the script that its catalogue is written in."""
WRITES_AS = {SOURCE: "en_GB"}
"""The locale of a language where the family names no country."""
UNDETERMINED = "und"
MOST_NAMED = 3
KEPT = 256
FOLDER = Path(__file__).parent
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_DIRECTION_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
"""Classes of characters that are written from the right, or are numbers among such."""
_EASTERN_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


class Phrase(str):
    """What `Words` has said: it goes into another message as it is."""

    __slots__ = ()


class Words:
    """What is said in one language. `asked` is the tag that was asked for, if any."""

    def __init__(self, language: str, locale: Locale, asked: str | None, *, is_understood: bool) -> None:
        self.language, self.asked, self.is_understood = language, asked, is_understood
        """`is_understood`: whether this is the language asked for, in its script, or none was asked for."""
        self._locale = locale
        self._translations = _compiled(language)

    @property
    def is_right_to_left(self) -> bool:
        """Whether it is written from the right."""
        return self._locale.text_direction == "rtl"

    def say(self, message: str, /, **values: object) -> Phrase:
        """Return a message with `values` in the place of what it names."""
        return self._filled(self._translations.gettext(message), values)

    def count(self, one: str, many: str, number: int, /, **values: object) -> Phrase:
        """Return the form of a message that goes with `number`, which it may name."""
        return self._filled(self._translations.ngettext(one, many, number), {"number": number, **values})

    def number(self, number: int) -> str:
        """Return a whole number with the locale's digits and separators."""
        return self._in_digits(format_decimal(number, locale=self._locale, numbering_system="default"))

    def date(self, day: date) -> str:
        """Return a day in words."""
        return self._in_digits(format_date(day, "long", locale=self._locale))

    def _in_digits(self, written: str) -> str:
        return written.translate(_EASTERN_DIGITS) if self._locale.default_numbering_system == "arab" else written

    def listed(self, names: list[str], more: int = 0) -> Phrase:
        """Return some names as a list in a sentence; beyond MOST_NAMED, and `more`, only how many there are."""
        shown = [self._shown(name) for name in names[:MOST_NAMED]]
        rest = max(len(names) - MOST_NAMED, 0) + more
        if not rest:
            return Phrase(format_list(shown, locale=self._locale))
        comma = self.say(", ")
        return self.count(
            "{names} and {number} more", "{names} and {number} more", rest, names=Phrase(comma.join(shown))
        )

    def _filled(self, message: str, values: dict[str, object]) -> Phrase:
        shown = {name: self._shown(value) for name, value in values.items()}
        for name, text in shown.items():
            if text.endswith(".") and f"{{{name}}}." in message:  # a date that ends in "р." ends the sentence too
                shown[name] = text[:-1]
        return Phrase(message.format(**shown))

    def _shown(self, value: object) -> str:
        if isinstance(value, Phrase):
            return value
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, date):
            return self.date(value)
        # A name or a reference keeps its own direction, and can turn nothing around it.
        plain = _DIRECTION_CONTROLS.sub("", str(value))
        if self.is_right_to_left or any(bidirectional(character) in _RIGHT_TO_LEFT for character in plain):
            return f"{_FIRST_STRONG_ISOLATE}{plain}{_POP_ISOLATE}"
        return plain


@lru_cache(maxsize=KEPT)
def words_for(asked: str | None) -> Words:
    """Return the words nearest to a language tag (BCP 47): of its language, in the locale's way of writing.

    Of an unknown language, in English. A script that the catalogue is not written in is not understood either.
    """
    locale = _locale(asked) if asked else None
    if locale is None or locale.language not in SCRIPTS:
        return Words(SOURCE, Locale.parse(WRITES_AS[SOURCE]), asked, is_understood=not asked)
    language = locale.language
    is_understood = (_script(asked or "") or locale.script or SCRIPTS[language]) == SCRIPTS[language]
    if not is_understood or locale.territory is None:
        locale = Locale.parse(WRITES_AS.get(language, language))
    return Words(language, locale, asked, is_understood=is_understood)


def _script(tag: str) -> str | None:
    """The script that a tag names, which a locale has only where it is one of those that the language is known in."""
    found = re.match(r"[^-_]+(?:[-_][^-_]{2,})*?[-_]([a-z]{4})(?![^-_])", tag, re.IGNORECASE)
    return found[1].title() if found is not None else None


def _locale(tag: str) -> Locale | None:
    """The longest beginning of a tag that names a locale; what comes after a single character is for extensions."""
    parts = re.split("[-_]", tag)
    if parts[0].lower() == UNDETERMINED:  # of which Babel makes the language that is likeliest
        return None
    for last in range(len(parts), 0, -1):
        try:
            return Locale.parse("-".join(parts[:last]), sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return None


def catalogue(language: str) -> Catalog:
    """Return the catalogue of a language other than the source, as it is committed."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def _compiled(language: str) -> Translations:
    compiled = BytesIO()
    write_mo(compiled, Catalog(locale=SOURCE) if language == SOURCE else catalogue(language))
    compiled.seek(0)
    return Translations(compiled)
