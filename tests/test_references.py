"""Public references: short, unguessable, and hard to mistype."""

from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from app.references import ALPHABET, RANDOM_CHARACTERS, new_reference, normalised

bodies = st.text(ALPHABET, min_size=RANDOM_CHARACTERS, max_size=RANDOM_CHARACTERS).map(
    lambda body: body + luhn.calc_check_digit(body, ALPHABET)
)


def test_a_reference_has_its_prefix_seven_characters_and_a_check_character() -> None:
    for prefix in ("HH", "RUN"):
        reference = new_reference(prefix)
        assert reference.startswith(f"{prefix}-")
        assert len(reference) == len(prefix) + 1 + RANDOM_CHARACTERS + 1
        assert set(reference.partition("-")[2]) <= set(ALPHABET)
        assert luhn.is_valid(reference.partition("-")[2], ALPHABET)


def test_no_letter_that_people_confuse_is_in_a_reference() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 32
    assert not set("ILOU") & set(ALPHABET)


def test_references_do_not_repeat() -> None:
    assert len({new_reference("HH") for _ in range(1_000)}) == 1_000


@given(bodies, st.integers(0, RANDOM_CHARACTERS), st.sampled_from(ALPHABET))
def test_one_wrong_character_never_passes_the_check(body: str, position: int, wrong: str) -> None:
    mistyped = body[:position] + wrong + body[position + 1 :]
    assert luhn.is_valid(mistyped, ALPHABET) == (mistyped == body)


@given(bodies)
def test_what_is_read_out_is_understood(body: str) -> None:
    reference = f"HH-{body}"
    assert normalised(reference) == reference
    assert normalised(reference.lower()) == reference
    heard = body.translate(str.maketrans("10", "lo"))
    assert normalised(f"hh-{heard}") == reference
    assert normalised(f"HH-{heard.upper()}".replace("L", "I")) == reference


@given(st.text(max_size=20))
def test_what_can_be_no_reference_names_nothing(text: str) -> None:
    understood = normalised(text)
    assert understood == "" or (text.isascii() and len(understood) == len(text))
    assert normalised(understood) == understood


def test_near_misses_name_nothing() -> None:
    for text in (
        "",
        "HH-",
        "HH-7K3M9QT",
        "HH-7K3M9QTXX",
        "H-7K3M9QTX",
        "HH 7K3M9QTX",
        "HH-7K3M9QTX\n",
        "HH-7K3M9QT\x00",
    ):
        assert normalised(text) == "", text
