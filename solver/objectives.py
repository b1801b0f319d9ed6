"""What a stage maximises: a sum of basic terms, and by how much later stages may undercut what it achieved.

The basic terms: `tier t` counts the households housed in tier t, `points` adds up theirs, `value` what they gain where
they live, spare bedrooms deducted, and `keep` counts the households that keep the house class that they had before.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from solver.problem import Problem
from solver.validation import identifier_fault

KEEP = "keep"
WHERE = frozenset({"value", KEEP})
"""Terms that depend on where households live, and not on who is housed alone."""
LARGEST_WEIGHT = 10**6
MOST_LOST = 10**18
SAFE = 2**60
"""No stage may add up to more, so that its sums stay in 64 bits."""

TERM = re.compile(r"tier [1-9][0-9]{0,2}|points|value|keep")
SPEC = re.compile(r"(?:(?P<name>[^:]*):)?(?P<sum>[^:,]*)(?:,\s*may\s+lose\s+(?P<may_lose>[0-9]{1,19}))?\s*")
SUMMAND = re.compile(r"(?:(?P<weight>[0-9]{1,19})\s+)?(?P<term>.*)")


def is_term(name: str) -> bool:
    """Whether a name is that of a basic term."""
    return TERM.fullmatch(name) is not None


@dataclass(frozen=True)
class Objective:
    """One stage of a programme. terms: {basic term: weight}, of which it maximises the sum. may_lose: later stages keep
    what it achieved less so much. Raises ValueError on an unknown term and on numbers out of range."""

    name: str
    terms: Mapping[str, int] = field(hash=False)
    may_lose: int = 0

    def __post_init__(self) -> None:
        if fault := identifier_fault(self.name):
            raise ValueError(f"the name of a stage {fault}")
        if not self.terms:
            raise ValueError(f"stage {self.name!r} must have at least one term")
        for term, weight in self.terms.items():
            if not is_term(term):
                raise ValueError(
                    f"stage {self.name!r}: {term!r} is not a term (tier 1, tier 2, …, points, value, keep)"
                )
            if type(weight) is not int or not 1 <= weight <= LARGEST_WEIGHT:
                raise ValueError(f"stage {self.name!r}: the weight of {term} must be from 1 to {LARGEST_WEIGHT}")
        if type(self.may_lose) is not int or not 0 <= self.may_lose <= MOST_LOST:
            raise ValueError(f"stage {self.name!r}: may_lose must be an integer from 0 to {MOST_LOST}")
        if is_term(self.name) and not self.plain:
            raise ValueError(f"stage {self.name!r} is named like a basic term, and counts something else")

    @property
    def plain(self) -> bool:
        """Whether its name says all that it counts."""
        return dict(self.terms) == {self.name: 1}

    @property
    def words(self) -> str:
        """What it counts and may lose, as `parse` reads it; without its name."""
        return spelt(self.terms) + (f", may lose {self.may_lose}" if self.may_lose else "")

    @property
    def where(self) -> bool:
        """Whether it depends on where households live, and not on who is housed alone."""
        return not WHERE.isdisjoint(self.terms)

    @property
    def keeps(self) -> bool:
        return KEEP in self.terms

    def weight(self, term: str) -> int:
        return self.terms.get(term, 0)

    @property
    def tiers(self) -> dict[int, int]:
        """The weight of each tier that it counts."""
        return {int(term.removeprefix("tier ")): w for term, w in self.terms.items() if term.startswith("tier ")}

    def known_to(self, problem: Problem) -> bool:
        """Whether the problem has every tier that it counts."""
        return all(tier <= problem.tiers for tier in self.tiers)


def parse(text: str) -> Objective:
    """A stage in words: `[NAME:] [WEIGHT] TERM [+ …][, may lose N]`, such as `points + 2 value, may lose 10`.

    Without a name of its own, the sum as it is spelt here is its name. Raises ValueError.
    """
    found = SPEC.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a stage: [NAME:] [WEIGHT] TERM [+ …][, may lose N]")
    terms: dict[str, int] = {}
    for part in found["sum"].split("+"):
        summand = SUMMAND.fullmatch(" ".join(part.split()))
        if summand is None or not is_term(term := summand["term"]):
            raise ValueError(f"{' '.join(part.split())!r} is not a term (tier 1, tier 2, …, points, value, keep)")
        terms[term] = terms.get(term, 0) + int(summand["weight"] or 1)
    name = spelt(terms) if found["name"] is None else found["name"].strip()
    return Objective(name, terms, int(found["may_lose"] or 0))


def spelt(terms: Mapping[str, int]) -> str:
    """The sum in words."""
    return " + ".join(term if weight == 1 else f"{weight} {term}" for term, weight in terms.items())


def objective(stage: str | Objective) -> Objective:
    """A basic term alone stands for the stage that counts it. Raises ValueError."""
    return stage if isinstance(stage, Objective) else Objective(stage, {stage: 1})


def objectives(stages: Iterable[str | Objective], problem: Problem) -> tuple[Objective, ...]:
    """The stages of a problem. Raises ValueError where it doesn't have one, or where a sum may not fit into 64 bits."""
    found = []
    for stage in stages:
        if isinstance(stage, str) and (not is_term(stage) or not objective(stage).known_to(problem)):
            raise ValueError(f"{stage!r} is not a stage of this problem ({', '.join(problem.stages)})")
        counted = objective(stage)
        if not counted.known_to(problem):
            raise ValueError(f"{counted.name!r} counts a tier that this problem does not have ({problem.tiers} tiers)")
        if not counted.plain and _largest(counted, problem) >= SAFE:
            raise ValueError(f"{counted.name!r} may add up to more than {SAFE}: its weights are too large")
        found.append(counted)
    return tuple(found)


