"""Whether two households may be one, or have a person in common: evidence with weights, and a score. Pure.

Names, dates and numbers are compared person by person; who belongs together is what gives the most weight in all. The
same facts give the same evidence in whatever order they are told, and seen from either side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from rapidfuzz.distance import OSA
from scipy.optimize import linear_sum_assignment

from app.policy.facts import Sex
from app.registry import names
from app.registry.names import SAME, SIMILAR


class EvidenceCode(StrEnum):
    """What speaks for two households, or two people, being one; or against it."""

    SAME_NAME = "same_name"
    SAME_NAME_IN_TWO_SCRIPTS = "same_name_in_two_scripts"
    NAMES_SWAPPED = "names_swapped"
    SIMILAR_NAME = "similar_name"
    OTHER_FAMILY_NAME = "other_family_name"
    SAME_BIRTH_DATE = "same_birth_date"
    SAME_NEW_YEARS_DAY = "same_new_years_day"
    DAY_AND_MONTH_SWAPPED = "day_and_month_swapped"
    ONE_DIGIT_OF_DATE_DIFFERS = "one_digit_of_date_differs"
    SAME_BIRTH_YEAR = "same_birth_year"
    SEX_DIFFERS = "sex_differs"
    SAME_DOCUMENT = "same_document"
    ONE_SIGN_OF_DOCUMENT_DIFFERS = "one_sign_of_document_differs"
    OTHER_DOCUMENT = "other_document"
    PEOPLE_IN_COMMON = "people_in_common"
    SAME_PHONE = "same_phone"
    SAME_ORIGIN = "same_origin"
    OTHER_ORIGIN = "other_origin"
    STATISTICAL_MODEL = "statistical_model"


Code = EvidenceCode
WEIGHTS = {
    Code.SAME_NAME: 5.0,
    Code.SAME_NAME_IN_TWO_SCRIPTS: 4.5,
    Code.NAMES_SWAPPED: 4.0,
    Code.SIMILAR_NAME: 2.5,
    Code.OTHER_FAMILY_NAME: 1.5,
    Code.SAME_BIRTH_DATE: 6.0,
    Code.SAME_NEW_YEARS_DAY: 3.5,
    Code.DAY_AND_MONTH_SWAPPED: 5.0,
    Code.ONE_DIGIT_OF_DATE_DIFFERS: 2.5,
    Code.SAME_BIRTH_YEAR: 2.5,
    Code.SEX_DIFFERS: -2.0,
    Code.SAME_DOCUMENT: 8.0,
    Code.ONE_SIGN_OF_DOCUMENT_DIFFERS: 3.0,
    Code.OTHER_DOCUMENT: -4.0,
    Code.PEOPLE_IN_COMMON: 1.0,
    Code.SAME_PHONE: 3.0,
    Code.SAME_ORIGIN: 1.0,
    Code.OTHER_ORIGIN: -2.5,
    Code.STATISTICAL_MODEL: 2.0,
}
"""What each says, in the unit of `ENOUGH`; PEOPLE_IN_COMMON counts for each person beyond the first.

A day has some forty others that differ in one digit: by chance they are met so much oftener than the same day, and say
so much less.
"""
SAME_PERSON = 7.0
"""From here on two people are taken for one."""
ENOUGH = 9.0
"""From here on somebody should look at two households."""
PEOPLE_COMPARED = 200
"""Of one household; the rest is not looked at."""


@dataclass(frozen=True)
class PersonFacts:
    """What is compared of a person. `national_id` holds what counts of the document's number."""

    reference: str
    given_name: str
    family_name: str
    birth_date: date
    sex: Sex
    national_id: str | None = None

    @property
    def order(self) -> tuple[str, ...]:
        """Where the person stands among others, whatever order they were told in."""
        told = (self.birth_date.isoformat(), self.given_name, self.family_name, self.sex, self.national_id or "")
        return (*told, self.reference)


@dataclass(frozen=True)
class FamilyFacts:
    """What is compared of a household. `phone` is what counts of its number, or a blind index of that."""

    reference: str
    people: tuple[PersonFacts, ...]
    phone: str | None = None
    origin: int | None = None


