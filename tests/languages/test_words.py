"""Languages are found by their tags; plurals, dates, numbers, lists and directions are the locale's."""

from datetime import date

import pytest

from app.languages.words import SCRIPTS, words_for

DAY = date(2026, 11, 27)
BEDROOMS = ("{number} bedroom", "{number} bedrooms")


@pytest.mark.parametrize(
    ("tag", "language", "is_understood"),
    [
        (None, "en", True),
        ("uk", "uk", True),
        ("uk-UA", "uk", True),
        ("uk-Cyrl-UA-x-private", "uk", True),
        ("ar-SY", "ar", True),
        ("az-Latn", "az", True),
        ("az-Cyrl", "az", False),
        ("aze", "az", True),
        ("AZ_az", "az", True),
        ("uk-Latn", "uk", False),
        ("uk_latn_UA", "uk", False),
        ("ar-Latn-EG", "ar", False),
        ("az-IR", "az", False),  # which is written in Arabic script there
        ("uk-x-latn", "uk", True),
        ("und", "en", False),
        ("und-Arab", "en", False),
        ("UND-UA", "en", False),
        ("ka", "en", False),
        ("zz", "en", False),
        ("i-klingon", "en", False),
        ("x", "en", False),
    ],
)
def test_a_tag_finds_the_nearest_language(tag: str | None, language: str, *, is_understood: bool) -> None:
    words = words_for(tag)
    assert (words.language, words.is_understood, words.asked) == (language, is_understood, tag)


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1 спальня"), (3, "3 спальні"), (5, "5 спалень"), (21, "21 спальня"), (12, "12 спалень")]
)
def test_ukrainian_has_its_three_plurals(number: int, said: str) -> None:
    assert words_for("uk").count(*BEDROOMS, number) == said


def test_arabic_has_its_six_plurals() -> None:
    one, many = (
        "Somebody who took no part in the decision decides on it within {number} day.",
        "Somebody who took no part in the decision decides on it within {number} days.",
    )
    said = [words_for("ar").count(one, many, number) for number in (0, 1, 2, 3, 11, 100)]
    assert len(set(said)) == 6
    assert "يومين" in said[2]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (None, "27 November 2026"),
        ("en-US", "November 27, 2026"),
        ("az", "27 noyabr 2026"),
        ("az-Cyrl", "27 noyabr 2026"),  # not a Cyrillic month in a Latin text
        ("uk", "27 листопада 2026\u202fр."),
        ("ar-SY", "٢٧ تشرين الثاني ٢٠٢٦"),
    ],
)
def test_a_day_is_written_as_the_locale_writes_it(tag: str | None, said: str) -> None:
    assert words_for(tag).date(DAY) == said


def test_numbers_and_days_have_the_same_digits() -> None:
    assert words_for("ar-SY").number(1234) == "١٬٢٣٤"
    assert words_for("uk").number(12345) == "12\xa0345"


@pytest.mark.parametrize(
    ("tag", "names", "said"),
    [
        (None, ["A", "B", "C"], "A, B and C"),
        ("az", ["A", "B"], "A və B"),
        ("uk", ["A", "B"], "A і B"),
        (None, ["A", "B", "C", "D", "E"], "A, B, C and 2 more"),
        ("uk", ["A", "B", "C", "D", "E"], "A, B, C та ще 2"),
    ],
)
def test_lists_are_said_as_the_language_says_them(tag: str | None, names: list[str], said: str) -> None:
    assert words_for(tag).listed(names) == said


def test_a_name_keeps_its_direction_and_turns_nothing() -> None:
    said = words_for("ar").say("To the family of {name}", name="Omar \u202eKovalenko\u2066")
    assert said == "إلى أسرة \u2068Omar Kovalenko\u2069"
    assert "\u2068" not in words_for("uk").say("To the family of {name}", name="Омар Kovalenko 2")


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize("name", ["قرية النور", "House of عمر", "נווה", "٢"])
def test_a_name_written_from_the_right_turns_no_sentence_around_it(name: str, language: str) -> None:
    words = words_for(language)
    assert f"\u2068{name}\u2069: " in words.say("{place}: {size}", place=name, size=words.say("no separate bedroom"))
    assert f"\u2068{name}\u2069" in words.listed(["A", name])


def test_a_sentence_ends_with_one_stop() -> None:
    said = words_for("uk").say("You accepted this offer on {date}.", date=DAY)
    assert said == "Ви прийняли цю пропозицію 27 листопада 2026\u202fр."


def test_what_a_name_says_in_braces_is_no_field() -> None:
    assert (
        words_for("uk")
        .say("To the family of {name}", name="{reference} {0} {name.__class__}")
        .endswith("{reference} {0} {name.__class__}")
    )