def _largest(counted: Objective, problem: Problem) -> int:
    """Nothing gives the stage more, in absolute value."""
    households, profiles = problem.households, problem.profiles
    gain = max(
        (int(abs(column).max(initial=0)) for column in (households.options.value, households.anywhere)), default=0
    )
    gain += int(abs(profiles.value).max(initial=0))
    gain += problem.spare_bedroom_penalty * int(problem.house_classes.bedrooms.max(initial=0))
    each = sum(counted.tiers.values()) + counted.weight(KEEP) + counted.weight("value") * gain
    each += counted.weight("points") * int(households.points.max(initial=0))
    return each * len(households.id)


def deciding(stages: Sequence[Objective], problem: Problem) -> tuple[str, ...]:
    """What can decide who is housed: the first stages, until every tier and the points are counted; all, where that is
    never so, or one of those may be undercut for what comes after it. Where it is the model's order: tiers, points."""
    counted, end = set[str](), 0
    while end < len(stages) and not counted.issuperset(problem.stages[:-1]):
        counted |= stages[end].terms.keys()
        end = len(stages) if stages[end].may_lose else end + 1
    return tuple(stage.words for stage in stages[:end])


def required(stages: Sequence[Objective], achieved: Sequence[int]) -> list[int]:
    """What later stages have to keep of each, given what each achieved."""
    return [reached - stage.may_lose for stage, reached in zip(stages, achieved, strict=False)]


def segments(stages: Sequence[Objective]) -> list[int]:
    """Where what is looked for together ends: after every stage that later ones may undercut, and after the last."""
    last = len(stages)
    return [*(end for end, stage in enumerate(stages[:-1], start=1) if stage.may_lose), last]


def who_and_where(stages: tuple[Objective, ...]) -> tuple[tuple[Objective, ...], tuple[Objective, ...]]:
    """The stages that decide who is housed, and those after them that only settle where: none, if where people live
    matters to one of the first already, or if one of the first may be undercut for the sake of the others."""
    who = next((end for end in range(len(stages), 0, -1) if not WHERE.issuperset(stages[end - 1].terms)), len(stages))
    if any(stage.where or stage.may_lose for stage in stages[:who]):
        return stages, ()
    return stages[:who], stages[who:]
