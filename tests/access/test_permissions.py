"""Every operation of the API asks for its permission, and the permissions are given to whom the programme says."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.access.models import Role
from app.access.permissions import OPERATOR, PERMISSIONS, HeldRole, Permission, Principal, Scope
from app.errors import Forbidden
from tests.conftest import ActingAs

PUBLIC = {"sign_in", "livez", "readyz", "metrics"}
SIGNED_IN = {"read_me", "sign_out"}
NEEDED = {
    Permission.USER_READ: {"list_users"},
    Permission.USER_WRITE: {"add_user", "disable_user"},
    Permission.STOCK_READ: {
        "list_origins",
        "list_settlements",
        "read_settlement",
        "list_jobs",
        "list_houses",
        "read_house",
        "list_land_release_areas",
        "read_land_release_area",
    },
    Permission.STOCK_WRITE: {
        "add_origin",
        "add_settlement",
        "change_settlement",
        "set_milestone",
        "set_jobs",
        "add_land_release_area",
        "change_land_release_area",
    },
    Permission.HOUSE_WRITE: {"add_house", "change_house"},
    Permission.HOUSEHOLD_READ: {
        "list_households",
        "read_household",
        "list_kin_groups",
        "list_applications",
        "read_application",
        "read_assessment",
    },
    Permission.HOUSEHOLD_WRITE: {
        "register_household",
        "change_household",
        "add_person",
        "change_person",
        "remove_person",
        "add_kin_group",
        "begin_application",
        "change_application",
        "withdraw_application",
    },
    Permission.APPLICATION_SUBMIT: {"submit_application"},
    Permission.POLICY_READ: {"list_policies", "read_policy_in_force", "read_policy"},
    Permission.POLICY_WRITE: {"draft_policy", "put_policy_in_force"},
    Permission.RUN_READ: {
        "list_runs",
        "read_run",
        "follow_run",
        "read_snapshot",
        "read_problem",
        "read_solution",
    },
    Permission.RUN_REQUEST: {"request_run", "cancel_run"},
    Permission.RUN_DECIDE: {"approve_run", "reject_run"},
    Permission.PROPOSAL_READ: {"list_proposals"},
    Permission.TENANCY_READ: {"list_tenancies", "list_reservations"},
    Permission.TENANCY_WRITE: {"move_in", "move_out", "declare_house_unfit", "declare_house_fit"},
    Permission.OCCUPANCY_READ: {"read_occupancy"},
    Permission.EXCHANGE_IMPORT: {"import_files"},
    Permission.EXCHANGE_EXPORT: {"export_files"},
}
PERMISSION_OF = {operation: permission for permission, operations in NEEDED.items() for operation in operations}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _operations(app: FastAPI) -> Iterator[tuple[str, str, str]]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method, path


def _send(client: httpx2.Client | TestClient, method: str, path: str, operation: str) -> httpx2.Response:
    """Send a request that gets as far as the question who may; things named in the path do not exist."""
    content: dict[str, Any] = {}
    if operation == "import_files":
        content = {"files": {"files": ("houses.csv", b"house\n", "text/csv")}}
    elif method in ("post", "put", "patch"):
        content = {"json": {}}
    path = path.replace("{reference}", "XX-00000000").replace("{name}", "school")
    return client.request(method, path, **content)


@on_sqlite
def test_every_operation_is_known_here(service: TestClient) -> None:
    assert isinstance(service.app, FastAPI)
    operations = {operation for operation, _, _ in _operations(service.app)}
    assert operations == PUBLIC | SIGNED_IN | set(PERMISSION_OF)


@on_sqlite
def test_without_a_token_only_health_and_sign_in_answer(service: TestClient) -> None:
    assert isinstance(service.app, FastAPI)
    for operation, method, path in _operations(service.app):
        answer = _send(service, method, path, operation)
        if operation in PUBLIC:
            assert answer.status_code in (200, 422), operation
        else:
            assert answer.status_code == 401, operation
            assert answer.json()["type"] == "/problems/not-signed-in", operation


@on_sqlite
@pytest.mark.parametrize("role", Role)
def test_a_role_does_what_its_permissions_say_and_nothing_else(
    service: TestClient, acting_as: ActingAs, role: Role
) -> None:
    client = acting_as(role)
    assert isinstance(service.app, FastAPI)
    for operation, method, path in _operations(service.app):
        if operation in PUBLIC | SIGNED_IN:
            continue
        answer = _send(client, method, path.removeprefix("/api/v1"), operation)
        permission = PERMISSION_OF[operation]
        if role in PERMISSIONS[permission]:
            assert answer.status_code in (200, 201, 202, 404, 409, 422, 428), (operation, answer.text)
        else:
            assert answer.status_code == 403, (operation, answer.text)
            assert answer.json()["type"] == "/problems/forbidden"
            assert permission.value in answer.json()["detail"]


def test_an_administrator_sees_no_household_and_an_auditor_no_person() -> None:
    personal = {
        Permission.HOUSEHOLD_READ,
        Permission.HOUSEHOLD_WRITE,
        Permission.APPLICATION_SUBMIT,
        Permission.TENANCY_READ,
        Permission.PROPOSAL_READ,
        Permission.EXCHANGE_EXPORT,
    }
    for permission in personal:
        assert not PERMISSIONS[permission] & {Role.ADMINISTRATOR, Role.AUDITOR}, permission


def test_every_permission_has_roles() -> None:
    assert set(PERMISSIONS) == set(Permission)
    assert all(PERMISSIONS.values())


def test_a_permission_holds_where_a_role_that_has_it_is_held() -> None:
    user = Principal(
        1,
        "US-00000000",
        "leyla",
        (
            HeldRole(Role.CASEWORKER, district="North"),
            HeldRole(Role.VILLAGE_ADMINISTRATOR, settlement="ST-7K3M9QTX"),
            HeldRole(Role.AUDITOR),
        ),
    )
    assert user.scope(Permission.HOUSEHOLD_WRITE) == Scope(districts=frozenset({"North"}))
    assert user.scope(Permission.HOUSEHOLD_READ) == Scope(
        districts=frozenset({"North"}), settlements=frozenset({"ST-7K3M9QTX"})
    )
    assert user.scope(Permission.STOCK_READ).everywhere
    assert not user.scope(Permission.USER_READ)

    user.require(Permission.HOUSEHOLD_WRITE, district="North", settlement=None)
    for place in ({"district": "South"}, {"settlement": "ST-7K3M9QTX"}, {}):
        with pytest.raises(Forbidden, match="only in North"):
            user.require(Permission.HOUSEHOLD_WRITE, **place)
    with pytest.raises(Forbidden, match="none of your roles"):
        user.require(Permission.USER_WRITE)


def test_the_operator_may_do_everything_everywhere() -> None:
    for permission in Permission:
        OPERATOR.require(permission)
        OPERATOR.require(permission, district="North", settlement="ST-7K3M9QTX")
