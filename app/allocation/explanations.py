"""Why a household gets the house it gets, or none: a code and a sentence that a caseworker can read out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import solver
from app.allocation import grounds, placed
from app.allocation.grounds import Facts, Grounds, Places
from app.allocation.parts import ClassPart, HouseholdPart
from app.allocation.snapshot import Snapshot
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
    Ineligibility.WAITS_AFTER_DECLINES: "it declined several offers, and the policy has it wait",
    Ineligibility.SEVERAL_HEADS: "several members are registered as its head",
    Ineligibility.NO_ADULT: "no member is an adult",
    Ineligibility.OWNS_HOME: "it lives in a home of its own",
}
NOT_FOR: Mapping[str, str] = {
    "places": "it did not ask to live",
    "apart": "it asked to live, and none of its kin is, of whom some are placed",
    "declined": "it declined an offer, and is not offered another for now",
}
"""Why houses that fit a household are not for it, as `grounds` has it → in words."""
COUNTED: Mapping[str, str] = {
    "value": "how well houses suit households and their wishes",
    "keep": "that households keep the house reserved for them",
}
"""What the policy's stages may count beside tiers and points → in words."""
NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Explanation:
    """`reason`: a code. `sentence`: the same in plain words, with names of settlements and sizes of houses.

    `grounds`: what goes with the code, for whoever says it to the family in another language.
    """

    reason: str
    sentence: str
    grounds: Grounds = field(default_factory=dict)


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
    sentence = f"It cannot take part: {reasons}."
    return Explanation(part.ineligible[0].value, sentence, grounds.ineligible(part))


def size_in_words(size: int, measure: Measure) -> str:
    """Return a size of a house as people say it."""
    if measure is Measure.FLOOR_AREA_M2:
        return f"{size} m²"
    if measure is Measure.BEDROOMS and size == 0:
        return "no separate bedroom"
    return f"{size} {measure.value if size != 1 else measure.value.removesuffix('s')}"


