"""Everything that a run needs to know of a household, in one pass over its facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.policy.eligibility import Ineligibility, Reason, Verdict, eligibility
from app.policy.facts import HouseholdFacts
from app.policy.occupancy import Need, need
from app.policy.offers import OFFERS_RULE, FewerPoints, LaterTier, OfferRules, Wait, effect_of
from app.policy.parameters import Policy, Services
from app.policy.priority import Priority, RuleReason, priority

LAST_TIER = 20


class Service(StrEnum):
    """What a settlement has a limited number of places in."""

    SCHOOL = "school"
    CLINIC = "clinic"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A household under a policy.

    `size_min`, `size_max`: of a house, both included, in `need.measure`. `uses`: the places that it takes in
    each service, none left out.
    """

    need: Need
    eligibility: Verdict
    priority: Priority
    size_min: int
    size_max: int
    uses: Mapping[Service, int]
    needs_step_free: bool


def assess(facts: HouseholdFacts, policy: Policy) -> Assessment:
    """Assess a household under a policy; a household that isn't eligible is assessed in full all the same."""
    needed = need(policy.occupancy, facts.members)
    verdict, rank = after_declines(
        facts,
        policy.offers,
        eligibility(facts, policy.eligibility),
        priority(facts, policy.priority_rules, policy.default_tier),
    )
    return Assessment(
        need=needed,
        eligibility=verdict,
        priority=rank,
        size_min=needed.amount,
        size_max=policy.size_max(needed.amount),
        uses=service_uses(facts, policy.services),
        needs_step_free=facts.needs_step_free,
    )


def after_declines(
    facts: HouseholdFacts, rules: OfferRules, verdict: Verdict, rank: Priority
) -> tuple[Verdict, Priority]:
    """Return what is left of a household's eligibility and priority after the offers that it declined."""
    effect, count, days_ago = effect_of(facts.declines, rules)
    offers = f"{count} offer{'' if count == 1 else 's'} declined"
    if isinstance(effect, Wait) and days_ago < effect.days:
        waits = f"{offers}: the household takes part again in {effect.days - days_ago} days."
        reason = Reason(Ineligibility.WAITS_AFTER_DECLINES, waits)
        return Verdict(False, (*verdict.reasons, reason)), rank
    if isinstance(effect, FewerPoints):
        fewer = min(effect.points, rank.points)
        lowered = RuleReason(OFFERS_RULE, None, -fewer, f"{offers}: {fewer} points fewer.")
        return verdict, Priority(rank.tier, rank.points - fewer, (*rank.reasons, lowered))
    if isinstance(effect, LaterTier):
        tier = min(rank.tier + effect.tiers, LAST_TIER)
        lowered = RuleReason(OFFERS_RULE, tier, 0, f"{offers}: tier {tier} instead of {rank.tier}.")
        return verdict, Priority(tier, rank.points, (*rank.reasons, lowered))
    return verdict, rank


def service_uses(facts: HouseholdFacts, services: Services) -> dict[Service, int]:
    """Places that the household takes in each service."""
    pupils = sum(services.school_age_from <= member.age <= services.school_age_to for member in facts.members)
    return {Service.SCHOOL: pupils, Service.CLINIC: len(facts.members)}
