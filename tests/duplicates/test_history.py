"""What a merge changes is in the history of the application that goes on, and so is undoing it."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.access.models import Role
from app.access.permissions import OPERATOR, Principal
from app.database import Database
from app.duplicates import decisions
from app.duplicates.decisions import Decision
from app.privacy.erasure import erase
from app.privacy.subject_access import give
from app.registry import households, queries
from app.registry.duplicate_models import CandidateState
from app.registry.models import Application, ApplicationState, Correction
from app.registry.schemas import CorrectionRead
from tests import factories
from tests.duplicates.conftest import MakePair, Pair, application_named, household_named

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def history(database: Database, reference: str) -> list[CorrectionRead]:
    with database.session(writes=False) as session:
        query = select(Correction).join(Application).where(Application.reference == reference).order_by(Correction.id)
        return [CorrectionRead.of(each) for each in session.scalars(query.options(joinedload(Correction.corrected_by)))]


def decide(database: Database, pair: Pair, actor: Principal, state: CandidateState, **fields: Any) -> str:
    with database.session(writes=True) as session:
        made = decisions.decide(session, pair.candidate, Decision(state, "They were called.", **fields), actor)
        assert made is not None
        return made.reference


def test_a_merge_is_a_correction_with_before_and_after(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=True) as session:
        application_named(session, pair.applications[0]).decided_policy = "PO-7K3M9QTX"
        household_named(session, pair.second).phone = "+999 50 1"
    merge = decide(database, pair, verifier, CandidateState.SAME)
    (kept,) = history(database, pair.applications[0])
    assert (kept.reason, kept.corrected_by) == (f"{pair.second} was merged into {pair.first}.", verifier.reference)
    assert (kept.state_before, kept.checked) == ("eligible", {"decided_policy": "PO-7K3M9QTX"})
    told = {(each.field, each.before, each.after) for each in kept.changes}
    assert {("phone", None, "+999 50 1"), ("given_name", None, "Yusif")} <= told
    with database.session(writes=True) as session:
        assert application_named(session, pair.applications[0]).state is ApplicationState.SUBMITTED
        decisions.undo(session, merge, "A mistake.", verifier)
    undone = history(database, pair.applications[0])[-1]
    assert undone.reason == f"The merge {merge} was undone."
    assert ("given_name", "Yusif", None) in {(each.field, each.before, each.after) for each in undone.changes}
    assert history(database, pair.applications[1])[-1].state_before is ApplicationState.WITHDRAWN


def test_an_application_that_goes_on_for_another_household_is_checked_anew(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Omar"), ("Amina",))  # nobody moves, nothing is filled
    with database.session(writes=True) as session:
        application_named(session, pair.applications[0]).state = ApplicationState.DRAFT
    decide(database, pair, verifier, CandidateState.SAME)
    (kept,) = history(database, pair.applications[1])
    assert {("given_name", None, "Omar"), ("given_name", None, "Amina"), ("given_name", "Аміна", None)} <= {
        (each.field, each.before, each.after) for each in kept.changes
    }
    with database.session(writes=False) as session:
        application = application_named(session, pair.applications[1])
        assert (application.state, application.submitted_by_id) == (ApplicationState.SUBMITTED, verifier.user_id)


@pytest.mark.parametrize("state", [ApplicationState.SUBMITTED, ApplicationState.RETURNED, ApplicationState.ELIGIBLE])
def test_who_merged_is_known_as_one_who_wrote_the_application(
    database: Database, pair: Pair, verifier: Principal, state: ApplicationState
) -> None:
    with database.session(writes=True) as session:
        for each in pair.applications:
            application_named(session, each).state = state
    merge = decide(database, pair, verifier, CandidateState.SAME)
    with database.session(writes=True) as session:
        assert verifier.user_id in application_named(session, pair.applications[0]).handed_in_by
        decisions.undo(session, merge, "A mistake.", OPERATOR)
    with database.session(writes=False) as session:
        assert verifier.user_id in application_named(session, pair.applications[0]).handed_in_by


@pytest.mark.parametrize("state", [ApplicationState.DRAFT, ApplicationState.SUBMITTED, ApplicationState.ELIGIBLE])
@pytest.mark.parametrize("nearer", [0, 1])  # whose application goes on
def test_who_wrote_the_household_that_was_merged_wrote_the_application_that_goes_on(
    database: Database, pair: Pair, verifier: Principal, state: ApplicationState, nearer: int
) -> None:
    writers = _written(database, pair, state)
    with database.session(writes=True) as session:
        application_named(session, pair.applications[1 - nearer]).state = ApplicationState.DRAFT
    decide(database, pair, verifier, CandidateState.SAME, survivor=pair.first)
    with database.session(writes=False) as session:
        goes_on = pair.applications[0 if state is ApplicationState.DRAFT else nearer]
        assert application_named(session, goes_on).handed_in_by >= {*writers, verifier.user_id}


@pytest.mark.parametrize("state", [ApplicationState.DRAFT, ApplicationState.ELIGIBLE])
def test_who_wrote_the_household_that_somebody_left_wrote_the_one_that_they_are_in(
    database: Database, pair: Pair, verifier: Principal, state: ApplicationState
) -> None:
    left, joined = _written(database, pair, state)
    with database.session(writes=True) as session:
        omar = _person(session, pair.first, "Omar")
    decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar,))
    with database.session(writes=False) as session:
        first, second = (application_named(session, each).handed_in_by for each in pair.applications)
    assert second >= {left, joined, verifier.user_id}
    assert joined not in first  # nothing of theirs came there


def _written(database: Database, pair: Pair, state: ApplicationState) -> list[int | None]:
    """Have somebody else write each of the two applications, in this state. Return these users."""
    with database.session(writes=True) as session:
        writers = [factories.user(session, Role.CASEWORKER).user_id for _ in pair.applications]
        for each, writer in zip(pair.applications, writers, strict=True):
            application = application_named(session, each)
            application.state, application.written_by = state, [writer]
    return writers


def test_who_moved_is_in_the_history_of_both(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=True) as session:
        (omar,) = (
            each.reference
            for each in decisions._locked_households(session, [household_named(session, pair.first).id])[0].people
            if each.given_name == "Omar"
        )
        application_named(session, pair.applications[1]).state = ApplicationState.DRAFT
    decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar,))
    (kept,) = history(database, pair.applications[0])
    assert ("given_name", "Omar", None) in {(each.field, each.before, each.after) for each in kept.changes}
    assert history(database, pair.applications[1]) == []  # a draft has none


NAMED = ("Yusif", "2014-09-30", "AB 12", "+999 50 1")


def told(database: Database, household: str) -> str:
    """What a family is given of everything that is held of it."""
    with database.session(writes=True) as session:
        return give(session, household, OPERATOR).model_dump_json()


@pytest.mark.parametrize("nearer", [0, 1])  # whose application goes on
def test_a_merge_that_was_a_mistake_gives_no_family_to_another(
    database: Database, pair: Pair, verifier: Principal, nearer: int
) -> None:
    with database.session(writes=True) as session:
        application_named(session, pair.applications[1 - nearer]).state = ApplicationState.SUBMITTED
        application_named(session, pair.applications[nearer]).state = ApplicationState.VERIFIED
        second = queries.visible_household(session, OPERATOR, pair.second)
        second.phone, second.people[0].national_id = "+999 50 1", "AB 12"
    merge = decide(database, pair, verifier, CandidateState.SAME, survivor=pair.first)
    assert all(each in told(database, pair.first) for each in NAMED)
    with database.session(writes=True) as session:
        decisions.undo(session, merge, "A mistake.", verifier)
    of_first, of_second = told(database, pair.first), told(database, pair.second)
    assert [each for each in NAMED if each in of_first] == []
    assert "Omar" in of_first
    assert "Omar" not in of_second
    assert all(each in of_second for each in NAMED)
    with database.session(writes=True) as session:
        household, omar = queries.visible_member(session, OPERATOR, _person(session, pair.first, "Omar"))
        households.remove_person(session, household, omar, OPERATOR)
    if nearer == 0:  # else the history of both names him, and nothing says any more whose he was
        assert "Omar" in told(database, pair.first)
    assert "Omar" not in told(database, pair.second)
    for erased, kept, gone in ((pair.second, 0, NAMED), (pair.first, 1, ("Omar",))):
        with database.session(writes=True) as session:
            erase(session, erased, "Asked for.", OPERATOR)
        left = "".join(each.model_dump_json() for each in history(database, pair.applications[kept]))
        assert [each for each in gone if each in left] == []
    assert history(database, pair.applications[0]) == []


def test_who_moved_away_is_erased_with_the_new_family(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=False) as session:
        omar, leyla = (_person(session, pair.first, each) for each in ("Omar", "Leyla"))
    decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar, leyla))
    assert "Omar" not in told(database, pair.first)
    with database.session(writes=True) as session:
        erase(session, pair.second, "Asked for.", OPERATOR)
    (kept,) = history(database, pair.applications[0])
    assert (kept.reason, kept.changes) == (f"Somebody moved from {pair.first} to {pair.second}.", [])


def _person(session: Session, household: str, name: str) -> str:
    people = queries.visible_household(session, OPERATOR, household).people
    return next(each.reference for each in people if each.given_name == name)