class _Words:
    """Sentences about the households of one snapshot. None names another household but kin."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.places = {part.reference: part.name for part in snapshot.settlements}
        self.classes = {part.id: part for part in snapshot.house_classes}
        self.data = Places(snapshot)
        self.tiers_before = snapshot.tiers_before
        self.problem_rows = {row["id"]: row for row in snapshot.problem["households"]}
        self.sentences: Mapping[Reason, Callable[[HouseholdPart, Facts], str]] = {
            Reason.HOUSED: self._housed,
            Reason.NO_CLASS_FITS: self._no_class_fits,
            Reason.NOT_ASKED_FOR: self._not_asked_for,
            Reason.TAKEN_BY_PRIORITY: self._taken_by_priority,
            Reason.ORDER_OF_PROGRAMME: _order_of_programme,
            Reason.PASSED_OVER: _passed_over,
            Reason.SERVICES_FULL: self._services_full,
            Reason.KIN_NOT_WHOLE: self._kin_not_whole,
            Reason.LOST_LOTTERY: _lost_lottery,
            Reason.EQUALS_FIT_BETTER: _equals_fit_better,
            Reason.HELD_TOGETHER: _held_together,
        }

    def solved(self, part: HouseholdPart, solved: SolverExplanation) -> Explanation:
        """Return what the solver found of a household, in words."""
        found = self.data.grounds(part, solved)
        sentence = self.sentences[solved.reason](part, solved.facts) + placed.sentence(found.get("placed", ()))
        return Explanation(solved.reason.value, sentence, found)

    def _housed(self, part: HouseholdPart, facts: Facts) -> str:
        given = self._house(self.classes[str(facts["house_class"])], part.need.measure)
        better = _names(facts["better"])
        if not better:
            return f"{given[0].upper()}{given[1:]}: nothing would suit it better."
        others = _listed([self._house(self.classes[name], part.need.measure) for name in better])
        return (
            f"{given[0].upper()}{given[1:]}: number {facts['rank']} of what would suit it. Better would have been "
            f"{others}, which went to others or would have cost others more."
        )

    def _no_class_fits(self, part: HouseholdPart, _facts: Facts) -> str:
        return f"No house of this run fits its need: {self._need(part)}."

    def _not_asked_for(self, part: HouseholdPart, facts: Facts) -> str:
        where = [f"{NOT_FOR[why]}: {_listed(names)}" for why, names in self.data.not_for(part, facts).items() if names]
        only = "; such houses are only where " if where else ""
        return f"It needs {self._need(part)}{only}{'; or where '.join(where)}."

    def _taken_by_priority(self, part: HouseholdPart, facts: Facts) -> str:
        bound = " Others are there because of their kin or a placement." if facts["bound"] else ""
        tier = int(str(facts["lowest_tier"])) - self.tiers_before
        last = f"in tier {tier} with {facts['lowest_points']} points" if tier else "first in line after an appeal"
        return (
            f"It is in tier {part.tier} with {part.points} points. Every house that fits it, where it would live, went "
            f"to households of a better tier or more points, the last of them {last}.{bound}"
        )

    def _services_full(self, _part: HouseholdPart, facts: Facts) -> str:
        full = _listed([self._service(text) for text in _names(facts["services"])])
        return f"It would need more places than are left: {full}."

    def _kin_not_whole(self, _part: HouseholdPart, facts: Facts) -> str:
        without = _names(facts["without_house"])
        lacking = f"nothing is left for {_listed(without)}" if without else "not for all of it at once"
        return (
            f"Its kin group must be housed whole, and cannot be: in {self.places[str(facts['settlement'])]}, where "
            f"least is missing, {lacking}."
        )

    def _need(self, part: HouseholdPart) -> str:
        row = self.problem_rows[part.reference]
        least, most = row["bedrooms_min"], row["bedrooms_max"]
        size = size_in_words(most, part.need.measure)
        return (size if least == most else f"{least} to {size}") + (", step-free" if part.needs_step_free else "")

    def _house(self, part: ClassPart, measure: Measure) -> str:
        access = ", step-free" if part.step_free else ""
        return f"a house of {size_in_words(part.size, measure)}{access} in {self.places[part.settlement]}"

    def _service(self, text: str) -> str:
        service, _, place = text.partition(" in ")
        return f"{service} in {self.places[place]}"


def _passed_over(part: HouseholdPart, facts: Facts) -> str:
    return (
        f"{_claim(part, facts)} No rule says so: the calculation ended before it found the best allocation, by which "
        "this does not happen."
    )


def _claim(part: HouseholdPart, facts: Facts) -> str:
    taken = "went to a household of a lower tier or fewer points" if "envied" in facts else "was given to nobody"
    return f"It is in tier {part.tier} with {part.points} points. A house that fits it, where it would live, {taken}."


def _order_of_programme(part: HouseholdPart, facts: Facts) -> str:
    counted = _listed([COUNTED[term] for term in grounds.counted(facts)])
    order = f"counts something else before these, or together with them: {counted}" if counted else "is another"
    return (
        f"{_claim(part, facts)} It is not first the tier and then the points that decide: the order of the policy "
        f"{order}."
    )


def _lost_lottery(_part: HouseholdPart, facts: Facts) -> str:
    return (
        "Households that nothing but the lottery tells from it got the houses that fit it. "
        f"Its lottery number is {facts['lottery']}; the last that won was {facts['last_lottery']}."
    )


def _equals_fit_better(part: HouseholdPart, _facts: Facts) -> str:
    return (
        f"Households of tier {part.tier} and {part.points} points like this one got the houses that fit it, which "
        "suit them better."
    )


def _held_together(_part: HouseholdPart, _facts: Facts) -> str:
    return (
        "Houses that fit it went to households of a lower tier or fewer points, which are placed there, stay with "
        "their kin or need fewer places of a full service."
    )


def _names(fact: int | str | list[str]) -> list[str]:
    return fact if isinstance(fact, list) else [str(fact)]


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
