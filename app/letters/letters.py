"""What goes on paper: an offer, a decision on an application or on an appeal, put together from a case."""

import io
import json
import zipfile
from collections.abc import Iterable
from datetime import date
from typing import Any

from app.errors import Conflict
from app.keys import keyring
from app.languages.words import Words, words_for
from app.letters import content, explanation, rendering
from app.letters.cases import Case
from app.letters.content import Addressee, AppealTold, OfferTold, Rows, Section
from app.references import ALPHABET
from app.tenancy.appeal_models import Appeal

Letter = dict[str, Any]
CODE_CHARACTERS = 12
CODE_GROUP = 4
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def of_case(case: Case, language: str | None) -> Letter:
    """Return the letter about the last decision on a case, in a language or else the household's.

    Raises Conflict where nothing was decided yet.
    """
    if case.decided_at is None:
        raise Conflict(
            f"Nothing was decided on application {case.application.reference} yet: there is nothing to write about."
        )
    words = words_for(language or case.application.household.language)
    told_at = case.offered.offer.issued_at if case.offered is not None else case.decided_at
    return put_together(
        programme=case.programme,
        addressee=_addressee(case),
        written_on=case.day(told_at),
        about=explanation.offer_told(case, words),
        sections=explanation.of_decision(case, words),
        words=words,
    )


def of_appeal(appeal: Appeal, case: Case, language: str | None) -> Letter:
    """Return the letter about an appeal of a case: that it is there, or what became of it and why."""
    words = words_for(language or case.application.household.language)
    told = explanation.appeal_told(appeal, case, words)
    return put_together(
        programme=case.programme,
        addressee=_addressee(case),
        written_on=told.ended_on or told.lodged_on,
        about=told,
        sections=[content.about_appeal(told, words), content.what_you_can_do(None, words)],
        words=words,
    )


def _addressee(case: Case) -> Addressee:
    household = case.application.household
    return Addressee(household.reference, case.application.reference, household.head_name)


def as_zip(letters: Iterable[tuple[str, Letter]]) -> bytes:
    """Return letters, each under the name of its file, rendered into one zip: the same letters, the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, letter in letters:  # a PDF is compressed already
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), rendering.pdf(letter), zipfile.ZIP_STORED)
    return out.getvalue()


def file_name(case: Case) -> str:
    """Return what the file of a case's letter is called: it names nobody."""
    return f"letter-{case.application.reference}.pdf"


def put_together(
    *,
    programme: str,
    addressee: Addressee,
    written_on: date,
    about: OfferTold | AppealTold | None,
    sections: list[Section],
    words: Words,
) -> Letter:
    """Return a letter as the template takes it: about an offer, an appeal or else a decision."""
    offer = about if isinstance(about, OfferTold) and about.state == "issued" else None
    house: Rows = content.house_offered(offer, words) if offer is not None else []
    return {
        "programme": programme,
        "language": words.language,
        "right_to_left": words.is_right_to_left,
        "title": content.title(about, words),
        "addressee": content.of_family(addressee, words),
        "written_on": content.written_on(written_on, words),
        "note": content.note_on_language(words),
        "references": content.references(addressee, about, words),
        "house": house,
        "sections": [{"heading": each.heading, "sentences": list(each.sentences)} for each in sections],
        "verification": content.verification(verification_code(addressee, written_on, about), words),
    }


def verification_code(addressee: Addressee, written_on: date, about: OfferTold | AppealTold | None) -> str:
    """Return the code of a letter: keyed by the keyring, over whom it is for, when, and what it offers until when, or
    what became of an appeal.

    Who holds the keyring makes it anew, and nobody else; the language and the wording do not change it.
    """
    told: list[str | None] = [addressee.household, addressee.application, written_on.isoformat()]
    if isinstance(about, OfferTold):
        until = about.answer_until.isoformat() if about.answer_until is not None else None
        told += [about.reference, about.house, until]
    elif about is not None:
        told += [about.reference, about.state]
    keyed = int(keyring().index(json.dumps(told), "letters.verification"), 16)
    characters = [ALPHABET[keyed >> (5 * number) & 31] for number in range(CODE_CHARACTERS)]
    return "-".join("".join(characters[first : first + CODE_GROUP]) for first in range(0, CODE_CHARACTERS, CODE_GROUP))