@dataclass(frozen=True)
class Evidence:
    """One thing that speaks for or against, with the people of the first and the second household that it is about."""

    code: EvidenceCode
    weight: float
    first: str | None = None
    second: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What two households have in common. `pairs` are people taken for one, of the first and the second."""

    score: float
    evidence: tuple[Evidence, ...]
    pairs: tuple[tuple[str, str], ...]

    @property
    def is_candidate(self) -> bool:
        """Whether somebody should look at it."""
        return bool(self.pairs) and self.score >= ENOUGH


def compare_people(first: PersonFacts, second: PersonFacts) -> list[EvidenceCode]:
    """Return what speaks for and against two people being one; nothing where names or dates tell that they are two."""
    found = _birth_dates(first.birth_date, second.birth_date)
    name = _names(first, second) if found else None
    if found is None or name is None:
        return []
    codes = [name, found]
    if Sex.UNSPECIFIED not in (first.sex, second.sex) and first.sex is not second.sex:
        codes.append(Code.SEX_DIFFERS)
    if first.national_id and second.national_id:
        distance = OSA.distance(first.national_id, second.national_id)
        documents = {0: Code.SAME_DOCUMENT, 1: Code.ONE_SIGN_OF_DOCUMENT_DIFFERS}
        codes.append(documents.get(distance, Code.OTHER_DOCUMENT))
    return codes


def _names(first: PersonFacts, second: PersonFacts) -> EvidenceCode | None:
    likeness = names.compare((first.given_name, first.family_name), (second.given_name, second.family_name))
    if min(likeness.given, likeness.family) >= SAME:
        if likeness.is_swapped:
            return Code.NAMES_SWAPPED
        return Code.SAME_NAME_IN_TWO_SCRIPTS if likeness.in_two_scripts else Code.SAME_NAME
    if min(likeness.given, likeness.family) >= SIMILAR:
        return Code.SIMILAR_NAME
    return Code.OTHER_FAMILY_NAME if likeness.given >= SAME and not likeness.is_swapped else None


def _birth_dates(first: date, second: date) -> EvidenceCode | None:
    new_year = [each.month == each.day == 1 for each in (first, second)]
    if first == second:
        return Code.SAME_NEW_YEARS_DAY if all(new_year) else Code.SAME_BIRTH_DATE
    if first.year == second.year:
        if any(new_year):  # what stands where only the year is known
            return Code.SAME_BIRTH_YEAR
        if (first.month, first.day) == (second.day, second.month):
            return Code.DAY_AND_MONTH_SWAPPED
    if OSA.distance(first.isoformat(), second.isoformat()) == 1:
        return Code.ONE_DIGIT_OF_DATE_DIFFERS
    return None


def _weight(codes: Iterable[EvidenceCode]) -> float:
    return sum(WEIGHTS[code] for code in codes)


def compare(first: FamilyFacts, second: FamilyFacts) -> Comparison:
    """Compare two households: who of one is who of the other, and what else they share."""
    found = _compare(*sorted((first, second), key=_order))
    if _order(first) <= _order(second):
        return found
    turned = tuple(Evidence(each.code, each.weight, each.second, each.first) for each in found.evidence)
    return Comparison(found.score, turned, tuple((two, one) for one, two in found.pairs))


def _order(family: FamilyFacts) -> tuple[object, ...]:
    return (sorted(person.order for person in family.people), family.phone or "", family.origin or 0, family.reference)


def _compare(first: FamilyFacts, second: FamilyFacts) -> Comparison:
    pairs = _who_is_who(first.people, second.people)
    evidence = [
        Evidence(code, WEIGHTS[code], one.reference, two.reference) for one, two, codes in pairs for code in codes
    ]
    if len(pairs) > 1:
        evidence.append(Evidence(Code.PEOPLE_IN_COMMON, WEIGHTS[Code.PEOPLE_IN_COMMON] * (len(pairs) - 1)))
    if pairs:
        if first.phone is not None and first.phone == second.phone:
            evidence.append(Evidence(Code.SAME_PHONE, WEIGHTS[Code.SAME_PHONE]))
        if first.origin is not None and second.origin is not None:
            code = Code.SAME_ORIGIN if first.origin == second.origin else Code.OTHER_ORIGIN
            evidence.append(Evidence(code, WEIGHTS[code]))
    score = round(sum(each.weight for each in evidence), 1)
    return Comparison(score, tuple(evidence), tuple((one.reference, two.reference) for one, two, _ in pairs))


def _who_is_who(
    first: Sequence[PersonFacts], second: Sequence[PersonFacts]
) -> list[tuple[PersonFacts, PersonFacts, list[EvidenceCode]]]:
    """Return the people who are taken for one, so that their weights are the most in all."""
    ones = sorted(first, key=lambda person: person.order)[:PEOPLE_COMPARED]
    twos = sorted(second, key=lambda person: person.order)[:PEOPLE_COMPARED]
    codes = {}
    weights = np.zeros((len(ones), len(twos)))
    for row, one in enumerate(ones):
        for column, two in enumerate(twos):
            found = compare_people(one, two)
            if found and (weight := _weight(found)) >= SAME_PERSON:
                codes[row, column], weights[row, column] = found, weight
    if not codes:
        return []
    rows, columns = linear_sum_assignment(weights, maximize=True)
    chosen = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
    return [(ones[row], twos[column], codes[row, column]) for row, column in chosen if (row, column) in codes]


def blocks(person: PersonFacts) -> set[str]:
    """Return the texts under which people are looked up who may be this one: any of them in common is enough to look.

    The name by its consonants with the year, or with day and month in either order; the date with both initials.
    """
    given, family = names.words(person.given_name), names.family_words(person.family_name)
    day = "-".join(sorted((f"{person.birth_date.day:02}", f"{person.birth_date.month:02}")))
    year = person.birth_date.year
    found = set()
    for word in {given[0], given[-1]}:
        bones = sorted((names.consonants(word), names.consonants("".join(family))))
        initials = "".join(sorted(each[:1] for each in bones))
        found |= {f"{'+'.join(bones)}/{year}", f"{'+'.join(bones)}/{day}", f"{initials}/{year}-{day}"}
    return found
