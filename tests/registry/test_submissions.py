"""A household and its application in one piece: all of it or nothing, and the same twice is one."""

import uuid
from typing import Any

import pytest

from app.access.models import Role
from app.database import Database
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _person(**fields: Any) -> dict[str, Any]:
    ordinary = {"given_name": "Amina", "family_name": "K", "sex": "female", "birth_date": "1980-03-24"}
    return ordinary | {"relationship": "head"} | fields


def _submission(**fields: Any) -> dict[str, Any]:
    household = {"current_accommodation": "dormitory", "people": [_person()], "phone": "+999 12 34"}
    return {"client_id": str(uuid.uuid4()), "household": household, "anywhere": True} | fields


def test_a_submission_is_there_whole_and_sent_again_is_the_same(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        origin = factories.origin(session, place)
    body = _submission(preferences=[place.reference.lower()], anywhere=False)
    body["household"]["origin"] = origin.reference
    body["household"]["people"] = [_person(partner=1), _person(relationship="spouse", sex="male", partner=0)]
    client = acting_as(Role.CASEWORKER)
    answer = client.post("/submissions", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert made["application"]["state"] == "submitted"
    assert made["application"]["preferences"] == [place.reference]
    assert made["application"]["client_id"] == made["household"]["client_id"] == body["client_id"]
    assert made["household"]["origin"] == origin.reference
    first, second = made["household"]["people"]
    assert (first["partner"], second["partner"]) == (second["reference"], first["reference"])
    again = acting_as(Role.CASEWORKER).post("/submissions", json=body | {"anywhere": True})
    assert (again.status_code, again.json()) == (201, made)


def test_the_same_submission_from_two_devices_at_once_is_one(acting_as: ActingAs) -> None:
    clients, body = [acting_as(Role.CASEWORKER) for _ in range(3)], _submission()
    answers = at_once(*(lambda client=client: client.post("/submissions", json=body) for client in clients))
    assert [each.status_code for each in answers] == [201, 201, 201]
    assert len({each.json()["application"]["reference"] for each in answers}) == 1
    assert len(clients[0].get("/households").json()["items"]) == 1


@on_sqlite
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"anywhere": False}, "#/body/preferences"),
        ({"preferences": ["ST-00000000"]}, "#/body/preferences/0"),
        ({"client_id": "mine"}, "#/body/client_id"),
        ({"household": {"current_accommodation": "rented", "people": []}}, "#/body/household/people"),
        (
            {"household": {"current_accommodation": "rented", "people": [_person(relationship="child")]}},
            "#/body/household/people",
        ),
        (
            {"household": {"current_accommodation": "rented", "people": [_person()], "origin": "OR-00000000"}},
            "#/body/household/origin",
        ),
        (
            {"household": {"current_accommodation": "rented", "people": [_person(birth_date="2999-01-01")]}},
            "#/body/household/people/0/birth_date",
        ),
    ],
)
def test_of_what_is_wrong_nothing_is_there(acting_as: ActingAs, change: dict[str, Any], pointer: str) -> None:
    client = acting_as(Role.CASEWORKER)
    answer = client.post("/submissions", json=_submission(**change))
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert client.get("/households").json()["items"] == []


@on_sqlite
def test_a_document_that_somebody_else_has_is_named_where_it_stands(acting_as: ActingAs) -> None:
    client, body = acting_as(Role.CASEWORKER), _submission()
    body["household"]["people"][0]["national_id"] = "AA 1"
    assert client.post("/submissions", json=body).status_code == 201
    refused = client.post("/submissions", json=body | {"client_id": str(uuid.uuid4())})
    assert refused.status_code == 409
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/body/household/people/0/national_id"]


@on_sqlite
def test_an_id_of_a_household_alone_is_no_submission(acting_as: ActingAs) -> None:
    client, body = acting_as(Role.CASEWORKER), _submission()
    registered = client.post("/households", json=body["household"] | {"client_id": body["client_id"]})
    assert registered.status_code == 201
    refused = client.post("/submissions", json=body)
    assert refused.status_code == 409
    assert registered.json()["reference"] in refused.json()["detail"]
