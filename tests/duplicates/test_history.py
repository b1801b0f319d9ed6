"""What a merge changes is in the history of the application that goes on, and so is undoing it."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.access.permissions import Principal
from app.database import Database
from app.duplicates import decisions
from app.duplicates.decisions import Decision
from app.registry.duplicate_models import CandidateState
from app.registry.models import Application, ApplicationState, Correction
from app.registry.schemas import CorrectionRead
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
