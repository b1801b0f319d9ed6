"""The stages of a run: what its policy states, for the tiers that the problem has."""

from collections.abc import Sequence

from solver import Objective, Problem
from solver.objectives import KEEP, parse, spelt

TIERS = "tiers"
"""Stands for a stage for each tier that no other stage names, the first one first."""
MODEL = (TIERS, "points", "value")


def stages_of(stated: Sequence[str], tiers: int, *, keeps: bool, before: int = 0) -> tuple[str, ...]:
    """Return the stages of a problem with so many tiers, as texts that the solver reads; none for the model's order.

    What a policy states of tiers that nobody is in is left out, and so is `keep` unless the run `keeps`; then it comes
    where the policy says, or else before the first stage that counts wishes. `before`: how many tiers of the problem
    come before the policy's first, each a stage of its own before all others. Raises ValueError.
    """
    if not stated and not keeps:
        return ()
    given = [None if text == TIERS else parse(text) for text in stated or MODEL]
    named = {tier for stage in given if stage is not None for tier in stage.tiers}
    found = [_tier(number) for number in range(1, before + 1)]
    for stage in given:
        if stage is None:
            found += [_tier(tier + before) for tier in range(1, tiers - before + 1) if tier not in named]
        elif terms := {term: weight for term, weight in stage.terms.items() if _counts(term, tiers - before, keeps)}:
            found.append(_later(Objective(stage.name, terms, stage.may_lose), before))
    if keeps and not any(stage.keeps for stage in found):
        at = next((number for number, stage in enumerate(found) if stage.weight("value")), len(found))
        found.insert(at, Objective(KEEP, {KEEP: 1}))
    return tuple(in_words(stage) for stage in found)


def known(stages: Sequence[str], problem: str) -> tuple[str, ...]:
    """Return those of the stages that a changed problem, as text, still has."""
    changed = Problem.from_json(problem)
    return tuple(stage for stage in stages if parse(stage).known_to(changed))


def _tier(tier: int) -> Objective:
    return Objective(f"tier {tier}", {f"tier {tier}": 1})


def _later(stage: Objective, by: int) -> Objective:
    """Return a stage whose tiers are numbered so many later; a name that says what it counts still does."""
    terms = {
        f"tier {int(term.removeprefix('tier ')) + by}" if term.startswith("tier ") else term: weight
        for term, weight in stage.terms.items()
    }
    return Objective(spelt(terms) if stage.name == spelt(stage.terms) else stage.name, terms, stage.may_lose)


def objectives(stages: Sequence[str]) -> tuple[Objective, ...] | None:
    """Return stages as the solver and its checker take them; None for the model's own order. Raises ValueError."""
    return tuple(parse(stage) for stage in stages) or None


def in_words(stage: Objective) -> str:
    """Return a stage as a text that `parse` reads."""
    return stage.words if stage.plain else f"{stage.name}: {stage.words}"


def _counts(term: str, tiers: int, keeps: bool) -> bool:
    if term == KEEP:
        return keeps
    return not term.startswith("tier ") or int(term.removeprefix("tier ")) <= tiers
