"""The same creating request twice makes one thing."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from app.access.models import Grant, Role
from app.database import Database, utc_now
from app.idempotency import KEPT_FOR, IdempotencyKey
from app.registry.models import Household, KinGroup
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

ORIGIN = {"name": "Upper Valley", "latitude": 0.5, "longitude": 0.3}
PERSON = {
    "given_name": "Amina",
    "family_name": "Kovalenko",
    "sex": "female",
    "birth_date": "1980-03-24",
    "relationship": "head",
}
HOUSEHOLD = {"current_accommodation": "rented", "people": [PERSON]}
USER = {
    "username": "leyla",
    "display_name": "Leyla",
    "password": "a long enough password",
    "roles": [{"role": "auditor"}],
}


def _add(client: httpx2.Client, path: str, body: Any, key: str = "key-1") -> httpx2.Response:
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def test_everything_that_can_be_created_is_created_once(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        household, house = factories.household(session), factories.house(session, place)
        family = factories.accepted(session, house).household
    square = [[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]
    creations: dict[str, dict[str, Any]] = {
        "/origins": ORIGIN,
        "/settlements": ORIGIN | {"district": "N", "school_places": 1, "clinic_patients": 1, "status": "open"},
        "/houses": {
            "settlement": place.reference,
            "address": "Street 1",
            "rooms": 2,
            "bedrooms": 1,
            "floor_area_m2": 50,
            "step_free": False,
        },
        "/land-release-areas": {
            "settlement": place.reference,
            "state": "reduced",
            "hectares": 1.5,
            "released_on": "2026-01-01",
            "certificate": "LR-2026-0001",
            "geometry": {"type": "Polygon", "coordinates": [square]},
        },
        "/households": HOUSEHOLD,
        f"/households/{household.reference}/people": PERSON | {"relationship": "child"},
        "/kin-groups": {},
        "/applications": {"household": household.reference},
        f"/houses/{house.reference}/move-in": {"household": family.reference, "moved_in_on": str(utc_now().date())},
        "/users": USER,
    }
    client = acting_as(*Role)
    for path, body in creations.items():
        first, again = _add(client, path, body, path), _add(client, path, body, path)
        assert (first.status_code, again.status_code) == (201, 201), (path, again.text)
        assert first.json() == again.json(), path
        assert first.headers.get("ETag") == again.headers.get("ETag"), path


def test_a_key_with_another_body_or_at_another_address_is_refused(acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER, Role.CASEWORKER)
    assert _add(client, "/origins", ORIGIN).status_code == 201
    assert _add(client, "/origins", ORIGIN | {"name": "Lower Valley"}).status_code == 409
    assert _add(client, "/kin-groups", {}).status_code == 409
    assert len(client.get("/origins").json()["items"]) == 1
    assert client.get("/kin-groups").json()["items"] == []


def test_who_sees_less_by_now_is_not_told_what_a_key_made(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        here, there = factories.settlement(session), factories.settlement(session)
        house, other = factories.house(session, here), factories.house(session, here)
        family = factories.accepted(session, house).household
        lived_in = factories.tenancy(session, factories.house(session, here))
    client = acting_as(Role.CASEWORKER, Role.VILLAGE_ADMINISTRATOR, settlement=here.reference)
    today = str(utc_now().date())
    keys = {"household": family.reference, "given_on": today, "received_by": family.people[0].reference}
    wish = {"household": lived_in.household.reference, "options": [{"settlement": there.reference}]}
    group = {"key": "KG-1"}
    creations: dict[str, dict[str, Any]] = {
        f"/houses/{house.reference}/keys": keys,
        f"/houses/{other.reference}/checks": {"finding": "empty", "checked_on": today},
        "/swap-wishes": wish,
        "/kin-groups": group,
    }
    for path, body in creations.items():
        answer = _add(client, path, body, path)
        assert answer.status_code == 201, (path, answer.text)
    with database.session(writes=True) as session:
        session.execute(update(Grant).values(settlement=there.reference))
        session.execute(update(Household).values(kin_group_id=select(KinGroup.id).scalar_subquery()))
    for path, body in creations.items():
        answer = _add(client, path, body, path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found"), (path, answer.text)


def test_a_kin_group_that_went_with_its_last_household_is_not_found_by_its_key(
    acting_as: ActingAs, database: Database
) -> None:
    client = acting_as(Role.CASEWORKER, Role.PLANNER)
    group = _add(client, "/kin-groups", {}).json()["reference"]
    household = client.post("/households", json=HOUSEHOLD | {"kin_group": group}).json()["reference"]
    assert client.post(f"/households/{household}/erase", json={"reason": "It asked."}).status_code == 200
    assert _add(client, "/kin-groups", {}).status_code == 404


def test_without_a_key_the_same_request_makes_two_things(acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER)
    made = {client.post("/origins", json=ORIGIN).json()["reference"] for _ in range(2)}
    assert len(made) == 2


def test_two_users_do_not_share_keys(acting_as: ActingAs) -> None:
    first, second = (_add(acting_as(Role.PLANNER), "/origins", ORIGIN) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["reference"] != second.json()["reference"]


def test_a_request_that_failed_may_be_mended_and_sent_with_its_key(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    assert _add(client, "/households", HOUSEHOLD | {"people": [PERSON, PERSON]}).status_code == 422
    assert _add(client, "/households", HOUSEHOLD).status_code == 201


def test_a_key_is_forgotten_after_a_day(acting_as: ActingAs, database: Database) -> None:
    client = acting_as(Role.PLANNER)
    first = _add(client, "/origins", ORIGIN).json()
    for age, remembered in ((KEPT_FOR - timedelta(minutes=1), True), (KEPT_FOR, False)):
        with database.session(writes=True) as session:
            session.execute(update(IdempotencyKey).values(created_at=utc_now() - age))
        assert (_add(client, "/origins", ORIGIN).json() == first) is remembered
    with database.session(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == 1


def test_one_key_sent_many_times_at_once_makes_one_thing(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    answers = at_once(*[lambda: _add(client, "/households", HOUSEHOLD)] * 4)
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["reference"] for answer in answers}) == 1
    assert len(client.get("/households").json()["items"]) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "schlüssel"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_odd_key_is_refused(acting_as: ActingAs, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    answer = acting_as(Role.PLANNER).post("/origins", json=ORIGIN, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].lower() == "#/header/idempotency-key"
