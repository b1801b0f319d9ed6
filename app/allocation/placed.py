"""What a placement means for the household it is about: that people decided so, and the coded reason. Never who."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from app.allocation.pinning import PlacementPart
from app.allocation.placement_models import PlacementKind, PlacementReason
from app.languages.words import Phrase, Words

Placed = Mapping[str, Any]


class How(StrEnum):
    """What was decided: this house; a house of this kind; to live where this run houses nobody; not in some places."""

    HOUSE = "house"
    OF_KIND = "of_kind"
    ELSEWHERE = "elsewhere"
    NOT_THERE = "not_there"


GIVES_HOUSE = (How.HOUSE, How.OF_KIND)


def grounds(placements: Iterable[PlacementPart], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the placements of one household that counted in a run, as data. `names`: of its settlements."""
    found = []
    for part in placements:
        how = _how(part)
        if how is How.NOT_THERE and not part.forbids:
            continue  # of a settlement that this run does not allocate
        places = [names[place] for place in part.forbids] if how is How.NOT_THERE else []
        found.append({"how": how.value, "reason": part.reason.value, "places": places})
    return found


def _how(part: PlacementPart) -> How:
    if part.kind is PlacementKind.FORBID:
        return How.NOT_THERE
    if part.pinned is None:
        return How.ELSEWHERE
    return How.OF_KIND if part.house is None else How.HOUSE


def is_how(placed: Iterable[Placed], *how: How) -> bool:
    """Whether any of these was decided."""
    return any(each["how"] in how for each in placed)


def sentence(placed: Iterable[Placed]) -> str:
    """Return what was decided, for who reads the run."""
    return "".join(f" People decided, and not the calculation, that it is {_plainly(each)}." for each in placed)


def _plainly(each: Placed) -> str:
    reason = str(each["reason"]).replace("_", " ")
    match How(each["how"]):
        case How.HOUSE:
            return f"to live in this house ({reason})"
        case How.OF_KIND:
            return f"to live in a house of this kind here ({reason})"
        case How.ELSEWHERE:
            return f"to live in a place that is not part of this run ({reason})"
        case How.NOT_THERE:
            return f"not to live in {' or '.join(each['places'])} ({reason})"


def told(placed: Iterable[Placed], words: Words) -> list[Phrase]:
    """Return what was decided, said to the family."""
    return [DECIDED[How(each["how"])](each, REASONS[PlacementReason(each["reason"])](words), words) for each in placed]


DECIDED: Mapping[How, Callable[[Placed, Phrase, Words], Phrase]] = {
    How.HOUSE: lambda _placed, reason, words: words.say(
        "People decided, and not the calculation, that you are to live in this house. The reason: {reason}.",
        reason=reason,
    ),
    How.OF_KIND: lambda _placed, reason, words: words.say(
        "People decided, and not the calculation, that you are to live in a house of this kind in this place. "
        "The reason: {reason}.",
        reason=reason,
    ),
    How.ELSEWHERE: lambda _placed, reason, words: words.say(
        "People decided, and not the calculation, that you are to live in a place that is not part of this allocation. "
        "The reason: {reason}.",
        reason=reason,
    ),
    How.NOT_THERE: lambda placed, reason, words: words.say(
        "People decided, and not the calculation, that you are not to live here: {places}. The reason: {reason}.",
        places=words.listed(list(placed["places"])),
        reason=reason,
    ),
}

# Whom a family is kept safe from may read its letter: of safety it is told in person.
REASONS: Mapping[PlacementReason, Callable[[Words], Phrase]] = {
    PlacementReason.MEDICAL: lambda words: words.say("health"),
    PlacementReason.SAFETY: lambda words: words.say("another one, which your caseworker can tell you"),
    PlacementReason.FAMILY_UNITY: lambda words: words.say("keeping a family together"),
    PlacementReason.COURT_ORDER: lambda words: words.say("the decision of a court"),
    PlacementReason.ACCESSIBILITY: lambda words: words.say("moving about in and around the house"),
    PlacementReason.WORK: lambda words: words.say("work"),
    PlacementReason.OTHER: lambda words: words.say("another one, which your caseworker can tell you"),
}
