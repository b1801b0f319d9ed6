"""What placements cost: the same problem solved without them, and what each stage would then achieve."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.allocation import pinning
from app.allocation.order import objectives
from app.allocation.snapshot import Snapshot
from app.allocation.solving import ChildFailed
from solver import InvalidSolution, Problem, Solution, Status, check

MOST_MEASURED = 10
"""Placements whose price is measured one by one; beyond that, that of all together alone."""
Solve = Callable[[str, int], str]
"""From a problem and a time limit in seconds to a solution."""
Price = dict[str, Any]
"""`placements`: those that are left out; `stages`: name, `with`, `without` and the `bound` without them, and `failure`,
a sentence where that could not be solved. As JSON, for it is stored."""


def measure(snapshot: Snapshot, problem: str, solution: str, time_limit_seconds: int, solve: Solve) -> list[Price]:
    """Return the price of all placements together, and of each where they are not too many.

    All solves together take as long as the run may. What `solve` raises is passed on, but for ChildFailed.
    """
    references = [part.reference for part in snapshot.placements]
    each = [[reference] for reference in references] if 1 < len(references) <= MOST_MEASURED else []
    sets = [references, *each] if references else []
    achieved = Solution.from_json(solution)
    return [
        _price(snapshot, problem, achieved, left_out, max(time_limit_seconds // len(sets), 1), solve)
        for left_out in sets
    ]


def _price(
    snapshot: Snapshot, problem: str, achieved: Solution, left_out: Sequence[str], seconds: int, solve: Solve
) -> Price:
    document = json.loads(problem)
    percent = snapshot.policy.document["step_free_reserved_percent"]
    pinning.without(document, snapshot.placements, left_out, percent)
    changed = Problem.from_dict(document)
    price: Price = {"placements": list(left_out), "stages": [], "failure": None}
    try:
        other = Solution.from_json(solve(changed.to_json(), seconds))
    except (ChildFailed, InvalidSolution) as failure:
        return price | {"failure": f"{failure}"[:500]}
    if other.status not in (Status.OPTIMAL, Status.FEASIBLE) or check(changed, other, objectives(snapshot.stages)):
        return price | {"failure": f"Without them the solver says {other.status.value}."}
    stages = {stage.name: stage for stage in other.stages}
    price["stages"] = [
        {
            "name": stage.name,
            "with": stage.kept if stage.final is None else stage.final,
            "without": stages[stage.name].achieved,
            "bound": stages[stage.name].bound,
        }
        for stage in achieved.stages
        if stage.name in stages
    ]
    return price


def in_words(price: Mapping[str, Any]) -> str:
    """Say what leaving placements out would change: the first stage that differs decides."""
    named = " and ".join(price["placements"]) if len(price["placements"]) < 3 else "all of them"
    if price["failure"] is not None:
        return f"What {named} cost{'s' * (len(price['placements']) == 1)} could not be measured: {price['failure']}"
    for stage in price["stages"]:
        if stage["with"] != stage["without"]:
            return f"Without {named}, {stage['name']} would be {stage['without']:,} instead of {stage['with']:,}" + (
                "." if stage["bound"] == stage["without"] else f", and at most {stage['bound']:,}."
            )
    return f"Without {named}, no stage would be other than it is: no price."
