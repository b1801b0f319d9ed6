"""Tier and points of a household, each with the rule that gave it. Rules are a typed table, never code."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.policy.facts import Accommodation, HouseholdFacts, Member, Relationship
from app.policy.frozen import Age, Amount, Count, Frozen, Label, Tier
from app.policy.occupancy import couples

DAYS_PER_YEAR = 365
DEFAULT_TIER_RULE = "default_tier"


@dataclass(frozen=True, slots=True)
class RuleReason:
    """What one rule gave: a tier or none, points, and why."""

    rule: str
    tier: int | None
    points: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Priority:
    """Tier (1 = first) and points (≥ 0) of a household, with what each rule gave."""

    tier: int
    points: int
    reasons: tuple[RuleReason, ...]


class _Rule(Frozen):
    name: Label

    @abstractmethod
    def reason(self, facts: HouseholdFacts) -> RuleReason | None:
        """What this rule gives the household; None when it doesn't apply."""


class _ConditionRule(_Rule):
    """A rule that applies or doesn't, and gives a tier, points or both."""

    tier: Tier | None = None
    points: Amount = 0

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if self.tier is None and self.points == 0:
            raise ValueError(f"rule {self.name!r} gives neither a tier nor points")
        return self

    def reason(self, facts: HouseholdFacts) -> RuleReason | None:
        sentence = self.applies(facts)
        return None if sentence is None else RuleReason(self.name, self.tier, self.points, sentence)

    @abstractmethod
    def applies(self, facts: HouseholdFacts) -> str | None:
        """Why the rule applies, as a sentence; None when it doesn't."""


class AccommodationRule(_ConditionRule):
    """The household lives in one of the kinds named."""

    kind: Literal["accommodation"] = "accommodation"
    accommodation: Annotated[tuple[Accommodation, ...], Field(min_length=1, max_length=len(Accommodation))]

    def applies(self, facts: HouseholdFacts) -> str | None:
        if facts.accommodation not in self.accommodation:
            return None
        return f"Present accommodation: {facts.accommodation.replace('_', ' ')}."


class StepFreeNeedRule(_ConditionRule):
    """A member needs step-free access."""

    kind: Literal["step_free_need"] = "step_free_need"

    def applies(self, facts: HouseholdFacts) -> str | None:
        return "A member needs step-free access." if facts.needs_step_free else None


class SingleParentRule(_ConditionRule):
    """The head is in no couple, has a child or grandchild under `child_under` in the household, and is its
    only member of that age or over."""

    kind: Literal["single_parent"] = "single_parent"
    child_under: Age = 18

    def applies(self, facts: HouseholdFacts) -> str | None:
        grown = [member for member in facts.members if member.age >= self.child_under]
        if len(grown) != 1 or grown[0].relationship is not Relationship.HEAD or _in_couple(grown[0], facts.members):
            return None
        descendants = {Relationship.CHILD, Relationship.GRANDCHILD}
        children = sum(member.relationship in descendants for member in facts.members)
        return f"One adult alone with {children} under {self.child_under}." if children else None


def _in_couple(member: Member, members: Sequence[Member]) -> bool:
    return any(member in couple for couple in couples(members))


class AllAgedRule(_ConditionRule):
    """Every member is `min_age` or over."""

    kind: Literal["all_aged"] = "all_aged"
    min_age: Age = 60

    def applies(self, facts: HouseholdFacts) -> str | None:
        if not facts.members or any(member.age < self.min_age for member in facts.members):
            return None
        return f"All members are {self.min_age} or over."


class LargeFamilyRule(_ConditionRule):
    """The household has `min_members` members or more."""

    kind: Literal["large_family"] = "large_family"
    min_members: Count

    def applies(self, facts: HouseholdFacts) -> str | None:
        members = len(facts.members)
        return f"{members} members, {self.min_members} or more." if members >= self.min_members else None


class YearsWaitingRule(_Rule):
    """Points for each full year (365 days) of waiting, up to `max_years`."""

    kind: Literal["years_waiting"] = "years_waiting"
    points_per_year: Annotated[Amount, Field(ge=1)]
    max_years: Annotated[int, Field(strict=True, ge=1, le=100)]

    def reason(self, facts: HouseholdFacts) -> RuleReason | None:
        waited = facts.waiting_days // DAYS_PER_YEAR
        years = min(waited, self.max_years)
        if years == 0:
            return None
        capped = f", of which {years} count" if years < waited else ""
        return RuleReason(self.name, None, years * self.points_per_year, f"Full years waiting: {waited}{capped}.")


Rule = Annotated[
    AccommodationRule | StepFreeNeedRule | SingleParentRule | AllAgedRule | LargeFamilyRule | YearsWaitingRule,
    Field(discriminator="kind"),
]


def priority(facts: HouseholdFacts, rules: Sequence[_Rule], default_tier: int) -> Priority:
    """The best (smallest) tier that a rule gives, or `default_tier` when none does; the sum of all points."""
    reasons = tuple(reason for rule in rules if (reason := rule.reason(facts)))
    tiers = [reason.tier for reason in reasons if reason.tier is not None]
    if not tiers:
        default = RuleReason(DEFAULT_TIER_RULE, default_tier, 0, "No rule gives the household a tier.")
        reasons = (*reasons, default)
    return Priority(min(tiers, default=default_tier), sum(reason.points for reason in reasons), reasons)
