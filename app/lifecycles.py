"""Lifecycles: which state may follow which, and the one refusal when it may not."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from app.errors import Conflict

State = TypeVar("State", bound=StrEnum)


def require_transition(thing: str, allowed: Mapping[State, frozenset[State]], now: State, to: State) -> None:
    """Raise Conflict, naming both states, unless `to` may follow `now`."""
    if to in allowed.get(now, frozenset()):
        return
    if to is now:
        raise Conflict(f"The {thing} is {now.value} already.", state=now.value, wanted=to.value)
    following = ", ".join(sorted(state.value for state in allowed.get(now, frozenset())))
    raise Conflict(
        f"The {thing} is {now.value} and cannot become {to.value}; "
        + (f"it can become {following}." if following else "it stays so."),
        state=now.value,
        wanted=to.value,
    )
