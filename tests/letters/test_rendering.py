"""A letter on paper says what it was given, in every script, and takes nothing of it for markup."""

import io
from datetime import date
from typing import Any

import pytest
from pypdf import PdfReader

from app.languages.words import SCRIPTS, words_for
from app.letters import codes, content, letters, rendering
from app.letters.content import Addressee, AppealRules, OfferTold

DAY = date(2026, 11, 27)
MARKUP = '#panic("no") *b* _i_ $x$ \\ @a <l> `c` // d /* e #sys.inputs = - + [f] {g}'


def letter(language: str, name: str | None, **fields: Any) -> letters.Letter:
    words = words_for(language)
    ordinary: dict[str, Any] = {
        "reference": "OF-7K3M9QTX",
        "place": "Valley",
        "address": "Street 1, house 4",
        "size": words.say("no separate bedroom"),
        "house": "HO-7K3M9QTX",
        "answer_until": date(2026, 12, 18),
        "state": "issued",
        "ended_on": None,
        "declining_costs_place": False,
    }
    offer = OfferTold(**ordinary | fields)
    sections = [
        content.about_offer(offer, words),
        content.what_you_can_do(AppealRules(date(2026, 12, 27), 30), words),
    ]
    return letters.put_together(
        programme="Return and resettlement",
        addressee=Addressee("HH-7K3M9QTX", "AP-7K3M9QTX", name),
        written_on=DAY,
        about=offer,
        sections=sections,
        words=words,
    )


def read(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u200b", "")


@pytest.mark.parametrize("language", SCRIPTS)
def test_a_letter_is_the_same_bytes_each_time_and_fits_on_a_page(language: str) -> None:
    made = rendering.pdf(letter(language, "Amina Kovalenko"))
    assert made.startswith(b"%PDF")
    assert made == rendering.pdf(letter(language, "Amina Kovalenko"))
    assert made != rendering.pdf(letter(language, "Omar Kovalenko"))
    assert len(PdfReader(io.BytesIO(made)).pages) == 1


def test_a_letter_says_who_which_house_and_until_when() -> None:
    said = read(rendering.pdf(letter("uk", "Аміна Коваленко")))
    for part in ("Аміна Коваленко", "HH-7K3M9QTX", "OF-7K3M9QTX", "HO-7K3M9QTX", "Valley", "18 грудня 2026"):
        assert part in said
    assert "відмовитися без жодних наслідків" in said
    assert codes.code_of("AP-7K3M9QTX", DAY, "OF-7K3M9QTX") in said


@pytest.mark.parametrize("language", ["en", "ar"])
def test_markup_is_shown_as_it_is(language: str) -> None:
    said = read(rendering.pdf(letter(language, MARKUP, place=MARKUP, address=MARKUP)))
    assert "".join(said.split()).count("#panic(") == 3 if language == "en" else "panic" in said


@pytest.mark.parametrize(
    "name",
    [None, "", "x" * 200, "عمر الحسن", "\u202eevil", "A\x07B\x00C", "李明 გიორგი 😀", "\u2066" * 50, "a b " * 50],
)
def test_any_name_is_printed_or_left_out(name: str | None) -> None:
    for language in ("en", "ar"):
        made = rendering.pdf(letter(language, name, address=name or ""))
        assert len(PdfReader(io.BytesIO(made)).pages) == 1


def test_a_long_word_stays_on_the_paper() -> None:
    assert "".join(read(rendering.pdf(letter("en", "x" * 200))).split()).count("x") >= 200


def test_what_became_of_an_offer_is_said_in_place_of_how_to_answer_it() -> None:
    said = read(rendering.pdf(letter("en", "Amina", state="declined", ended_on=DAY)))
    assert "You declined this offer on 27 November 2026." in said
    assert "Please answer until" not in said


def test_that_declining_counts_is_not_hidden() -> None:
    said = read(rendering.pdf(letter("en", "Amina", declining_costs_place=True)))
    assert "without any penalty" not in said
    assert "You may decline. How this counts" in said


def test_a_code_is_that_of_this_letter_alone() -> None:
    found = {
        codes.code_of("AP-7K3M9QTX", DAY),
        codes.code_of("AP-7K3M9QTX", date(2026, 11, 28)),
        codes.code_of("AP-0000000X", DAY),
        codes.code_of("AP-7K3M9QTX", DAY, "OF-7K3M9QTX"),
    }
    assert len(found) == 4
    assert {letter("en", "A")["verification"][19:33] == letter("en", "B")["verification"][19:33]} == {True}
