"""May this household take part? A verdict with every reason against, not only the first."""

from dataclasses import dataclass
from enum import StrEnum

from app.policy.facts import Accommodation, HouseholdFacts, Relationship
from app.policy.frozen import Age, Frozen, Switch
from app.policy.occupancy import ADULT_AGE


class EligibilityRules(Frozen):
    """Which conditions a programme sets. That there is somebody to house is no choice."""

    consent_required: Switch = True
    displacement_required: Switch = True
    home_excludes: Switch = True
    one_head_required: Switch = True
    adult_required: Switch = True
    adult_age: Age = ADULT_AGE
    owners_excluded: Switch = False


class Ineligibility(StrEnum):
    """Why a household may not take part."""

    NO_CONSENT = "no_consent"
    NOT_DISPLACED = "not_displaced"
    ALREADY_HOUSED = "already_housed"
    NO_MEMBERS = "no_members"
    NO_HEAD = "no_head"
    SEVERAL_HEADS = "several_heads"
    NO_ADULT = "no_adult"
    OWNS_HOME = "owns_home"
    WAITS_AFTER_DECLINES = "waits_after_declines"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason against, as a code and as a sentence."""

    code: Ineligibility
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Eligible, or not and every reason why."""

    eligible: bool
    reasons: tuple[Reason, ...]


def eligibility(facts: HouseholdFacts, rules: EligibilityRules) -> Verdict:
    """Judge a household by a programme's rules.

    Of its make-up, a household without members fails on that alone.
    """
    heads = sum(member.relationship is Relationship.HEAD for member in facts.members)
    adults = any(member.age >= rules.adult_age for member in facts.members)
    peopled = bool(facts.members)
    conditions = (
        (rules.consent_required and not facts.consented, Ineligibility.NO_CONSENT, "No consent is recorded."),
        (
            rules.displacement_required and not facts.displaced,
            Ineligibility.NOT_DISPLACED,
            "No date and origin of displacement are recorded.",
        ),
        (
            rules.home_excludes and facts.has_home,
            Ineligibility.ALREADY_HOUSED,
            "A house is reserved for the household or it lives in one already.",
        ),
        (not peopled, Ineligibility.NO_MEMBERS, "The household has no members."),
        (
            rules.one_head_required and peopled and heads == 0,
            Ineligibility.NO_HEAD,
            "No member is the head of the household.",
        ),
        (
            rules.one_head_required and heads > 1,
            Ineligibility.SEVERAL_HEADS,
            f"{heads} members are registered as head of the household; there must be one.",
        ),
        (
            rules.adult_required and peopled and not adults,
            Ineligibility.NO_ADULT,
            f"No member is {rules.adult_age} or over.",
        ),
        (
            rules.owners_excluded and facts.accommodation is Accommodation.OWNED,
            Ineligibility.OWNS_HOME,
            "The household lives in a home of its own.",
        ),
    )
    reasons = tuple(Reason(code, sentence) for fails, code, sentence in conditions if fails)
    return Verdict(not reasons, reasons)
