"""An explanation: a case told in the family's language, for the family to read or to be read aloud to it."""

from collections.abc import Sequence

from app.allocation import sentences
from app.languages.words import Words
from app.letters import content, standing
from app.letters.cases import Case
from app.letters.content import AppealTold, OfferTold, Section
from app.policy.occupancy import Measure
from app.registry.models import ApplicationState
from app.tenancy.appeal_models import Appeal


def sections(case: Case, words: Words) -> list[Section]:
    """Return everything that a family is told of its case, section by section."""
    state = case.application.state.value
    told: list[str] = [standing.STATES[state](words)]
    if case.application.state is ApplicationState.RETURNED:
        told += [standing.RETURNED[code](words) for code in case.application.return_reasons or ()]
    appeals = [content.about_appeal(appeal_told(appeal, case, words), words) for appeal in case.appeals]
    return [Section(words.say("Application"), told), *appeals, *of_decision(case, words)]


def appeal_told(appeal: Appeal, case: Case, words: Words) -> AppealTold:
    """Return an appeal as it is told, with what the run would have given once that is calculated."""
    found = appeal.what_if.found if appeal.what_if is not None else None
    would_have: Sequence[str] = ()
    if found is not None:
        house = sentences.house(found["house"], words) if found["housed"] else None
        reasons = sentences.reasons(found["reason"], found["grounds"], words)
        would_have = content.recalculated(house, () if found["housed"] else reasons[1:], words)
    return AppealTold(
        reference=appeal.reference,
        against=appeal.against.value,
        state=appeal.state.value,
        lodged_on=case.day(appeal.lodged_at),
        due_on=appeal.decide_by,
        ended_on=case.day(appeal.ended_at) if appeal.ended_at is not None else None,
        reason=appeal.reason,
        is_first_in_line=appeal.gives_precedence,
        would_have=would_have,
    )


def of_decision(case: Case, words: Words) -> list[Section]:
    """Return the offer, why the last decision on a case is as it is, and what the family can do."""
    decided = why(case, words)
    if decided is None:
        return [content.what_you_can_do(None, words)]
    offer = offer_told(case, words)
    rules = content.AppealRules(case.appeal_until, case.rules.decide_within_days) if case.may_appeal else None
    found = [content.about_offer(offer, words)] if offer is not None else []
    found.append(decided)
    if change := _smallest_change(case, words):
        found.append(content.what_would_change(change, words))
    return [*found, content.what_you_can_do(rules, words)]


def _smallest_change(case: Case, words: Words) -> Sequence[str]:
    """What would have housed it in the run; nothing, where it was found to be ineligible since."""
    if case.smallest_change is None or case.ineligible_for is not None:
        return ()
    return sentences.smallest_change(dict(case.smallest_change), words)


def offer_told(case: Case, words: Words) -> OfferTold | None:
    """Return the offer of a case as it is told, if there is one."""
    if case.offered is None:
        return None
    offer, house = case.offered.offer, case.offered.offer.house
    facts = {"size": house.bedrooms, "measure": Measure.BEDROOMS.value, "step_free": house.step_free}
    return OfferTold(
        reference=offer.reference,
        place=house.settlement.name,
        address=house.address,
        size=sentences.size(facts, words),
        house=house.reference,
        answer_until=case.offered.answer_until,
        state=offer.state.value,
        ended_on=case.offered.ended_on(case.zone),
        # Who comes first in line after an appeal does so until it declines.
        declining_costs_place=case.offered.declining_costs_place or case.application.precedence_since is not None,
    )


def why(case: Case, words: Words) -> Section | None:
    """Return why the last decision on a case is as it is; None where nothing was decided yet."""
    if case.ineligible_for is not None:
        codes = sentences.why_ineligible(case.ineligible_for, words)
        return content.why(codes, is_housed=False, is_ineligible=True, words=words)
    proposal = case.proposal
    if proposal is None:
        return None
    is_lost = case.given_up_at is not None
    if case.lost is not None:  # who swapped the house has another
        is_lost = case.application.state is not ApplicationState.HOUSED
    is_housed = proposal.settlement_id is not None and not is_lost
    if proposal.grounds is None:  # from before grounds were kept: as it was written then, in English
        told: Sequence[str] = [proposal.explanation]
    elif case.given_up_at is not None:
        told = [sentences.given_up(proposal.grounds, words)]
        if case.offered is None:  # else it is said how the offer ended
            told.append(words.say("Your caseworker can tell you why."))
    elif case.lost is not None:
        told = [sentences.had(proposal.grounds, case.lost.keys_given_on, case.lost.moved_out_on, words)]
    else:
        told = sentences.reasons(proposal.reason, proposal.grounds, words)
    is_ineligible = proposal.settlement_id is None and sentences.is_ineligible(proposal.reason)
    return content.why(told, is_housed=is_housed, is_ineligible=is_ineligible, words=words)
