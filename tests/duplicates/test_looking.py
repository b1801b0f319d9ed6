"""Looking for duplicates: on submission, on change, on import, in the whole register; nothing else changes by it."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.database import Database
from app.exchange import imports
from app.privacy.erasure import erase
from app.registry import applications, duplicates, households, queries
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, MatchKey
from app.registry.matching import EvidenceCode
from app.registry.models import Application, ApplicationState, Household
from tests.concurrency import at_once
from tests.conftest import ActingAs
from tests.duplicates.conftest import Pair, family, household_named, open_candidates
from tests.exchange.village import VILLAGE, rows, written

PERSON = {"given_name": "Amina", "family_name": "Kovalenko", "sex": "female", "birth_date": "1980-03-24"}
BODY = {"current_accommodation": "rented", "people": [PERSON | {"relationship": "head"}]}


def _submitted(session: Session, household: Household) -> None:
    """Begin and submit an application of `household`."""
    loaded = queries.visible_household(session, OPERATOR, household.reference)
    application = applications.create(session, loaded, client_id=None, wishes=[], anywhere=True, actor=OPERATOR)
    applications.submit(session, application, OPERATOR)


def test_a_second_registration_is_noticed_when_it_applies(database: Database, acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    for spelled in ("Kovalenko", "Коваленко"):
        people = [PERSON | {"relationship": "head", "family_name": spelled}]
        household = client.post("/households", json=BODY | {"people": people}).json()["reference"]
        application = client.post("/applications", json={"household": household, "anywhere": True}).json()["reference"]
        assert client.get("/duplicates").json()["items"] == []
        assert client.post(f"/applications/{application}/submit").status_code == 200
    (found,) = client.get("/duplicates").json()["items"]
    assert (found["state"], found["score"]) == ("open", 10.5)
    shown = client.get(f"/duplicates/{found['reference']}").json()
    assert [each["code"] for each in shown["evidence"]] == ["same_name_in_two_scripts", "same_birth_date"]


def test_those_who_look_alike_keep_their_place(session: Session) -> None:
    one, other = family(session, "Amina"), family(session, "Amina", otherwise=True)
    before = [(each.registered_on, each.version) for each in (one, other)]
    for each in (one, other):
        _submitted(session, each)
    assert len(open_candidates(session)) == 1
    assert [(each.registered_on, each.version) for each in (one, other)] == before
    states = session.scalars(select(Application.state)).all()
    assert states == [ApplicationState.SUBMITTED] * 2


def test_correcting_what_was_alike_lets_it_lapse_and_back_again(session: Session) -> None:
    one, other = family(session, "Amina"), family(session, "Amina")
    for each in (one, other):
        _submitted(session, each)
    loaded = queries.visible_household(session, OPERATOR, other.reference)
    households.change_person(session, loaded, loaded.people[0], {"birth_date": date(1991, 7, 9)}, OPERATOR)
    assert open_candidates(session) == []
    households.change_person(session, loaded, loaded.people[0], {"birth_date": date(1980, 3, 24)}, OPERATOR)
    (again,) = open_candidates(session)
    assert {each["code"] for each in again.evidence} >= {EvidenceCode.SAME_NAME, EvidenceCode.SAME_BIRTH_DATE}


def test_a_decided_pair_comes_back_only_with_new_evidence(session: Session) -> None:
    one, other = family(session, "Amina", phone="+999 1"), family(session, "Amina")
    duplicates.look(session, [one.id, other.id])
    (candidate,) = open_candidates(session)
    candidate.state, candidate.decided_at = CandidateState.DIFFERENT, candidate.found_at
    assert duplicates.look_everywhere(session) == 0
    loaded = queries.visible_household(session, OPERATOR, other.reference)
    _submitted(session, other)
    households.change(session, loaded, {"language": "uk"}, OPERATOR)
    assert open_candidates(session) == []
    households.change(session, loaded, {"phone": "+999-1"}, OPERATOR)
    (again,) = open_candidates(session)
    assert again.id != candidate.id
    assert EvidenceCode.SAME_PHONE in {each["code"] for each in again.evidence}


def test_documents_tell_people_apart(session: Session) -> None:
    one, other = family(session, "Amina"), family(session, "Amina")
    one.people[0].national_id, other.people[0].national_id = "AB 123456", "CD 987654"
    duplicates.look(session, [one.id, other.id])
    assert open_candidates(session) == []
    other.people[0].national_id = "AB-123465"
    duplicates.look(session, [one.id])
    (found,) = open_candidates(session)
    assert EvidenceCode.ONE_SIGN_OF_DOCUMENT_DIFFERS in {each["code"] for each in found.evidence}


def test_an_import_looks_at_everybody_it_writes(database: Database) -> None:
    header, *people = rows(VILLAGE["people.csv"])
    column = {name: number for number, name in enumerate(header)}
    twice = [list(row) for row in people]
    first = twice[0]
    other = next(row for row in twice if row[column["household"]] != first[column["household"]])
    for name in ("given_name", "family_name", "birth_date", "sex"):
        other[column[name]] = first[column[name]]
    named, *lines = rows(VILLAGE["households.csv"])
    for line in lines:
        line[named.index("origin")] = "O-1"
    files = {**VILLAGE, "people.csv": written([header, *twice]), "households.csv": written([named, *lines])}
    with database.session(writes=True) as session:
        assert imports.run(session, files, actor=OPERATOR, dry_run=True).possible_duplicates == 0
        assert imports.run(session, files, actor=OPERATOR).possible_duplicates == 1
    with database.session(writes=True) as session:
        assert imports.run(session, files, actor=OPERATOR).possible_duplicates == 0
        assert len(open_candidates(session)) == 1


def test_a_key_that_everybody_shares_says_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_IN_BLOCK", 2)
    everybody = [family(session, "Amina") for _ in range(3)]
    assert duplicates.look(session, [each.id for each in everybody]) == 0
    monkeypatch.setattr(duplicates, "MOST_IN_BLOCK", 3)
    assert duplicates.look(session, [everybody[0].id]) == 2
    assert duplicates.look_everywhere(session) == 1


def test_looking_in_parts_finds_the_same(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        family(session, "Amina", otherwise=bool(number % 2))
    monkeypatch.setattr(duplicates, "LOOKED_AT_ONCE", 1)
    assert duplicates.look_everywhere(session) == 6


def test_one_household_is_looked_up_in_few_statements(session: Session, statements: list[str]) -> None:
    everybody = [family(session, "Amina", "Omar", registered_on=date(2026, 1, 1) + timedelta(days=n)) for n in range(8)]
    duplicates.look(session, [each.id for each in everybody])
    statements.clear()
    duplicates.look(session, [everybody[0].id])
    assert len(statements) <= 12


def test_what_is_erased_is_looked_for_no_more(database: Database, pair: Pair) -> None:
    with database.session(writes=True) as session:
        erase(session, pair.second, "Asked for.", OPERATOR)
    with database.session(writes=False) as session:
        erased = household_named(session, pair.second)
        counted = select(func.count()).select_from(MatchKey).where(MatchKey.household_id == erased.id)
        assert session.scalar(counted) == 0
        (candidate,) = session.scalars(select(DuplicateCandidate))
        assert (candidate.state, candidate.evidence) == (CandidateState.LAPSED, [])


def test_keys_say_nothing_of_names(session: Session) -> None:
    household = family(session, "Amina", "Omar")
    duplicates.look(session, [household.id])
    keys = session.scalars(select(MatchKey.key)).all()
    assert len(keys) == len(set(keys)) == 6
    assert all(0 <= key < 2**60 for key in keys)


def test_two_who_find_the_same_pair_at_once_note_it_once(database: Database) -> None:
    with database.session(writes=True) as session:
        ids = [family(session, "Amina", otherwise=bool(number)).id for number in range(2)]

    def look() -> int:
        with database.session(writes=True) as session:
            return duplicates.look(session, ids)

    assert sorted(at_once(look, look)) == [0, 1]
    with database.session(writes=False) as session:
        assert len(open_candidates(session)) == 1
