"""One immutable version of a programme's policy: everything that decides who is housed, and nothing else."""

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.fields import CONTROL
from app.policy.appeals import AppealRules
from app.policy.eligibility import EligibilityRules
from app.policy.facts import Accommodation
from app.policy.frozen import Age, Amount, Frozen, Label, Percent, Tier
from app.policy.occupancy import LARGEST, BedroomStandard, Standard
from app.policy.offers import OFFERS_RULE, OfferRules
from app.policy.priority import (
    DEFAULT_TIER_RULE,
    AccommodationRule,
    AllAgedRule,
    LargeFamilyRule,
    Rule,
    SingleParentRule,
    StepFreeNeedRule,
    YearsWaitingRule,
)

TERM = r"(?:tier [1-9][0-9]?|points|value|keep)"
SUM = rf"(?:[1-9][0-9]{{0,5}} )?{TERM}(?: \+ (?:[1-9][0-9]{{0,5}} )?{TERM})*"
Stage = Annotated[
    str,
    Field(strict=True, pattern=rf"^(?:tiers|(?:[^:,+{CONTROL}]{{1,60}}: )?{SUM}(?:, may lose [1-9][0-9]{{0,8}})?)$"),
]


class Wishes(Frozen):
    """What a settlement is worth to a household: integers on one scale with the penalty for spare space.

    `preferred`: for the settlements named first, second and third. `anywhere`: for every other one, if the
    household accepts any. `job_match`: added per member whose occupation has openings there.
    `suitability_weight`: multiplies the score of an outside suitability model, on whatever scale it came.
    """

    preferred: tuple[Amount, Amount, Amount] = (100, 60, 30)
    anywhere: Amount = 0
    job_match: Amount = 10
    suitability_weight: Amount = 0

    @model_validator(mode="after")
    def _best_first(self) -> Self:
        values = (*self.preferred, self.anywhere)
        if sorted(values, reverse=True) != list(values):
            raise ValueError("a later preference is worth no more than an earlier one, and anywhere no more than all")
        return self


class Services(Frozen):
    """What members use where they live: a school place each from one age to another, both included; a clinic
    patient each, of any age."""

    school_age_from: Age = 6
    school_age_to: Age = 17

    @model_validator(mode="after")
    def _ages_in_order(self) -> Self:
        if self.school_age_from > self.school_age_to:
            raise ValueError(f"school ages are reversed: {self.school_age_from} to {self.school_age_to}")
        return self


class Policy(Frozen):
    """One version of a policy.

    `spare_allowed`: how much more than its need a household may be given, in the measure of the occupancy
    standard; `spare_penalty`: what each spare unit takes off the value. `step_free_reserved_percent`: the
    share of step-free houses kept for households that need one, as far as there are any. `stages`: what is optimised,
    first things first, each `[NAME:] [WEIGHT] TERM [+ …][, may lose N]` of the terms `tier 1`, `tier 2`, …, `points`,
    `value` and `keep` (households that keep the house reserved for them, in runs that may move them); `tiers` stands
    for a stage for each tier that is not named. None: `tiers`, `points`, `keep`, `value`.
    """

    format: Literal["hearth-policy/1"] = "hearth-policy/1"
    name: Label
    version: Label
    occupancy: Standard
    spare_allowed: Annotated[int, Field(strict=True, ge=0, le=1_000)] = 1
    spare_penalty: Amount = 5
    eligibility: EligibilityRules = EligibilityRules()
    priority_rules: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    default_tier: Tier
    wishes: Wishes = Wishes()
    services: Services = Services()
    appeals: AppealRules = AppealRules()
    offers: OfferRules = OfferRules()
    step_free_reserved_percent: Percent = 100
    stages: Annotated[tuple[Stage, ...], Field(max_length=60, exclude_if=lambda stages: not stages)] = ()

    @model_validator(mode="after")
    def _rules_are_told_apart(self) -> Self:
        names = [DEFAULT_TIER_RULE, OFFERS_RULE, *(rule.name for rule in self.priority_rules)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"priority rules need names of their own; taken: {', '.join(repeated)}")
        return self

    @model_validator(mode="after")
    def _stages_are_told_apart(self) -> Self:
        names = [stage.partition(":")[0].partition(",")[0] for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("a stage is stated twice")
        return self

    def size_max(self, size: int) -> int:
        """The largest house that may be given to a household that needs `size`, both in the standard's measure."""
        return min(size + self.spare_allowed, LARGEST)

    def canonical_json(self) -> bytes:
        """The one spelling of this policy: UTF-8 JSON, sorted keys, no spaces, every default written out."""
        fields = self.model_dump(mode="json")
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def sha256(self) -> str:
        """Hex digest of the canonical JSON."""
        return hashlib.sha256(self.canonical_json()).hexdigest()


DEFAULT_POLICY = Policy(
    name="Return and resettlement",
    version="1",
    occupancy=BedroomStandard(standard="lha_size_criteria"),
    priority_rules=(
        AccommodationRule(name="unsafe building", accommodation=(Accommodation.UNSAFE_BUILDING,), tier=1, points=20),
        StepFreeNeedRule(name="step-free need", tier=1, points=20),
        AccommodationRule(
            name="collective accommodation",
            accommodation=(Accommodation.DORMITORY, Accommodation.PUBLIC_BUILDING),
            tier=2,
            points=10,
        ),
        SingleParentRule(name="single parent", tier=2, points=15),
        AllAgedRule(name="older people alone", tier=3, points=10),
        LargeFamilyRule(name="large family", min_members=6, tier=3, points=10),
        AccommodationRule(name="host family", accommodation=(Accommodation.HOST_FAMILY,), tier=3, points=5),
        YearsWaitingRule(name="years waiting", points_per_year=2, max_years=10),
    ),
    default_tier=4,
)
