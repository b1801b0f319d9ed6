"""Two people act at the same moment: one of them is refused, and nothing is left half done."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies
from app.allocation.models import Proposal
from app.allocation.offer_models import Offer
from app.database import Database, utc_now
from app.housing import queries as houses
from app.housing.models import House
from app.settings import Settings
from app.tenancy import holders, moves
from app.tenancy.models import Tenancy
from app.tenancy.queries import tenancies
from app.worker import expire_offers
from tests import factories
from tests.concurrency import at_once, overtaken
from tests.conftest import ActingAs
from tests.tenancy import living

TODAY = utc_now().date()
ANSWER = {"answered_on": str(TODAY), "given_how": "in_person"}
LOST = (409, 412)


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.PLANNER, Role.CASEWORKER, Role.VILLAGE_ADMINISTRATOR)


class Case:
    """An offer of a house, what can be done with it, and what became of it."""

    def __init__(self, client: httpx2.Client, database: Database, *, accepted: bool = False, **fields: Any) -> None:
        self.client, self.database = client, database
        with database.session(writes=True) as session:
            place = factories.settlement(session)
            house = factories.house(session, place)
            given = factories.reservation(session, house)
            offer = factories.offer(session, given, accepted=accepted, **fields)
            self.place, self.house, self.offer = place.reference, house.reference, offer.reference
            self.household, self.application = given.household.reference, given.application.reference
            self.run = given.run.reference

    def post(self, path: str, body: Any = None) -> int:
        return self.client.post(path, json=body).status_code

    def accept(self) -> int:
        return self.post(f"/offers/{self.offer}/accept", ANSWER)

    def decline(self) -> int:
        return self.post(f"/offers/{self.offer}/decline", ANSWER | {"reason": "too_far"})

    def withdraw(self) -> int:
        return self.post(f"/offers/{self.offer}/withdraw", {"reason": "A mistake."})

    def family_withdraws(self) -> int:
        return self.post(f"/applications/{self.application}/withdraw", {"reason": "Elsewhere."})

    def unfit(self) -> int:
        return self.post(f"/houses/{self.house}/unfit", {"reason": "It leaks."})

    def keys(self) -> int:
        body = {"household": self.household, "given_on": str(TODAY), "representative": "A neighbour"}
        return self.post(f"/houses/{self.house}/keys", body)

    def move_in(self) -> int:
        return self.post(f"/houses/{self.house}/move-in", {"household": self.household, "moved_in_on": str(TODAY)})

    def close_gate(self) -> int:
        body = {"achieved_on": None}
        path = f"/settlements/{self.place}/milestones/electricity"
        return self.client.put(path, json=body).status_code

    def expire(self) -> int:
        return 200 if expire_offers(self.database, Settings()) else 409

    def require_consistent(self) -> tuple[str, str, str]:
        """Return the states of offer, house and application, which must go together."""
        with self.database.session(writes=False) as session:
            offer = session.scalars(select(Offer).where(Offer.reference == self.offer)).one()
            proposal = session.get_one(Proposal, offer.proposal_id)
            house = session.scalars(select(House).where(House.reference == self.house)).one()
            living = session.scalars(select(Tenancy).where(Tenancy.moved_out_on.is_(None))).all()
        application = self.client.get(f"/applications/{self.application}").json()["state"]
        goes_on = offer.ended_at is None
        assert goes_on == (proposal.state == "reserved") == (application == "allocated")
        moved_in = proposal.state == "moved_in"
        assert moved_in == (len(living) == 1)
        assert (application == "housed") == (moved_in and house.state == "occupied")  # unfit: it waits for another
        assert proposal.is_firm == (offer.state == "accepted")
        if goes_on:
            assert house.state == "reserved"
        elif proposal.state == "released":
            assert house.state in ("handed_over", "unfit")
            assert offer.state in ("declined", "expired", "withdrawn")
        return offer.state, house.state, application


Act = Callable[[Case], int]


@pytest.mark.parametrize(
    ("first", "second", "accepted", "both"),
    [
        (Case.accept, Case.withdraw, False, True),  # an accepted one may be withdrawn after
        (Case.accept, Case.decline, False, True),  # or declined
        (Case.accept, Case.family_withdraws, False, True),
        (Case.accept, Case.unfit, False, True),
        (Case.accept, Case.accept, False, False),
        (Case.decline, Case.withdraw, False, False),
        (Case.move_in, Case.unfit, True, True),  # unfit with a family inside
        (Case.move_in, Case.keys, True, True),  # keys, then confirmed
        (Case.move_in, Case.move_in, True, False),
        (Case.move_in, Case.decline, True, False),
    ],
)
def test_of_two_acts_at_once_one_follows_the_other(
    client: httpx2.Client, database: Database, first: Act, second: Act, accepted: bool, both: bool
) -> None:
    case = Case(client, database, accepted=accepted)
    answers = at_once(lambda: first(case), lambda: second(case))
    won = [answer for answer in answers if answer in (200, 201)]
    assert len(won) in ((1, 2) if both else (1,)), answers
    assert all(answer in LOST for answer in answers if answer not in (200, 201)), answers
    states = case.require_consistent()
    if len(won) == 2:
        assert states[0] in ("withdrawn", "declined", "accepted")


def test_nobody_accepts_or_moves_in_behind_a_gate_that_closes(client: httpx2.Client, database: Database) -> None:
    for accepted, act in ((False, Case.accept), (True, Case.move_in)):
        case = Case(client, database, accepted=accepted)
        answer, closed = at_once(partial(act, case), case.close_gate)
        assert closed == 200
        assert answer in (200, 201, 409)  # before it, or not at all
        assert act(case) == 409
        case.require_consistent()
        if not accepted:
            assert case.decline() == 200  # that is always possible


def test_an_answer_at_the_deadline_and_the_worker(client: httpx2.Client, database: Database) -> None:
    late = Case(client, database, issued_at=utc_now() - timedelta(days=20), answer_by=TODAY - timedelta(days=1))
    accepted, expired = at_once(late.accept, late.expire)
    assert (accepted, expired) == (409, 200)
    assert late.require_consistent()[:2] == ("expired", "handed_over")
    in_time = Case(client, database, issued_at=utc_now() - timedelta(days=20), answer_by=TODAY)
    assert at_once(in_time.accept, in_time.expire) == [200, 409]
    assert in_time.require_consistent()[0] == "accepted"


def test_offers_issued_twice_at_once_are_issued_once(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        runs = {factories.reservation(session, factories.house(session, place)).run.reference for _ in range(2)}
    for run in runs:
        answers = at_once(*[partial(client.post, f"/runs/{run}/offers")] * 3)
        assert [answer.status_code for answer in answers] == [200] * 3
        assert sorted(answer.json()["issued"] for answer in answers) == [0, 0, 1]
    assert len(client.get("/offers").json()["items"]) == 2


def test_a_swap_while_a_family_of_it_leaves(client: httpx2.Client, acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        cycle = living.swap_cycle(session, factories.settlement(session), confirmed=True)
        house = cycle.moves[0].from_house.reference
    approver = acting_as(Role.APPROVER)
    path = f"/swap-cycles/{cycle.reference}/approve"
    body = {"moved_out_on": str(TODAY), "reason": "Gone."}
    swapped, left = at_once(
        lambda: approver.post(path).status_code, lambda: client.post(f"/houses/{house}/move-out", json=body).status_code
    )
    (read,) = client.get("/swap-cycles").json()["items"]
    at_home = client.get("/tenancies?current=true").json()["items"]
    if swapped == 200:
        assert read["state"] == "done"
        assert left in (200, 409)  # then it was the other family that left the house
    else:
        assert (swapped, left, read["state"]) == (409, 200, "fell_apart")
    assert len(at_home) == (1 if left == 200 else 2)
    assert len({each["house"] for each in at_home}) == len(at_home)


@pytest.mark.parametrize(
    ("act", "body", "answered", "house_is"),
    [
        ("move-out", {"moved_out_on": str(TODAY), "reason": "Gone."}, 409, "unfit"),
        ("fit", None, 200, "available"),
    ],
)
def test_an_unfit_house_whose_family_gets_the_keys_of_another_has_nobody_in_it(
    client: httpx2.Client, database: Database, act: str, body: Any, answered: int, house_is: str
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        lived_in = factories.tenancy(session, factories.house(session, place))
        old, new = lived_in.house.reference, factories.house(session, place).reference
        family = lived_in.household
    (application,) = client.get(f"/applications?household={family.reference}").json()["items"]
    assert client.post(f"/houses/{old}/unfit", json={"reason": "It leaks."}).status_code == 200
    with database.session(writes=True) as session:
        living.reserve(session, houses.house(session, OPERATOR, new), family, application["reference"])

    keys = partial(_give_keys, house=new, household=family.reference)
    answer = overtaken(database, keys, partial(client.post, f"/houses/{old}/{act}", json=body))
    assert answer.status_code == answered, answer.text
    assert client.get(f"/houses/{old}").json()["state"] == house_is
    assert client.get(f"/applications/{application['reference']}").json()["state"] == "housed"
    lived = client.get("/tenancies").json()["items"]
    assert [(each["house"], each["ended_for"]) for each in lived] == [(old, "house_unfit"), (new, None)]


def _give_keys(session: Session, house: str, household: str) -> None:
    locked = houses.house(session, OPERATOR, house, lock=True)
    moves.give_keys(session, locked, household, TODAY, OPERATOR, representative="A neighbour")


def test_a_title_keeps_a_holder_when_both_are_taken_out_of_it(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        title = living.joint_tenancy(session, factories.house(session, factories.settlement(session)))
    head, spouse, _ = (person.reference for person in title.household.people)
    path, why = f"/tenancies/{title.reference}", {"reason": "He wants none."}

    def take_out(session: Session) -> None:
        locked = tenancies(OPERATOR).where(Tenancy.id == title.id).with_for_update(of=Tenancy)
        holders.opt_out(session, session.scalars(locked).one(), spouse, why["reason"], OPERATOR)

    opt_out = partial(client.post, f"{path}/opt-out", json=why | {"person": head})
    refused = overtaken(database, take_out, opt_out)
    assert (refused.status_code, "Nobody else" in refused.json()["detail"]) == (409, True)
