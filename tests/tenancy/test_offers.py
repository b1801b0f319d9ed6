"""Offers: issued by run, answered in time, and what becomes of the house and of the family's place."""

from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.access.models import Role
from app.allocation import runs
from app.allocation.models import Proposal
from app.allocation.offer_models import Offer, OfferState
from app.database import Database, utc_now
from app.housing.models import GateClosure, House
from app.registry.models import Application, ApplicationState
from app.settings import Settings
from app.tenancy import offers
from app.tenancy.deadlines import last_day
from app.worker import expire_offers
from tests import factories
from tests.allocation.conftest import Register, decide, drawn, proposed, register, said
from tests.conftest import ActingAs
from tests.tenancy import living

__all__ = ["register"]
TODAY = utc_now().date()
UTC = ZoneInfo("UTC")
ACCEPT = {"answered_on": str(TODAY), "given_how": "in_person"}
DECLINE = {"answered_on": str(TODAY), "given_how": "telephone", "reason": "no_work", "note": "No work there."}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Offered(NamedTuple):
    """References of an offered house and of the family to which it is offered."""

    settlement: str
    house: str
    household: str
    application: str
    offer: str


def offered(database: Database, **fields: Any) -> Offered:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        house = factories.house(session, place)
        given = factories.reservation(session, house)
        offer = factories.offer(session, given, **fields)
        return Offered(
            place.reference,
            house.reference,
            given.household.reference,
            given.application.reference,
            offer.reference,
        )


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    """Somebody who plans, stands by families and answers for the village."""
    return acting_as(Role.PLANNER, Role.CASEWORKER, Role.VILLAGE_ADMINISTRATOR)


def _post(client: httpx2.Client, path: str, body: Any = None) -> httpx2.Response:
    return client.post(path, json=body) if body is not None else client.post(path)


def _states(client: httpx2.Client, on: Offered) -> tuple[str, str, str]:
    """Return the states of offer, house and application."""
    return (
        client.get(f"/offers/{on.offer}").json()["state"],
        client.get(f"/houses/{on.house}").json()["state"],
        client.get(f"/applications/{on.application}").json()["state"],
    )


def _suspend(client: httpx2.Client, place: str, status: str = "suspended") -> None:
    etag = client.get(f"/settlements/{place}").headers["ETag"]
    answer = client.patch(f"/settlements/{place}", json={"status": status}, headers={"If-Match": etag})
    assert answer.is_success, answer.text


def test_every_house_of_a_run_is_offered_once(database: Database, register: Register, client: httpx2.Client) -> None:
    run = drawn(database)
    reserved = {each.household.reference for each in said(database, run).values() if each.state == "reserved"}
    issued = _post(client, f"/runs/{run}/offers").json()
    assert issued == {"run": run, "issued": len(reserved), "issued_before": 0, "held_back": []}
    again = _post(client, f"/runs/{run}/offers").json()
    assert again == {"run": run, "issued": 0, "issued_before": len(reserved), "held_back": []}
    assert client.get(f"/runs/{run}").json()["state"] == "offers_issued"
    listed = client.get("/offers", params={"run": run, "state": "issued"}).json()["items"]
    assert {each["household"] for each in listed} == reserved
    assert {each["answer_by"] for each in listed} == {str(TODAY + timedelta(days=14))}
    assert client.get("/offers", params={"settlement": register.hillside, "run": run}).json()["items"] == [
        each for each in listed if each["settlement"] == register.hillside
    ]
    one = listed[0]
    assert client.get("/offers", params={"household": one["household"]}).json()["items"] == [one]


@on_sqlite
def test_nothing_is_offered_before_the_draw_nor_where_a_gate_has_closed(
    database: Database, register: Register, client: httpx2.Client, acting_as: ActingAs
) -> None:
    run = proposed(database)
    refused = _post(client, f"/runs/{run}/offers")
    assert (refused.status_code, refused.json()["state"]) == (409, "proposed")
    assert acting_as(Role.APPROVER).post(f"/runs/{run}/approve").status_code == 200
    _suspend(client, register.hillside)
    first = _post(client, f"/runs/{run}/offers").json()
    assert first["held_back"] == [register.hillside]
    _suspend(client, register.hillside, "open")
    second = _post(client, f"/runs/{run}/offers").json()
    assert second["held_back"] == []
    assert second["issued"] + first["issued"] == len(client.get(f"/offers?run={run}").json()["items"])
    assert second["issued"] > 0


def test_a_family_accepts_and_moves_in(client: httpx2.Client, database: Database) -> None:
    on = offered(database)
    body = {"household": on.household, "moved_in_on": str(TODAY)}
    refused = _post(client, f"/houses/{on.house}/move-in", body)
    assert (refused.status_code, "issued" in refused.json()["detail"]) == (409, True)
    accepted = _post(client, f"/offers/{on.offer.lower()}/accept", ACCEPT)
    assert (accepted.status_code, accepted.json()["state"], accepted.json()["ended_at"]) == (200, "accepted", None)
    assert _post(client, f"/offers/{on.offer}/accept", ACCEPT).status_code == 409
    with database.session(writes=False) as session:
        assert session.scalars(select(Proposal)).one().is_firm
    assert _post(client, f"/houses/{on.house}/move-in", body).status_code == 201
    assert _states(client, on) == ("accepted", "occupied", "housed")
    assert client.get(f"/offers/{on.offer}").json()["ended_at"] is not None
    assert _post(client, f"/offers/{on.offer}/decline", DECLINE).status_code == 409


