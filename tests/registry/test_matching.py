"""Who is who in two households: names in several scripts and spellings, dates with slips, and the score."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.facts import Sex
from app.registry import names
from app.registry.matching import (
    Comparison,
    EvidenceCode,
    FamilyFacts,
    PersonFacts,
    blocks,
    compare,
    compare_people,
)
from app.registry.names import SAME, SIMILAR

BORN_ON = date(1986, 3, 24)


def person(given_name: str = "Amina", family_name: str = "Kovalenko", **fields: Any) -> PersonFacts:
    ordinary: dict[str, Any] = {"reference": "PE-1", "birth_date": BORN_ON, "sex": Sex.UNSPECIFIED}
    return PersonFacts(given_name=given_name, family_name=family_name, **ordinary | fields)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Oleksandr", "Kovalenko"), ("Олександр", "Коваленко")),
        (("Yuriy", "Shcherbakov"), ("Юрий", "Щербаков")),
        (("Muhammad", "Abdullah"), ("محمد", "عبدالله")),
        (("Ahmad", "Hassan"), ("أحمد", "حسن")),
        (("Giorgi", "Javakhishvili"), ("გიორგი", "ჯავახიშვილი")),
        (("Yusuf", "Hakobyan"), ("Յուսուֆ", "Հակոբյան")),
        (("Əli", "Əliyev"), ("Али", "Алиев")),
        (("Leyla", "Hüseynova"), ("Лейла", "Гусейнова")),
        (("Xəlil", "Şahin"), ("Халил", "Шахин")),
        (("Leyla", "Huseynova"), ("Leila", "Huseynov")),
        (("Ali", "Mammadov"), ("Ali Vagif oglu", "Mammadov")),
        (("Ivan", "Petrov"), ("Ivan Sergeevich", "Petrov")),
        (("Sean", "O’Brien"), ("Sean", "OBrien")),
        (("Anna-Maria", "Petrova"), ("Anna Maria", "Petrova")),
        (("José", "Nuñez"), ("JOSE", "NUNEZ")),
    ],
)
def test_the_same_name_however_it_is_written(one: tuple[str, str], other: tuple[str, str]) -> None:
    found = names.compare(one, other)
    assert min(found.given, found.family) >= SAME
    assert not found.is_swapped
    assert blocks(person(*one)) & blocks(person(*other))


@pytest.mark.parametrize(
    ("one", "other"),
    [(("Mehmet", "Yılmaz"), ("Mehmed", "Yilmaz")), (("Anna-Maria", "Petrova"), ("Anna", "Petrova"))],
)
def test_similar_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert SIMILAR <= min(names.compare(one, other).given, names.compare(one, other).family) < SAME


@pytest.mark.parametrize(
    ("one", "other"),
    [(("Omar", "Kovalenko"), ("Amina", "Kovalenko")), (("Ivan", "Petrov"), ("Ivan", "Sidorov"))],
)
def test_other_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert min(names.compare(one, other).given, names.compare(one, other).family) < SIMILAR


def test_swapped_names_are_the_same() -> None:
    found = names.compare(("Ivan", "Petrov"), ("Petrov", "Ivan"))
    assert found.is_swapped
    assert compare_people(person("Ivan", "Petrov"), person("Petrov", "Ivan"))[0] is EvidenceCode.NAMES_SWAPPED


Code = EvidenceCode


@pytest.mark.parametrize(
    ("born_on", "other", "expected"),
    [
        (BORN_ON, BORN_ON, Code.SAME_BIRTH_DATE),
        (date(1986, 1, 1), date(1986, 1, 1), Code.SAME_NEW_YEARS_DAY),
        (date(1986, 3, 4), date(1986, 4, 3), Code.DAY_AND_MONTH_SWAPPED),
        (BORN_ON, date(1986, 3, 25), Code.ONE_DIGIT_OF_DATE_DIFFERS),
        (BORN_ON, date(1996, 3, 24), Code.ONE_DIGIT_OF_DATE_DIFFERS),
        (BORN_ON, date(1968, 3, 24), Code.ONE_DIGIT_OF_DATE_DIFFERS),
        (BORN_ON, date(1986, 1, 1), Code.SAME_BIRTH_YEAR),
        (BORN_ON, date(1986, 7, 15), None),
        (BORN_ON, date(2011, 11, 2), None),
    ],
)
def test_birth_dates(born_on: date, other: date, expected: EvidenceCode | None) -> None:
    found = compare_people(person(birth_date=born_on), person(birth_date=other))
    assert found == ([] if expected is None else [Code.SAME_NAME, expected])


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("ab123456", Code.SAME_DOCUMENT),
        ("ab123465", Code.ONE_SIGN_OF_DOCUMENT_DIFFERS),
        ("xy999999", Code.OTHER_DOCUMENT),
        (None, None),
    ],
)
def test_documents(number: str | None, expected: EvidenceCode | None) -> None:
    found = compare_people(person(national_id="ab123456"), person(national_id=number))
    assert found[2:] == ([] if expected is None else [expected])


def _family(*people: PersonFacts, reference: str = "HH-1", **fields: Any) -> FamilyFacts:
    return FamilyFacts(reference, people, **fields)


AMINA, OMAR = person(reference="PE-1"), person("Omar", reference="PE-2", birth_date=date(2010, 3, 4))
AMINA_AGAIN = replace(AMINA, reference="PE-3", given_name="Аміна", family_name="Коваленко")
OMAR_AGAIN = replace(OMAR, reference="PE-4", birth_date=date(2010, 4, 3))


def test_a_family_that_is_there_twice_is_found_with_everybody_in_it() -> None:
    one = _family(AMINA, OMAR, phone="1", origin=1)
    other = _family(OMAR_AGAIN, AMINA_AGAIN, reference="HH-2", phone="1", origin=1)
    found = compare(one, other)
    assert found.is_candidate
    assert dict(found.pairs) == {"PE-1": "PE-3", "PE-2": "PE-4"}
    assert {each.code for each in found.evidence} == {
        Code.SAME_NAME_IN_TWO_SCRIPTS,
        Code.SAME_BIRTH_DATE,
        Code.SAME_NAME,
        Code.DAY_AND_MONTH_SWAPPED,
        Code.PEOPLE_IN_COMMON,
        Code.SAME_PHONE,
        Code.SAME_ORIGIN,
    }
    assert found.score == sum(each.weight for each in found.evidence)


@pytest.mark.parametrize(
    ("other", "is_candidate"),
    [
        (_family(AMINA_AGAIN), True),
        (_family(replace(AMINA, birth_date=date(1986, 1, 1))), False),  # the year alone is too little
        (_family(replace(AMINA, birth_date=date(1986, 1, 1)), phone="1"), True),
        (_family(OMAR, phone="1", origin=1), False),  # a telephone that many use
        (_family(replace(AMINA, reference="PE-9", family_name="Shevchenko")), False),
        (_family(replace(AMINA, reference="PE-9", family_name="Shevchenko"), phone="1"), True),  # since she married
    ],
)
def test_who_should_be_looked_at(other: FamilyFacts, is_candidate: bool) -> None:
    assert compare(_family(AMINA, phone="1", origin=1), other).is_candidate is is_candidate


PEOPLE = st.builds(
    PersonFacts,
    reference=st.uuids().map(str),
    given_name=st.sampled_from(["Amina", "Аміна", "Omar", "Omer", "Kovalenko"]) | st.text(min_size=1, max_size=12),
    family_name=st.sampled_from(["Kovalenko", "Коваленко", "Amina", "Petrova", "Petrov"]) | st.text(min_size=1),
    birth_date=st.sampled_from([BORN_ON, date(1986, 1, 1), date(1986, 3, 4), date(1986, 4, 3)]) | st.dates(),
    sex=st.sampled_from(Sex),
    national_id=st.none() | st.sampled_from(["ab123456", "ab123457"]),
)
FAMILIES = st.builds(
    FamilyFacts,
    reference=st.uuids().map(str),
    people=st.lists(PEOPLE, max_size=5, unique_by=lambda each: each.reference).map(tuple),
    phone=st.none() | st.sampled_from("12"),
    origin=st.none() | st.sampled_from([1, 2]),
)


def _told(found: Comparison) -> tuple[float, set[tuple[str, str]], set[tuple[Any, ...]]]:
    evidence = {(each.code, each.weight, each.first, each.second) for each in found.evidence}
    return found.score, set(found.pairs), evidence


@settings(max_examples=25)
@given(FAMILIES, FAMILIES)
def test_it_is_the_same_from_either_side(one: FamilyFacts, other: FamilyFacts) -> None:
    there, back = compare(one, other), compare(other, one)
    turned = Comparison(
        back.score,
        tuple(replace(each, first=each.second, second=each.first) for each in back.evidence),
        tuple((first, second) for second, first in back.pairs),
    )
    assert _told(there) == _told(turned)


@settings(max_examples=25)
@given(FAMILIES, FAMILIES, st.randoms(use_true_random=False))
def test_the_order_of_people_says_nothing(one: FamilyFacts, other: FamilyFacts, random: Any) -> None:
    shuffled = replace(one, people=tuple(random.sample(one.people, len(one.people))))
    assert _told(compare(one, other)) == _told(compare(shuffled, other))


@settings(max_examples=25)
@given(FAMILIES)
def test_whoever_is_compared_with_themselves_is_the_same(family: FamilyFacts) -> None:
    found = compare(family, replace(family, reference="HH-2"))
    assert len(found.pairs) == len(family.people)
    assert len({first for first, _ in found.pairs}) == len({second for _, second in found.pairs}) == len(found.pairs)


@settings(max_examples=25)
@given(PEOPLE, PEOPLE)
def test_people_with_everything_in_common_are_looked_up_alike(one: PersonFacts, other: PersonFacts) -> None:
    as_the_other = replace(one, birth_date=other.birth_date, given_name=other.given_name, family_name=other.family_name)
    assert blocks(as_the_other) == blocks(other)
