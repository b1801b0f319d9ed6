"""Which roles a user holds: what may stand together, changing them, and keeping an administrator."""

from collections.abc import Sequence
from itertools import combinations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.models import Grant, Role, User
from app.access.permissions import EVERYWHERE_ONLY, INCOMPATIBLE, HeldRole, Permission, Principal
from app.audit import Act
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.references import normalised


def faults(roles: Sequence[HeldRole]) -> list[FieldError]:
    """Return what is wrong with `roles` as one user's: places that are none, and roles that exclude each other."""
    found = [error for number, role in enumerate(roles) for error in _faults_of_place(f"#/body/roles/{number}", role)]
    for number, role in enumerate(roles):
        if role in roles[:number]:
            found.append(FieldError(f"#/body/roles/{number}", "This role is given twice. Leave one out."))
    for first, second in combinations(sorted({role.role for role in roles}), 2):
        reason = INCOMPATIBLE.get(frozenset({first, second}))
        if reason is not None:
            message = f"Nobody is both {_said(first)} and {_said(second)}: {reason}."
            found.append(FieldError("#/body/roles", message))
    return found


def _said(role: Role) -> str:
    return role.value.replace("_", " ")


def _faults_of_place(pointer: str, role: HeldRole) -> list[FieldError]:
    if role.role in EVERYWHERE_ONLY and (role.district is not None or role.settlement is not None):
        return [
            FieldError(pointer, f"The role {_said(role.role)} lies in no place. Leave district and settlement out.")
        ]
    if role.district is not None and role.settlement is not None:
        return [FieldError(pointer, "Name a district or a settlement, not both.")]
    if role.settlement is not None and not normalised(role.settlement):
        return [FieldError(f"{pointer}/settlement", "Give the settlement's reference.")]
    return []


def grants(roles: Sequence[HeldRole]) -> list[Grant]:
    """Return `roles`, which have no faults, as rows."""
    return [
        Grant(role=role.role, district=role.district, settlement=role.settlement and normalised(role.settlement))
        for role in roles
    ]


def change(session: Session, user: User, roles: Sequence[HeldRole], actor: Principal) -> User:
    """Make these the roles of `user`; they hold from the user's next request on.

    Raises Invalid for roles that cannot be, Forbidden for one's own, Conflict for the last administrator's.
    """
    actor.require(Permission.USER_WRITE)
    if user.id == actor.user_id:
        raise Forbidden("Nobody changes their own roles. Ask another administrator.")
    if errors := faults(roles):
        raise Invalid("The roles were not changed.", errors)
    if all(role.role is not Role.ADMINISTRATOR for role in roles):
        require_another_administrator(session, user)
    session.refresh(user, ["grants"], with_for_update={"key_share": True})  # of two at once, the second replaces both
    user.grants = grants(roles)
    audit.record(session, actor, Act.USER_SET_ROLES, user)
    return user


def require_another_administrator(session: Session, user: User) -> None:
    """Raise Conflict where `user` is the last administrator who can sign in.

    Administrators are locked first, so that of two who remove each other at once the second finds itself the last.
    """
    administrators = (
        select(User.id)
        .where(User.disabled_at.is_(None), User.grants.any(Grant.role == Role.ADMINISTRATOR))
        .order_by(User.id)
    )
    session.execute(administrators.with_for_update(of=User)).all()
    if session.scalars(administrators).all() == [user.id]:
        raise Conflict(f"{user.username} is the last administrator. Make another one first.")
