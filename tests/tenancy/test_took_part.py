"""Appeals are decided by nobody who had a part in what they are against."""

from collections.abc import Callable
from functools import partial

import httpx2
import pytest

from app.access.models import Role
from app.database import Database, utc_now
from app.policy.facts import Accommodation
from app.registry.models import Application, ApplicationState
from app.settings import Settings
from app.worker import work_one
from tests import factories
from tests.allocation.conftest import drawn, settings
from tests.conftest import ActingAs

__all__ = ["settings"]  # used as a fixture
PLANS_AND_APPROVES = (Role.PLANNER, Role.APPROVER)


def _appeal(acting_as: ActingAs, application: str, against: str) -> str:
    body = {"application": application, "against": against, "ground": "procedure", "statement": "Nobody told us why."}
    answer = acting_as(Role.CASEWORKER).post("/appeals", json=body)
    assert answer.status_code == 201, answer.text
    return f"/appeals/{answer.json()['reference']}/decide"


def _dismiss(client: httpx2.Client, appeal: str) -> httpx2.Response:
    return client.post(appeal, json={"upheld": False, "reason": "It was right."})


def _refused(client: httpx2.Client, appeal: str) -> bool:
    answer = _dismiss(client, appeal)
    return answer.status_code == 403 and "took part in what this appeal is against" in answer.json()["detail"]


def _declare_unfit(client: httpx2.Client, house: str) -> None:
    assert client.post(f"/houses/{house}/unfit", json={"reason": "It leaks."}).status_code == 200


@pytest.mark.parametrize("part", ["submitted", "corrected"])
def test_who_wrote_the_application_does_not_whoever_did_so_last(
    acting_as: ActingAs, database: Database, part: str
) -> None:
    with database.session(writes=True) as session:
        application = factories.application(
            session, factories.household(session), anywhere=True, state=ApplicationState.RETURNED
        )
    path = f"/applications/{application.reference}"
    both, caseworker = acting_as(Role.CASEWORKER, Role.VERIFIER), acting_as(Role.CASEWORKER)

    def correct(client: httpx2.Client, needed: int) -> None:
        size = {"size_override": needed, "size_override_reason": "A doctor says so."}
        seen = {"If-Match": client.get(path).headers["ETag"]}
        assert client.patch(path, json=size, headers=seen).status_code == 200

    if part == "corrected":
        correct(both, 3)
    assert (both if part == "submitted" else caseworker).post(f"{path}/submit").status_code == 200
    correct(caseworker, 4)
    with database.session(writes=True) as session:
        row = session.get_one(Application, application.id)
        row.state, row.decided_at, row.ineligible_for = ApplicationState.INELIGIBLE, utc_now(), ["no_consent"]
    appeal = _appeal(acting_as, application.reference, "ineligibility")
    assert _refused(both, appeal)
    assert _dismiss(acting_as(Role.VERIFIER), appeal).status_code == 200


def _lodged_around(acting_as: ActingAs, lodged: str, act: Callable[[], None], application: str, against: str) -> str:
    """Lodge an appeal before or after an act."""
    if lodged == "after":
        act()
    appeal = _appeal(acting_as, application, against)
    if lodged == "before":
        act()
    return appeal


@pytest.mark.parametrize("lodged", ["before", "after"])
def test_who_took_an_offer_back_does_not_whenever_the_appeal_was_lodged(
    acting_as: ActingAs, database: Database, lodged: str
) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)))
        offer = factories.offer(session, given)
    client = acting_as(*PLANS_AND_APPROVES)

    def withdraw() -> None:
        path = f"/offers/{offer.reference}/withdraw"
        assert client.post(path, json={"reason": "Measured wrongly."}).status_code == 200

    appeal = _lodged_around(acting_as, lodged, withdraw, given.application.reference, "offer")
    assert _refused(client, appeal)
    assert _dismiss(acting_as(*PLANS_AND_APPROVES), appeal).status_code == 200


