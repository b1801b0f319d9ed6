"""The permissions are given to whom the programme says, and hold where their roles are held."""

import pytest

from app.access.models import Role
from app.access.permissions import OPERATOR, PERMISSIONS, HeldRole, Permission, Principal, Scope
from app.errors import Forbidden


def test_an_administrator_sees_no_household_and_an_auditor_no_person() -> None:
    personal = {
        Permission.HOUSEHOLD_READ,
        Permission.HOUSEHOLD_WRITE,
        Permission.APPLICATION_SUBMIT,
        Permission.TENANCY_READ,
        Permission.PROPOSAL_READ,
        Permission.PROPOSAL_REVIEW,
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
