"""Verifies any solution and its certificate from the problem and the solution alone, in exact integers.

It knows no solver: it reads the model's rules again, its own way, and trusts nothing that the solution says.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from solver.lagrangian import Lagrangian
from solver.objectives import KEEP, WHERE, Objective, objective, who_and_where
from solver.problem import NONE, Problem
from solver.proof import price_bound
from solver.rules import RULES, Placed, Violation, home_of, lottery, pins_hold, place, position, unknown
from solver.solution import Assignments, Solution, Stage, Status
from solver.tables import IntArray

Stages = Sequence[str | Objective]


def check(problem: Problem, solution: Solution, stages: Stages | None = None) -> list[Violation]:
    """Everything that is wrong with a solution; empty where it is right.

    stages: what the programme decided, where it is not the order of the model.
    """
    found: list[Violation] = []
    if solution.statistics.problem_sha256 != problem.sha256:
        found.append(Violation("problem", "the solution states the SHA-256 of another problem"))
    if solution.status in (Status.INFEASIBLE, Status.CANCELLED):
        return found + list(_without_answer(problem, solution))
    if solution.reason is not None:
        found.append(Violation("status", f"a reason is given for status {solution.status.value}"))
    previous = Assignments() if solution.previous is None else solution.previous
    nowhere = [*unknown(problem, solution.assignments, "assignments"), *unknown(problem, previous, "previous")]
    if nowhere:
        return found + nowhere
    placed, home = place(problem, solution.assignments), home_of(problem, previous)
    for rule in RULES:
        found += rule(problem, placed)
    found += lottery(problem, placed, home)
    wanted = tuple(map(objective, problem.stages if stages is None else stages))
    unstated = list(_stated(problem, solution, wanted))
    if unstated:
        return found + unstated
    found += _achieved(problem, solution.stages, placed, home)
    found += _bounds(problem, solution, len(who_and_where(wanted)[0]), placed, home)
    return found + list(_status(solution))


def _without_answer(problem: Problem, solution: Solution) -> Iterator[Violation]:
    """What is wrong where nobody is housed. Whether pins contradict each other is found anew; which do, is not."""
    status = solution.status.value
    if len(solution.assignments) or solution.stages or solution.certificate:
        yield Violation("status", f"a solution that is {status} has no assignments, stages or certificate")
    if not solution.reason:
        yield Violation("status", f"a solution that is {status} states the reason")
    if solution.status is Status.INFEASIBLE and pins_hold(problem):
        yield Violation("status", "no pins contradict each other: all who are pinned, and their kin, can be housed")


def _stated(problem: Problem, solution: Solution, wanted: Sequence[Objective]) -> Iterator[Violation]:
    """Whether the stages are those that were decided, and what they count is stated."""
    names = ", ".join(stage.name for stage in wanted)
    if [stage.name for stage in solution.stages] != [stage.name for stage in wanted]:
        yield Violation("stages", f"the stages are not {names}, in this order")
        return
    for stage, decided in zip(solution.stages, wanted, strict=True):
        if (stage.terms is None) != decided.plain or dict(stage.counts) != dict(decided.terms):
            yield Violation("stages", f"{stage.name} does not count what was decided")
        elif not decided.known_to(problem):
            yield Violation("stages", f"{stage.name} counts a tier that the problem does not have")
        if len({stage.required is None, stage.final is None, stage.witness is None, decided.may_lose == 0}) > 1:
            yield Violation(
                "stages", f"{stage.name} does not state what later stages kept of it where they may lose some"
            )
        elif stage.achieved - stage.kept != decided.may_lose:
            yield Violation(
                "stages", f"later stages may lose {decided.may_lose} of {stage.name}, which kept {stage.kept}"
            )
    if [stage.name for stage in solution.certificate] != [stage.name for stage in wanted]:
        yield Violation("certificate", "the certificate does not cover the stages, in their order")
    if (solution.previous is None) == any(decided.keeps for decided in wanted):
        yield Violation("previous", "where households were before is stated where a stage counts keep, and only there")


def _achieved(problem: Problem, stages: Sequence[Stage], placed: Placed, home: IntArray) -> Iterator[Violation]:
    for index, stage in enumerate(stages):
        final = _worth(problem, stage.counts, placed, home)
        if stage.required is None:
            if stage.achieved != final:
                yield Violation("achieved", f"{stage.name} achieved {final}, not {stage.achieved}")
            continue
        if stage.final != final or final < stage.required:
            sentence = f"the assignments give {stage.name} {final}, not {stage.final}, and {stage.required} were kept"
            yield Violation("final", sentence)
        if final > stage.bound:
            yield Violation("bound", f"the assignments give {stage.name} {final}, which is more than its bound")
        for sentence in _witnessed(problem, stages[: index + 1], placed, home):
            yield Violation("witness", f"the witness of {stage.name} is none: {sentence}")


def _witnessed(problem: Problem, stages: Sequence[Stage], placed: Placed, home: IntArray) -> Iterator[str]:
    """What is wrong with the allocation that is to show what the last of the stages could achieve."""
    witness, stage = stages[-1].witness or (), stages[-1]
    names = [other.household for other in witness]
    household = position(problem.households.id, np.array(names, np.str_))
    given = np.full(len(problem.households.id), NONE)
    given[placed.household] = placed.house_class
    index = {name: c for c, name in enumerate(problem.house_classes.id.tolist())}
    known = all(other.house_class is None or other.house_class in index for other in witness)
    if not known or (household == NONE).any() or names != sorted(set(names)):
        yield "it names what the problem doesn't have, or not in the order of identifiers"
        return
    housed = given != NONE
    given[household] = [NONE if other.house_class is None else index[other.house_class] for other in witness]
    if stage.scope == "housed" and ((given != NONE) != housed).any():
        yield "it houses others"
    who = np.flatnonzero(given != NONE)
    other = place(problem, Assignments(problem.households.id[who], problem.house_classes.id[given[who]]))
    yield from (violation.sentence for rule in RULES for violation in rule(problem, other))
    for before in stages[:-1]:
        worth = _worth(problem, before.counts, other, home)
        if worth < before.kept:
            yield f"it gives {before.name} {worth}, of which {before.kept} had to be kept"
    worth = _worth(problem, stage.counts, other, home)
    if worth != stage.achieved:
        yield f"it gives {worth}, not {stage.achieved}"


def _worth(problem: Problem, counts: Mapping[str, int], placed: Placed, home: IntArray) -> int:
    """Σ weight · term of an allocation."""
    tier = np.bincount(problem.households.tier[placed.household], minlength=problem.tiers + 1)
    terms = {
        "value": int(placed.value.sum()),
        "points": int(problem.households.points[placed.household].sum()),
        KEEP: int((home[placed.household] == placed.house_class).sum()),
    } | {f"tier {number}": int(housed) for number, housed in enumerate(tier)}
    return sum(weight * terms[term] for term, weight in counts.items())


def _bounds(problem: Problem, solution: Solution, deciding: int, placed: Placed, home: IntArray) -> Iterator[Violation]:
    """deciding: how many of the stages, the first ones, decide who is housed; no other is the best for those alone."""
    housed = np.zeros(len(problem.households.id), np.bool_)
    housed[placed.household] = True
    terms = {stage.name: stage.counts for stage in solution.stages}
    lagrangian, kept = Lagrangian(problem, home), {}
    for index, (stage, certificate) in enumerate(zip(solution.stages, solution.certificate, strict=True)):
        kept[stage.name] = _worth(problem, stage.counts, placed, home) if stage.required is None else stage.required
        if (stage.scope is None) != WHERE.isdisjoint(stage.counts):
            yield Violation("scope", f"{stage.name} has scope {stage.scope}; only what depends on where states one")
            continue
        if stage.scope == "housed" and index < deciding:
            yield Violation("scope", f"{stage.name} decides who is housed, and has the scope of those who are")
            continue
        before = solution.stages[:index]
        only = housed if stage.scope == "housed" else None
        earlier = {each.name: kept[each.name] for each in before if only is None or each.scope == "housed"}
        try:
            proven = price_bound(problem, certificate, earlier, only, lagrangian, terms)
        except ValueError as error:
            yield Violation("certificate", f"{stage.name}: {error}")
            continue
        if stage.price_bound != proven:
            yield Violation("price_bound", f"the prices of {stage.name} prove {proven}, not {stage.price_bound}")
        if not stage.achieved <= stage.bound <= stage.price_bound:
            yield Violation(
                "bound",
                f"{stage.name}: achieved {stage.achieved}, bound {stage.bound} and price bound "
                f"{stage.price_bound} do not ascend",
            )
        if (stage.proof == "prices") != (stage.bound == stage.price_bound):
            yield Violation("proof", f"the bound of {stage.name} does not rest on {stage.proof}")


def _status(solution: Solution) -> Iterator[Violation]:
    closed = all(stage.bound == stage.achieved for stage in solution.stages)
    if closed != (solution.status is Status.OPTIMAL):
        equal = "equal" if closed else "do not all equal"
        yield Violation("status", f"status is {solution.status.value} where the bounds {equal} what was achieved")
