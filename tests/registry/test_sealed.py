"""Numbers of documents and telephones: encrypted in the database, found exactly, one person each."""

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from app import logs
from app.access.models import Role
from app.database import Database
from app.keys import Unreadable
from app.registry.models import Household, Person
from app.sealed import dialled, letters_and_digits
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs
from tests.registry.test_households import household, person

NUMBER, PHONE = "K-48/219 07", "+999 50 201 11 26"


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.CASEWORKER)


def _registered(client: httpx2.Client, number: str | None = NUMBER, **fields: Any) -> dict[str, Any]:
    answer = client.post("/households", json=household(person(national_id=number), **fields))
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()
    return made


def test_nothing_of_them_is_in_the_database(client: httpx2.Client, database: Database) -> None:
    made = _registered(client, phone=PHONE)
    assert (made["phone"], made["people"][0]["national_id"]) == (PHONE, NUMBER)
    with database.engine.connect() as connection:
        stored = [
            str(tuple(row)) for table in (Person, Household) for row in connection.execute(select(table.__table__))
        ]
    assert len(stored) == 2
    for secret in (NUMBER, PHONE, letters_and_digits(NUMBER), dialled(PHONE)):
        assert not any(secret in row for row in stored)


def test_a_text_moved_to_another_row_or_column_is_not_read(client: httpx2.Client, database: Database) -> None:
    first, second = _registered(client, "K-1", phone=PHONE), _registered(client, "K-2")
    with database.session(writes=True) as session:
        taken = session.scalar(
            select(Person.national_id_sealed).where(Person.reference == first["people"][0]["reference"])
        )
        target = second["people"][0]["reference"]
        session.execute(update(Person).where(Person.reference == target).values(national_id_sealed=taken))
        session.execute(update(Household).where(Household.reference == first["reference"]).values(phone_sealed=taken))
    with database.session(writes=False) as session:
        for row in (
            session.scalars(select(Person).where(Person.reference == target)).one(),
            session.scalars(select(Household).where(Household.reference == first["reference"])).one(),
        ):
            with pytest.raises(Unreadable, match=row.reference):
                _ = row.national_id if isinstance(row, Person) else row.phone


@pytest.mark.parametrize("asked", [NUMBER, "k4821907", " K 48 219 07 ", "Ｋ４８２１９０７", "K٤٨٢١٩٠٧"])
def test_a_document_is_found_however_it_is_written(client: httpx2.Client, asked: str) -> None:
    made = _registered(client)
    _registered(client, "K-4821908")
    _registered(client, None)
    found = client.get("/households", params={"national_id": asked}).json()["items"]
    assert [each["reference"] for each in found] == [made["reference"]]


@pytest.mark.parametrize("asked", ["K-482", "4821907", "K-48219070", "-"])
def test_a_part_of_a_number_finds_nobody(client: httpx2.Client, asked: str) -> None:
    _registered(client)
    assert client.get("/households", params={"national_id": asked}).json()["items"] == []


def test_a_telephone_is_found_and_may_be_shared(client: httpx2.Client) -> None:
    references = [_registered(client, None, phone=PHONE)["reference"] for _ in range(2)]
    _registered(client, None, phone="+999 50 201 11 27")
    for asked in (PHONE, "00999502011126", "+999(50)201-11-26"):
        found = client.get("/households", params={"phone": asked}).json()["items"]
        assert [each["reference"] for each in found] == references


def test_who_may_not_see_a_household_does_not_find_it(
    client: httpx2.Client, acting_as: ActingAs, database: Database
) -> None:
    _registered(client, phone=PHONE)
    with database.session(writes=True) as session:
        place = factories.settlement(session, district="East").reference
    stranger = acting_as(Role.CASEWORKER, settlement=place)
    for params in ({"national_id": NUMBER}, {"phone": PHONE}):
        assert stranger.get("/households", params=params).json()["items"] == []


def test_a_document_belongs_to_one_person(client: httpx2.Client) -> None:
    made = _registered(client)
    other = _registered(client, "K-2")
    path = f"/households/{other['reference']}"
    again = client.post("/households", json=household(person(), person("child", national_id="k4821907")))
    joined = client.post(f"{path}/people", json=person("child", national_id=NUMBER))
    changed = client.patch(
        f"/people/{other['people'][0]['reference']}", json={"national_id": NUMBER}, headers={"If-Match": '"1"'}
    )
    pointers = ["#/body/people/1/national_id", "#/body/national_id", "#/body/national_id"]
    for answer, pointer in zip((again, joined, changed), pointers, strict=True):
        assert answer.status_code == 409
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
        assert NUMBER not in answer.text
        assert made["reference"] not in answer.text
    twins = [person(national_id="K-7"), person("sibling", national_id="K 7")]
    assert client.post("/households", json=household(*twins)).status_code == 409
    assert client.get(path).json() == other


def test_ones_own_number_may_be_written_again_and_given_away(client: httpx2.Client) -> None:
    made = _registered(client)
    reference = made["people"][0]["reference"]
    for number, version in ((NUMBER, 1), ("K 48 219 07", 2), (None, 3)):
        answer = client.patch(
            f"/people/{reference}", json={"national_id": number}, headers={"If-Match": f'"{version}"'}
        )
        assert (answer.status_code, answer.json()["national_id"]) == (200, number)
    _registered(client)


def test_of_two_who_register_one_document_at_once_one_is_refused(client: httpx2.Client) -> None:
    body = household(person(national_id=NUMBER))
    assert sorted(at_once(*[lambda: client.post("/households", json=body).status_code] * 2)) == [201, 409]


def test_they_are_in_no_log_line_and_no_refusal(client: httpx2.Client, capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    made = _registered(client, phone=PHONE)
    client.get("/households", params={"national_id": NUMBER, "phone": PHONE})
    client.get("/households", params={"national_id": NUMBER * 20})
    refused = [
        client.post("/households", json=household(person(national_id=NUMBER + "\x00"))),
        client.post("/households", json=household(phone=f"call {PHONE}")),
        client.patch(f"/households/{made['reference']}", json={"phone": [PHONE]}, headers={"If-Match": '"1"'}),
    ]
    assert [answer.status_code for answer in refused] == [422, 422, 422]
    logged = capfd.readouterr().err
    assert logged.count('"event": "request"') == 6
    for secret in (NUMBER, PHONE, PHONE.replace(" ", "+"), letters_and_digits(NUMBER)):
        assert not any(secret in each for each in (logged, *(answer.text for answer in refused)))


@given(st.text(max_size=40))
def test_what_counts_of_a_number_does_not_depend_on_how_it_is_written(number: str) -> None:
    counts = letters_and_digits(number)
    assert counts == letters_and_digits(counts)
    assert counts == letters_and_digits(f" {number}-")
    assert counts.isalnum() or not counts


@given(st.integers(10, 10**12).map(str))
def test_a_telephone_is_the_same_with_plus_or_zeros(digits: str) -> None:
    assert dialled(f"+{digits}") == dialled(f"00{digits}") == dialled(f"{digits[:1]} {digits[1:]}")
