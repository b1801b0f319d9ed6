"""Setting roles, ending access and giving it back; what one person never is."""

from itertools import combinations
from typing import Any

import httpx2
import pytest
from sqlalchemy.orm import Session

from app.access import roles, users
from app.access.models import Role
from app.access.permissions import INCOMPATIBLE, OPERATOR, HeldRole
from app.database import Database
from app.references import new_reference
from tests.architecture.repository import table, text
from tests.concurrency import at_once, overtaken
from tests.conftest import ActingAs

OWN_WORK = (Role.CASEWORKER, Role.VERIFIER, Role.PLANNER, Role.APPROVER, Role.VILLAGE_ADMINISTRATOR)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _reference(client: httpx2.Client) -> str:
    return str(client.get("/me").json()["reference"])


def _roles(*roles: Role, **place: str) -> dict[str, Any]:
    return {"roles": [{"role": role, **place} for role in roles]}


def test_roles_are_replaced_and_count_from_the_next_request(acting_as: ActingAs) -> None:
    administrator, user = acting_as(Role.ADMINISTRATOR), acting_as(Role.CASEWORKER)
    path = f"/users/{_reference(user)}/roles"
    answer = administrator.put(path, json=_roles(Role.PLANNER, Role.APPROVER, district="North"))
    assert answer.status_code == 200
    assert [(role["role"], role["district"]) for role in answer.json()["roles"]] == [
        ("planner", "North"),
        ("approver", "North"),
    ]
    assert user.get("/me").json()["roles"] == answer.json()["roles"]
    assert user.get("/runs").status_code == 200
    assert administrator.put(path, json=_roles(Role.CASEWORKER)).status_code == 200
    assert user.get("/runs").status_code == 403
    assert administrator.put("/users/US-00000000/roles", json=_roles(Role.PLANNER)).status_code == 404


def test_a_district_is_as_long_as_that_of_a_settlement_and_no_longer(acting_as: ActingAs) -> None:
    administrator, user = acting_as(Role.ADMINISTRATOR), acting_as(Role.CASEWORKER)
    path = f"/users/{_reference(user)}/roles"
    answer = administrator.put(path, json=_roles(Role.PLANNER, district="N" * 120))
    assert (answer.status_code, answer.json()["roles"][0]["district"]) == (200, "N" * 120)
    refused = administrator.put(path, json=_roles(Role.PLANNER, district="N" * 121))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "#/body/roles/0/district"


@on_sqlite
@pytest.mark.parametrize("pair", list(combinations(Role, 2)), ids=lambda pair: "+".join(pair))
def test_roles_that_exclude_each_other_are_refused_and_others_are_not(
    acting_as: ActingAs, pair: tuple[Role, Role]
) -> None:
    administrator, user = acting_as(Role.ADMINISTRATOR), acting_as(Role.VERIFIER)
    excluded = (
        Role.AUDITOR in pair
        or Role.ADMINISTRATOR in pair
        or set(pair)
        in (
            {Role.APPROVER, Role.CASEWORKER},
            {Role.APPROVER, Role.VILLAGE_ADMINISTRATOR},
        )
    )
    answer = administrator.put(f"/users/{_reference(user)}/roles", json=_roles(*pair))
    assert answer.status_code == (422 if excluded else 200)
    new = {"username": "both", "display_name": "Both", "password": "a long enough password", **_roles(*pair)}
    assert administrator.post("/users", json=new).status_code == (422 if excluded else 201)
    if excluded:
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/body/roles"]
        assert [role["role"] for role in user.get("/me").json()["roles"]] == ["verifier"]


