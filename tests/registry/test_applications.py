"""Applications, from the draft to the family's word that it wants no house."""

import uuid
from typing import Any

import pytest

from app.access.models import Role
from app.database import Database
from app.housing.models import House, HouseState
from app.registry.models import ApplicationState
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def places(database: Database) -> list[str]:
    """Four settlements."""
    with database.session(writes=True) as session:
        return [factories.settlement(session, f"Valley {number}").reference for number in range(4)]


@pytest.fixture
def family(database: Database) -> str:
    """A household that has not applied yet."""
    with database.session(writes=True) as session:
        return factories.household(session).reference


def test_an_application_is_begun_changed_submitted_and_withdrawn(
    acting_as: ActingAs, places: list[str], family: str
) -> None:
    client = acting_as(Role.CASEWORKER)
    wishes = [places[2].lower(), places[0]]
    begun = client.post("/applications", json={"household": family.lower(), "preferences": wishes})
    assert begun.status_code == 201
    assert begun.headers["ETag"] == '"1"'
    application = begun.json()
    assert application["state"] == "draft"
    assert application["household"] == family
    assert application["preferences"] == [places[2], places[0]]
    path = f"/applications/{application['reference']}"

    reordered = client.patch(path, json={"preferences": places[:3]}, headers={"If-Match": '"1"'})
    assert reordered.status_code == 200
    assert reordered.json() == application | {"preferences": places[:3]}
    assert reordered.headers["ETag"] == '"2"'

    submitted = client.post(f"{path}/submit")
    assert submitted.status_code == 200
    assert submitted.json()["state"] == "submitted"
    assert submitted.json()["submitted_at"] is not None
    assert client.get(path).json() == submitted.json()
    assert client.get(path).headers["ETag"] == submitted.headers["ETag"]
    assert client.post(f"{path}/submit").status_code == 409

    withdrawn = client.post(f"{path}/withdraw", json={"reason": "Moved to be with relatives."})
    assert withdrawn.status_code == 200
    assert withdrawn.json()["state"] == "withdrawn"
    assert withdrawn.json()["withdrawn_reason"] == "Moved to be with relatives."
    again = client.post(f"{path}/withdraw", json={"reason": "Once more."})
    assert again.status_code == 409
    assert "withdrawn" in again.json()["detail"]
    changed = client.patch(path, json={"anywhere": True}, headers={"If-Match": withdrawn.headers["ETag"]})
    assert changed.status_code == 409

    states = [(each["reference"], each["state"]) for each in client.get("/applications").json()["items"]]
    assert states == [(application["reference"], "withdrawn")]
    assert client.post("/applications", json={"household": family}).status_code == 201


@on_sqlite
def test_what_an_application_cannot_ask_for_is_refused(acting_as: ActingAs, places: list[str], family: str) -> None:
    client = acting_as(Role.CASEWORKER)
    for preferences, pointers in (
        ([places[0], places[1], places[0]], ["#/body/preferences/2"]),
        ([places[0], "ST-00000000"], ["#/body/preferences/1"]),
        (places, ["#/body/preferences"]),
        (["Valley"], ["#/body/preferences/0"]),
        (None, ["#/body/preferences"]),
    ):
        answer = client.post("/applications", json={"household": family, "preferences": preferences})
        assert answer.status_code == 422, preferences
        assert [error["pointer"] for error in answer.json()["errors"]] == pointers, preferences
    assert client.post("/applications", json={"household": "HH-00000000"}).status_code == 404
    assert client.get("/applications").json()["items"] == []


def test_an_application_without_a_wish_stays_a_draft(acting_as: ActingAs, places: list[str], family: str) -> None:
    client = acting_as(Role.CASEWORKER)
    path = f"/applications/{client.post('/applications', json={'household': family}).json()['reference']}"
    refused = client.post(f"{path}/submit")
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/body/preferences"]
    assert client.get(path).json()["state"] == "draft"

    assert client.patch(path, json={"anywhere": True}, headers={"If-Match": '"1"'}).status_code == 200
    assert client.post(f"{path}/submit").json()["state"] == "submitted"
    etag = client.get(path).headers["ETag"]
    nothing = client.patch(path, json={"anywhere": False}, headers={"If-Match": etag})
    assert nothing.status_code == 422
    assert client.get(path).json()["anywhere"] is True


def test_the_same_wishes_again_are_the_same(acting_as: ActingAs, places: list[str], family: str) -> None:
    client = acting_as(Role.CASEWORKER)
    begun = client.post("/applications", json={"household": family, "preferences": places[:3]}).json()
    path = f"/applications/{begun['reference']}"
    for number, wishes in enumerate((places[:3], places[2::-1], []), 1):
        changed = client.patch(path, json={"preferences": wishes}, headers={"If-Match": f'"{number}"'})
        assert changed.status_code == 200
        assert changed.json()["preferences"] == wishes
    assert client.get(path).json()["preferences"] == []