@pytest.mark.parametrize("accepted", [False, True])
def test_a_declined_house_is_free_at_once(client: httpx2.Client, database: Database, accepted: bool) -> None:
    on = offered(database)
    if accepted:
        assert _post(client, f"/offers/{on.offer}/accept", ACCEPT).status_code == 200
    declined = _post(client, f"/offers/{on.offer}/decline", DECLINE)
    assert (declined.json()["decline_reason"], declined.json()["note"]) == ("no_work", "No work there.")
    state, house, application = _states(client, on)
    assert (state, house) == ("declined", "available")
    assert application == "eligible"
    for again in ("accept", "decline", "withdraw"):
        body = {"accept": ACCEPT, "decline": DECLINE, "withdraw": {"reason": "Wrong."}}[again]
        assert _post(client, f"/offers/{on.offer}/{again}", body).status_code == 409
    assert client.get("/reservations").json()["items"] == []


def test_a_withdrawn_offer_and_a_house_that_was_lived_in(client: httpx2.Client, database: Database) -> None:
    on = offered(database)
    with database.session(writes=True) as session:
        house = session.scalars(select(House).where(House.reference == on.house)).one()
        before = factories.tenancy(session, factories.house(session, factories.settlement(session)))
        proposal = session.scalars(select(Proposal).where(Proposal.household_id == before.household_id)).one()
        proposal.house_id = house.id
        living.left(before, factories.LONG_AGO)
        before.house_id = house.id
    withdrawn = _post(client, f"/offers/{on.offer}/withdraw", {"reason": "Measured wrongly."})
    assert withdrawn.json()["end_reason"] == "Offer withdrawn: Measured wrongly."
    with database.session(writes=False) as session:
        assert session.scalars(select(House.state).where(House.reference == on.house)).one() == "vacated"
    assert _post(client, f"/offers/{on.offer}/accept", ACCEPT).status_code == 409


@pytest.mark.parametrize("accepted", [False, True])
def test_whatever_gives_up_a_reservation_ends_its_offer(
    client: httpx2.Client, database: Database, accepted: bool
) -> None:
    unfit, gone = offered(database), offered(database)
    for on in (unfit, gone):
        if accepted:
            assert _post(client, f"/offers/{on.offer}/accept", ACCEPT).status_code == 200
    assert _post(client, f"/houses/{unfit.house}/unfit", {"reason": "It leaks."}).status_code == 200
    assert _post(client, f"/applications/{gone.application}/withdraw", {"reason": "Elsewhere."}).status_code == 200
    reads = [client.get(f"/offers/{on.offer}").json() for on in (unfit, gone)]
    assert [each["state"] for each in reads] == ["withdrawn", "withdrawn"]
    assert [each["end_reason"] for each in reads] == ["House unfit: It leaks.", "The family withdrew."]
    assert all(each["ended_at"] for each in reads)


def test_an_answer_after_the_deadline_is_refused_even_if_nobody_has_expired_it(
    client: httpx2.Client, database: Database
) -> None:
    issued_at = utc_now() - timedelta(days=20)
    late = offered(database, issued_at=issued_at, answer_by=TODAY - timedelta(days=1))
    last = offered(database, issued_at=issued_at, answer_by=TODAY)
    for answer, body in (("accept", ACCEPT), ("decline", DECLINE)):
        refused = _post(client, f"/offers/{late.offer}/{answer}", body)
        assert (refused.status_code, "ran out" in refused.json()["detail"]) == (409, True)
    assert _states(client, late)[:2] == ("issued", "reserved")
    assert expire_offers(database, Settings()) == [late.offer]
    assert expire_offers(database, Settings()) == []
    assert _states(client, late)[:2] == ("expired", "available")
    assert _post(client, f"/offers/{last.offer}/accept", ACCEPT).status_code == 200


@on_sqlite
def test_an_offer_that_cannot_be_ended_keeps_no_other_from_its_end(database: Database) -> None:
    fields = {"issued_at": utc_now() - timedelta(days=20), "answer_by": TODAY - timedelta(days=1)}
    broken, late = (offered(database, **fields) for _ in range(2))
    with database.session(writes=True) as session:  # as nothing that the service does leaves it
        application = session.scalars(select(Application).where(Application.reference == broken.application)).one()
        application.state, application.settlement_id = ApplicationState.WITHDRAWN, None
    assert expire_offers(database, Settings()) == [late.offer]


