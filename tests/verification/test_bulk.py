"""Many applications at once, each for itself."""

from typing import Any

import pytest

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies
from app.database import Database
from app.exchange import demo, imports
from app.registry.models import Application
from app.verification import bulk
from app.verification.bulk import Selection
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _made(database: Database, make: Any, count: int = 3, **fields: Any) -> list[Application]:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        place = factories.settlement(session)
        return [make(session, place, place=place, **fields) for _ in range(count)]


def test_each_is_verified_or_refused_for_itself(acting_as: ActingAs, database: Database) -> None:
    first, second, own = _made(database, factories.submitted)
    (verified,) = _made(database, factories.verified, 1)
    client = acting_as(Role.VERIFIER, Role.CASEWORKER)
    seen = {"If-Match": client.get(f"/applications/{own.reference}").headers["ETag"]}
    assert client.patch(f"/applications/{own.reference}", json={"anywhere": True}, headers=seen).is_success
    wanted = [each.reference for each in (first, second, own, verified)]
    answer = client.post("/applications/verify", json={"applications": [*map(str.lower, wanted), "AP-00000000"]})
    assert answer.status_code == 200
    found = answer.json()
    assert found["done"] == wanted[:2]
    assert [each["application"] for each in found["refused"]] == [*wanted[2:], "AP-00000000"]
    for refused, reason in zip(found["refused"], ("somebody else", "verified already", "no such"), strict=True):
        assert reason in refused["reason"]
    states = [client.get(f"/applications/{each}").json()["state"] for each in wanted]
    assert states == ["verified", "verified", "submitted", "verified"]


def test_what_the_rules_say_is_signed_and_the_rest_left(acting_as: ActingAs, database: Database) -> None:
    eligible = [each.reference for each in _made(database, factories.verified, 2)]
    (ineligible,) = (each.reference for each in _made(database, factories.verified, 1, consent_on=None))
    client = acting_as(Role.VERIFIER)
    found = client.post("/applications/decide-eligibility", json={"everything": True, "eligible": True}).json()
    assert found["done"] == eligible
    assert [(each["application"], "not eligible" in each["reason"]) for each in found["refused"]] == [
        (ineligible, True)
    ]
    found = client.post("/applications/decide-eligibility", json={"everything": True, "eligible": False}).json()
    assert found == {"done": [ineligible], "refused": [], "next": None}
    assert client.get(f"/applications/{ineligible}").json()["ineligible_for"] == ["no_consent"]


@on_sqlite
def test_everything_is_of_one_settlement_or_origin_where_they_are_named(
    acting_as: ActingAs, database: Database
) -> None:
    here, there = _made(database, factories.submitted, 2), _made(database, factories.submitted, 2)
    client = acting_as(Role.VERIFIER)
    origin, place = here[0].household.origin, there[0].preferences[0].settlement
    assert origin is not None
    body = {"everything": True, "origin": origin.reference}
    assert client.post("/applications/verify", json=body).json()["done"] == [here[0].reference]
    body = {"everything": True, "settlement": place.reference}
    assert client.post("/applications/verify", json=body).json()["done"] == [each.reference for each in there]
    assert client.post("/applications/verify", json={"everything": True}).json()["done"] == [here[1].reference]


@on_sqlite
def test_more_than_one_transaction_takes_goes_on_from_where_it_was(
    acting_as: ActingAs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    made = [each.reference for each in _made(database, factories.submitted, 5)]
    client = acting_as(Role.VERIFIER)
    first = client.post("/applications/verify", json={"everything": True}).json()
    assert (first["done"], first["next"]) == (made[:2], made[1])
    with database.session(writes=True) as session:
        actor = factories.user(session, Role.VERIFIER)
        chosen = Selection(after=first["next"])
        rest = list(bulk.every(lambda chosen: bulk.verify(session, chosen, actor), chosen))
    assert [each.done for each in rest] == [tuple(made[2:4]), (made[4],)]


def test_where_to_go_on_from_tells_nothing_of_what_lies_beyond_ones_scope(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        south, north = (factories.settlement(session, district=district) for district in ("South", "North"))
        hidden = factories.submitted(session, place=south).reference
        first, second = (factories.submitted(session, place=north).reference for _ in range(2))
    client = acting_as(Role.VERIFIER, district="North")

    def verified(after: str) -> list[str]:
        answer = client.post("/applications/verify", json={"everything": True, "after": after})
        assert answer.status_code == 200
        return list(answer.json()["done"])

    assert verified("AP-00000000") == verified(hidden) == []
    assert verified(first) == [second]


@on_sqlite
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/body/applications"),
        ({"everything": True, "applications": ["AP-00000000"]}, "#/body/applications"),
        ({"applications": ["AP-00000000"], "origin": "OR-00000000"}, "#/body/origin"),
        ({"applications": []}, "#/body/applications"),
        ({"everything": True, "origin": "OR-00000000"}, "#/body/origin"),
        ({"everything": True, "settlement": "ST-00000000"}, "#/body/settlement"),
    ],
)
def test_which_applications_has_to_be_clear(acting_as: ActingAs, body: dict[str, Any], pointer: str) -> None:
    answer = acting_as(Role.VERIFIER).post("/applications/verify", json=body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_two_who_verify_everything_at_once_verify_each_once(acting_as: ActingAs, database: Database) -> None:
    made = {each.reference for each in _made(database, factories.submitted, 6)}
    clients = [acting_as(Role.VERIFIER) for _ in range(2)]
    answers = at_once(
        *(lambda client=client: client.post("/applications/verify", json={"everything": True}) for client in clients)
    )
    assert [each.status_code for each in answers] == [200, 200]
    done = [reference for each in answers for reference in each.json()["done"]]
    assert sorted(done) == sorted(made)


@on_sqlite
def test_many_are_read_in_few_queries(database: Database, statements: list[str]) -> None:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        imports.run(session, demo.district(seed=1, scale=0.02), actor=OPERATOR)
        verifier = factories.user(session, Role.VERIFIER)
    statements.clear()
    with database.session(writes=True) as session:
        done = bulk.verify(session, Selection(), verifier).done
    assert len(done) == 38
    selects = [each for each in statements if each.startswith("SELECT")]
    assert len(selects) <= 20
