"""The queue of pairs that somebody has to decide on, and what speaks for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from app.access.permissions import Permission, Principal
from app.errors import NotFound
from app.housing.models import Origin
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.matching import EvidenceCode
from app.registry.models import PLACED, Application, Household, Person, Preference
from app.registry.queries import visible_to
from app.tenancy.models import Tenancy

SENTENCES = {
    EvidenceCode.SAME_NAME: "{first} and {second} have the same name.",
    EvidenceCode.SAME_NAME_IN_TWO_SCRIPTS: "{first} and {second} have the same name, in two scripts.",
    EvidenceCode.NAMES_SWAPPED: "{first} and {second} have the same names, given and family name swapped.",
    EvidenceCode.SIMILAR_NAME: "{first} and {second} have similar names.",
    EvidenceCode.OTHER_FAMILY_NAME: "{first} and {second} have the same given name and another family name.",
    EvidenceCode.SAME_BIRTH_DATE: "{first} and {second} were born on the same day.",
    EvidenceCode.SAME_NEW_YEARS_DAY: "{first} and {second} are both recorded as born on 1 January of the same year.",
    EvidenceCode.DAY_AND_MONTH_SWAPPED: "The birth dates of {first} and {second} have day and month swapped.",
    EvidenceCode.ONE_DIGIT_OF_DATE_DIFFERS: "The birth dates of {first} and {second} differ in one digit.",
    EvidenceCode.SAME_BIRTH_YEAR: "{first} and {second} were born in the same year; of one, no day is known.",
    EvidenceCode.SEX_DIFFERS: "The sex of {first} and {second} differs.",
    EvidenceCode.SAME_DOCUMENT: "{first} and {second} have the same document.",
    EvidenceCode.ONE_SIGN_OF_DOCUMENT_DIFFERS: "The document numbers of {first} and {second} differ in one sign.",
    EvidenceCode.OTHER_DOCUMENT: "{first} and {second} have different documents.",
    EvidenceCode.PEOPLE_IN_COMMON: "They have more than one person in common.",
    EvidenceCode.SAME_PHONE: "They have the same telephone number.",
    EvidenceCode.SAME_ORIGIN: "They left the same place.",
    EvidenceCode.OTHER_ORIGIN: "They left different places.",
    EvidenceCode.STATISTICAL_MODEL: "A statistical model of the whole register takes {first} and {second} for one.",
}


@dataclass(frozen=True)
class Suggestion:
    """What the evidence suggests, for the person who decides: never applied by itself."""

    decision: CandidateState
    survivor: str


def visible(
    principal: Principal, permission: Permission = Permission.DUPLICATE_READ, *, also_erased: bool = False
) -> Select[DuplicateCandidate]:
    """Select the candidates both of whose households `principal` may see; none of erased ones."""
    seen = select(Household.id).where(visible_to(principal, permission))
    if not also_erased:
        seen = seen.where(Household.erased_at.is_(None))
    return select(DuplicateCandidate).where(
        DuplicateCandidate.first_id.in_(seen), DuplicateCandidate.second_id.in_(seen)
    )


def with_references(query: Select[DuplicateCandidate]) -> Select[DuplicateCandidate]:
    """Load both households of each, alone."""
    return query.options(joinedload(DuplicateCandidate.first), joinedload(DuplicateCandidate.second))


def loaded_households() -> tuple[ORMOption, ...]:
    """Return what loads the people, origin and kin group of households."""
    return (
        joinedload(Household.origin).joinedload(Origin.settlement),
        joinedload(Household.kin_group),
        selectinload(Household.people),
    )


def find(session: Session, reference: str, principal: Principal) -> DuplicateCandidate:
    """Return one candidate, with who decided. Raises NotFound, also where either household is out of scope."""
    query = visible(principal).where(DuplicateCandidate.reference == reference)
    found = session.scalar(with_references(query).options(joinedload(DuplicateCandidate.decided_by)))
    if found is None:
        raise NotFound("There is no such candidate that you may see.")
    return found


def both(session: Session, candidate: DuplicateCandidate) -> tuple[Household, Household]:
    """Return the two households of a candidate, with their people."""
    query = select(Household).where(Household.id.in_([candidate.first_id, candidate.second_id]))
    first, second = session.scalars(
        query.options(*loaded_households()).order_by(Household.id).execution_options(populate_existing=True)
    )
    return first, second


def application_of(session: Session, household: Household) -> Application | None:
    """Return the newest application of a household, with its wishes."""
    return session.scalar(
        select(Application)
        .where(Application.household_id == household.id)
        .options(
            joinedload(Application.household), selectinload(Application.preferences).joinedload(Preference.settlement)
        )
        .order_by(Application.id.desc())
        .limit(1)
    )


def merge_of(session: Session, candidate: DuplicateCandidate) -> Merge | None:
    """Return the merge that a candidate led to last, if any."""
    query = select(Merge).where(Merge.candidate_id == candidate.id).order_by(Merge.id.desc())
    return session.scalar(query.limit(1))


def names(session: Session, candidate: DuplicateCandidate) -> dict[str, str]:
    """Return the people that the evidence names: reference → name and birth date."""
    wanted = {str(each[side]) for each in candidate.evidence for side in ("first", "second") if each[side]}
    people = session.scalars(select(Person).where(Person.reference.in_(wanted)))
    return {person.reference: f"{person.given_name} {person.family_name} ({person.birth_date})" for person in people}


def sentence(code: EvidenceCode, first: str | None, second: str | None, people: Mapping[str, str]) -> str:
    """Say one thing that speaks for or against, in words."""
    named = {"first": people.get(first or "", "somebody"), "second": people.get(second or "", "somebody")}
    return SENTENCES[code].format(**named)


def suggestion(session: Session, candidate: DuplicateCandidate, first: Household, second: Household) -> Suggestion:
    """Suggest a decision: the same, where most people of the smaller household are in both."""
    in_common = {each["first"] for each in candidate.evidence if each["first"]}
    smaller = min(len(first.people), len(second.people))
    decision = CandidateState.SAME if 2 * len(in_common) >= smaller else CandidateState.MOVED_HOUSEHOLD
    return Suggestion(decision, survivor(session, first, second).reference)


def survivor(session: Session, first: Household, second: Household) -> Household:
    """Return the household that should go on: the one with a house, or else the one registered earlier."""
    both = [first.id, second.id]
    allocated = select(Application.household_id).where(
        Application.household_id.in_(both), Application.state.in_(PLACED)
    )
    lives = select(Tenancy.household_id).where(Tenancy.household_id.in_(both), Tenancy.moved_out_on.is_(None))
    placed = {*session.scalars(allocated), *session.scalars(lives)}  # who waits in an unfit house lives there
    return min((first, second), key=lambda each: (each.id not in placed, each.registered_on, each.id))
