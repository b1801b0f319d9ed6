"""What is told of a household, by reason: a sentence, and the facts in it (identifiers and numbers)."""

from collections.abc import Sequence

Fact = int | str | list[str]
Told = tuple[str, dict[str, Fact]]

NAMED = 5
"""How many of a list are named in a sentence; the facts hold them all."""


def listed(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def size(bedrooms: int, step_free: bool) -> str:
    return f"{bedrooms} bedroom{'' if bedrooms == 1 else 's'}{', step-free' if step_free else ''}"


def nobody_housed(status: str, reason: str) -> Told:
    return f"Nobody is housed: the solution is {status}: {reason}", {"households": [], "status": status, "why": reason}


def housed(house_class: str, settlement: str, options: int, better: list[str], pinned: bool) -> Told:
    """Its rank among its own options, those that could serve it: one more than those of a higher value."""
    rank = len(better) + 1
    sentence = f"Housed in class {house_class} in {settlement}, which is number {rank} of its {options} options."
    if pinned:
        sentence += " It is pinned there."
    elif better:
        sentence += f" The better ones, {listed(better)}, went to others or would cost others more."
    return sentence, {
        "house_class": house_class,
        "settlement": settlement,
        "rank": rank,
        "options": options,
        "better": better,
    }


def no_class_fits(least: int, most: int, step_free: bool) -> Told:
    wanted = f"{least} to {most} bedrooms" + (", step-free" if step_free else "")
    facts: dict[str, Fact] = {"bedrooms_min": least, "bedrooms_max": most, "needs_step_free": int(step_free)}
    return f"No house anywhere fits its need of {wanted}.", facts


def not_asked_for(settlements: list[str]) -> Told:
    sentence = f"Classes that fit are only in settlements that it did not ask for: {listed(settlements)}."
    return sentence, {"settlements": settlements}


def taken_by_priority(last: tuple[int, int], own: tuple[int, int], bound: list[str]) -> Told:
    """last, own: tier and points. bound: those of a lower priority, who are bound to their houses."""
    sentence = (
        "Every house that fits, where it would live, went to households of a better tier or more points; "
        f"the last of them has tier {last[0]} and {last[1]} points, this one tier {own[0]} and {own[1]} points."
    )
    if bound:
        sentence += f" Others stay where their kin is housed or are pinned: {listed(bound)}."
    return sentence, {
        "lowest_tier": last[0],
        "lowest_points": last[1],
        "tier": own[0],
        "points": own[1],
        "bound": bound,
    }


def order_of_programme(stages: list[str]) -> Told:
    """By stages of a programme's own, who comes first in tier and points may be passed over."""
    sentence = (
        f"What decides who is housed is not the tier and then the points, as the programme stated: {listed(stages)}."
    )
    return sentence, {"stages": stages}


def passed_over() -> Told:
    """By the order of the model a better allocation would meet the claim: this one is not the best there is."""
    return "Nothing speaks against it: the solution ends before the best allocation.", {}


def services_full(services: list[str]) -> Told:
    return f"It would need more places than are left: {listed(services)}.", {"services": services}


def kin_not_whole(group: str, settlement: str, missing: list[str]) -> Told:
    """In the settlement that lacks least: which members have no house left there."""
    lacking = f"nothing is left for {listed(missing)}" if missing else "not for all of them at once"
    sentence = f"Its kin group {group} cannot be housed whole: in {settlement}, where least is missing, {lacking}."
    return sentence, {"kin_group": group, "settlement": settlement, "without_house": missing}


def lost_lottery(number: int, last: int) -> Told:
    sentence = f"It lost the lottery among equals: its number is {number}, the last that won was {last}."
    return sentence, {"lottery": number, "last_lottery": last}


def equals_fit_better(equals: list[str]) -> Told:
    sentence = f"Houses that fit went to others of the same tier and points, whom they suit better: {listed(equals)}."
    return sentence, {"equals": equals}


def held_together(others: list[str]) -> Told:
    sentence = (
        "Houses that fit went to others of a lower tier or fewer points, who are pinned there, stay with their "
        f"kin, or need fewer places of a full service: {listed(others)}."
    )
    return sentence, {"households": others}


def claim(house_class: str, settlement: str, envied: str | None) -> Told:
    """A justified claim that was not met, to a house that is empty or whose taker comes after."""
    holder = "stands empty" if envied is None else f"went to {envied}, who comes after it"
    facts: dict[str, Fact] = {"claimed_class": house_class}
    if envied is not None:
        facts["envied"] = envied
    return f"A house in class {house_class} in {settlement}, which it could have had, {holder}.", facts
