"""Letters on paper: texts in, PDF out. In this process, without a network, with the fonts that are installed beside it.

The same letter is the same bytes. Nothing in a text is markup: all of them reach the template as JSON.
"""

import json
import re
import threading
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import fontpkg_noto_sans
import fontpkg_noto_sans_arabic
import typst

TEMPLATE = Path(str(files("app.letters") / "letter.typ"))
FONTS = [fontpkg_noto_sans.ROOT / "files", fontpkg_noto_sans_arabic.ROOT / "files"]
LONGEST_WORD = 30
"""A longer one may be broken, so that it stays on the paper."""
_TOO_LONG = re.compile(rf"(\S{{{LONGEST_WORD}}})(?=\S)")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_EPOCH = 0
_one_at_a_time = threading.Lock()


def pdf(letter: Mapping[str, Any]) -> bytes:
    """Return a letter, as `letters` puts it together, on A4."""
    return _rendered(letter, "pdf")


def png(letter: Mapping[str, Any]) -> bytes:
    """Return the first page of a letter as a picture, for looking at it on a screen."""
    return _rendered(letter, "png")


def _rendered(letter: Mapping[str, Any], form: Literal["pdf", "png"]) -> bytes:
    text = json.dumps(_printable(letter), ensure_ascii=False, sort_keys=True)
    with _one_at_a_time:
        made = _compiler().compile(
            format=form, sys_inputs={"letter": text}, timestamp=_EPOCH, ppi=110 if form == "png" else None
        )
    page = made[0] if isinstance(made, list) else made
    assert isinstance(page, bytes)  # noqa: S101 - without an output file there are bytes
    return page


@cache
def _compiler() -> typst.Compiler:
    """Fonts and template are read once."""
    return typst.Compiler(
        str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=[str(each) for each in FONTS], ignore_system_fonts=True
    )


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return _TOO_LONG.sub("\\1\u200b", _UNPRINTABLE.sub(" ", value))
    if isinstance(value, Mapping):
        return {str(name): _printable(each) for name, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list | tuple) else value
