"""Answering what would have been: the run solved again with one thing changed. Pure, but for asking the solver."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.allocation.corrections import Row, corrected
from app.allocation.explanations import explain
from app.allocation.grounds import Places
from app.allocation.order import known, objectives
from app.allocation.placement_prices import Solve
from app.allocation.snapshot import Snapshot, problem_of
from solver import InvalidSolution, Problem, Solution, Status, check

SOLVED = (Status.OPTIMAL, Status.FEASIBLE)
Found = dict[str, Any]


class NoAnswer(Exception):  # noqa: N818 - a result, said in a sentence
    """The question cannot be answered."""


def with_correction(snapshot: Snapshot, seed: str, solution: str, row: Row, seconds: int, solve: Solve) -> Found:
    """Return what the run would have given with the corrected row of one household.

    `housed`, `house_class` and `house` where it would have got one; `reason` and `grounds`; of the others only how many
    would have been housed or not because of it, and how many elsewhere; `proven`: to be the best. Raises NoAnswer.
    """
    changed = corrected(snapshot, row)
    problem = Problem.from_dict(problem_of(changed, seed))
    text = problem.to_json()
    again = _solved(problem, solve(text, seconds), known(changed.stages, text))
    household = str(row["id"])
    before, after = dict(Solution.from_json(solution).assignments), dict(again.assignments)
    others = (before.keys() | after.keys()) - {household}
    part = next(part for part in changed.households if part.reference == household)
    explanation = explain(changed, problem, again)[household]
    house_class = after.get(household)
    return {
        "housed": house_class is not None,
        "house_class": house_class,
        "house": None if house_class is None else Places(changed).house(house_class, part),
        "reason": explanation.reason,
        "grounds": explanation.grounds,
        "proven": again.status is Status.OPTIMAL,
        "others_housed": sum(each in after and each not in before for each in others),
        "others_not_housed": sum(each in before and each not in after for each in others),
        "others_elsewhere": sum(each in before and each in after and before[each] != after[each] for each in others),
    }


def _solved(problem: Problem, text: str, stages: Sequence[str]) -> Solution:
    try:
        solution = Solution.from_json(text)
    except InvalidSolution as error:
        raise NoAnswer(f"The solver's answer cannot be read: {error}.") from error
    if violations := check(problem, solution, objectives(stages)):
        raise NoAnswer(f"The solver's answer does not hold: {violations[0].sentence}.")
    if solution.status not in SOLVED:
        raise NoAnswer(f"With it the run could not be solved: {solution.reason}.")
    return solution


def smallest_change(snapshot: Snapshot, household: str, solved: Mapping[str, Any]) -> Found:
    """Return the solver's smallest change with places and houses by what they are called; `tried`: how many."""
    part = next(part for part in snapshot.households if part.reference == household)
    places = Places(snapshot)
    tried = len(solved["verified"]) + len(solved["refuted"])
    if not solved["verified"]:
        return {"verified": None, "tried": tried}
    first = solved["verified"][0]
    change = first["change"]
    verified: Found = {"kind": change["kind"], "proven": first["proven"], "place": places.place(first["settlement"])}
    if change["places"]:
        place = places.place(change["settlement"])
        verified["services"] = [
            {"service": service, "place": place, "more": more} for service, more in change["places"]
        ]
    if change["bedrooms"] is not None:
        verified["house"] = {
            "place": places.place(change["settlement"]),
            "size": change["bedrooms"],
            "measure": part.need.measure.value,
            "step_free": bool(change["step_free"]),
        }
    return {"verified": verified, "tried": tried}
