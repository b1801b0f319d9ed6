"""An explanation: a case told in the family's language, for the family to read or to be read aloud to it."""

from collections.abc import Sequence

from app.allocation import sentences
from app.languages.words import Words
from app.letters import content
from app.letters.cases import Case
from app.letters.content import OfferTold, Section
from app.policy.occupancy import Measure


def sections(case: Case, words: Words) -> list[Section]:
    """Return everything that a family is told of its case, section by section."""
    return [
        Section(words.say("Application"), [sentences.STATES[case.application.state.value](words)]),
        *of_decision(case, words),
    ]


def of_decision(case: Case, words: Words) -> list[Section]:
    """Return the offer, why the last decision on a case is as it is, and what the family can do."""
    decided = why(case, words)
    if decided is None:
        return [content.what_you_can_do(None, words)]
    offer = offer_told(case, words)
    rules = content.AppealRules(case.appeal_until, case.rules.decide_within_days)
    found = [content.about_offer(offer, words)] if offer is not None else []
    return [*found, decided, content.what_you_can_do(rules, words)]


def offer_told(case: Case, words: Words) -> OfferTold | None:
    """Return the offer of a case as it is told, if there is one."""
    if case.offered is None:
        return None
    offer, house = case.offered.offer, case.offered.offer.house
    ended_at = case.offered.ended_at
    facts = {"size": house.bedrooms, "measure": Measure.BEDROOMS.value, "step_free": house.step_free}
    return OfferTold(
        reference=offer.reference,
        place=house.settlement.name,
        address=house.address,
        size=sentences.size(facts, words),
        house=house.reference,
        answer_until=case.offered.answer_until,
        state=offer.state.value,
        ended_on=case.day(ended_at) if ended_at is not None else None,
        declining_costs_place=case.offered.declining_costs_place,
    )


def why(case: Case, words: Words) -> Section | None:
    """Return why the last decision on a case is as it is; None where nothing was decided yet."""
    proposal = case.proposal
    if proposal is None:
        return None
    if proposal.grounds is None:  # from before grounds were kept: as it was written then, in English
        told: Sequence[str] = [proposal.explanation]
    else:
        told = sentences.reasons(proposal.reason, proposal.grounds, words)
    is_ineligible = proposal.settlement_id is None and sentences.is_ineligible(proposal.reason)
    return content.why(told, is_housed=proposal.settlement_id is not None, is_ineligible=is_ineligible, words=words)
