"""Merging two records of one family while a run is requested that knows both, or an appeal is lodged for one."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR, Principal
from app.allocation import declines, policies, runs
from app.allocation import queries as allocation
from app.allocation.models import Proposal, ProposalState
from app.database import Database, utc_now
from app.duplicates import decisions
from app.duplicates.decisions import Decision
from app.errors import Conflict, HearthError
from app.housing.models import HouseState
from app.registry import applications, queries
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.models import Application, ApplicationState
from app.tenancy.appeal_models import Appeal, AppealState
from tests import appealing, factories
from tests.allocation.conftest import decide as decide_run
from tests.allocation.conftest import proposed, solved
from tests.concurrency import overtaken
from tests.duplicates.conftest import MakePair, Pair, application_named, household_named
from tests.tenancy import living

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SAME = Decision(CandidateState.SAME, "They were called.")


def told(act: Callable[[], object]) -> str:
    """Do something; return the sentence that it was refused with, or nothing."""
    try:
        act()
    except HearthError as refused:
        return refused.detail
    return ""


def merge(database: Database, pair: Pair, actor: Principal) -> None:
    with database.session(writes=True) as session:
        decisions.decide(session, pair.candidate, SAME, actor)


def enough_houses(database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        for bedrooms in (1, 2, 2, 3):
            factories.house(session, place, bedrooms=bedrooms)


@pytest.mark.parametrize("nearer", [0, 1])
def test_a_run_that_knows_both_gives_one_family_no_two_houses(
    database: Database, make_pair: MakePair, verifier: Principal, nearer: int
) -> None:
    """The run is requested as the two are merged, so that neither knows of the other; `nearer` is in the run alone."""
    pair = make_pair(("Amina", "Omar"), ("Amina",))  # nobody moves, nothing is filled
    enough_houses(database)
    if nearer:
        with database.session(writes=True) as session:
            application_named(session, pair.applications[0]).state = ApplicationState.DRAFT

    def requested(session: Session) -> None:
        runs.request(session, settlements=None, time_limit_seconds=20, actor=OPERATOR)

    refused = overtaken(database, requested, lambda: told(lambda: merge(database, pair, verifier)))
    is_postgresql = database.engine.dialect.name == "postgresql"
    assert refused == "" if is_postgresql else "rests on these households as they are" in refused
    run = solved(database)
    answer = told(lambda: decide_run(database, run, runs.approve))
    with database.session(writes=False) as session:
        given = session.scalars(select(Proposal).where(Proposal.state == ProposalState.RESERVED)).all()
    if is_postgresql:
        assert answer.startswith("Applications that changed or wait no more: ")
        assert given == []
    else:  # the merge was refused, and both are two families as far as anybody knows
        assert (answer, len(given)) == ("", 1 + (1 - nearer))


def test_of_two_records_in_one_run_the_merge_before_the_approval_leaves_none_placed(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    enough_houses(database)
    run = proposed(database)
    refused = overtaken(
        database,
        lambda session: runs.approve(
            session, allocation.run_in_short(session, OPERATOR, run), factories.user(session, Role.APPROVER)
        ),
        lambda: told(lambda: merge(database, pair, verifier)),
    )
    assert "Both households have a house." in refused
    with database.session(writes=False) as session:
        assert session.scalars(select(Merge)).all() == []


@pytest.fixture
def refused_pair(database: Database, pair: Pair) -> Pair:
    """Two records of one family, of which the second is signed as ineligible."""
    with database.session(writes=True) as session:
        application = application_named(session, pair.applications[1])
        application.state, application.decided_at = ApplicationState.INELIGIBLE, utc_now()
        application.ineligible_for = ["owns_home"]
        policies.ensure_default(session)
    return pair


def test_no_merge_while_an_appeal_is_lodged(database: Database, refused_pair: Pair, verifier: Principal) -> None:
    answer = overtaken(
        database,
        lambda session: appealing.lodged(session, refused_pair.applications[1]),
        lambda: told(lambda: merge(database, refused_pair, verifier)),
    )
    assert "Let it be decided, or withdrawn, first." in answer
    with database.session(writes=True) as session:
        appeal = session.scalars(select(Appeal)).one()
        assert appeal.reference in answer
        appeal.state, appeal.ended_at = AppealState.DISMISSED, utc_now()
    merge(database, refused_pair, verifier)


def test_no_appeal_for_a_record_while_it_is_merged(database: Database, refused_pair: Pair, verifier: Principal) -> None:
    def lodged() -> None:
        with database.session(writes=True) as session:
            appealing.lodged(session, refused_pair.applications[1])

    answer = overtaken(
        database,
        lambda session: decisions.decide(session, refused_pair.candidate, SAME, verifier),
        lambda: told(lodged),
    )
    # Whoever begins after it does not find the second record any more.
    assert "was merged into another household at this moment" in answer or "There is no" in answer
    with database.session(writes=False) as session:
        assert session.scalars(select(Appeal)).all() == []


@on_sqlite
def test_a_merge_is_not_undone_under_an_appeal(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=True) as session:
        made = decisions.decide(session, pair.candidate, SAME, verifier)
        assert made is not None
        appealing.appeal(session, queries.visible_application(session, OPERATOR, pair.applications[0]))
    with pytest.raises(Conflict, match="Let it be decided"), database.session(writes=True) as session:
        decisions.undo(session, made.reference, "A mistake.", verifier)


@on_sqlite
def test_what_either_record_declined_is_remembered(session: Session) -> None:
    place = factories.settlement(session)
    offer = living.declined_offer(session, factories.house(session, place))
    first, second, third = (factories.household(session) for _ in range(3))
    offer.household_id = first.id
    first.merged_into_id, second.merged_into_id = second.id, third.id
    session.flush()
    for asked in (None, [third.id]):
        found = declines.past_offers(session, utc_now().date(), asked)
        assert [each.settlement_id for each in found[third.id]] == [place.id]
        assert set(found) == {third.id}
    assert declines.past_offers(session, utc_now().date(), [second.id]) == {}


@on_sqlite
def test_a_family_that_waits_in_an_unfit_house_is_not_merged_away(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    """Its record goes on, and with it the house that it is to leave."""
    with database.session(writes=True) as session:
        lived_in = factories.tenancy(session, factories.house(session, factories.settlement(session)))
        lived_in.household_id = household_named(session, pair.second).id
        lived_in.house.state, lived_in.house.unfit_reason = HouseState.UNFIT, "It leaks."
    away = Decision(CandidateState.SAME, "They were called.", survivor=pair.first)
    with pytest.raises(Conflict, match="Merge into that one"), database.session(writes=True) as session:
        decisions.decide(session, pair.candidate, away, verifier)
    merge(database, pair, verifier)
    with database.session(writes=False) as session:
        assert household_named(session, pair.second).merged_into_id is None
        assert household_named(session, pair.first).merged_into_id is not None


@on_sqlite
def test_two_who_were_found_again_wait_for_one_decision_when_the_first_is_undone(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        omar = next(
            person.reference
            for person in queries.visible_household(session, OPERATOR, pair.first).people
            if person.given_name == "Omar"
        )
        moved = Decision(CandidateState.MOVED_HOUSEHOLD, "They were called.", people=(omar,))
        made = decisions.decide(session, pair.candidate, moved, verifier)
        assert made is not None
        first = session.scalars(select(DuplicateCandidate)).one()
        again = DuplicateCandidate(
            first_id=first.first_id,
            second_id=first.second_id,
            state=CandidateState.OPEN,
            found_by=first.found_by,
            score=first.score,
            evidence=first.evidence,
            found_at=utc_now(),
        )
        session.add(again)
    with database.session(writes=True) as session:
        decisions.undo(session, made.reference, "A mistake.", verifier)
    with database.session(writes=False) as session:
        states = dict(session.execute(select(DuplicateCandidate.reference, DuplicateCandidate.state)).all())
    assert states == {pair.candidate: CandidateState.LAPSED, again.reference: CandidateState.OPEN}


def test_no_application_is_begun_for_a_record_while_it_is_merged(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        application_named(session, pair.applications[1]).state = ApplicationState.WITHDRAWN

    def begun() -> None:
        with database.session(writes=True) as session:
            family = queries.visible_household(session, OPERATOR, pair.second)
            applications.create(session, family, client_id=None, wishes=[], anywhere=True, actor=OPERATOR)

    answer = overtaken(
        database, lambda session: decisions.decide(session, pair.candidate, SAME, verifier), lambda: told(begun)
    )
    # On SQLite it begins after the merge, and what it reads is the record that goes on, with its application.
    assert "was merged into another household" in answer or "has an application already" in answer
    with database.session(writes=False) as session:
        going_on = session.scalars(select(Application).where(Application.state != ApplicationState.WITHDRAWN)).one()
        assert going_on.household_id == household_named(session, pair.first).id
