"""An explanation: a case told in the family's language, for the family to read or to be read aloud to it."""

from collections.abc import Sequence

from app.allocation import sentences
from app.languages.words import Words
from app.letters import content
from app.letters.cases import Case
from app.letters.content import Section


def sections(case: Case, words: Words) -> list[Section]:
    """Return everything that a family is told of its case, section by section."""
    found = [Section(words.say("Application"), [sentences.STATES[case.application.state.value](words)])]
    decided = why(case, words)
    if decided is not None:
        found.append(decided)
    rules = content.AppealRules(case.appeal_until, case.rules.decide_within_days)
    return [*found, content.what_you_can_do(rules if decided is not None else None, words)]


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
