"""A draft of the policy beside the policy in force, for the same households: who gains, who loses, both ways. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from app.policy.assess import Assessment, assess
from app.policy.facts import HouseholdFacts
from app.policy.groups import groups_of
from app.policy.parameters import Policy
from solver import Solution


class Effect(StrEnum):
    """What a draft does to a household's place: fewer are before it, or it may take part now; or the other way."""

    GAINS = "gains"
    LOSES = "loses"
    SAME = "same"


@dataclass(frozen=True)
class Standing:
    """A household under one policy. `ahead`: eligible households in a better tier, or the same with more points."""

    eligible: bool
    tier: int
    points: int
    size: int
    ahead: int | None


@dataclass(frozen=True)
class Compared:
    """A household under both."""

    household: str
    effect: Effect
    before: Standing
    after: Standing


def compare(facts: Sequence[HouseholdFacts], before: Policy, after: Policy) -> list[Compared]:
    """Return each household under both policies, in the order given."""
    pairs = zip(facts, _standings(facts, before), _standings(facts, after), strict=True)
    return [Compared(each.reference, _effect(old, new), old, new) for each, old, new in pairs]


def _standings(facts: Sequence[HouseholdFacts], policy: Policy) -> list[Standing]:
    assessed = [assess(each, policy) for each in facts]
    places = sorted(_place(each) for each in assessed if each.eligibility.eligible)
    return [
        Standing(
            each.eligibility.eligible,
            each.priority.tier,
            each.priority.points,
            each.size_min,
            bisect_left(places, _place(each)) if each.eligibility.eligible else None,
        )
        for each in assessed
    ]


def _place(assessed: Assessment) -> tuple[int, int]:
    return assessed.priority.tier, -assessed.priority.points


def _effect(before: Standing, after: Standing) -> Effect:
    if before.ahead is None or after.ahead is None:
        if before.eligible == after.eligible:
            return Effect.SAME
        return Effect.GAINS if after.eligible else Effect.LOSES
    if before.ahead == after.ahead:
        return Effect.SAME
    return Effect.GAINS if after.ahead < before.ahead else Effect.LOSES


def groups(facts: Iterable[HouseholdFacts], origins: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """Return household → groups. `origins`: household → the public reference of where it is from."""
    return {each.reference: groups_of(each, origins[each.reference]) for each in facts}


def summary(compared: Sequence[Compared], of: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Count what changes: for all, by tier before and after, and by group (`of`: household → groups)."""
    by_group: dict[str, list[Compared]] = defaultdict(list)
    for each in compared:
        for group in of[each.household]:
            by_group[group].append(each)
    tiers = Counter(
        (each.before.tier if each.before.eligible else None, each.after.tier if each.after.eligible else None)
        for each in compared
    )
    return {
        "all": _counts(compared),
        "tiers": [
            {"before": before, "after": after, "households": households}
            for (before, after), households in sorted(
                tiers.items(), key=lambda item: tuple((tier is None, tier or 0) for tier in item[0])
            )
        ],
        "groups": [{"group": group, **_counts(members)} for group, members in sorted(by_group.items())],
    }


def _counts(compared: Sequence[Compared]) -> dict[str, int]:
    effects = Counter(each.effect for each in compared)
    return {
        "households": len(compared),
        **{effect.value: effects[effect] for effect in Effect},
        "eligible_before": sum(each.before.eligible for each in compared),
        "eligible_after": sum(each.after.eligible for each in compared),
        "need_more": sum(each.after.size > each.before.size for each in compared),
        "need_less": sum(each.after.size < each.before.size for each in compared),
    }


def rows(compared: Iterable[Compared]) -> list[dict[str, Any]]:
    """Return what is kept of each household, as JSON has it; `housed_…` are filled where the two were solved."""
    return [{**asdict(each), "housed_before": None, "housed_after": None} for each in compared]


def solved(
    kept: Sequence[dict[str, Any]], of: Mapping[str, Sequence[str]], before: Solution, after: Solution
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows with the houses that each household would get under both, and the counts of that."""
    old, new = dict(before.assignments), dict(after.assignments)
    filled = [
        {**row, "housed_before": old.get(row["household"]), "housed_after": new.get(row["household"])} for row in kept
    ]
    by_group: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in filled:
        for group in of[row["household"]]:
            by_group[group].append(row)
    now = {stage.name: stage for stage in after.stages}
    names = [stage.name for stage in before.stages]
    then = {stage.name: stage for stage in before.stages}
    return filled, {
        "all": _housed(filled),
        "stages": [
            {
                "name": name,
                "before": then[name].achieved if name in then else None,
                "after": now[name].achieved if name in now else None,
            }
            for name in dict.fromkeys([*names, *now])
        ],
        "groups": [{"group": group, **_housed(members)} for group, members in sorted(by_group.items())],
    }


def _housed(members: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    had = [row["housed_before"] is not None for row in members]
    has = [row["housed_after"] is not None for row in members]
    return {
        "housed_before": sum(had),
        "housed_after": sum(has),
        "gain_a_house": sum(now and not then for then, now in zip(had, has, strict=True)),
        "lose_a_house": sum(then and not now for then, now in zip(had, has, strict=True)),
    }