@on_sqlite
def test_no_deadline_runs_out_while_a_gate_is_closed(client: httpx2.Client, database: Database) -> None:
    on = offered(database, issued_at=utc_now() - timedelta(days=20), answer_by=TODAY - timedelta(days=1))
    with database.session(writes=True) as session:  # closed since the day before the last
        place = session.scalars(select(House)).one().settlement_id
        session.add(GateClosure(settlement_id=place, closed_at=utc_now() - timedelta(days=2)))
    _suspend(client, on.settlement)
    read = client.get(f"/offers/{on.offer}").json()
    assert (read["is_paused"], read["answer_by"]) == (True, str(TODAY + timedelta(days=2)))
    assert expire_offers(database, Settings()) == []
    refused = _post(client, f"/offers/{on.offer}/accept", ACCEPT)
    assert (refused.status_code, "gate" in refused.json()["detail"]) == (409, True)
    _suspend(client, on.settlement, "open")
    read = client.get(f"/offers/{on.offer}").json()
    assert (read["is_paused"], read["answer_by"]) == (False, str(TODAY + timedelta(days=2)))
    assert _post(client, f"/offers/{on.offer}/accept", ACCEPT).status_code == 200
    with database.session(writes=False) as session:
        assert session.scalars(select(GateClosure)).one().opened_at is not None


@on_sqlite
def test_days_are_those_of_the_programmes_time_zone(database: Database) -> None:
    east, west = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")
    ahead, behind = (utc_now().astimezone(zone).date() for zone in (east, west))
    on = offered(database, issued_at=utc_now() - timedelta(days=20), answer_by=behind)
    with database.session(writes=False) as session:
        assert offers.overdue(session, west) == []
        assert offers.overdue(session, east) == [on.offer]  # there it is a day later, or two
    assert ahead > behind


DAY = st.dates(date(2026, 1, 1), date(2026, 3, 1))


@given(DAY, st.integers(1, 20), st.sets(DAY, max_size=30))
@settings(max_examples=100)
def test_a_deadline_leaves_as_many_open_days_as_the_policy_says(issued: date, days: int, closed: set[date]) -> None:
    last = last_day(issued, issued + timedelta(days=days), closed)
    counted = [issued + timedelta(days=number) for number in range(1, (last - issued).days + 1)]
    assert len([day for day in counted if day not in closed]) == days
    assert last not in closed


def test_the_database_keeps_two_offers_of_one_house_or_to_one_family_apart(database: Database) -> None:
    on = offered(database)
    with database.session(writes=False) as session:
        first = session.scalars(select(Offer).where(Offer.reference == on.offer)).one()

    def another(**fields: Any) -> None:
        with database.session(writes=True) as session:
            other = factories.reservation(session, factories.house(session, factories.settlement(session)))
            factories.offer(session, other, **fields)

    for same in ({"house_id": first.house_id}, {"household_id": first.household_id}):
        with pytest.raises(IntegrityError):
            another(**same)
        another(**same, state=OfferState.EXPIRED, ended_at=utc_now())  # one that has ended is in nobody's way


@on_sqlite
def test_answers_are_given_on_days_that_can_be(client: httpx2.Client, database: Database) -> None:
    on = offered(database)
    for day in (TODAY + timedelta(days=1), TODAY - timedelta(days=1)):
        refused = _post(client, f"/offers/{on.offer}/accept", ACCEPT | {"answered_on": str(day)})
        assert [each["pointer"] for each in refused.json()["errors"]] == ["#/body/answered_on"]
    assert _post(client, f"/offers/{on.offer}/decline", DECLINE | {"reason": "no reason"}).status_code == 422


@on_sqlite
def test_a_declined_settlement_is_not_offered_again_until_the_family_asks(
    client: httpx2.Client, database: Database, register: Register
) -> None:
    run = drawn(database)
    assert _post(client, f"/runs/{run}/offers").status_code == 200
    (offer,) = client.get("/offers", params={"run": run, "household": register.families["large"]}).json()["items"]
    assert offer["settlement"] == register.hillside
    assert _post(client, f"/offers/{offer['reference']}/ask-again").status_code == 409
    assert _post(client, f"/offers/{offer['reference']}/decline", DECLINE).status_code == 200

    def forbidden() -> list[str]:
        following = proposed(database)
        problem = client.get(f"/runs/{following}/problem").json()
        decide(database, following, runs.reject, "Only to look.")
        (row,) = [each for each in problem["households"] if each["id"] == register.families["large"]]
        return list(row.get("forbidden", []))

    assert forbidden() == [register.hillside]
    application = said(database, drawn(database))[register.families["large"]].application.reference
    explained = client.get(f"/applications/{application}/explanation", params={"language": "en"}).json()["sections"]
    told = [sentence for section in explained for sentence in section["sentences"]]
    assert "There are such houses in places where you declined an offer: Hillside." in told
    assert not any("did not ask for" in sentence for sentence in told)
    assert _post(client, f"/offers/{offer['reference']}/ask-again").json()["asked_again_at"] is not None
    assert _post(client, f"/offers/{offer['reference']}/ask-again").status_code == 409
    assert forbidden() == []
