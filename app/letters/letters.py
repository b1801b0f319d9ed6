"""What goes on paper: an offer, a decision on an application or on an appeal, put together from a case."""

import io
import zipfile
from collections.abc import Iterable
from datetime import date
from typing import Any

from app.errors import Conflict
from app.languages.words import Words, words_for
from app.letters import codes, content, explanation, rendering
from app.letters.cases import Case
from app.letters.content import Addressee, AppealTold, OfferTold, Rows, Section
from app.tenancy.appeal_models import Appeal

Letter = dict[str, Any]
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def of_case(case: Case, language: str | None) -> Letter:
    """Return the letter about the last decision on a case, in a language or else the household's.

    Raises Conflict where nothing was decided yet.
    """
    if case.told_at is None:
        raise Conflict(
            f"Nothing was decided on application {case.application.reference} yet: there is nothing to write about."
        )
    words = words_for(language or case.application.household.language)
    return put_together(
        programme=case.programme,
        addressee=_addressee(case),
        written_on=case.day(case.told_at),
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
    state = about.state if isinstance(about, AppealTold) else None
    code = codes.code_of(addressee.application, written_on, about.reference if about is not None else None, state)
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
        "verification": content.verification(code, words),
    }
