"""Adding users, and who may."""

from typing import Any

import pytest

from app.access.models import Role
from app.references import new_reference
from tests.concurrency import at_once
from tests.conftest import ActingAs

OWN_PASSWORD = "nobody else's words"


def _user(**fields: Any) -> dict[str, Any]:
    ordinary = {
        "username": "leyla",
        "display_name": "Leyla",
        "password": "a long enough password",
        "roles": [{"role": "caseworker", "district": "North"}],
    }
    return ordinary | fields


def test_a_user_is_added_and_can_sign_in(acting_as: ActingAs) -> None:
    administrator = acting_as(Role.ADMINISTRATOR)
    added = administrator.post("/users", json=_user())
    assert added.status_code == 201
    assert added.json()["roles"] == [{"role": "caseworker", "district": "North", "settlement": None}]
    assert "password" not in added.text
    assert added.json() in administrator.get("/users").json()["items"]
    given = {"username": "leyla", "password": "a long enough password"}
    assert administrator.post("/tokens", json=given).json()["type"] == "/problems/new-password-needed"
    assert administrator.post("/tokens", json=given | {"new_password": OWN_PASSWORD}).status_code == 201
    assert administrator.post("/tokens", json=given).status_code == 401
    assert administrator.post("/tokens", json=given | {"password": OWN_PASSWORD}).status_code == 201


def test_a_settlement_in_a_role_may_be_typed_as_it_was_heard(acting_as: ActingAs) -> None:
    settlement = new_reference("ST")
    role = {"role": "village_administrator", "settlement": settlement.lower().replace("0", "o").replace("1", "l")}
    added = acting_as(Role.ADMINISTRATOR).post("/users", json=_user(roles=[role]))
    assert added.status_code == 201
    assert added.json()["roles"][0]["settlement"] == settlement


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"username": "Leyla"}, "#/body/username"),
        ({"username": "-leyla"}, "#/body/username"),
        ({"username": "leyla\n"}, "#/body/username"),
        ({"username": "x" * 65}, "#/body/username"),
        ({"display_name": "  "}, "#/body/display_name"),
        ({"password": "elevenchars"}, "#/body/password"),
        ({"password": "x" * 201}, "#/body/password"),
        ({"password": "Password1234"}, "#/body/password"),
        ({"password": "my name is LEYLA"}, "#/body/password"),
        ({"password": "home and hearth"}, "#/body/password"),
        ({"roles": []}, "#/body/roles"),
        ({"roles": [{"role": "king"}]}, "#/body/roles/0/role"),
        ({"roles": [{"role": "planner", "district": "North", "settlement": "ST-7K3M9QTX"}]}, "#/body/roles/0"),
        ({"roles": [{"role": "planner", "settlement": "Valley"}]}, "#/body/roles/0/settlement"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_user_that_cannot_be_is_refused(acting_as: ActingAs, fields: dict[str, Any], pointer: str) -> None:
    administrator = acting_as(Role.ADMINISTRATOR)
    before = administrator.get("/users").json()
    refused = administrator.post("/users", json=_user(**fields))
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert administrator.get("/users").json() == before


def test_of_two_users_of_one_name_added_at_once_one_is_refused(acting_as: ActingAs) -> None:
    administrator = acting_as(Role.ADMINISTRATOR)
    answers = at_once(*[lambda: administrator.post("/users", json=_user()).status_code] * 2)
    assert sorted(answers) == [201, 409]
    assert administrator.post("/users", json=_user()).status_code == 409
    names = [user["username"] for user in administrator.get("/users").json()["items"]]
    assert names.count("leyla") == 1
