"""Looking for households that may be registered twice. What is found waits for a person, and changes nothing.

A household is compared with those that share a match key or a telephone with it. Of a key that very many share nothing
is concluded: the others find whoever is the same.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from app.database import utc_now
from app.registry import match_keys, matching
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, FoundBy, MatchKey, Merge
from app.registry.match_keys import facts_of, in_parts, is_looked_for
from app.registry.matching import WEIGHTS, Comparison, EvidenceCode, FamilyFacts
from app.registry.models import Application, ApplicationState, Household

MOST_IN_BLOCK = 60
"""Households that share one key; of a larger number nothing is concluded."""
MOST_COMPARED = 200
"""Households that one is compared with: those with the most keys in common."""
LOOKED_AT_ONCE = 2_000
"""Households whose pairs are in memory at the same time."""
Pair = tuple[int, int]
Told = dict[str, Any]
UNSUBMITTED = (ApplicationState.DRAFT, ApplicationState.WITHDRAWN)


def look(session: Session, households: Collection[int]) -> int:
    """Compare these households with the register and note who may be the same; return how many pairs are new.

    Candidates that are open and do not look alike any more lapse. A pair that somebody has decided on comes back only
    with evidence that there was not then. Flushes.
    """
    session.flush()
    match_keys.refresh(session, households)
    wanted, made = sorted(set(households)), 0
    for start in range(0, len(wanted), LOOKED_AT_ONCE):
        part = set(wanted[start : start + LOOKED_AT_ONCE])
        done = set(wanted[:start])  # pairs with these have been looked at
        pairs = {pair for pair in _pairs(session, part) if done.isdisjoint(pair)} | _open_pairs(session, part)
        made += note(session, compared(session, pairs))
    return made


def look_again(session: Session, household: Household) -> None:
    """Look again after the facts of a household have changed; before its application is submitted, keep its keys."""
    session.flush()
    submitted = exists().where(Application.household_id == household.id, Application.state.not_in(UNSUBMITTED))
    suspected = exists().where(_names(DuplicateCandidate, [household.id]), _is_open())
    if session.scalar(select(or_(submitted, suspected))):
        look(session, [household.id])
    else:
        match_keys.refresh(session, [household.id])


def erase(session: Session, households: Sequence[int], said: str) -> None:
    """Forget by what these households were looked up and what they had in common with others.

    `said` stands where somebody gave reasons.
    """
    match_keys.forget(session, households)
    for row in session.scalars(select(DuplicateCandidate).where(_names(DuplicateCandidate, households))):
        row.evidence = []
        row.decision_reason = None if row.decision_reason is None else said
        if row.state is CandidateState.OPEN:
            row.state = CandidateState.LAPSED
    merges = select(Merge).where(or_(Merge.from_id.in_(households), Merge.into_id.in_(households)))
    for merge in session.scalars(merges):
        merge.changes = []
        merge.undone_reason = None if merge.undone_reason is None else said


def look_everywhere(session: Session) -> int:
    """Compare the whole register; return how many pairs are new."""
    return look(session, session.scalars(select(Household.id).where(is_looked_for())).all())


def _is_open() -> ColumnElement[bool]:
    return DuplicateCandidate.state == CandidateState.OPEN


def _names(model: type[DuplicateCandidate], households: Collection[int]) -> ColumnElement[bool]:
    return or_(model.first_id.in_(households), model.second_id.in_(households))


def _pairs(session: Session, wanted: set[int]) -> set[Pair]:
    """Return the pairs, smaller id first, that share a key or a telephone, at least one of them wanted."""
    shared: dict[int, Counter[int]] = defaultdict(Counter)
    for block in _blocks(session, wanted):
        if 1 < len(block) <= MOST_IN_BLOCK:
            for one in block & wanted:
                shared[one].update(block - {one})
    found = set()
    for one, others in shared.items():
        nearest = sorted(others.items(), key=lambda each: (-each[1], each[0]))[:MOST_COMPARED]
        found |= {(min(one, other), max(one, other)) for other, _ in nearest}
    return found


def _blocks(session: Session, wanted: set[int]) -> Iterable[set[int]]:
    keys: set[int] = set()
    phones: set[str] = set()
    for part in in_parts(sorted(wanted)):
        keys |= set(session.scalars(select(MatchKey.key).where(MatchKey.household_id.in_(part))))
        query = select(Household.phone_index).where(Household.id.in_(part), Household.phone_index.is_not(None))
        phones |= {each for each in session.scalars(query) if each is not None}
    by_key: dict[int | str, set[int]] = defaultdict(set)
    for keys_of_part in in_parts(sorted(keys)):
        query_keys = select(MatchKey.key, MatchKey.household_id).where(MatchKey.key.in_(keys_of_part))
        for key, household in session.execute(query_keys):
            by_key[key].add(household)
    for phones_of_part in in_parts(sorted(phones)):
        query_phones = select(Household.phone_index, Household.id).where(
            Household.phone_index.in_(phones_of_part), is_looked_for()
        )
        for phone, household in session.execute(query_phones):
            by_key[str(phone)].add(household)
    return by_key.values()


def _open_pairs(session: Session, wanted: set[int]) -> set[Pair]:
    found: set[Pair] = set()
    for part in in_parts(sorted(wanted)):
        query = select(DuplicateCandidate.first_id, DuplicateCandidate.second_id)
        found |= {
            (first, second)
            for first, second in session.execute(query.where(_names(DuplicateCandidate, part), _is_open()))
        }
    return found


def families(session: Session, households: Collection[int]) -> dict[int, Household]:
    """Return these households with their people, but those erased or merged."""
    found: dict[int, Household] = {}
    for part in in_parts(sorted(households)):
        query = select(Household).where(Household.id.in_(part), is_looked_for())
        for household in session.scalars(query.options(selectinload(Household.people))):
            found[household.id] = household
    return found


def family_facts(household: Household, *, with_documents: bool = False) -> FamilyFacts:
    """Return what is compared of a household, whose people must be loaded."""
    return FamilyFacts(
        reference=household.reference,
        people=tuple(facts_of(person, with_document=with_documents) for person in household.people),
        phone=household.phone_index,
        origin=household.origin_id,
    )


def compare(first: Household, second: Household) -> Comparison:
    """Compare two households, whose people must be loaded; documents count where people look alike."""
    found = matching.compare(family_facts(first), family_facts(second))
    if found.pairs:
        found = matching.compare(family_facts(first, with_documents=True), family_facts(second, with_documents=True))
    return found


def compared(session: Session, pairs: Collection[Pair]) -> dict[Pair, Comparison | None]:
    """Compare the households of every pair; None where one of them is not there any more."""
    there = families(session, {each for pair in pairs for each in pair})
    facts = {number: family_facts(household) for number, household in there.items()}
    found: dict[Pair, Comparison | None] = {}
    for pair in sorted(pairs):
        first, second = pair
        if first not in there or second not in there:
            found[pair] = None
            continue
        alike = matching.compare(facts[first], facts[second])
        found[pair] = compare(there[first], there[second]) if alike.pairs else alike
    return found


def note(session: Session, found: Mapping[Pair, Comparison | None]) -> int:
    """Write what the rules say of every pair: new candidates, what changed of open ones, those that lapse.

    Return how many are new.
    """
    latest = _latest(session, found)
    made = 0
    for pair, comparison in sorted(found.items()):
        row = latest.get(pair)
        is_alike = comparison is not None and comparison.is_candidate
        evidence, score = _told(comparison) if comparison is not None else ([], 0.0)
        if row is not None and row.state is CandidateState.OPEN:
            if is_alike and row.evidence != evidence:
                row.evidence, row.score, row.found_by = evidence, score, FoundBy.RULES
            elif not is_alike and (comparison is None or row.found_by is FoundBy.RULES):
                row.state = CandidateState.LAPSED
        elif is_alike and _may_come_back(row, evidence):
            made += _add(session, pair, evidence, score, FoundBy.RULES)
    session.flush()
    return made


def note_model(session: Session, likely: Mapping[Pair, tuple[str, str]]) -> int:
    """Write the pairs that a statistical model names beyond the rules, with the two people it is about.

    Return how many are new. What somebody has decided on does not come back by the model alone.
    """
    latest = _latest(session, likely)
    made = 0
    for pair, comparison in compared(session, likely).items():
        if comparison is None or comparison.is_candidate or pair in latest:
            continue
        evidence, score = _told(comparison)
        weight = WEIGHTS[EvidenceCode.STATISTICAL_MODEL]
        first, second = likely[pair]
        told = {"code": EvidenceCode.STATISTICAL_MODEL.value, "weight": weight, "first": first, "second": second}
        made += _add(session, pair, [*evidence, told], round(score + weight, 1), FoundBy.STATISTICAL_MODEL)
    session.flush()
    return made


def _told(comparison: Comparison) -> tuple[list[Told], float]:
    evidence: list[Told] = [
        {"code": each.code.value, "weight": each.weight, "first": each.first, "second": each.second}
        for each in comparison.evidence
    ]
    return evidence, comparison.score


def _may_come_back(row: DuplicateCandidate | None, evidence: Sequence[Told]) -> bool:
    """Whether a pair is new, or something speaks for it that whoever decided on it did not see."""
    if row is None or row.state is CandidateState.LAPSED:
        return True
    seen = {(each["code"], each["first"], each["second"]) for each in row.evidence}
    return any(each["weight"] > 0 and (each["code"], each["first"], each["second"]) not in seen for each in evidence)


def _latest(session: Session, pairs: Collection[Pair]) -> dict[Pair, DuplicateCandidate]:
    wanted = set(pairs)
    found: dict[Pair, DuplicateCandidate] = {}
    for part in in_parts(sorted({first for first, _ in wanted})):
        query = select(DuplicateCandidate).where(DuplicateCandidate.first_id.in_(part)).order_by(DuplicateCandidate.id)
        for row in session.scalars(query.with_for_update().execution_options(populate_existing=True)):
            if (row.first_id, row.second_id) in wanted:
                found[row.first_id, row.second_id] = row
    return found


def _add(session: Session, pair: Pair, evidence: list[Told], score: float, by: FoundBy) -> int:
    """Add a candidate, unless somebody else finds it at the same moment; return how many were added."""
    first, second = pair
    try:
        with session.begin_nested():
            session.add(
                DuplicateCandidate(
                    first_id=first,
                    second_id=second,
                    state=CandidateState.OPEN,
                    found_by=by,
                    score=score,
                    evidence=evidence,
                    found_at=utc_now(),
                )
            )
    except IntegrityError:
        return 0
    return 1