@on_sqlite
def test_roles_that_cannot_be_are_pointed_at(acting_as: ActingAs) -> None:
    administrator = acting_as(Role.ADMINISTRATOR)
    path = f"/users/{_reference(acting_as(Role.VERIFIER))}/roles"
    for given, pointer in (
        ([], "#/body/roles"),
        ([{"role": "administrator", "district": "North"}], "#/body/roles/0"),
        ([{"role": "administrator", "settlement": new_reference("ST")}], "#/body/roles/0"),
        ([{"role": "planner"}, {"role": "planner"}], "#/body/roles/1"),
        ([{"role": "planner", "district": "North", "settlement": new_reference("ST")}], "#/body/roles/0"),
    ):
        answer = administrator.put(path, json={"roles": given})
        assert answer.status_code == 422, given
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_nobody_changes_their_own_roles(acting_as: ActingAs) -> None:
    first, second = acting_as(Role.ADMINISTRATOR), acting_as(Role.ADMINISTRATOR)
    assert first.put(f"/users/{_reference(first)}/roles", json=_roles(Role.CASEWORKER)).status_code == 403
    assert second.put(f"/users/{_reference(first)}/roles", json=_roles(Role.CASEWORKER)).status_code == 200


def test_the_last_administrator_stays(acting_as: ActingAs) -> None:
    first, second = acting_as(Role.ADMINISTRATOR), acting_as(Role.ADMINISTRATOR)
    assert first.post(f"/users/{_reference(second)}/disable").status_code == 200
    last = first.post(f"/users/{_reference(first)}/disable")
    assert last.status_code == 409
    assert "last administrator" in last.json()["detail"]
    assert first.get("/me").status_code == 200


def test_of_two_administrators_who_remove_each_other_at_once_one_stays(acting_as: ActingAs) -> None:
    both = [acting_as(Role.ADMINISTRATOR) for _ in range(2)]
    references = [_reference(client) for client in both]
    answers = at_once(
        lambda: both[0].put(f"/users/{references[1]}/roles", json=_roles(Role.CASEWORKER)).status_code,
        lambda: both[1].post(f"/users/{references[0]}/disable").status_code,
    )
    assert 200 in answers
    assert answers != [200, 200]
    left = [client for client in both if client.get("/users").status_code == 200]
    assert len(left) == 1


def test_of_two_who_set_the_roles_of_one_user_the_later_replaces_the_other(
    acting_as: ActingAs, database: Database
) -> None:
    administrator, user = acting_as(Role.ADMINISTRATOR), acting_as(Role.CASEWORKER)
    reference = _reference(user)

    def audit(session: Session) -> None:
        roles.change(session, users.get(session, reference), [HeldRole(Role.AUDITOR)], OPERATOR)

    answer = overtaken(
        database, audit, lambda: administrator.put(f"/users/{reference}/roles", json=_roles(Role.PLANNER))
    )
    assert answer.status_code == 200
    assert [role["role"] for role in user.get("/me").json()["roles"]] == ["planner"]


def test_access_ends_and_is_given_back(acting_as: ActingAs) -> None:
    administrator = acting_as(Role.ADMINISTRATOR)
    new = {"username": "leyla", "display_name": "L", "password": "a long enough password", **_roles(Role.PLANNER)}
    path = f"/users/{administrator.post('/users', json=new).json()['reference']}"
    credentials = {"username": "leyla", "password": "a long enough password"}
    assert administrator.post(f"{path}/enable").status_code == 409
    assert administrator.post(f"{path}/disable").status_code == 200
    assert administrator.post("/tokens", json=credentials).status_code == 401
    enabled = administrator.post(f"{path}/enable")
    assert (enabled.status_code, enabled.json()["disabled_at"]) == (200, None)
    own = credentials | {"new_password": "nobody else's words"}
    assert administrator.post("/tokens", json=own).status_code == 201
    assert administrator.post("/users/US-00000000/enable").status_code == 404


def test_the_roles_that_exclude_each_other_are_documented() -> None:
    page = text("docs/permissions.md")
    assert table(page)
    for pair, reason in INCOMPATIBLE.items():
        assert reason in page, pair
    assert set().union(*INCOMPATIBLE) <= set(Role)
    assert len(INCOMPATIBLE) == len(OWN_WORK) * 2 + 1 + 2
