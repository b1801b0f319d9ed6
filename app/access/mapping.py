"""What the claims of the identity provider mean here: roles, and whether a second factor was given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.access.models import Role
from app.access.permissions import HeldRole
from app.access.roles import faults
from app.errors import FieldError, Invalid

DISTRICT, SETTLEMENT = "district", "settlement"
ROLES_SETTING, SECOND_FACTOR_SETTING = "HEARTH_OIDC_ROLES", "HEARTH_OIDC_SECOND_FACTOR"
FACTOR_CLAIMS = ("acr", "amr")
Claims = Mapping[str, Any]


@dataclass(frozen=True)
class Mapped:
    """The settings that say what claims mean.

    `claim` names the claim with the values that give roles: as it is, or by dots through objects. `factors` are pairs
    of `acr` or `amr` and a value that says of a sign-in at the provider that it had a second factor.
    """

    claim: str
    roles: Mapping[str, tuple[HeldRole, ...]]
    factors: frozenset[tuple[str, str]]

    def roles_of(self, claims: Claims) -> tuple[HeldRole, ...]:
        """Return the roles that `claims` give, each once; values that are not in the mapping give none."""
        found = _looked_up(claims, self.claim)
        values = found.split() if isinstance(found, str) else found if isinstance(found, list) else ()
        held = [role for value in values if isinstance(value, str) for role in self.roles.get(value, ())]
        return tuple(dict.fromkeys(held))

    def has_second_factor(self, claims: Claims) -> bool:
        """Whether the provider says, in a way that the settings name, that a second factor was given."""
        said = {name: claims.get(name) for name in FACTOR_CLAIMS}
        given = {
            (name, value)
            for name, values in said.items()
            for value in (values if isinstance(values, list) else [values])
            if isinstance(value, str)
        }
        return bool(self.factors & given)


def _looked_up(claims: Claims, name: str) -> Any:
    if name in claims:  # a name may have dots of its own, as those that are addresses do
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def mapped(claim: str, roles: str, second_factor: str) -> Mapped:
    """Return what the three settings say. Raises Invalid."""
    return Mapped(claim, _roles(roles), _factors(second_factor))


def _roles(setting: str) -> dict[str, tuple[HeldRole, ...]]:
    """Read a JSON object: for each value of the claim `role`, `role@district:D`, `role@settlement:S`, or several."""
    try:
        given = json.loads(setting or "{}")
    except ValueError:
        raise _wrong(ROLES_SETTING, "This is not JSON.") from None
    if not isinstance(given, dict):
        raise _wrong(ROLES_SETTING, 'Give an object, such as {"planners": ["planner"]}.')
    found = {}
    for value, named in given.items():
        texts = [named] if isinstance(named, str) else named
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _wrong(ROLES_SETTING, f"What {value} gives is a role or a list of roles, as text.")
        held = tuple(_role(text) for text in texts)
        if wrong := faults(held):
            raise _wrong(ROLES_SETTING, f"What {value} gives cannot be: {' '.join(each.message for each in wrong)}")
        found[value] = held
    return found


def _role(text: str) -> HeldRole:
    name, at, place = text.partition("@")
    kind, _, where = place.partition(":")
    if name not in set(Role):
        raise _wrong(ROLES_SETTING, f"There is no role {name}; there are {', '.join(Role)}.")
    if not at:
        return HeldRole(Role(name))
    if kind not in (DISTRICT, SETTLEMENT) or not where:
        raise _wrong(ROLES_SETTING, f"{text}: after @ comes district: and a name, or settlement: and a reference.")
    return HeldRole(Role(name), **{kind: where})


def _factors(setting: str) -> frozenset[tuple[str, str]]:
    found = set[tuple[str, str]]()
    for each in filter(None, (part.strip() for part in setting.split(","))):
        name, _, value = each.partition("=")
        if name not in FACTOR_CLAIMS or not value:
            raise _wrong(SECOND_FACTOR_SETTING, f"{each}: give amr=VALUE or acr=VALUE, with commas between.")
        found.add((name, value))
    return frozenset(found)


def _wrong(setting: str, message: str) -> Invalid:
    return Invalid("A setting is wrong.", [FieldError(setting, message)])


def said(roles: Sequence[HeldRole]) -> str:
    """Return what is wrong with `roles` as one user's, in words; empty where nothing is."""
    return " ".join(each.message for each in faults(roles))
