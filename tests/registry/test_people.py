"""Adding, changing and removing members of a household."""

from typing import Any

import httpx2
import pytest

from app.access.models import Role
from app.database import Database
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs
from tests.registry.test_households import household, person

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Family:
    """A household as its caseworker sees it: a head, a spouse who is the partner, two adult children."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        people = [person("head", partner=3), person("child"), person("child"), person("spouse", partner=0)]
        self.path = f"/households/{client.post('/households', json=household(*people)).json()['reference']}"

    def read(self) -> list[dict[str, Any]]:
        people: list[dict[str, Any]] = self.client.get(self.path).json()["people"]
        return people

    def partners(self) -> list[int | None]:
        """Return the position of everyone's partner."""
        people = self.read()
        positions = {each["reference"]: number for number, each in enumerate(people)}
        return [positions.get(each["partner"]) for each in people]

    def relationships(self) -> list[str]:
        return [each["relationship"] for each in self.read()]

    def _if_match(self) -> dict[str, str]:
        return {"If-Match": self.client.get(self.path).headers["ETag"]}

    def change(self, number: int, **fields: Any) -> httpx2.Response:
        reference = self.read()[number]["reference"]
        return self.client.patch(f"/people/{reference}", json=fields, headers=self._if_match())

    def remove(self, number: int) -> httpx2.Response:
        reference = self.read()[number]["reference"]
        return self.client.delete(f"/people/{reference}", headers=self._if_match())


@pytest.fixture
def family(acting_as: ActingAs) -> Family:
    return Family(acting_as(Role.CASEWORKER))


def test_a_person_joins(family: Family) -> None:
    before = family.client.get(family.path).headers["ETag"]
    joined = family.client.post(f"{family.path}/people", json=person("grandchild", given_name="Davud"))
    assert joined.status_code == 201
    assert family.read()[-1] == joined.json()
    assert before != joined.headers["ETag"] == family.client.get(family.path).headers["ETag"]


def test_a_person_joins_as_somebodys_partner(family: Family) -> None:
    child = family.read()[1]["reference"]
    joined = family.client.post(f"{family.path}/people", json=person("child_in_law", partner=child.lower()))
    assert joined.status_code == 201
    assert joined.json()["partner"] == child
    assert family.partners() == [3, 4, None, 0, 1]


@on_sqlite
def test_a_person_who_cannot_join_is_refused(family: Family) -> None:
    spouse = family.read()[3]["reference"]
    for body, status, pointers in (
        (person("head"), 422, ["#/body/relationship"]),
        (person("child", birth_date="1890-01-01"), 422, ["#/body/birth_date"]),
        (person("child", birth_date="2999-01-01"), 422, ["#/body/birth_date"]),
        (person("child", partner="PE-00000000"), 422, ["#/body/partner"]),
        (person("child", partner=spouse), 409, []),
    ):
        answer = family.client.post(f"{family.path}/people", json=body)
        assert answer.status_code == status, body
        assert [error["pointer"] for error in answer.json()["errors"]] == pointers, body
    assert len(family.read()) == 4
    assert family.client.post("/households/HH-00000000/people", json=person("child")).status_code == 404


def test_a_person_changes(family: Family) -> None:
    before = family.read()[1]
    changed = family.change(1, given_name="Davud", occupation="health")
    assert changed.status_code == 200
    assert changed.json() == before | {"given_name": "Davud", "occupation": "health"}
    emptied = family.change(1, occupation=None)
    assert emptied.json() == before | {"given_name": "Davud"}
    assert emptied.headers["ETag"] == family.client.get(family.path).headers["ETag"]


