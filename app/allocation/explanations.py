"""Why a household gets the house it gets, or none: a code and a sentence that a caseworker can read out."""

from collections.abc import Mapping
from dataclasses import dataclass

import solver
from app.allocation.snapshot import ClassPart, HouseholdPart, Snapshot
from app.policy.eligibility import Ineligibility
from app.policy.occupancy import Measure
from solver import Problem, Solution
from solver.explain import Explanation as SolverExplanation
from solver.explain import Reason

INELIGIBLE: Mapping[Ineligibility, str] = {
    Ineligibility.NO_CONSENT: "no consent is recorded",
    Ineligibility.NOT_DISPLACED: "no date and origin of displacement are recorded",
    Ineligibility.ALREADY_HOUSED: "a house is reserved for it or it lives in one already",
    Ineligibility.NO_MEMBERS: "it has no members",
    Ineligibility.NO_HEAD: "no member is its head",
    Ineligibility.SEVERAL_HEADS: "several members are registered as its head",
    Ineligibility.NO_ADULT: "no member is an adult",
    Ineligibility.OWNS_HOME: "it lives in a home of its own",
}
NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Explanation:
    """`reason`: a code. `sentence`: the same in plain words, with names of settlements and sizes of houses."""

    reason: str
    sentence: str


def explain(snapshot: Snapshot, problem: Problem, solution: Solution) -> dict[str, Explanation]:
    """Return household reference → explanation, for every household of the snapshot."""
    words = _Words(snapshot)
    solved = {each.household: each for each in solver.explain(problem, solution)}
    return {
        part.reference: words.solved(part, solved[part.reference]) if part.eligible else _ineligible(part)
        for part in snapshot.households
    }


def _ineligible(part: HouseholdPart) -> Explanation:
    reasons = "; ".join(INELIGIBLE[code] for code in part.ineligible)
    return Explanation(part.ineligible[0].value, f"It cannot take part: {reasons}.")


def size_in_words(size: int, measure: Measure) -> str:
    """Return a size of a house as people say it."""
    if measure is Measure.FLOOR_AREA_M2:
        return f"{size} m²"
    if measure is Measure.BEDROOMS and size == 0:
        return "no separate bedroom"
    return f"{size} {measure.value if size != 1 else measure.value.removesuffix('s')}"


class _Words:
    """The names of a snapshot's things."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.places = {part.reference: part.name for part in snapshot.settlements}
        self.classes = {part.id: part for part in snapshot.house_classes}
        self.problem_rows = {row["id"]: row for row in snapshot.problem["households"]}

    def solved(self, part: HouseholdPart, solved: SolverExplanation) -> Explanation:
        """Return what the solver found of a household, in words."""
        facts = solved.facts
        match solved.reason:
            case Reason.HOUSED:
                sentence = self._housed(part, str(facts["house_class"]), facts["rank"], _names(facts["better"]))
            case Reason.NO_CLASS_FITS:
                sentence = f"No house of this run fits its need: {self._need(part)}."
            case Reason.NOT_ASKED_FOR:
                places = _listed([self.places[place] for place in _names(facts["settlements"])])
                sentence = f"It needs {self._need(part)}; such houses are only where it did not ask to live: {places}."
            case Reason.TAKEN_BY_PRIORITY:
                sentence = (
                    f"It is in tier {part.tier} with {part.points} points. Every house that fits it, where it would "
                    f"live, went to households of a better tier or more points, the last of them in tier "
                    f"{facts['lowest_tier']} with {facts['lowest_points']} points."
                )
            case Reason.SERVICES_FULL:
                full = _listed([self._service(text) for text in _names(facts["services"])])
                sentence = f"Houses that fit it are left, but not enough places for its members: {full}."
            case Reason.KIN_NOT_WHOLE:
                without = _names(facts["without_house"])
                lacking = f"nothing is left for {_listed(without)}" if without else "not for all of it at once"
                sentence = (
                    f"Its kin group must be housed whole, and cannot be: in {self.places[str(facts['settlement'])]}, "
                    f"where least is missing, {lacking}."
                )
            case Reason.LOST_LOTTERY:
                last = f"; the last that won was {facts['last_lottery']}" if "last_lottery" in facts else ""
                sentence = (
                    f"Households of tier {part.tier} and {part.points} points like this one got the houses that fit "
                    f"it. Its lottery number is {facts['lottery']}{last}."
                )
        return Explanation(solved.reason.value, sentence)

    def _need(self, part: HouseholdPart) -> str:
        row = self.problem_rows[part.reference]
        least, most = row["bedrooms_min"], row["bedrooms_max"]
        size = size_in_words(most, part.need.measure)
        return (size if least == most else f"{least} to {size}") + (", step-free" if part.needs_step_free else "")

    def _house(self, part: ClassPart, measure: Measure) -> str:
        access = ", step-free" if part.step_free else ""
        return f"a house of {size_in_words(part.size, measure)}{access} in {self.places[part.settlement]}"

    def _housed(self, part: HouseholdPart, house_class: str, rank: object, better: list[str]) -> str:
        given = self._house(self.classes[house_class], part.need.measure)
        if not better:
            return f"{given[0].upper()}{given[1:]}: nothing would suit it better."
        others = _listed([self._house(self.classes[name], part.need.measure) for name in better])
        return (
            f"{given[0].upper()}{given[1:]}: number {rank} of what would suit it. Better would have been {others}, "
            "which went to others or would have cost others more."
        )

    def _service(self, text: str) -> str:
        service, _, place = text.partition(" in ")
        return f"{service} in {self.places[place]}"


def _names(fact: int | str | list[str]) -> list[str]:
    return fact if isinstance(fact, list) else [str(fact)]


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
