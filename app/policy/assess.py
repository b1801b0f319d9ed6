"""Everything that a run needs to know of a household, in one pass over its facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.policy.eligibility import Verdict, eligibility
from app.policy.facts import HouseholdFacts
from app.policy.occupancy import Need, need
from app.policy.parameters import Policy, Services
from app.policy.priority import Priority, priority


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
    return Assessment(
        need=needed,
        eligibility=eligibility(facts, policy.eligibility),
        priority=priority(facts, policy.priority_rules, policy.default_tier),
        size_min=needed.amount,
        size_max=needed.amount + policy.spare_allowed,
        uses=service_uses(facts, policy.services),
        needs_step_free=facts.needs_step_free,
    )


def service_uses(facts: HouseholdFacts, services: Services) -> dict[Service, int]:
    """Places that the household takes in each service."""
    pupils = sum(services.school_age_from <= member.age <= services.school_age_to for member in facts.members)
    return {Service.SCHOOL: pupils, Service.CLINIC: len(facts.members)}