@on_sqlite
def test_a_change_of_a_person_that_makes_no_sense_is_refused(family: Family) -> None:
    before = family.read()
    for number, fields, status, pointers in (
        (0, {"relationship": "parent"}, 422, ["#/body/relationship"]),
        (1, {"birth_date": "2999-01-01"}, 422, ["#/body/birth_date"]),
        (1, {"given_name": None}, 422, ["#/body/given_name"]),
        (1, {"partner": before[1]["reference"]}, 422, ["#/body/partner"]),
        (1, {"partner": "PE-00000000"}, 422, ["#/body/partner"]),
        (1, {"partner": before[0]["reference"]}, 409, []),
    ):
        answer = family.change(number, **fields)
        assert answer.status_code == status, fields
        assert [error["pointer"] for error in answer.json()["errors"]] == pointers, fields
    assert family.read() == before


def test_people_change_with_their_households_version(family: Family) -> None:
    path = f"/people/{family.read()[1]['reference']}"
    assert family.client.patch(path, json={"given_name": "Davud"}).status_code == 428
    stale = {"If-Match": '"999"'}
    assert family.client.patch(path, json={"given_name": "Davud"}, headers=stale).status_code == 412
    assert family.client.delete(path).status_code == 428
    assert family.client.delete(path, headers=stale).status_code == 412


@pytest.mark.parametrize("other", [1, 2])
def test_somebody_finds_a_new_partner(family: Family, other: int) -> None:
    assert family.change(0, partner=family.read()[other]["reference"]).status_code == 200
    expected: list[int | None] = [other, None, None, None]
    expected[other] = 0
    assert family.partners() == expected


def test_the_one_left_finds_a_new_partner_too(family: Family) -> None:
    assert family.change(3, partner=family.read()[1]["reference"]).status_code == 200
    assert family.partners() == [None, 3, None, 1]


def test_a_partnership_ends_for_both(family: Family) -> None:
    assert family.change(3, partner=None).status_code == 200
    assert family.partners() == [None] * 4
    assert family.change(1, partner=family.read()[2]["reference"]).status_code == 200
    assert family.partners() == [None, 2, 1, None]


def test_a_person_leaves_and_the_partner_is_free(family: Family) -> None:
    gone = family.read()[3]["reference"]
    assert family.remove(3).status_code == 204
    assert family.partners() == [None, None, None]
    assert family.client.patch(f"/people/{gone}", json={}, headers={"If-Match": '"1"'}).status_code == 404


@pytest.mark.parametrize(("number", "former"), [(1, "parent"), (3, "spouse")])
def test_another_becomes_the_head_and_then_the_former_one_may_leave(family: Family, number: int, former: str) -> None:
    refused = family.remove(0)
    assert refused.status_code == 409
    assert "head" in refused.json()["detail"]

    assert family.change(number, relationship="head").status_code == 200
    relationships = family.relationships()
    assert relationships.count("head") == 1
    assert (relationships[number], relationships[0]) == ("head", former)
    assert family.change(0, relationship="head").status_code == 200
    assert family.relationships()[0] == "head"
    assert family.relationships().count("head") == 1
    assert family.change(number, relationship="head").status_code == 200
    assert family.remove(0).status_code == 204
    assert len(family.read()) == 3


def test_two_who_change_one_household_at_once_do_not_undo_each_other(family: Family) -> None:
    first, second = (each["reference"] for each in family.read()[1:3])
    headers = {"If-Match": family.client.get(family.path).headers["ETag"]}
    answers = at_once(
        *(
            lambda reference=reference: family.client.patch(
                f"/people/{reference}", json={"given_name": "Davud"}, headers=headers
            )
            for reference in (first, second)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert [each["given_name"] for each in family.read()].count("Davud") == 1


def test_a_person_of_another_place_does_not_exist(family: Family, acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        factories.settlement(session)
    stranger = acting_as(Role.CASEWORKER, district="North")
    headers = {"If-Match": '"1"'}
    hidden = stranger.patch(f"/people/{family.read()[1]['reference']}", json={}, headers=headers)
    missing = stranger.patch("/people/PE-00000000", json={}, headers=headers)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()
