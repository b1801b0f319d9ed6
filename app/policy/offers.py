"""How long a family may think about an offer, and what follows of declining: nothing, unless a policy says so."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.policy.facts import Decline, DeclineReason
from app.policy.frozen import Amount, Count, Frozen, Switch

OFFERS_RULE = "declined offers"
Days = Annotated[int, Field(strict=True, ge=1, le=3_650)]
Reasons = Annotated[tuple[DeclineReason, ...], Field(max_length=len(DeclineReason))]


class NoEffect(Frozen):
    """Declining lowers nothing."""

    kind: Literal["none"] = "none"


class FewerPoints(Frozen):
    """Points are taken off, down to none."""

    kind: Literal["fewer_points"] = "fewer_points"
    points: Annotated[Amount, Field(ge=1)]


class LaterTier(Frozen):
    """The household comes so many tiers later."""

    kind: Literal["later_tier"] = "later_tier"
    tiers: Annotated[int, Field(strict=True, ge=1, le=19)]


class Wait(Frozen):
    """The household takes part again so many days after the last decline that counts."""

    kind: Literal["wait"] = "wait"
    days: Days


Effect = Annotated[NoEffect | FewerPoints | LaterTier | Wait, Field(discriminator="kind")]


class OfferRules(Frozen):
    """What a programme decides on offers.

    `days_to_answer`: days after the day of the offer, the last of them whole; days on which a gate of the settlement
    was closed are not counted. `effect` applies from the `counted_declines`-th decline on that counts: one for a
    reason in `excused` never does, and an offer that ran out does where `unanswered_counts`. Whoever declines for a
    reason in `not_again` is not offered the same settlement again for `not_again_days`, unless it asks for it.
    """

    days_to_answer: Annotated[int, Field(strict=True, ge=1, le=365)] = 14
    effect: Effect = NoEffect()
    counted_declines: Count = 2
    excused: Reasons = (
        DeclineReason.TOO_SMALL,
        DeclineReason.NOT_ACCESSIBLE,
        DeclineReason.HEALTH_CARE,
        DeclineReason.SCHOOL,
        DeclineReason.SAFETY,
        DeclineReason.NOT_READY_TO_RETURN,
    )
    unanswered_counts: Switch = False
    not_again: Reasons = (
        DeclineReason.TOO_FAR,
        DeclineReason.KIN_ELSEWHERE,
        DeclineReason.NO_WORK,
        DeclineReason.HEALTH_CARE,
        DeclineReason.SCHOOL,
        DeclineReason.SAFETY,
    )
    not_again_days: Days = 365

    @model_validator(mode="after")
    def _named_once(self) -> "OfferRules":
        for name in ("excused", "not_again"):
            reasons = getattr(self, name)
            if len(set(reasons)) < len(reasons):
                raise ValueError(f"{name} names a reason twice")
        return self


def counted(declines: Sequence[Decline], rules: OfferRules) -> list[Decline]:
    """Return those of `declines` that count, the newest first."""
    count = [
        each
        for each in declines
        if (rules.unanswered_counts if each.reason is None else each.reason not in rules.excused)
    ]
    return sorted(count, key=lambda each: each.days_ago)


def effect_of(declines: Sequence[Decline], rules: OfferRules) -> tuple[Effect, int, int]:
    """Return what follows of declines, how many count, and how many days ago the last of these was."""
    count = counted(declines, rules)
    if len(count) < rules.counted_declines:
        return NoEffect(), len(count), 0
    return rules.effect, len(count), count[0].days_ago


def is_offered_again(decline: Decline, rules: OfferRules) -> bool:
    """Whether the settlement of a declined offer may be offered to the household again, which has not asked for it."""
    return decline.reason not in rules.not_again or decline.days_ago >= rules.not_again_days
