"""Registering and changing households."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from app.access.models import Role
from app.database import Database, utc_now
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

TODAY = utc_now().date()
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def person(relationship: str = "head", **fields: Any) -> dict[str, Any]:
    ordinary = {"given_name": "Amina", "family_name": "Kovalenko", "sex": "female", "birth_date": "1980-03-24"}
    return ordinary | {"relationship": relationship} | fields


def household(*people: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"current_accommodation": "dormitory", "people": list(people or [person()])} | fields


def test_a_household_is_registered_with_its_people(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        origin, group = factories.origin(session), factories.kin_group(session)
    client = acting_as(Role.CASEWORKER)
    sent = household(
        person("head", partner=1, occupation="agriculture", national_id="7/A 12"),
        person("spouse", given_name="Omar", sex="male", partner=0, needs_step_free=True),
        person("child", given_name="Leyla", birth_date=str(TODAY)),
        key="HH-1",
        origin=origin.reference.lower(),
        displaced_on="1993-04-25",
        kin_group=group.reference,
        phone="+999 50 201 11 26",
        language="az-Latn",
        consent_on=str(TODAY),
    )
    answer = client.post("/households", json=sent)
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    made = answer.json()
    assert made["registered_on"] == str(TODAY)
    assert (made["origin"], made["kin_group"]) == (origin.reference, group.reference)
    amina, omar, leyla = made["people"]
    assert (amina["partner"], omar["partner"], leyla["partner"]) == (omar["reference"], amina["reference"], None)

    assert client.get(f"/households/{made['reference']}").json() == made
    assert client.get(f"/households/{made['reference'].lower()}").json() == made
    assert client.get("/households").json()["items"] == [
        {
            "reference": made["reference"],
            "key": "HH-1",
            "head": "Amina Kovalenko",
            "people": 3,
            "registered_on": str(TODAY),
            "current_accommodation": "dormitory",
        }
    ]


TOMORROW = str(TODAY + timedelta(days=2))
CONTRADICTIONS: list[tuple[dict[str, Any], list[str]]] = [
    (household(person("spouse")), ["#/body/people"]),
    (household(person(), person()), ["#/body/people"]),
    (household(person(birth_date=TOMORROW)), ["#/body/people/0/birth_date"]),
    (household(person(birth_date=f"{TODAY.year - 130}-01-01")), ["#/body/people/0/birth_date"]),
    (household(person(), person("child", birth_date="0001-01-01")), ["#/body/people/1/birth_date"]),
    (household(person(partner=0)), ["#/body/people/0/partner"]),
    (household(person(partner=1)), ["#/body/people/0/partner"]),
    (household(person(partner=1), person("spouse")), ["#/body/people/0/partner"]),
    (
        household(person(partner=1), person("spouse", partner=2), person("child", partner=0)),
        [f"#/body/people/{number}/partner" for number in range(3)],
    ),
    (household(registered_on=TOMORROW), ["#/body/registered_on"]),
    (household(displaced_on=TOMORROW), ["#/body/displaced_on"]),
    (household(consent_on=TOMORROW), ["#/body/consent_on"]),
    (household(origin="OR-00000000"), ["#/body/origin"]),
    (household(kin_group="KG-00000000"), ["#/body/kin_group"]),
]


@on_sqlite
def test_a_household_that_contradicts_itself_is_refused_whole(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    for body, pointers in CONTRADICTIONS:
        answer = client.post("/households", json=body)
        assert answer.status_code == 422, body
        assert [error["pointer"] for error in answer.json()["errors"]] == pointers, body
    assert client.get("/households").json()["items"] == []


NAMES = [
    "ليلى",
    "שָׂרָה",
    "Nguyễn",
    "e\u0301",
    "é",
    "Ѐлена",
    "王秀英",
    "நளினி",
    "👩🏽\u200d🌾",
    "O'Brien-Łódź",
    "\u202bآمنة\u202c",
    "𐍈",
    "<b>&amp;</b>",
    "'; DROP TABLE people; --",
]


def test_names_of_every_script_come_back_as_they_were_sent(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    people = [person("head" if name == NAMES[0] else "child", given_name=name) for name in NAMES]
    made = client.post("/households", json=household(*people)).json()
    read = client.get(f"/households/{made['reference']}").json()
    assert [each["given_name"] for each in read["people"]] == NAMES
    for name in NAMES:
        found = client.get("/households", params={"q": name}).json()["items"]
        assert [each["reference"] for each in found] == [made["reference"]], name


def test_a_search_takes_its_letters_literally(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    for name, key in (("100%", "A_1"), ("Anna", "AB1"), ("back\\slash", "C-1")):
        assert client.post("/households", json=household(person(given_name=name), key=key)).status_code == 201

    def found(**query: str) -> list[str]:
        return [each["key"] for each in client.get("/households", params=query).json()["items"]]

    assert found(q="%") == ["A_1"]
    assert found(q="_") == ["A_1"]
    assert found(q="\\") == ["C-1"]
    assert found(q="aNN") == ["AB1"]
    assert found(q="kovalenko") == ["A_1", "AB1", "C-1"]
    assert found(q="b1") == ["AB1"]
    assert found(q="nobody") == []
    assert found(q="A", current_accommodation="rented") == []
    assert found(q="anna", current_accommodation="dormitory") == ["AB1"]


def test_the_same_client_id_gives_the_same_household(acting_as: ActingAs) -> None:
    client, client_id = acting_as(Role.CASEWORKER), str(uuid.uuid4())
    first = client.post("/households", json=household(client_id=client_id))
    again = client.post("/households", json=household(person(given_name="Else"), client_id=client_id.upper()))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len(client.get("/households").json()["items"]) == 1


def test_a_client_id_sent_many_times_at_once_makes_one_household(acting_as: ActingAs) -> None:
    client, body = acting_as(Role.CASEWORKER), household(client_id=str(uuid.uuid4()))
    answers = at_once(*[lambda: client.post("/households", json=body)] * 4)
    made = [answer for answer in answers if answer.status_code == 201]
    assert made
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["reference"] for answer in made}) == 1
    assert client.post("/households", json=body).json() == made[0].json()
    assert len(client.get("/households").json()["items"]) == 1


def test_a_key_names_one_household(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    assert client.post("/households", json=household(key="HH-1")).status_code == 201
    assert client.post("/households", json=household(key="HH-1")).status_code == 409


def test_a_change_leaves_what_it_does_not_name_and_empties_what_it_names_null(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        origin = factories.origin(session)
    client = acting_as(Role.CASEWORKER)
    sent = household(origin=origin.reference, phone="+999 50 201", language="uk", consent_on="2026-01-01")
    made = client.post("/households", json=sent).json()
    path = f"/households/{made['reference']}"

    changed = client.patch(path, json={"phone": None, "origin": None}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == '"2"'
    assert changed.json() == made | {"phone": None, "origin": None}
    unchanged = client.patch(path, json={}, headers={"If-Match": '"2"'})
    assert unchanged.json() == changed.json()
    assert client.get(path).json() == changed.json()


@on_sqlite
def test_a_change_that_makes_no_sense_is_refused(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    made = client.post("/households", json=household()).json()
    path = f"/households/{made['reference']}"
    for body, pointer in (
        ({"registered_on": None}, "#/body/registered_on"),
        ({"current_accommodation": None}, "#/body/current_accommodation"),
        ({"consent_on": TOMORROW}, "#/body/consent_on"),
        ({"origin": "OR-00000000"}, "#/body/origin"),
        ({"reference": "HH-7K3M9QTX"}, "#/body/reference"),
        ({"people": []}, "#/body/people"),
    ):
        answer = client.patch(path, json=body, headers={"If-Match": '"1"'})
        assert answer.status_code == 422, body
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer], body
    assert client.get(path).json() == made


def test_kin_groups_are_seen_with_their_households_and_while_they_are_empty(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        north, south = factories.settlement(session), factories.settlement(session, "Hillside", district="South")
        groups = [factories.kin_group(session) for _ in range(3)]
        northern = factories.household(session, place=north, kin_group=groups[0]).reference
        factories.household(session, place=south, kin_group=groups[1])
    client = acting_as(Role.CASEWORKER, district="North")
    seen = [group["reference"] for group in client.get("/kin-groups").json()["items"]]
    assert seen == [groups[0].reference, groups[2].reference]
    of_first = client.get("/households", params={"kin_group": seen[0].lower()}).json()["items"]
    assert [each["reference"] for each in of_first] == [northern]
    elsewhere = client.get("/households", params={"kin_group": groups[1].reference})
    assert elsewhere.json()["items"] == []
    assert client.post("/kin-groups", json={"key": "KIN-1"}).status_code == 201
    assert client.post("/kin-groups", json={"key": "KIN-1"}).status_code == 409
