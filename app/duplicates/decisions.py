"""Deciding on a candidate: two households, one in two records, or somebody who moved between them; and undoing that."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation.models import Run
from app.allocation.placement_models import Placement, PlacementState
from app.allocation.runs import UNDECIDED
from app.audit import Act
from app.database import utc_now
from app.duplicates import candidates, history, merging, steps
from app.duplicates.steps import Steps
from app.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from app.registry import duplicates
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.households import require
from app.registry.models import PLACED, Application, ApplicationState, Household, Person
from app.tenancy import holders
from app.tenancy.appeal_models import Appeal, AppealState
from app.tenancy.models import Tenancy


@dataclass(frozen=True)
class Decision:
    """What somebody decided. `survivor` is the household that goes on, `people` those who moved, by reference."""

    state: CandidateState
    reason: str
    survivor: str | None = None
    people: tuple[str, ...] = ()


def decide(session: Session, reference: str, decision: Decision, actor: Principal) -> Merge | None:
    """Decide on an open candidate; return the merge, if it led to one.

    Raises NotFound and Forbidden unless both households lie in the actor's scope, Forbidden for who submitted both
    applications, Conflict for a candidate decided already and where a house, an undecided run or an appeal stands in
    the way, Invalid for people or a survivor that are not in it.
    """
    candidate = _locked_candidate(session, reference, actor)
    if candidate.state is not CandidateState.OPEN:
        raise Conflict(f"The candidate is {candidate.state.value} already.")
    first, second = _locked_households(session, [candidate.first_id, candidate.second_id])
    for household in (first, second):
        require(actor, household.origin, Permission.DUPLICATE_DECIDE)
    _refuse_own(session, candidate, actor)
    candidate.state, candidate.decided_at = decision.state, utc_now()
    candidate.decided_by_id, candidate.decision_reason = actor.user_id, decision.reason
    merge = None
    if decision.state is CandidateState.SAME:
        merge = _merge(session, candidate, first, second, decision, actor)
    elif decision.state is CandidateState.MOVED_HOUSEHOLD:
        merge = _move(session, candidate, first, second, decision, actor)
    if merge is not None:
        _look_again(session, first, second)
    why = audit.digest("duplicate_candidate", candidate.reference, "decision_reason", decision.reason)
    audit.record(session, actor, Act.DUPLICATE_DECIDE, candidate, reason=why)
    return merge


def _locked_candidate(session: Session, reference: str, actor: Principal) -> DuplicateCandidate:
    query = candidates.visible(actor, Permission.DUPLICATE_DECIDE).where(DuplicateCandidate.reference == reference)
    found = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such candidate that you may decide on.")
    return found


def _locked_households(session: Session, households: Sequence[int]) -> list[Household]:
    """Lock households in the order in which everything here locks them, and load their people."""
    query = select(Household).where(Household.id.in_(households)).order_by(Household.id)
    return list(
        session.scalars(
            query.options(*candidates.loaded_households())
            .with_for_update(of=Household)
            .execution_options(populate_existing=True)
        )
    )


def _refuse_own(session: Session, candidate: DuplicateCandidate, actor: Principal) -> None:
    """Raise Forbidden where the actor had a part in the applications of both households."""
    if actor.user_id is None:
        return
    households = [candidate.first_id, candidate.second_id]
    applications = session.scalars(
        select(Application).where(
            Application.household_id.in_(households), Application.state != ApplicationState.WITHDRAWN
        )
    )
    if {each.household_id for each in applications if actor.user_id in each.handed_in_by} == set(households):
        raise Forbidden(
            f"{actor.username} began, submitted, corrected or imported both applications: somebody else has to decide "
            "whether they are one."
        )


def _refuse_undecided_run(session: Session, *households: Household) -> None:
    """Raise Conflict while a run rests on one of these households as they are."""
    held = session.scalar(
        select(Run.reference)
        .where(
            Run.state.in_(UNDECIDED),
            or_(*(Run.snapshot.contains(f'"{each.reference}"', autoescape=True) for each in households)),
        )
        .order_by(Run.id)
        .limit(1)
    )
    if held is not None:
        raise Conflict(f"Run {held} rests on these households as they are. Decide on that run or cancel it first.")


def _refuse_appeal(session: Session, *households: Household) -> None:
    """Raise Conflict while an appeal of one of these households, whose applications are locked, is to be decided."""
    lodged = session.scalar(
        select(Appeal.reference)
        .where(Appeal.household_id.in_([each.id for each in households]), Appeal.state == AppealState.LODGED)
        .order_by(Appeal.id)
        .limit(1)
    )
    if lodged is not None:
        raise Conflict(f"The appeal {lodged} is about one of them as it is. Let it be decided, or withdrawn, first.")


def _refuse_placement(session: Session, merged: Household) -> None:
    """Raise Conflict where somebody has placed the household that would be merged: that is decided anew."""
    placed = session.scalar(
        select(Placement.reference)
        .where(Placement.household_id == merged.id, Placement.state != PlacementState.LIFTED)
        .limit(1)
    )
    if placed is not None:
        raise Conflict(f"The placement {placed} is about {merged.reference}. Lift it, and place the one that goes on.")


def _merge(
    session: Session,
    candidate: DuplicateCandidate,
    first: Household,
    second: Household,
    decision: Decision,
    actor: Principal,
) -> Merge:
    into = _survivor(session, first, second, decision.survivor)
    merged = second if into is first else first
    _refuse_undecided_run(session, into, merged)
    _refuse_appeal(session, into, merged)
    _refuse_placement(session, merged)
    who_is_who = dict(duplicates.compare(merged, into).pairs)
    taken = Steps(session)
    was_placed, was = is_placed(session, into), history.before(session, into, merged)
    merging.unite(session, into, merged, who_is_who, taken)
    history.keep(session, into, was, taken, f"{merged.reference} was merged into {into.reference}.", actor)
    return _written(session, candidate, merged, into, taken, actor, was_placed=was_placed)


def _survivor(session: Session, first: Household, second: Household, stated: str | None) -> Household:
    placed = [each for each in (first, second) if is_placed(session, each)]
    if len(placed) > 1:
        raise Conflict(
            "Both households have a house. Withdraw the application of one, or record that it has moved out; "
            "then they can be merged."
        )
    if stated is None:
        return candidates.survivor(session, first, second)
    chosen = next((each for each in (first, second) if each.reference == stated), None)
    if chosen is None:
        raise Invalid(
            "The household is not one of the two.",
            [FieldError("#/body/survivor", f"Name {first.reference} or {second.reference}.")],
        )
    if placed and chosen is not placed[0]:
        raise Conflict(f"{placed[0].reference} has a house. Merge into that one.")
    return chosen


def is_placed(session: Session, household: Household) -> bool:
    """Whether a house is reserved for a household or it lives in one, an unfit one too; its application is locked."""
    application = merging.live_application(session, household)
    if application is not None and application.state in PLACED:
        return True
    lives = select(Tenancy.id).where(Tenancy.household_id == household.id, Tenancy.moved_out_on.is_(None))
    return session.scalar(lives) is not None


def _move(
    session: Session,
    candidate: DuplicateCandidate,
    first: Household,
    second: Household,
    decision: Decision,
    actor: Principal,
) -> Merge:
    members: dict[str, Person] = {person.reference: person for each in (first, second) for person in each.people}
    unknown = [
        FieldError(f"#/body/people/{number}", "This is nobody of the two households.")
        for number, each in enumerate(decision.people)
        if each not in members
    ]
    people = [members[each] for each in dict.fromkeys(decision.people) if each in members]
    if unknown or not people:
        missing = [FieldError("#/body/people", "Name the people who moved.")]
        raise Invalid("Name who moved, by the record that is out of date.", unknown or missing)
    if len({person.household_id for person in people}) > 1:
        raise Invalid(
            "They leave different households.", [FieldError("#/body/people", "Name people of one household.")]
        )
    source, target = (first, second) if people[0].household_id == first.id else (second, first)
    _refuse_undecided_run(session, source, target)
    holders.require_left(session, source, people)
    twins = dict(duplicates.compare(source, target).pairs)
    taken = Steps(session)
    was_placed, was = is_placed(session, target), history.before(session, source, target)
    set_aside = merging.move_people(source, target, people, twins, taken)
    for household in (source, target):
        why = f"Somebody moved from {source.reference} to {target.reference}."
        history.keep(session, household, was, taken, why, actor)
    return _written(session, candidate, source, target, taken, actor, was_placed=was_placed, set_aside=set_aside)


def _written(
    session: Session,
    candidate: DuplicateCandidate,
    source: Household,
    into: Household,
    taken: Steps,
    actor: Principal,
    *,
    was_placed: bool,
    set_aside: Household | None = None,
) -> Merge:
    for household in (source, into):
        household.updated_at = utc_now()  # counts the version up: whoever has read it reads it again
    merge = Merge(
        candidate_id=candidate.id,
        from_id=source.id,
        into_id=into.id,
        set_aside_id=set_aside.id if set_aside else None,
        was_placed=was_placed,
        changes=taken.taken,
        made_at=utc_now(),
        made_by_id=actor.user_id,
    )
    session.add(merge)
    session.flush()
    return merge


def _look_again(session: Session, *households: Household) -> None:
    for household in households:
        session.expire(household, ["people"])
    duplicates.look(session, [household.id for household in households])


def undo(session: Session, reference: str, reason: str, actor: Principal) -> Merge:
    """Restore both households as they were before a merge; the candidate waits for a decision again, or its follower.

    Raises NotFound and Forbidden as deciding does, and Conflict, saying why, where that is not possible any more.
    """
    merge = session.scalar(
        select(Merge)
        .join(Merge.candidate)
        .where(
            Merge.reference == reference,
            DuplicateCandidate.id.in_(
                candidates.visible(actor, Permission.DUPLICATE_DECIDE, also_erased=True).with_only_columns(
                    DuplicateCandidate.id
                )
            ),
        )
        .with_for_update(of=Merge)
        .execution_options(populate_existing=True)
    )
    if merge is None:
        raise NotFound("There is no such merge that you may undo.")
    if merge.undone_at is not None:
        raise Conflict(f"The merge {merge.reference} was undone already.")
    locked = {each.id: each for each in _locked_households(session, [merge.from_id, merge.into_id])}
    source, into = locked[merge.from_id], locked[merge.into_id]
    for household in (source, into):
        require(actor, household.origin, Permission.DUPLICATE_DECIDE)
    _refuse_irreversible(session, merge, source, into)
    was = history.before(session, source, into)
    steps.undo(session, merge.changes)
    if merge.set_aside_id is not None:
        kept = session.get_one(Household, merge.set_aside_id)
        merge.set_aside_id = None
        session.flush()
        session.expire(kept)
        session.refresh(kept, ["people"])
        session.delete(kept)
    merge.undone_at, merge.undone_by_id, merge.undone_reason = utc_now(), actor.user_id, reason
    candidate = session.get_one(DuplicateCandidate, merge.candidate_id)
    candidate.state = CandidateState.LAPSED if _is_open_again(session, candidate) else CandidateState.OPEN
    decided_at, candidate.decided_at = candidate.decided_at, None
    candidate.decided_by_id = candidate.decision_reason = None
    for household in (source, into):
        household.updated_at = utc_now()
        why = f"The merge {merge.reference} was undone."
        history.keep(session, household, was, None, why, actor, undone_since=decided_at)
    _look_again(session, source, into)
    why = audit.digest("merge", merge.reference, "undone_reason", reason)
    audit.record(session, actor, Act.MERGE_UNDO, merge, reason=why)
    return merge


def _is_open_again(session: Session, candidate: DuplicateCandidate) -> bool:
    """Whether the same two households were found again since: then that candidate waits for a decision."""
    query = select(DuplicateCandidate.id).where(
        DuplicateCandidate.first_id == candidate.first_id,
        DuplicateCandidate.second_id == candidate.second_id,
        DuplicateCandidate.state == CandidateState.OPEN,
    )
    return session.scalar(query.with_for_update()) is not None


def _refuse_irreversible(session: Session, merge: Merge, source: Household, into: Household) -> None:
    if source.erased_at is not None or into.erased_at is not None:
        raise Conflict("One of the households was erased since, so this cannot be undone.")
    later = session.scalar(
        select(Merge)
        .where(
            Merge.id > merge.id,
            Merge.undone_at.is_(None),
            or_(Merge.from_id.in_([source.id, into.id]), Merge.into_id.in_([source.id, into.id])),
        )
        .order_by(Merge.id.desc())
        .limit(1)
    )
    if later is not None:
        raise Conflict(f"The merge {later.reference} came after this one. Undo that first.")
    if is_placed(session, into) and not merge.was_placed:
        raise Conflict(
            f"{into.reference} has been given a house since, as one household. Withdraw its application, or record "
            "that it has moved out; then this can be undone."
        )
    _refuse_undecided_run(session, source, into)
    _refuse_appeal(session, source, into)
    back = {step["reference"] for step in merge.changes if step["name"] == "household_id"}
    holders.require_left(session, into, [person for person in into.people if person.reference in back])
