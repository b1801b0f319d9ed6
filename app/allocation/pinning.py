"""How placements enter a problem: pins, forbidden settlements and kept houses, and what the problem is without them."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.allocation.placement_models import Placement, PlacementKind, PlacementReason
from solver import Problem
from solver.pins import Contradiction, settled

Row = dict[str, Any]


class Impossible(Exception):  # noqa: N818 - a finding, said in a sentence
    """Placements that no allocation can satisfy together; the text names them."""


class PlacementPart(BaseModel):
    """A placement as a run knows it.

    `pinned`: the class that the household is to have; `house`: the house of it that is kept for the household;
    `forbids`: settlements where it is not to live; `otherwise`: those that were forbidden to it without any placement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    household: str
    kind: PlacementKind
    reason: PlacementReason
    pinned: str | None
    house: str | None
    forbids: tuple[str, ...]
    otherwise: tuple[str, ...]


def parts(
    placements: Iterable[Placement],
    rows: Mapping[str, Row],
    classes: Mapping[str, Sequence[str]],
    places: Sequence[str],
) -> tuple[PlacementPart, ...]:
    """Return the placements of households that take part, given the problem's rows before any of them.

    `classes`: houses of each class; `places`: the settlements of the run. Who is to live elsewhere gets nothing here.
    Raises Impossible.
    """
    by_house = {house: house_class for house_class, houses in classes.items() for house in houses}
    return tuple(
        _part(placement, rows[placement.household.reference], by_house, classes, places)
        for placement in placements
        if placement.household.reference in rows
    )


def _part(
    placement: Placement,
    row: Row,
    by_house: Mapping[str, str],
    classes: Mapping[str, Sequence[str]],
    places: Sequence[str],
) -> PlacementPart:
    place = placement.settlement.reference
    pinned: str | None = None
    forbids: Sequence[str] = [place] if place in places else []
    if placement.kind is not PlacementKind.FORBID:
        forbids = [] if place in places else places
    if place in places and placement.kind is PlacementKind.HOUSE:
        assert placement.house is not None  # noqa: S101 - the database holds to it
        pinned = by_house.get(placement.house.reference)
        if pinned is None:
            raise Impossible(
                f"Placement {placement.reference} keeps house {placement.house.reference} for household "
                f"{row['id']}, and that house cannot be allocated now."
            )
    elif place in places and placement.kind is PlacementKind.PIN:
        pinned = f"{place}/{placement.size}/{'step-free' if placement.step_free else 'stairs'}"
        if pinned not in classes:
            raise Impossible(
                f"Placement {placement.reference} gives household {row['id']} "
                f"{in_words(pinned, {place: placement.settlement.name})}, and no such house can be allocated now."
            )
    return PlacementPart(
        reference=placement.reference,
        household=row["id"],
        kind=placement.kind,
        reason=placement.reason,
        pinned=pinned,
        house=placement.house.reference if placement.house is not None and pinned is not None else None,
        forbids=tuple(sorted(forbids)),
        otherwise=tuple(row["forbidden"]),
    )


def apply(rows: Iterable[Row], placements: Iterable[PlacementPart]) -> None:
    """Pin and forbid, in the rows of a problem, what `placements` say."""
    by_household = defaultdict(list)
    for part in placements:
        by_household[part.household].append(part)
    for row in rows:
        for part in by_household[row["id"]]:
            row["forbidden"] = sorted({*row.get("forbidden", ()), *part.forbids})
            if part.pinned is not None:
                row["pinned"] = part.pinned


def reserved(house_class: Row, rows: Iterable[Row], percent: int) -> int:
    """Return how many houses of a step-free class are kept for households that need one.

    As many as anybody who does could live in, who is not pinned elsewhere, and none that somebody else is pinned to.
    """
    place, size, count = house_class["settlement"], house_class["bedrooms"], house_class["count"]
    wanting = pinned = 0
    for row in rows:
        pinned += row.get("pinned") == house_class["id"] and not row["needs_step_free"]
        wanting += (
            row["needs_step_free"]
            and row.get("pinned") in (None, house_class["id"])
            and row["bedrooms_min"] <= size <= row["bedrooms_max"]
            and (place in row.get("options", ()) or row.get("anywhere") is not None)
            and place not in row.get("forbidden", ())
        )
    return max(min(count * percent // 100, wanting, count - pinned), 0) if house_class["step_free"] else 0


def without(problem: Row, placements: Sequence[PlacementPart], lifted: Collection[str], percent: int) -> None:
    """Undo, in a problem, the placements of those references; the others of the same households stay."""
    touched = {part.household for part in placements if part.reference in lifted}
    otherwise = {part.household: part.otherwise for part in placements}
    for row in problem["households"]:
        if row["id"] in touched:
            row["pinned"], row["forbidden"] = None, list(otherwise[row["id"]])
    left = [part for part in placements if part.household in touched and part.reference not in lifted]
    apply((row for row in problem["households"] if row["id"] in touched), left)
    for house_class in problem["house_classes"]:
        house_class["reserved"] = reserved(house_class, problem["households"], percent)


def require_possible(problem: Problem, placements: Sequence[PlacementPart], names: Mapping[str, str]) -> None:
    """Raise Impossible, in plain words, where no allocation can satisfy all of them. `names`: of settlements."""
    if not any(part.pinned for part in placements):
        return
    try:
        settled(problem)
    except Contradiction as contradiction:
        sentence = re.sub(r"'([^']+)'", lambda found: in_words(found[1], names), str(contradiction))
        named = [part.reference for part in placements if f"'{part.household}'" in str(contradiction)]
        what = f"Lift or change {' or '.join(named)}." if named else "Lift or change one of them."
        raise Impossible(f"The placements cannot all hold: {sentence}. {what}") from contradiction


def in_words(identifier: str, names: Mapping[str, str]) -> str:
    """Return a class or a settlement of a problem as people say it; anything else as it is."""
    place, _, rest = identifier.partition("/")
    if not rest:
        return names.get(place, identifier)
    size, _, access = rest.partition("/")
    return f"a house of size {size} {'with' if access == 'stairs' else 'and'} {access} in {names.get(place, place)}"
