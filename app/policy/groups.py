"""The groups by which a change of policy is looked at: who gains, who loses."""

from app.policy.facts import HouseholdFacts
from app.policy.priority import AllAgedRule, LargeFamilyRule, SingleParentRule, StepFreeNeedRule

RULES = (
    SingleParentRule(name="single_parent", points=1),
    StepFreeNeedRule(name="step_free_need", points=1),
    AllAgedRule(name="older_people_alone", points=1),
    LargeFamilyRule(name="large_family", min_members=6, points=1),
)
"""By rules of priority, so that a group is what the policy means by it, whether or not a version has such a rule."""


def groups_of(facts: HouseholdFacts, origin: str | None) -> tuple[str, ...]:
    """Return the groups that a household is in: by its members, where it lives now, and where it is from.

    `origin`: the public reference of the place.
    """
    return (
        *(rule.name for rule in RULES if rule.applies(facts) is not None),
        f"accommodation:{facts.accommodation.value}",
        *((f"origin:{origin}",) if origin is not None else ()),
    )
