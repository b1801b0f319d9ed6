"""What stands in a letter or an explanation, section by section, in the family's language.

It is made of plain inputs, and nothing in it is markup.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from app.languages.words import Phrase, Words

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """A heading, and the sentences under it."""

    heading: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class Addressee:
    """Whom a letter is for. `name`: of the head of the household, where there is one."""

    household: str
    application: str
    name: str | None


@dataclass(frozen=True)
class OfferTold:
    """An offer of a house. `ended_on`: when it was accepted, declined, taken back or expired."""

    reference: str
    place: str
    address: str
    size: Phrase
    house: str
    answer_until: date | None
    state: str
    ended_on: date | None
    declining_costs_place: bool


@dataclass(frozen=True)
class AppealRules:
    """Until when a family may appeal against what it was told, and within how many days that is decided."""

    until: date | None
    decided_within_days: int


@dataclass(frozen=True)
class AppealTold:
    """An appeal and what became of it. `would_have`: what the calculation with corrected facts gave, as sentences."""

    reference: str
    against: str
    state: str
    lodged_on: date
    due_on: date
    ended_on: date | None
    reason: str | None
    is_first_in_line: bool
    would_have: Sequence[str]


def of_family(addressee: Addressee, words: Words) -> Phrase:
    """Return the line that says whom it is for."""
    if addressee.name:
        return words.say("To the family of {name}", name=addressee.name)
    return words.say("To the family with the number {reference}", reference=addressee.household)


def references(addressee: Addressee, about: OfferTold | AppealTold | None, words: Words) -> Rows:
    """Return the references to give when the family calls or comes."""
    rows: Rows = [
        (words.say("Family"), addressee.household),
        (words.say("Application"), addressee.application),
    ]
    if isinstance(about, AppealTold):
        return [*rows, (words.say("Appeal"), about.reference)]
    return [*rows, (words.say("Offer"), about.reference)] if about else rows


def house_offered(offer: OfferTold, words: Words) -> Rows:
    """Return what is offered, and until when."""
    rows: Rows = [
        (words.say("Place"), offer.place),
        (words.say("Address"), offer.address),
        (words.say("Size"), offer.size),
        (words.say("House"), offer.house),
    ]
    if offer.answer_until is not None:
        rows.append((words.say("Please answer until"), words.date(offer.answer_until)))
    return rows


def about_offer(offer: OfferTold, words: Words) -> Section:
    """Return how an offer stands; for one that waits, how to answer it and what follows."""
    heading = words.say("Your answer")
    if offer.state != "issued":
        return Section(heading, [OFFER_ENDED[offer.state](offer, words)])
    found = [words.say("A house is reserved for you, and we offer it to you.")]
    if offer.answer_until is not None:
        found.append(words.say("Please answer until {date}: tell your caseworker yes or no.", date=offer.answer_until))
    found += [
        words.say("Before you answer you may visit the house and ask about its land, school, clinic and work."),
        words.say("To return and to settle is your free choice. Nobody may press you."),
    ]
    if offer.declining_costs_place:
        found.append(
            words.say(
                "You may decline. How this counts in the next allocation is in the rules of the programme; ask first."
            )
        )
    else:
        found.append(
            words.say(
                "By the rules of today you may decline without any penalty: you stay on the list, and keep your place."
            )
        )
    if offer.answer_until is not None:
        found.append(words.say("Without an answer until then the offer ends, and the house goes to another family."))
    return Section(heading, found)


def _ended(offer: OfferTold) -> date:
    assert offer.ended_on is not None  # noqa: S101 - only what has ended gets here
    return offer.ended_on


OFFER_ENDED: Mapping[str, Callable[[OfferTold, Words], Phrase]] = {
    "accepted": lambda offer, words: words.say("You accepted this offer on {date}.", date=_ended(offer)),
    "declined": lambda offer, words: words.say("You declined this offer on {date}.", date=_ended(offer)),
    "expired": lambda offer, words: words.say("This offer ended on {date}, without an answer.", date=_ended(offer)),
    "withdrawn": lambda offer, words: words.say(
        "This offer was taken back on {date}. Your caseworker can tell you why.", date=_ended(offer)
    ),
}


def why(reasons: Sequence[str], *, is_housed: bool, is_ineligible: bool, words: Words) -> Section:
    """Return why it was decided so."""
    if is_ineligible:
        return Section(words.say("Why you cannot take part at present"), reasons)
    return Section(words.say("Why this house") if is_housed else words.say("Why there is no house yet"), reasons)


def what_would_change(sentences: Sequence[str], words: Words) -> Section:
    """Return the smallest change that would have given the family a house."""
    return Section(words.say("What would have given you a house"), sentences)


def what_you_can_do(rules: AppealRules | None, words: Words) -> Section:
    """Return whom to ask, and how to appeal."""
    found = [words.say("Ask your caseworker about anything here. Give your numbers when you call or come.")]
    if rules is not None and rules.until is not None:
        found += [
            words.say("If you do not agree, you can appeal until {date}. It costs nothing.", date=rules.until),
            words.say("Your caseworker writes the appeal down for you."),
            words.count(
                "Somebody who took no part in the decision decides on it within {number} day.",
                "Somebody who took no part in the decision decides on it within {number} days.",
                rules.decided_within_days,
            ),
        ]
    return Section(words.say("What you can do"), found)


def about_appeal(appeal: AppealTold, words: Words) -> Section:
    """Return what became of an appeal."""
    found: list[str] = [
        words.say(
            "You appealed on {date}. Number of the appeal: {reference}.",
            date=appeal.lodged_on,
            reference=appeal.reference,
        )
    ]
    ended = appeal.ended_on
    if ended is None:
        found.append(words.say("It will be decided by {date}, by somebody who took no part.", date=appeal.due_on))
    elif appeal.state == "upheld":
        found.append(words.say("On {date} your appeal was upheld: you were right.", date=ended))
        found.append(UPHELD[appeal.against](words))
        if appeal.is_first_in_line:
            found.append(words.say("In the next allocation you come before all others for a house that fits you."))
    elif appeal.state == "dismissed":
        found.append(words.say("On {date} it was decided that the decision stays as it is.", date=ended))
    else:
        found.append(words.say("You withdrew your appeal on {date}.", date=ended))
    if appeal.reason is not None:
        found.append(words.say("The reasons given: {reason}", reason=appeal.reason))
    return Section(words.say("Your appeal"), [*found, *appeal.would_have])


UPHELD: Mapping[str, Callable[[Words], Phrase]] = {
    "ineligibility": lambda words: words.say("It will be decided anew whether you can take part."),
    "priority": lambda words: words.say("Your data is corrected, and the next allocation goes by it."),
    "proposal": lambda words: words.say("The next allocation goes by what your appeal has shown."),
    "offer": lambda words: words.say("The next allocation goes by what your appeal has shown."),
}


def recalculated(house: Phrase | None, reasons: Sequence[str], words: Words) -> list[str]:
    """Return what the allocation would have given with what the appeal says, as sentences."""
    found: list[str] = [words.say("We calculated the allocation again with what you say in your appeal.")]
    if house is not None:
        return [*found, words.say("You would have got this house: {house}.", house=house)]
    return [*found, words.say("You would not have got a house in it either."), *reasons]


def note_on_language(words: Words) -> Phrase | None:
    """Return a note where the family's own language has no catalogue."""
    if words.is_understood:
        return None
    return words.say(
        "We have no text in the language or script that you asked for ({language}) yet. Ask your caseworker to read "
        "this to you.",
        language=words.asked or "",
    )


def verification(code: str, words: Words) -> Phrase:
    """Return the line by which an office checks that a letter is genuine."""
    return words.say(
        "Verification code: {code}. By it your caseworker can check that this letter is genuine.", code=code
    )


def written_on(day: date, words: Words) -> Phrase:
    """Return the line that dates a letter."""
    return words.say("Written on {date}", date=day)


def title(about: OfferTold | AppealTold | None, words: Words) -> Phrase:
    """Return what a letter is called."""
    if about is None:
        return words.say("Decision on your application")
    if isinstance(about, OfferTold):
        return words.say("Offer of a house")
    return APPEAL_TITLES[about.state](words)


APPEAL_TITLES: Mapping[str, Callable[[Words], Phrase]] = {
    "lodged": lambda words: words.say("We have your appeal"),
    "upheld": lambda words: words.say("Decision on your appeal"),
    "dismissed": lambda words: words.say("Decision on your appeal"),
    "withdrawn": lambda words: words.say("End of your appeal"),
}
