"""What decided about a household, as data: parameters that go with the code of a reason, for whatever language.

They name settlements and sizes of houses and hold numbers. No other household is in them, not even kin.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.allocation import placed
from app.allocation.parts import ClassPart, HouseholdPart
from app.allocation.pinning import PlacementPart
from app.allocation.snapshot import Snapshot
from solver.explain import Explanation as SolverExplanation
from solver.explain import Reason
from solver.objectives import WHERE, parse

Facts = Mapping[str, int | str | list[str]]
Grounds = dict[str, Any]
KEPT = 3
"""How many of a list are kept by name; of the rest only how many there are."""


def ineligible(part: HouseholdPart) -> Grounds:
    """Return why a household may not take part."""
    return {"codes": [code.value for code in part.ineligible]}


class Places:
    """The settlements and houses of a snapshot, by what they are called."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._names = {part.reference: part.name for part in snapshot.settlements}
        self._classes = {part.id: part for part in snapshot.house_classes}
        self._rows = {row["id"]: row for row in snapshot.problem["households"]}
        self._tiers_before = snapshot.tiers_before
        self._placements: dict[str, list[PlacementPart]] = defaultdict(list)
        for placement in snapshot.placements:
            self._placements[placement.household].append(placement)
        self._of: Mapping[Reason, Callable[[HouseholdPart, Facts], Grounds]] = {
            Reason.HOUSED: self._housed,
            Reason.NO_CLASS_FITS: self._no_class_fits,
            Reason.NOT_ASKED_FOR: self._not_asked_for,
            Reason.TAKEN_BY_PRIORITY: self._taken_by_priority,
            Reason.ORDER_OF_PROGRAMME: self._order_of_programme,
            Reason.PASSED_OVER: self._passed_over,
            Reason.SERVICES_FULL: self._services_full,
            Reason.KIN_NOT_WHOLE: self._kin_not_whole,
            Reason.LOST_LOTTERY: self._lost_lottery,
            Reason.EQUALS_FIT_BETTER: self._equals_fit_better,
            Reason.HELD_TOGETHER: self._held_together,
        }

    def grounds(self, part: HouseholdPart, solved: SolverExplanation) -> Grounds:
        """Return what decided about a household that took part; `placed`, where people did before."""
        found = self._of[solved.reason](part, solved.facts)
        decided = placed.grounds(self._placements.get(part.reference, ()), self._names)
        return found | {"placed": decided} if decided else found

    def place(self, reference: str) -> str:
        """Return the name of a settlement."""
        return self._names[reference]

    def house(self, house_class: str, part: HouseholdPart) -> Grounds:
        """Return what a house of a class is, in the measure of the household's need."""
        found: ClassPart = self._classes[house_class]
        return {
            "place": self._names[found.settlement],
            "size": found.size,
            "measure": part.need.measure.value,
            "step_free": found.step_free,
        }

    def service(self, text: str) -> Grounds:
        """Return a service and its place from the solver's "service in settlement"."""
        service, _, place = text.partition(" in ")
        return {"service": service, "place": self._names[place]}

    def _need(self, part: HouseholdPart) -> Grounds:
        row = self._rows[part.reference]
        return {
            "least": row["bedrooms_min"],
            "most": row["bedrooms_max"],
            "measure": part.need.measure.value,
            "step_free": part.needs_step_free,
        }

    def _housed(self, part: HouseholdPart, facts: Facts) -> Grounds:
        better = _names(facts["better"])
        return {
            "house": self.house(str(facts["house_class"]), part),
            "rank": facts["rank"],
            "options": facts["options"],
            "better": [self.house(name, part) for name in better[:KEPT]],
            "more_better": max(len(better) - KEPT, 0),
        }

    def _no_class_fits(self, part: HouseholdPart, _facts: Facts) -> Grounds:
        return {"need": self._need(part)}

    def _not_asked_for(self, part: HouseholdPart, facts: Facts) -> Grounds:
        where = self.not_for(part, facts)
        places = where.pop("places")
        found = {"need": self._need(part), "places": places[:KEPT], "more_places": max(len(places) - KEPT, 0)}
        return found | {
            name: {"places": names[:KEPT], "more_places": max(len(names) - KEPT, 0)}
            for name, names in where.items()
            if names
        }

    def not_for(self, part: HouseholdPart, facts: Facts) -> dict[str, list[str]]:
        """Return where the houses are that fit a household and that it cannot have, by why.

        `places`: it did not ask for them; `apart`: its kin is elsewhere; `declined`: it declined there. Those where it
        is not to live by decision of people are not among them.
        """
        row = self._rows[part.reference]
        kept_from = {place for placement in self._placements.get(part.reference, ()) for place in placement.forbids}
        found: dict[str, list[str]] = {"places": [], "apart": [], "declined": []}
        for place in _names(facts["settlements"]):
            if place in kept_from:
                continue
            if place not in row.get("options", ()) and row.get("anywhere") is None:
                why = "places"
            else:
                why = "declined" if place in part.declined or row.get("kin_group") is None else "apart"
            found[why].append(self._names[place])
        return found

    def _taken_by_priority(self, part: HouseholdPart, facts: Facts) -> Grounds:
        return {
            "tier": part.tier,
            "points": part.points,
            "lowest_tier": int(str(facts["lowest_tier"])) - self._tiers_before,
            "lowest_points": facts["lowest_points"],
            **self._bound(_names(facts["bound"])),
        }

    def _bound(self, households: Iterable[str]) -> Grounds:
        """Whether any of these households is bound to its house by its kin, and whether by decision of people."""
        rows = [self._rows[household] for household in households]
        by_hand = any(row.get("pinned") is not None for row in rows)
        return {"bound": any(row.get("pinned") is None for row in rows)} | ({"by_hand": True} if by_hand else {})

    def _order_of_programme(self, part: HouseholdPart, facts: Facts) -> Grounds:
        return self._passed_over(part, facts) | {"counted": counted(facts)}

    def _passed_over(self, part: HouseholdPart, facts: Facts) -> Grounds:
        return {"tier": part.tier, "points": part.points, "is_empty": "envied" not in facts}

    def _services_full(self, _part: HouseholdPart, facts: Facts) -> Grounds:
        services = [self.service(text) for text in _names(facts["services"])]
        return {"services": services[:KEPT], "more_services": max(len(services) - KEPT, 0)}

    def _kin_not_whole(self, _part: HouseholdPart, facts: Facts) -> Grounds:
        return {"place": self._names[str(facts["settlement"])], "without_house": len(_names(facts["without_house"]))}

    def _lost_lottery(self, _part: HouseholdPart, facts: Facts) -> Grounds:
        return {"lottery": facts["lottery"], "last_lottery": facts["last_lottery"]}

    def _equals_fit_better(self, part: HouseholdPart, _facts: Facts) -> Grounds:
        return {"tier": part.tier, "points": part.points}

    def _held_together(self, _part: HouseholdPart, facts: Facts) -> Grounds:
        bound = self._bound(_names(facts["households"]))
        return bound if "by_hand" in bound else {}


def counted(facts: Facts) -> list[str]:
    """Return what else than tiers and points a stated order counts in deciding who is housed: terms of the solver."""
    return sorted({term for stage in _names(facts["stages"]) for term in parse(stage).terms} & WHERE)


def _names(fact: int | str | list[str]) -> list[str]:
    return fact if isinstance(fact, list) else [str(fact)]
