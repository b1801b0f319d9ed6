"""The programme's day where it has come first: at noon in London it is tomorrow there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import time_machine

from app.access.models import Role
from app.database import Database
from tests import factories
from tests.conftest import ActingAs
from tests.registry.test_households import household, person

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOON = datetime(2027, 3, 1, 12, 7, tzinfo=UTC)
THERE, AFTER = (str(NOON.date() + timedelta(days=days)) for days in (1, 2))


@pytest.fixture(autouse=True)
def in_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The service is there, at that moment."""
    monkeypatch.setenv("HEARTH_TIME_ZONE", "Pacific/Auckland")
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def client(acting_as: ActingAs, in_auckland: None) -> httpx2.Client:
    """Someone who answers for the village, plans and registers."""
    return acting_as(Role.VILLAGE_ADMINISTRATOR, Role.PLANNER, Role.CASEWORKER)


def test_who_registers_and_is_born_today_registers_and_is_born_today(client: httpx2.Client) -> None:
    child = {"given_name": "Leyla", "family_name": "Kovalenko", "sex": "female", "relationship": "child"}
    made = client.post("/households", json=household(person(), child | {"birth_date": THERE}))
    assert (made.status_code, made.json()["registered_on"]) == (201, THERE)
    refused = client.post("/households", json=household(person(), child | {"birth_date": AFTER}))
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/body/people/1/birth_date"]


def test_a_family_moves_in_today(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        given = factories.accepted(session, factories.house(session, factories.settlement(session)))
        house, family = given.house, given.household
        assert house is not None
    body = {"household": family.reference, "moved_in_on": AFTER}
    assert client.post(f"/houses/{house.reference}/move-in", json=body).status_code == 422
    assert client.post(f"/houses/{house.reference}/move-in", json=body | {"moved_in_on": THERE}).status_code == 201


def test_a_family_is_told_the_day_on_which_it_answered(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)), language="en")
        offer, application = factories.offer(session, given).reference, given.application.reference
    body = {"answered_on": THERE, "given_how": "in_person", "reason": "no_work"}
    assert client.post(f"/offers/{offer}/decline", json=body).status_code == 200
    sections = client.get(f"/applications/{application}/explanation").json()["sections"]
    assert "You declined this offer on 2 March 2027." in [each for part in sections for each in part["sentences"]]
