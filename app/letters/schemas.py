"""Explanations as they go over the wire."""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from app.allocation.what_if_models import WhatIfState
from app.fields import TEXT_PATTERN, IsoDate, Reference, Wire
from app.languages.words import Words
from app.letters import content, explanation
from app.letters.cases import Case
from app.tenancy.appeal_models import AppealState


class SectionRead(Wire):
    """A heading, and what is said under it."""

    heading: str = Field(description="What it is about.", examples=["Why there is no house yet"])
    sentences: list[str] = Field(description="Plain sentences, one after the other.")


class SmallestChangeRead(Wire):
    """What smallest change would have housed a household: asked for, and told with its explanation once it is found."""

    reference: str = Field(description="Public reference.", examples=["WI-7K3M9QTX"])
    state: WhatIfState = Field(description="Where the answer is on its way.")
    asked_at: datetime = Field(description="When it was asked for the first time.")


class SmallestChangesRead(Wire):
    """For how many families of a run it was asked what would have housed them."""

    asked: int = Field(description="For so many it was asked now.", ge=0)
    left: int = Field(description="For so many of those without a house it is not asked yet: ask again.", ge=0)


class LetterCheck(Wire):
    """What stands on a letter that somebody brings."""

    application: Reference = Field(description="The application on it.", examples=["AP-7K3M9QTX"])
    written_on: IsoDate = Field(description="The day that it says it was written on.", examples=["2026-11-27"])
    code: Annotated[str, StringConstraints(max_length=64, pattern=TEXT_PATTERN)] = Field(
        description="Its verification code, in capitals or not, with or without dashes and blanks.",
        examples=["7K3M-9QTX-4D2H"],
    )
    about: Reference | None = Field(
        None, description="The offer or appeal on it; left out where it names none.", examples=["OF-7K3M9QTX"]
    )
    appeal_state: AppealState | None = Field(
        None, description="What it says became of the appeal; left out, a letter that says anything of it will do."
    )


class LetterCheckRead(Wire):
    """Whether a letter is one of ours."""

    genuine: bool = Field(description="Whether a letter with this code was made for that application on that day.")


class ExplanationRead(Wire):
    """A case in the family's language, to be read or read aloud."""

    application: str = Field(description="Reference of the application.", examples=["AP-7K3M9QTX"])
    household: str = Field(description="Reference of the household.", examples=["HH-7K3M9QTX"])
    language: str = Field(description="The language that it is in (BCP 47).", examples=["uk"])
    asked_for: str | None = Field(description="The language asked for, or else that of the household.", examples=["uk"])
    is_in_language_asked_for: bool = Field(description="False where there is no text in that language or script yet.")
    direction: Literal["ltr", "rtl"] = Field(description="How it is written.")
    run: str | None = Field(description="Reference of the run that decided last.")
    decided_at: datetime | None = Field(description="When that was decided.")
    reason: str | None = Field(description="Why, as a code.", examples=["taken_by_priority"])
    appeal_until: date | None = Field(
        description="The last day for an appeal against that, or against the offer that came of it."
    )
    note: str | None = Field(description="What to tell a family whose language is not there yet.")
    sections: list[SectionRead] = Field(description="What is told, in order.")

    @classmethod
    def of(cls, case: Case, words: Words) -> Self:
        """Return the explanation of a case."""
        signed = case.ineligible_for
        decided = case.proposal if signed is None else None
        return cls(
            application=case.application.reference,
            household=case.application.household.reference,
            language=words.language,
            asked_for=words.asked,
            is_in_language_asked_for=words.is_understood,
            direction="rtl" if words.is_right_to_left else "ltr",
            run=decided.run.reference if decided else None,
            decided_at=case.decided_at,
            reason=signed[0] if signed else (decided.reason if decided else None),
            appeal_until=case.appeal_until,
            note=content.note_on_language(words),
            sections=[SectionRead.model_validate(each) for each in explanation.sections(case, words)],
        )
