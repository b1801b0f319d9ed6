"""The queue over the API: both sides beside each other, a decision, and its undoing."""

import pytest

from app.access.models import Role
from app.database import Database
from tests.conftest import ActingAs
from tests.duplicates.conftest import MakePair, Pair


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
