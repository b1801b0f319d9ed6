"""The queue over the API: both sides beside each other, a decision, and its undoing."""

import pytest

from app.access.models import Role
from app.database import Database, utc_now
from app.tenancy.appeal_models import AppealState
from tests import appealing, factories
from tests.conftest import ActingAs
from tests.duplicates.conftest import MakePair, Pair, application_named, household_named


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_pair_is_read_decided_and_decided_anew(pair: Pair, acting_as: ActingAs) -> None:
    client = acting_as(Role.VERIFIER)
    (listed,) = client.get("/duplicates", params={"state": "open"}).json()["items"]
    assert (listed["reference"], listed["first"], listed["second"]) == (pair.candidate, pair.first, pair.second)
    shown = client.get(f"/duplicates/{pair.candidate}").json()
    assert [each["household"]["reference"] for each in shown["sides"]] == [pair.first, pair.second]
    assert [each["application"]["reference"] for each in shown["sides"]] == list(pair.applications)
    assert (shown["suggested"], shown["suggested_survivor"]) == ("same", pair.first)
    sentences = {each["code"]: each["sentence"] for each in shown["evidence"]}
    name = "Amina Kovalenko (1980-03-24) and Аміна Коваленко (1980-03-24) have the same name, in two scripts."
    assert sentences["same_name_in_two_scripts"] == name
    assert sentences["people_in_common"] == "They have more than one person in common."

    decision = {"decision": "same", "reason": "They were called."}
    decided = client.post(f"/duplicates/{pair.candidate}/decide", json=decision).json()
    assert (decided["state"], decided["decision_reason"], decided["suggested"]) == ("same", "They were called.", None)
    assert client.get("/duplicates", params={"state": "open"}).json()["items"] == []
    again = client.post(f"/duplicates/{pair.candidate}/decide", json=decision)
    assert (again.status_code, again.json()["detail"]) == (409, "The candidate is same already.")
    # Papers name the household that was merged: it is the other one now.
    assert client.get(f"/households/{pair.second}").json()["reference"] == pair.first
    assert [each["reference"] for each in client.get("/households").json()["items"]] == [pair.first]

    reason = {"reason": "They are sisters."}
    undone = client.post(f"/merges/{decided['merge']}/undo", json=reason)
    assert (undone.status_code, undone.json()["into"], undone.json()["source"]) == (200, pair.first, pair.second)
    assert client.post(f"/merges/{decided['merge']}/undo", json=reason).status_code == 409
    assert client.get(f"/households/{pair.second}").json()["reference"] == pair.second
    assert client.get(f"/duplicates/{pair.candidate}").json()["state"] == "open"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_moved_is_named_by_record(database: Database, make_pair: MakePair, acting_as: ActingAs) -> None:
    pair = make_pair(("Amina", "Omar", "Leyla"), ("Yusuf", "Leyla"))
    client = acting_as(Role.CASEWORKER)
    path = f"/duplicates/{pair.candidate}/decide"
    for wrong, pointer in (
        ({"decision": "moved_household"}, "#/body/people"),
        ({"decision": "moved_household", "people": ["PE-00000000"]}, "#/body/people/0"),
        ({"decision": "same", "survivor": "HH-00000000"}, "#/body/survivor"),
        ({"decision": "perhaps"}, "#/body/decision"),
    ):
        answer = client.post(path, json={"reason": "They were called."} | wrong)
        assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer]), wrong
    people = client.get(f"/households/{pair.first}").json()["people"]
    leyla = next(each["reference"] for each in people if each["given_name"] == "Leyla")
    body = {"decision": "moved_household", "reason": "She married.", "people": [leyla]}
    assert client.post(path, json=body).json()["state"] == "moved_household"
    left = client.get(f"/households/{pair.first}").json()["people"]
    assert {each["given_name"] for each in left} == {"Amina", "Omar"}


def test_what_is_held_of_a_merged_record_stays_with_the_family(
    database: Database, pair: Pair, acting_as: ActingAs
) -> None:
    kept, other = pair.applications
    with database.session(writes=True) as session:
        household, application = household_named(session, pair.second), application_named(session, other)
        document = factories.document(session, application).reference
        appeal = appealing.appeal(
            session, application, household=household, state=AppealState.WITHDRAWN, ended_at=utc_now()
        ).reference
        factories.break_glass_grant(session, household)
    client, decision = acting_as(Role.VERIFIER), {"decision": "same", "reason": "They were called."}
    listed = f"/applications/{kept}/documents"
    assert client.get(listed).json()["items"] == []
    merge = client.post(f"/duplicates/{pair.candidate}/decide", json=decision).json()["merge"]
    assert [each["reference"] for each in client.get(listed).json()["items"]] == [document]
    held = acting_as(Role.PLANNER).get(f"/households/{pair.first}/subject-access").json()
    brought = {each["reference"]: [row["reference"] for row in each["documents"]] for each in held["applications"]}
    assert brought == {kept: [], other: [document]}
    assert [each["reference"] for each in held["appeals"]] == [appeal]
    assert len(held["openings"]) == 1
    assert client.post(f"/merges/{merge}/undo", json={"reason": "They are sisters."}).status_code == 200
    assert client.get(listed).json()["items"] == []
    (again,) = client.get(f"/applications/{other}/documents").json()["items"]
    assert again["reference"] == document