@pytest.mark.parametrize("lodged", ["before", "after"])
@pytest.mark.parametrize(("is_offered", "against"), [(False, "proposal"), (True, "proposal"), (True, "offer")])
def test_who_declared_the_house_unfit_does_not_whether_or_not_it_was_offered(
    acting_as: ActingAs, database: Database, lodged: str, is_offered: bool, against: str
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house)
        if is_offered:
            factories.offer(session, given)
    both = acting_as(Role.VILLAGE_ADMINISTRATOR, Role.APPROVER)
    unfit = partial(_declare_unfit, both, house.reference)
    appeal = _lodged_around(acting_as, lodged, unfit, given.application.reference, against)
    assert _refused(both, appeal)
    assert _dismiss(acting_as(Role.APPROVER), appeal).status_code == 200


@pytest.mark.parametrize("lodged", ["before", "after"])
def test_who_declared_the_house_unfit_may_judge_where_the_family_stood(
    acting_as: ActingAs, database: Database, lodged: str
) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house)
    both = acting_as(Role.VILLAGE_ADMINISTRATOR, Role.VERIFIER)
    unfit = partial(_declare_unfit, both, house.reference)
    appeal = _lodged_around(acting_as, lodged, unfit, given.application.reference, "priority")
    assert _dismiss(both, appeal).status_code == 200


def test_who_requested_or_approved_the_run_that_took_a_house_away_does_not(
    acting_as: ActingAs, database: Database, settings: Settings
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        factories.house(session, place)
        family = factories.applicant(session, place)
    run = drawn(database)
    planner, approver = acting_as(*PLANS_AND_APPROVES), acting_as(*PLANS_AND_APPROVES)
    assert planner.post(f"/runs/{run}/offers").is_success
    with database.session(writes=True) as session:
        in_need = factories.household(
            session, current_accommodation=Accommodation.UNSAFE_BUILDING, registered_on=factories.LONG_AGO
        )
        factories.application(session, in_need, anywhere=True)
    requested = planner.post("/runs", json={"move_issued": True})
    assert requested.status_code == 202, requested.text
    run = requested.json()["reference"]
    assert work_one(database, settings) == run
    assert approver.post(f"/runs/{run}/approve").status_code == 200
    (offer,) = approver.get("/offers", params={"household": family.household.reference}).json()["items"]
    assert (offer["state"], offer["end_reason"]) == ("withdrawn", f"Run {run} moved it.")
    appeal = _appeal(acting_as, family.reference, "offer")
    assert [_refused(client, appeal) for client in (planner, approver)] == [True, True]
    assert _dismiss(acting_as(Role.APPROVER), appeal).status_code == 200


@pytest.mark.parametrize("against", ["proposal", "offer"])
def test_who_placed_the_family_does_not(acting_as: ActingAs, database: Database, against: str) -> None:
    with database.session(writes=True) as session:
        here, there = factories.settlement(session), factories.settlement(session)
        factories.house(session, there)
        family = factories.applicant(session, here, there)
    planner, approver = acting_as(*PLANS_AND_APPROVES), acting_as(*PLANS_AND_APPROVES)
    body = {"household": family.household.reference, "kind": "forbid", "settlement": here.reference, "reason": "safety"}
    placement = planner.post("/placements", json=body)
    assert placement.status_code == 201, placement.text
    assert approver.post(f"/placements/{placement.json()['reference']}/confirm").status_code == 200
    run = drawn(database)
    lifted = {"reason": "It is safe by now."}
    assert planner.post(f"/placements/{placement.json()['reference']}/lift", json=lifted).status_code == 200
    if against == "offer":
        assert acting_as(Role.PLANNER).post(f"/runs/{run}/offers").is_success
    appeal = _appeal(acting_as, family.reference, against)
    assert [_refused(client, appeal) for client in (planner, approver)] == [True, True]
    assert _dismiss(acting_as(Role.APPROVER), appeal).status_code == 200
