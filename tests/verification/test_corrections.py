"""What is changed after it was handed in is kept with before and after, read by who checks it, and erased."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload

from app.access.models import Role
from app.access.permissions import OPERATOR, Principal
from app.database import Database
from app.exchange import imports
from app.registry import applications, queries
from app.registry.models import Application, ApplicationState, Correction, Household
from app.registry.schemas import CorrectionRead
from tests import factories
from tests.conftest import ActingAs
from tests.exchange.village import VILLAGE, load, only, with_cell, with_row

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _history(session: Session, application: Application) -> list[CorrectionRead]:
    query = select(Correction).where(Correction.application_id == application.id).order_by(Correction.id)
    return [CorrectionRead.of(each) for each in session.scalars(query.options(joinedload(Correction.corrected_by)))]


def _told(correction: CorrectionRead) -> set[tuple[str, Any, Any]]:
    return {(each.field, each.before, each.after) for each in correction.changes}


def test_corrections_are_kept_with_who_when_and_what(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        application = factories.verified(session, place, place=place)
    caseworker, verifier = acting_as(Role.CASEWORKER), acting_as(Role.VERIFIER)
    path, family = f"/applications/{application.reference}", f"/households/{application.household.reference}"
    head = application.household.people[0]

    def change(where: str, version_of: str, body: dict[str, Any]) -> None:
        seen = {"If-Match": caseworker.get(version_of).headers["ETag"]}
        assert caseworker.patch(where, json=body, headers=seen).status_code == 200

    change(path, path, {"preferences": [], "anywhere": True})
    change(f"/people/{head.reference}", family, {"family_name": "Маркер", "national_id": "AA 1"})
    change(family, family, {"phone": "+999 12 34"})
    change(family, family, {"current_accommodation": "rented"})  # as it was
    child = {"given_name": "N", "family_name": "K", "sex": "male", "birth_date": "2020-01-01", "relationship": "child"}
    assert caseworker.post(f"{family}/people", json=child).status_code == 201

    found = verifier.get(f"{path}/corrections").json()["items"]
    assert [each["state_before"] for each in found] == ["verified", "submitted", "submitted", "submitted"]
    assert found[0]["checked"]["verified_at"] is not None
    assert [each["corrected_by"].startswith("US-") for each in found] == [True] * 4
    told = [{(each["field"], str(each["before"]), str(each["after"])) for each in item["changes"]} for item in found]
    assert told[0] == {("preferences", f"['{place.reference}']", "[]"), ("anywhere", "False", "True")}
    assert told[1] == {("family_name", head.family_name, "Маркер"), ("national_id", "None", "AA 1")}
    assert told[2] == {("phone", "None", "+999 12 34")}
    assert ("given_name", "None", "N") in told[3]
    with database.session(writes=False) as session:
        stored = session.execute(text("SELECT content_sealed FROM corrections")).scalars().all()
        assert not any("Маркер" in each or "AA 1" in each for each in stored)

    held = acting_as(Role.PLANNER).get(f"{family}/subject-access").json()
    assert held["applications"][0]["corrections"] == found
    assert acting_as(Role.PLANNER).post(f"{family}/erase", json={"reason": "It asked."}).status_code == 200
    with database.session(writes=False) as session:
        assert session.scalars(select(Correction)).all() == []


@on_sqlite
def test_a_draft_has_no_history_and_a_family_with_a_house_has(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        draft = factories.application(session, factories.household(session), state=ApplicationState.DRAFT)
        given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    client = acting_as(Role.CASEWORKER)
    for application, count in ((draft, 0), (given.application, 1)):
        family = f"/households/{application.household.reference}"
        seen = {"If-Match": client.get(family).headers["ETag"]}
        assert client.patch(family, json={"current_accommodation": "dormitory"}, headers=seen).status_code == 200
        found = client.get(f"/applications/{application.reference}/corrections").json()["items"]
        assert len(found) == count
        assert [each["checked"] for each in found] == [{}] * count


@pytest.mark.parametrize("wrote", ["application", "household"])
def test_who_wrote_in_a_draft_does_not_verify_it_once_another_has_submitted_it(
    acting_as: ActingAs, database: Database, wrote: str
) -> None:
    with database.session(writes=True) as session:
        household = factories.household(session).reference
    caseworker, both = acting_as(Role.CASEWORKER), acting_as(Role.CASEWORKER, Role.VERIFIER)
    begun = caseworker.post("/applications", json={"household": household, "anywhere": True})
    path = f"/applications/{begun.json()['reference']}"
    where, body = {
        "application": (path, {"size_override": 4, "size_override_reason": "A doctor says so."}),
        "household": (f"/households/{household}", {"current_accommodation": "dormitory"}),
    }[wrote]
    seen = {"If-Match": both.get(where).headers["ETag"]}
    assert both.patch(where, json=body, headers=seen).status_code == 200
    assert caseworker.post(f"{path}/submit").status_code == 200
    seen = {"If-Match": both.get(path).headers["ETag"]}
    assert both.post(f"{path}/verify", headers=seen).status_code == 403
    assert acting_as(Role.VERIFIER).post(f"{path}/verify", headers=seen).status_code == 200


@on_sqlite
def test_what_is_reopened_keeps_why_and_what_had_been_decided(session: Session) -> None:
    application = factories.verified(session)
    application.state, application.ineligible_for = ApplicationState.INELIGIBLE, ["no_consent"]
    actor = factories.user(session, Role.APPROVER)
    applications.reopen(session, application, "The form was there.", actor)
    (correction,) = _history(session, application)
    assert (correction.reason, correction.state_before) == ("The form was there.", "ineligible")
    assert correction.checked["ineligible_for"] == ["no_consent"]
    assert correction.corrected_by == actor.reference
    assert application.ineligible_for is None


def _verified(session: Session, key: str) -> Application:
    found = session.scalars(select(Application).join(Application.household).where(Household.key == key)).one()
    found.state = ApplicationState.VERIFIED
    session.flush()
    return found


def test_an_import_corrects_too_and_who_imports_has_handed_it_in(session: Session, operator: Principal) -> None:
    load(session)
    actor = factories.user(session, Role.PLANNER)
    first = _verified(session, "H-1")
    first.submitted_by_id = actor.user_id
    session.flush()
    assert load(session).sentence.startswith("Nothing changed")
    assert _history(session, first) == []

    load(session, only(with_cell("households.csv", 2, "phone", "+999 88 77"), "households.csv"))
    session.refresh(first)
    assert first.state is ApplicationState.VERIFIED
    (phone,) = _history(session, first)
    assert {each[0] for each in _told(phone)} == {"phone"}
    assert phone.corrected_by is None

    load(session, with_cell("people.csv", 2, "needs_step_free", "1", with_cell("households.csv", 2, "anywhere", "1")))
    session.refresh(first)
    assert (first.state, first.submitted_by_id) == (ApplicationState.SUBMITTED, None)
    last = _history(session, first)[-1]
    assert last.state_before is ApplicationState.VERIFIED
    assert _told(last) >= {("needs_step_free", False, True), ("anywhere", False, True)}


@on_sqlite
def test_an_imported_newcomer_voids_what_was_checked(session: Session, operator: Principal) -> None:
    load(session)
    first = _verified(session, "H-1")
    header = VILLAGE["people.csv"].decode().splitlines()[0].split(",")
    new = {"household": "H-1", "person": "H-1-9", "given_name": "Nina", "family_name": "K", "sex": "female"}
    new |= {"birth_date": "2020-05-01", "relationship": "child", "needs_step_free": "0"}
    load(session, only(with_row("people.csv", ",".join(new.get(name, "") for name in header)), "people.csv"))
    session.refresh(first)
    assert first.state is ApplicationState.SUBMITTED
    assert ("given_name", None, "Nina") in _told(_history(session, first)[-1])


@on_sqlite
def test_what_was_returned_is_submitted_again_by_a_file_that_corrects_it(session: Session) -> None:
    load(session)
    first = _verified(session, "H-1")
    first.state = ApplicationState.RETURNED
    states = []
    for files in (VILLAGE, with_cell("households.csv", 2, "anywhere", "1")):
        session.flush()
        load(session, files)
        session.refresh(first)
        states.append(first.state.value)
    assert states == ["returned", "submitted"]


@pytest.mark.parametrize(
    "state",
    [ApplicationState.DRAFT, ApplicationState.SUBMITTED, ApplicationState.RETURNED, ApplicationState.ALLOCATED],
)
def test_who_imported_something_of_an_application_is_known_also_once_another_has(
    session: Session, operator: Principal, state: ApplicationState
) -> None:
    load(session)
    first, importer = _verified(session, "H-1"), factories.user(session, Role.PLANNER)
    first.state = state
    session.flush()
    there, not_there = (only(with_cell("people.csv", 2, "needs_step_free", each), "people.csv") for each in "10")
    imports.run(session, there, actor=importer)
    load(session, not_there)
    session.refresh(first)
    assert first.handed_in_by == {operator.user_id, importer.user_id}
    assert first.state is state


@on_sqlite
def test_a_wish_corrected_by_nobody_is_none(session: Session) -> None:
    reference = factories.submitted(session, factories.settlement(session)).reference
    session.expunge_all()
    application = queries.visible_application(session, OPERATOR, reference)
    version = application.version
    applications.change(session, application, wishes=None, anywhere=False, size_override=None, actor=OPERATOR)
    assert _history(session, application) == []
    assert application.version == version + 1