def test_a_need_set_by_hand_comes_with_its_reason(acting_as: ActingAs, family: str) -> None:
    client = acting_as(Role.CASEWORKER)
    path = f"/applications/{client.post('/applications', json={'household': family}).json()['reference']}"

    def change(**fields: Any) -> tuple[int, Any, Any]:
        answer = client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})
        now = client.get(path).json()
        return answer.status_code, now["size_override"], now["size_override_reason"]

    assert change(size_override=3)[0] == 422
    assert change(size_override_reason="A carer sleeps there.")[0] == 422
    assert change(size_override=3, size_override_reason="A carer sleeps there.") == (200, 3, "A carer sleeps there.")
    assert change(anywhere=True) == (200, 3, "A carer sleeps there.")
    assert change(size_override=4) == (200, 4, "A carer sleeps there.")
    assert change(size_override_reason="Twins.") == (200, 4, "Twins.")
    assert change(size_override=None) == (422, 4, "Twins.")
    assert change(size_override=None, size_override_reason=None) == (200, None, None)


def test_a_household_has_one_live_application_also_when_two_begin_at_once(acting_as: ActingAs, family: str) -> None:
    client = acting_as(Role.CASEWORKER)
    answers = at_once(*[lambda: client.post("/applications", json={"household": family}).status_code] * 3)
    assert sorted(answers) == [201, 409, 409]
    refused = client.post("/applications", json={"household": family})
    assert refused.status_code == 409
    live = client.get("/applications", params={"household": family.lower()}).json()["items"]
    assert len(live) == 1
    assert live[0]["reference"] in refused.json()["detail"]


def test_the_same_client_id_gives_the_same_application(acting_as: ActingAs, family: str) -> None:
    client, body = acting_as(Role.CASEWORKER), {"household": family, "client_id": str(uuid.uuid4())}
    first, again = (client.post("/applications", json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


def test_an_application_submitted_twice_at_once_is_submitted_once(acting_as: ActingAs, family: str) -> None:
    client = acting_as(Role.CASEWORKER)
    begun = client.post("/applications", json={"household": family, "anywhere": True}).json()
    path = f"/applications/{begun['reference']}"
    answers = at_once(*[lambda: client.post(f"{path}/submit").status_code] * 3)
    assert answers.count(200) == 1
    assert set(answers) <= {200, 409, 412}
    assert client.get(path).json()["state"] == "submitted"


@pytest.mark.parametrize("state", [ApplicationState.ALLOCATED, ApplicationState.HOUSED])
def test_what_a_run_rests_on_cannot_be_changed(
    acting_as: ActingAs, database: Database, state: ApplicationState
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house)
        given.application.state = state
    client = acting_as(Role.CASEWORKER)
    path = f"/applications/{given.application.reference}"
    etag = client.get(path).headers["ETag"]
    refused = client.patch(path, json={"anywhere": True}, headers={"If-Match": etag})
    assert refused.status_code == 409
    assert state.value in refused.json()["detail"]
    assert client.post(f"{path}/submit").status_code == 409


def test_a_family_that_withdraws_frees_its_house(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house)
    client = acting_as(Role.CASEWORKER, Role.PLANNER)
    path = f"/applications/{given.application.reference}/withdraw"
    assert client.post(path, json={}).status_code == 422
    assert client.post(path, json={"reason": " "}).status_code == 422
    assert client.post(path, json={"reason": "Settled elsewhere."}).json()["state"] == "withdrawn"
    assert client.get(f"/houses/{house.reference}").json()["state"] == "available"
    assert client.get("/reservations").json()["items"] == []
    with database.session(writes=False) as session:
        assert session.get_one(House, house.id).state is HouseState.HANDED_OVER


def test_a_family_that_lives_in_its_house_moves_out_instead(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        lived_in = factories.tenancy(session, factories.house(session, factories.settlement(session)))
    client = acting_as(Role.CASEWORKER)
    applications = client.get("/applications", params={"household": lived_in.household.reference}).json()["items"]
    refused = client.post(f"/applications/{applications[0]['reference']}/withdraw", json={"reason": "Leaving."})
    assert refused.status_code == 409
    assert "moved out" in refused.json()["detail"]


def test_applications_are_listed_by_state(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        submitted = factories.submitted(session, place).reference
        draft = factories.application(session, factories.household(session), state=ApplicationState.DRAFT).reference
    client = acting_as(Role.VERIFIER)
    for state, expected in (("submitted", [submitted]), ("draft", [draft]), ("housed", [])):
        items = client.get("/applications", params={"state": state}).json()["items"]
        assert [each["reference"] for each in items] == expected
    assert client.get("/applications", params={"state": "lost"}).status_code == 422
    assert client.get("/applications", params={"household": "nobody"}).json()["items"] == []
