"""Deciding: two families, one family in two records, somebody who moved; and undoing, to what was before."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR, Principal
from app.allocation import reservations, runs
from app.database import Database, utc_now
from app.duplicates import candidates, decisions
from app.duplicates.decisions import Decision
from app.errors import Conflict, Forbidden, HearthError, Invalid, NotFound
from app.exchange import exports, imports
from app.exchange.refusals import ImportRefused
from app.housing.models import HouseState
from app.policy.facts import Accommodation, Relationship
from app.privacy.erasure import erase
from app.privacy.subject_access import give
from app.registry import duplicates, queries
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.models import Application, ApplicationState, Household, Person
from app.tenancy.models import Tenancy, TenancyHolder
from tests import factories
from tests.allocation.conftest import decide as decide_run
from tests.allocation.conftest import proposed
from tests.concurrency import at_once
from tests.duplicates.conftest import (
    TODAY,
    MakePair,
    Pair,
    application_named,
    family,
    household_named,
    open_candidates,
)
from tests.exchange.village import only

REASON = "They were called."


def decide(database: Database, pair: Pair, actor: Principal, state: CandidateState, **fields: Any) -> str | None:
    """Decide on a candidate in a transaction of its own; return the reference of the merge."""
    with database.session(writes=True) as session:
        merge = decisions.decide(session, pair.candidate, Decision(state, REASON, **fields), actor)
        return merge.reference if merge else None


def merged(database: Database, pair: Pair, actor: Principal, **fields: Any) -> str:
    """Decide that both are one; return the reference of the merge."""
    return str(decide(database, pair, actor, CandidateState.SAME, **fields))


def undone(database: Database, merge: str, actor: Principal) -> None:
    """Undo a merge in a transaction of its own."""
    with database.session(writes=True) as session:
        decisions.undo(session, merge, REASON, actor)


def exported(database: Database) -> dict[str, bytes]:
    """Return the register as it is exported."""
    with database.session(writes=False) as session:
        return exports.write(session, actor=OPERATOR)


def people_of(session: Session, reference: str) -> dict[str, Person]:
    """Return the people of a household by their given names."""
    household = queries.visible_household(session, OPERATOR, reference)
    return {person.given_name: person for person in household.people}


def test_one_family_in_two_records_becomes_one(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=True) as session:
        second = queries.visible_household(session, OPERATOR, pair.second)
        second.phone, second.language = "+999 50 1", "uk"
        second.people[0].national_id = "AB 12"
        second.people[1].needs_step_free = True
    merged(database, pair, verifier)
    with database.session(writes=False) as session:
        people = people_of(session, pair.first)
        assert set(people) == {"Amina", "Omar", "Leyla", "Yusif"}
        household = people["Amina"].household_id
        assert {person.household_id for person in people.values()} == {household}
        assert people["Amina"].national_id == "AB 12"
        assert people["Leyla"].needs_step_free
        assert people["Yusif"].relationship is Relationship.CHILD
        kept = household_named(session, pair.first)
        assert (kept.phone, kept.language) == ("+999 50 1", "uk")
        assert application_named(session, pair.applications[0]).state is ApplicationState.SUBMITTED
        other = application_named(session, pair.applications[1])
        assert (other.state, other.withdrawn_reason) == (ApplicationState.WITHDRAWN, f"Merged into {pair.first}.")
        with pytest.raises(NotFound):
            queries.visible_application(session, OPERATOR, pair.applications[1])
        assert session.scalars(queries.households(OPERATOR)).unique().all() == [kept]


@pytest.mark.parametrize("survivor", ["first", "second"])
def test_the_better_place_is_kept_whichever_goes_on(
    database: Database, pair: Pair, verifier: Principal, survivor: str
) -> None:
    with database.session(writes=True) as session:
        registered_on = household_named(session, pair.first).registered_on
        for reference, since in zip(pair.applications, (None, utc_now()), strict=True):
            application_named(session, reference).precedence_since = since
    merged(database, pair, verifier, survivor=getattr(pair, survivor))
    with database.session(writes=False) as session:
        assert household_named(session, getattr(pair, survivor)).registered_on == registered_on
        live = session.scalars(select(Application).where(Application.state == ApplicationState.SUBMITTED)).one()
        assert live.precedence_since is not None
        assert live.household_id == household_named(session, getattr(pair, survivor)).id


def test_the_application_nearer_to_a_house_goes_on(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=True) as session:
        application_named(session, pair.applications[0]).state = ApplicationState.DRAFT
    merged(database, pair, verifier)
    with database.session(writes=False) as session:
        household = household_named(session, pair.first)
        going_on = application_named(session, pair.applications[1])
        assert (going_on.household_id, going_on.state) == (household.id, ApplicationState.SUBMITTED)
        assert application_named(session, pair.applications[0]).state is ApplicationState.WITHDRAWN


def test_what_was_signed_is_void_where_the_merge_changes_what_it_rests_on(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Omar"), ("Amina",))  # nobody joins, nothing is filled
    with database.session(writes=True) as session:
        application_named(session, pair.applications[0]).decided_policy = "PO-7K3M9QTX"
    merge = merged(database, pair, verifier)
    with database.session(writes=False) as session:
        assert application_named(session, pair.applications[0]).state is ApplicationState.ELIGIBLE
    undone(database, merge, verifier)
    with database.session(writes=True) as session:
        queries.visible_household(session, OPERATOR, pair.second).people[0].needs_step_free = True
    merge = merged(database, pair, verifier)
    with database.session(writes=False) as session:
        application = application_named(session, pair.applications[0])
        assert (application.state, application.decided_policy) == (ApplicationState.SUBMITTED, None)
        assert application.submitted_by_id == verifier.user_id
    undone(database, merge, verifier)
    with database.session(writes=False) as session:
        application = application_named(session, pair.applications[0])
        assert (application.state, application.decided_policy) == (ApplicationState.ELIGIBLE, "PO-7K3M9QTX")


def test_merging_and_undoing_leaves_everything_as_it_was(database: Database, pair: Pair, verifier: Principal) -> None:
    before = exported(database)
    for decision in ({"state": CandidateState.SAME}, {"state": CandidateState.SAME, "survivor": pair.second}):
        merge = str(decide(database, pair, verifier, **decision))
        assert exported(database) != before
        undone(database, merge, verifier)
        assert exported(database) == before
    with database.session(writes=False) as session:
        (candidate,) = open_candidates(session)
        assert (candidate.reference, candidate.decided_at, candidate.decision_reason) == (pair.candidate, None, None)


GIVEN_NAMES = ("Amina", "Omar", "Leyla", "Yusuf")


@st.composite
def _registers(draw: st.DrawFn) -> dict[str, Any]:
    """Two households that share Amina, with whatever else each has."""
    members = st.lists(st.sampled_from(GIVEN_NAMES[1:]), unique=True, max_size=3).map(lambda rest: ("Amina", *rest))
    side = st.fixed_dictionaries(
        {
            "phone": st.none() | st.sampled_from(["+999 1", "+999 2", "-"]),
            "language": st.none() | st.sampled_from(["uk", "az"]),
            "registered_on": st.dates(date(2024, 1, 1), TODAY),
            "consent_on": st.none() | st.just(factories.LONG_AGO),
            "number": st.none() | st.sampled_from(["AB 12", "AB 13"]),
            "state": st.sampled_from([ApplicationState.DRAFT, ApplicationState.ELIGIBLE, None]),
            "are_partners": st.booleans(),
        }
    )
    sides = draw(side), draw(side)
    if sides[0]["number"] is not None and sides[0]["number"] == sides[1]["number"]:
        sides[1]["number"] = None
    return {"members": (draw(members), draw(members)), "sides": sides, "survivor": draw(st.sampled_from([0, 1, None]))}


def _made(session: Session, drawn: dict[str, Any]) -> list[Household]:
    made = []
    for number, (members, side) in enumerate(zip(drawn["members"], drawn["sides"], strict=True)):
        fields = {name: side[name] for name in ("phone", "language", "registered_on", "consent_on")}
        household = family(session, *members, otherwise=bool(number), key=f"HH-{number}", **fields)
        household.people[0].national_id = side["number"]
        if side["are_partners"] and len(members) > 1:
            one, other = household.people[:2]
            one.partner_id, other.partner_id = other.id, one.id
        if side["state"] is not None:
            factories.application(session, household, anywhere=True, state=side["state"])
        made.append(household)
    session.flush()
    return made


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=_registers())
def test_whatever_is_merged_is_restored_byte_for_byte(session: Session, drawn: dict[str, Any]) -> None:
    with session.begin_nested() as savepoint:
        made = _made(session, drawn)
        duplicates.look(session, [each.id for each in made])
        (candidate,) = open_candidates(session)
        session.expunge_all()
        before = exports.write(session, actor=OPERATOR)
        survivor = None if drawn["survivor"] is None else made[drawn["survivor"]].reference
        decision = Decision(CandidateState.SAME, REASON, survivor=survivor)
        merge = decisions.decide(session, candidate.reference, decision, OPERATOR)
        assert merge is not None
        session.expunge_all()
        assert len(exports.write(session, actor=OPERATOR)["households.csv"].splitlines()) == 2
        decisions.undo(session, merge.reference, REASON, OPERATOR)
        session.expunge_all()
        assert exports.write(session, actor=OPERATOR) == before
        savepoint.rollback()


def test_a_text_of_which_nothing_counts_is_filled_in_and_taken_out_again(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        second = queries.visible_household(session, OPERATOR, pair.second)
        second.phone, second.people[0].national_id = "-", "?"
    before = exported(database)
    merge = merged(database, pair, verifier)
    with database.session(writes=False) as session:
        assert household_named(session, pair.first).phone == "-"
        assert people_of(session, pair.first)["Amina"].national_id == "?"
    undone(database, merge, verifier)
    assert exported(database) == before


def test_somebody_moves_to_where_they_are_registered_already(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Omar", "Leyla"), ("Yusuf", "Leyla"))
    before = exported(database)
    with database.session(writes=False) as session:
        leyla = people_of(session, pair.first)["Leyla"].reference
        assert candidates.find(session, pair.candidate, OPERATOR).evidence
    merge = str(decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(leyla,)))
    with database.session(writes=False) as session:
        assert set(people_of(session, pair.first)) == {"Amina", "Omar"}
        assert set(people_of(session, pair.second)) == {"Yusif", "Leila"}  # one record of her, not two
        assert open_candidates(session) == []
    undone(database, merge, verifier)
    assert exported(database) == before
    with database.session(writes=False) as session:
        assert len(session.scalars(select(Household)).all()) == 2


def test_somebody_moves_who_was_only_in_one(database: Database, pair: Pair, verifier: Principal) -> None:
    before = exported(database)
    with database.session(writes=False) as session:
        omar = people_of(session, pair.first)["Omar"].reference
    merge = str(decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar,)))
    with database.session(writes=False) as session:
        assert people_of(session, pair.second)["Omar"].relationship is Relationship.OTHER_RELATIVE
    undone(database, merge, verifier)
    assert exported(database) == before


def lives_in_a_house(session: Session, reference: str, holder: str) -> Tenancy:
    """Have a household live in a house, to which one of its members holds the title."""
    house = factories.house(session, factories.settlement(session), state=HouseState.OCCUPIED)
    titled = TenancyHolder(person=people_of(session, reference)[holder])
    row = Tenancy(house=house, household=household_named(session, reference), keys_given_on=TODAY, holders=[titled])
    session.add(row)
    session.flush()
    return row


def test_the_only_one_who_holds_the_title_to_a_house_does_not_move_away(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        title = lives_in_a_house(session, pair.first, "Omar").id
        people = people_of(session, pair.first)
    omar = people["Omar"].reference
    with pytest.raises(Conflict, match="Nobody else holds the title"):
        decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar,))
    with database.session(writes=True) as session:
        session.add(TenancyHolder(tenancy_id=title, person_id=people["Amina"].id))
    assert decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar,)) is not None


def test_nobody_moves_back_who_is_the_only_one_by_now_to_hold_the_title(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        title = lives_in_a_house(session, pair.second, "Аміна")
        omar = people_of(session, pair.first)["Omar"]
    merge = str(decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar.reference,)))
    with database.session(writes=True) as session:
        session.get_one(TenancyHolder, title.holders[0].id).opted_out_reason = "She wants none."
        session.add(TenancyHolder(tenancy_id=title.id, person_id=omar.id))
    with pytest.raises(Conflict, match="Nobody else holds the title"):
        undone(database, merge, verifier)
    with database.session(writes=True) as session:
        session.get_one(TenancyHolder, title.holders[0].id).opted_out_reason = None
    undone(database, merge, verifier)


def test_who_cannot_move_is_said(database: Database, make_pair: MakePair, verifier: Principal) -> None:
    pair = make_pair(("Amina", "Leyla"), ("Amina",))
    with database.session(writes=False) as session:
        first, second = people_of(session, pair.first), people_of(session, pair.second)
    for people, error in (
        ((), Invalid),
        (("PE-00000000",), Invalid),
        ((first["Leyla"].reference, second["Аміна"].reference), Invalid),
        ((second["Аміна"].reference,), Invalid),  # nobody would be left: then they are the same
        ((first["Amina"].reference,), Conflict),  # the head
    ):
        with pytest.raises(error):
            decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=people)
    with database.session(writes=False) as session:
        assert len(open_candidates(session)) == 1


def test_a_decision_is_made_once_and_a_different_pair_stays_two(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    before = exported(database)
    assert decide(database, pair, verifier, CandidateState.DIFFERENT) is None
    assert exported(database) == before
    with pytest.raises(Conflict, match="different already"):
        merged(database, pair, verifier)
    with database.session(writes=True) as session:
        assert duplicates.look_everywhere(session) == 0


def test_of_two_who_decide_at_once_one_is_told(database: Database, pair: Pair, verifier: Principal) -> None:
    def decided(state: CandidateState) -> str:
        try:
            decide(database, pair, verifier, state)
        except Conflict:
            return "told"
        return state.value

    found = at_once(lambda: decided(CandidateState.SAME), lambda: decided(CandidateState.DIFFERENT))
    assert found.count("told") == 1
    with database.session(writes=False) as session:
        state = session.scalars(select(DuplicateCandidate.state)).one()
        assert state.value in found
        assert len(session.scalars(select(Merge)).all()) == (state is CandidateState.SAME)


def test_merging_and_withdrawing_at_once_leaves_one_story(database: Database, pair: Pair, verifier: Principal) -> None:
    def act(change: Any) -> bool:
        try:
            with database.session(writes=True) as session:
                change(session)
        except HearthError:
            return False
        return True

    def withdraw(session: Session) -> None:
        application = queries.visible_application(session, OPERATOR, pair.applications[1])
        reservations.withdraw(session, application, "Stays.", OPERATOR)

    def merge(session: Session) -> None:
        decisions.decide(session, pair.candidate, Decision(CandidateState.SAME, REASON), verifier)

    assert any(at_once(lambda: act(withdraw), lambda: act(merge)))
    with database.session(writes=False) as session:
        assert application_named(session, pair.applications[1]).state is ApplicationState.WITHDRAWN
        state = application_named(session, pair.applications[0]).state
        assert state in (ApplicationState.ELIGIBLE, ApplicationState.SUBMITTED)


def test_who_submitted_both_decides_on_neither(database: Database, pair: Pair) -> None:
    with database.session(writes=True) as session:
        caseworker = factories.user(session, Role.CASEWORKER)
        for reference in pair.applications:
            application_named(session, reference).submitted_by_id = caseworker.user_id
    with pytest.raises(Forbidden, match="both applications"):
        decide(database, pair, caseworker, CandidateState.DIFFERENT)
    with database.session(writes=True) as session:
        second = application_named(session, pair.applications[1])
        second.submitted_by_id, second.written_by = None, [caseworker.user_id]  # somebody else corrected it since
    with pytest.raises(Forbidden, match="both applications"):
        decide(database, pair, caseworker, CandidateState.DIFFERENT)
    with database.session(writes=True) as session:
        application_named(session, pair.applications[1]).written_by = []
    assert decide(database, pair, caseworker, CandidateState.DIFFERENT) is None


def test_who_does_not_see_both_sees_nothing(database: Database, make_pair: MakePair) -> None:
    with database.session(writes=True) as session:
        beyond = factories.settlement(session, district="South")
        origin = factories.origin(session, beyond)
    pair = make_pair(origin=origin)
    with database.session(writes=True) as session:
        north, south, everywhere = (
            factories.user(session, Role.CASEWORKER, district=district) for district in ("North", "South", None)
        )
    for actor in (north, south):
        with database.session(writes=False) as session:
            assert session.scalars(candidates.visible(actor)).all() == []
            with pytest.raises(NotFound):
                candidates.find(session, pair.candidate, actor)
        with pytest.raises(NotFound):
            decide(database, pair, actor, CandidateState.DIFFERENT)
    with database.session(writes=False) as session:
        assert candidates.find(session, pair.candidate, everywhere).first.reference == pair.first
    merge = merged(database, pair, everywhere)
    with pytest.raises(NotFound):
        undone(database, merge, north)


def _reserve(session: Session, reference: str) -> str:
    """Reserve a house for the household of an application."""
    application = application_named(session, reference)
    house = factories.house(session, factories.settlement(session, "Placed"))
    application.state, application.settlement_id = ApplicationState.ALLOCATED, house.settlement_id
    return house.reference


def test_the_household_with_a_house_goes_on(database: Database, pair: Pair, verifier: Principal) -> None:
    with database.session(writes=True) as session:
        _reserve(session, pair.applications[1])
    with pytest.raises(Conflict, match=f"{pair.second} has a house"):
        merged(database, pair, verifier, survivor=pair.first)
    merge = merged(database, pair, verifier)
    with database.session(writes=False) as session:
        assert household_named(session, pair.first).merged_into_id == household_named(session, pair.second).id
    undone(database, merge, verifier)  # it had its house before
    with database.session(writes=True) as session:
        _reserve(session, pair.applications[0])
    with pytest.raises(Conflict, match="Both households have a house"):
        merged(database, pair, verifier)


def test_a_household_that_somebody_placed_is_not_merged_away(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        second = household_named(session, pair.second)
        placement = factories.placement(session, second, factories.settlement(session, "Elsewhere"))
    with pytest.raises(Conflict, match=f"The placement {placement.reference} is about {pair.second}"):
        merged(database, pair, verifier)
    merged(database, pair, verifier, survivor=pair.second)


def test_what_cannot_be_undone_says_why(database: Database, pair: Pair, verifier: Principal) -> None:
    merge = merged(database, pair, verifier)
    with database.session(writes=True) as session:
        household_named(session, pair.first).registered_on = TODAY
        people_of(session, pair.first)["Yusif"].relationship = Relationship.GRANDCHILD
    undone_at_first = exported(database)
    with database.session(writes=True) as session:
        people_of(session, pair.first)["Yusif"].key = "another"
    with pytest.raises(Conflict, match=r"key of person .* has been changed since"):
        undone(database, merge, verifier)
    with database.session(writes=True) as session:
        people_of(session, pair.first)["Yusif"].key = "HH-2/3"
        application_named(session, pair.applications[0]).state = ApplicationState.ALLOCATED
    assert exported(database) == undone_at_first
    with pytest.raises(Conflict, match="has been given a house since"):
        undone(database, merge, verifier)
    with database.session(writes=True) as session:
        application_named(session, pair.applications[0]).state = ApplicationState.SUBMITTED
    undone(database, merge, verifier)
    with pytest.raises(Conflict, match="undone already"):
        undone(database, merge, verifier)
    again = merged(database, pair, verifier)
    with database.session(writes=True) as session:
        erase(session, pair.first, "Asked for.", OPERATOR)
    with pytest.raises(Conflict, match="was erased since"):
        undone(database, again, verifier)


def test_erasing_one_erases_what_was_merged_into_it(database: Database, pair: Pair, verifier: Principal) -> None:
    merged(database, pair, verifier)
    with database.session(writes=True) as session:
        held = give(session, pair.first, OPERATOR)
        assert [each.reference for each in held.merged] == [pair.second]
        assert [each.state for each in held.suspicions] == [CandidateState.SAME]
    with database.session(writes=True) as session:
        erase(session, pair.first, "Asked for.", OPERATOR)
    with database.session(writes=False) as session:
        assert session.scalars(select(Person)).all() == []
        assert household_named(session, pair.second).erased_at is not None
        merge = session.scalars(select(Merge)).one()
        candidate = session.scalars(select(DuplicateCandidate)).one()
        assert (merge.changes, candidate.evidence, candidate.decision_reason) == ([], [], "Erased.")


def test_files_of_a_merged_household_go_to_the_one_it_is_now(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    files = {name: exported(database)[name] for name in ("households.csv", "people.csv")}
    merged(database, pair, verifier)
    after = exported(database)
    with database.session(writes=True) as session:
        assert imports.run(session, files, actor=OPERATOR).sentence.startswith("Nothing changed")
    assert exported(database) == after
    newborn = files["people.csv"] + files["people.csv"].splitlines()[-1].replace(b",3,", b",4,", 1).replace(
        b"Yusif", b"Sona"
    )
    with database.session(writes=True) as session:
        imports.run(session, {"people.csv": newborn}, actor=OPERATOR)
    with database.session(writes=False) as session:
        assert "Sona" in people_of(session, pair.first)
        assert len(session.scalars(select(Household)).all()) == 2


def test_somebody_new_in_a_merged_household_has_a_key_that_can_be_kept(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    header, *lines = exported(database)["people.csv"].splitlines(keepends=True)
    merged(database, pair, verifier)

    def sent(key: bytes) -> str:
        newborn = lines[-1].replace(b",3,", b",%s," % key, 1).replace(b"Yusif", b"Sona")
        with database.session(writes=True) as session:
            return imports.run(session, {"people.csv": header + newborn}, actor=OPERATOR).sentence

    with pytest.raises(ImportRefused, match="shorten it") as refused:
        sent(b"4" * 76)
    assert [(each.row, each.column) for each in refused.value.rows] == [(2, "person")]
    assert sent(b"4" * 75).startswith("1 row")
    assert sent(b"4" * 75).startswith("Nothing changed")


def test_files_of_somebody_who_moved_find_them_where_they_are(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Omar", "Leyla"), ("Yusuf", "Leyla"))
    files = {"people.csv": exported(database)["people.csv"]}
    with database.session(writes=False) as session:
        people = people_of(session, pair.first)
    moved = (people["Leyla"].reference, people["Omar"].reference)
    decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=moved)
    after = exported(database)
    with database.session(writes=True) as session:
        assert imports.run(session, files, actor=OPERATOR).sentence.startswith("Nothing changed")
    assert exported(database) == after


def test_files_of_a_household_that_somebody_moved_to_change_nothing_of_another_family(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Omar", "Leyla"), ("Yusuf", "Leyla"))
    with database.session(writes=True) as session:
        leyla = people_of(session, pair.first)["Leyla"].reference
        household_named(session, pair.second).phone = "+999501"
        application_named(session, pair.applications[1]).state = ApplicationState.VERIFIED
    files = {"households.csv": exported(database)["households.csv"]}
    decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(leyla,))
    after = exported(database)
    assert after["households.csv"] == files["households.csv"]
    with database.session(writes=True) as session:
        assert imports.run(session, files, actor=OPERATOR).sentence.startswith("Nothing changed")
    assert exported(database) == after
    with database.session(writes=True) as session:
        assert application_named(session, pair.applications[1]).state is ApplicationState.VERIFIED
        unreachable = {"households.csv": files["households.csv"].replace(b"'+999501", b"")}
        imports.run(session, unreachable, actor=OPERATOR)
    with database.session(writes=False) as session:
        assert household_named(session, pair.second).phone is None  # theirs to leave out: nothing came from the other


@pytest.mark.parametrize("state", [ApplicationState.VERIFIED, ApplicationState.ALLOCATED])
@pytest.mark.parametrize("had_one", [True, False])
def test_files_from_before_keep_the_wishes_of_the_application_that_goes_on(
    database: Database, pair: Pair, verifier: Principal, state: ApplicationState, had_one: bool
) -> None:
    with database.session(writes=True) as session:
        first, second = (application_named(session, each) for each in pair.applications)
        first.state, second.anywhere = ApplicationState.SUBMITTED, False
        if not had_one:
            session.delete(first)
    files = {"households.csv": exported(database)["households.csv"]}
    merged(database, pair, verifier, survivor=pair.first)
    with database.session(writes=True) as session:
        application_named(session, pair.applications[1]).state = state
    after = exported(database)
    for sent in (files, after):
        with database.session(writes=True) as session:
            report = imports.run(session, only(sent, "households.csv"), actor=OPERATOR)
            assert report.sentence.startswith("Nothing changed")
    assert exported(database) == after
    with database.session(writes=False) as session:
        going_on = application_named(session, pair.applications[1])
        assert (going_on.state, going_on.anywhere) == (state, False)


def test_files_change_the_wishes_of_an_application_that_came_from_another_record(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        application_named(session, pair.applications[0]).state = ApplicationState.DRAFT
        other = factories.settlement(session).reference
    merged(database, pair, verifier, survivor=pair.first)
    header, line = exported(database)["households.csv"].splitlines(keepends=True)
    wish = next(cell for cell in line.split(b",") if cell.startswith(b"ST-"))
    files = {"households.csv": header + line.replace(wish, other.encode())}
    with database.session(writes=True) as session:
        imports.run(session, files, actor=OPERATOR)
    assert exported(database)["households.csv"] == files["households.csv"]


def test_files_from_before_keep_partners_whom_a_merge_brought_together(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Leyla"), ("Amina", "Omar", "Leyla"))
    with database.session(writes=True) as session:
        _make_partners(session, pair.second, "Аміна", "Омар")
    files = {"people.csv": exported(database)["people.csv"]}
    merged(database, pair, verifier, survivor=pair.first)
    after = exported(database)
    for sent in (files, after):
        with database.session(writes=True) as session:
            report = imports.run(session, only(sent, "people.csv"), actor=OPERATOR)
            assert report.sentence.startswith("Nothing changed")
    with database.session(writes=True) as session:
        people = people_of(session, pair.first)
        assert people["Amina"].partner_id == people["Омар"].id
        imports.run(session, {"people.csv": _with_partner(after["people.csv"], "")}, actor=OPERATOR)
    with database.session(writes=False) as session:
        assert {person.partner_id for person in people_of(session, pair.first).values()} == {None}


def test_files_may_name_a_partner_who_moved_and_nobody_else_of_another_household(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair(("Amina", "Omar", "Leyla"), ("Yusuf", "Leyla"))
    with database.session(writes=True) as session:
        _make_partners(session, pair.first, "Amina", "Omar")
        omar = people_of(session, pair.first)["Omar"].reference
        stranger = people_of(session, pair.second)["Yusif"].reference
    files = {"people.csv": exported(database)["people.csv"]}
    decide(database, pair, verifier, CandidateState.MOVED_HOUSEHOLD, people=(omar,))
    after = exported(database)
    with database.session(writes=True) as session:
        assert imports.run(session, files, actor=OPERATOR).sentence.startswith("Nothing changed")
    assert exported(database) == after
    with database.session(writes=True) as session, pytest.raises(ImportRefused, match="nobody else in the") as refused:
        imports.run(session, {"people.csv": _with_partner(files["people.csv"], stranger)}, actor=OPERATOR)
    assert (2, "partner") in [(each.row, each.column) for each in refused.value.rows]


def _make_partners(session: Session, household: str, one: str, other: str) -> None:
    people = people_of(session, household)
    people[one].partner_id, people[other].partner_id = people[other].id, people[one].id


def _with_partner(content: bytes, partner: str) -> bytes:
    """A file of people with this in every cell of partners."""
    lines = list(csv.DictReader(io.StringIO(content.decode())))
    out = io.StringIO()
    writer = csv.DictWriter(out, lines[0])
    writer.writeheader()
    writer.writerows(line | {"partner": partner} for line in lines)
    return out.getvalue().encode()


def test_a_row_is_checked_against_its_own_day_of_registration_after_a_merge(
    database: Database, make_pair: MakePair, verifier: Principal
) -> None:
    pair = make_pair()
    with database.session(writes=True) as session:
        second = household_named(session, pair.second)
        second.displaced_on = TODAY - timedelta(days=10)  # after the first was registered
    files = exported(database)
    merged(database, pair, verifier, survivor=pair.second)
    moved_in = {"households.csv": files["households.csv"].replace(b"rented", b"dormitory")}
    with database.session(writes=True) as session:
        imports.run(session, moved_in, actor=OPERATOR)
    with database.session(writes=False) as session:
        household = household_named(session, pair.second)
        assert household.current_accommodation is Accommodation.DORMITORY
        assert household.registered_on == TODAY - timedelta(days=30)


def test_while_a_run_is_undecided_nothing_that_it_rests_on_is_merged(
    database: Database, pair: Pair, verifier: Principal
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session, "Ready")
        factories.house(session, place, bedrooms=4)
        for reference in pair.applications:
            application_named(session, reference).anywhere = True
    run = proposed(database)
    with pytest.raises(Conflict, match=f"Run {run} rests on these households"):
        merged(database, pair, verifier)
    decide_run(database, run, runs.approve)  # the suspicion stands in nobody's way
    with database.session(writes=False) as session:
        states = {application_named(session, each).state for each in pair.applications}
        assert ApplicationState.ALLOCATED in states
    merged(database, pair, verifier)
