"""Families that swap their houses: each gets one that it named and that fits it, all of a cycle or nobody."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import placements, policies
from app.allocation.placement_models import Placement, PlacementReason, PlacementState
from app.database import Database, utc_now
from app.housing.models import Settlement, SettlementStatus
from app.tenancy.models import Tenancy, TenancyHolder
from tests import factories
from tests.conftest import ActingAs
from tests.tenancy import living

TODAY = utc_now().date()
AGREED = {"answered_on": str(TODAY), "given_how": "in_person"}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def client(acting_as: ActingAs) -> httpx2.Client:
    """Somebody who stands by families, plans and answers for the village."""
    return acting_as(Role.CASEWORKER, Role.PLANNER, Role.VILLAGE_ADMINISTRATOR)


@pytest.fixture
def approver(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.APPROVER)


def _post(client: httpx2.Client, path: str, body: Any = None) -> httpx2.Response:
    return client.post(path) if body is None else client.post(path, json=body)


def _wish(client: httpx2.Client, household: str, *options: dict[str, str]) -> httpx2.Response:
    return _post(client, "/swap-wishes", {"household": household, "options": list(options)})


def _homes(database: Database) -> dict[str, str]:
    """Household → the house that it lives in."""
    with database.session(writes=False) as session:
        query = select(Tenancy).where(Tenancy.moved_out_on.is_(None))
        return {row.household.reference: row.house.reference for row in session.scalars(query.options(*living.LIVING))}


def _cycle_of_three(client: httpx2.Client, database: Database) -> tuple[dict[str, Any], dict[str, str]]:
    """Three families of two villages who would each have the next one's house; return the proposed cycle, and homes."""
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        places = factories.settlement(session), factories.settlement(session, "Hillside")
        homes = [factories.tenancy(session, factories.house(session, places[number % 2])) for number in range(3)]
    for home, other in zip(homes, [*homes[1:], homes[0]], strict=True):
        wished = _wish(client, home.household.reference, {"house": other.house.reference})
        assert wished.status_code == 201, wished.text
    proposed = _post(client, "/swap-cycles/propose").json()
    assert (len(proposed["cycles"]), proposed["families"]) == (1, 3)
    (cycle,) = client.get("/swap-cycles", params={"state": "proposed"}).json()["items"]
    return cycle, _homes(database)


def _confirm(client: httpx2.Client, cycle: dict[str, Any], household: str) -> httpx2.Response:
    return _post(client, f"/swap-cycles/{cycle['reference']}/confirm", {"household": household} | AGREED)


def test_all_of_a_cycle_move_at_once(client: httpx2.Client, approver: httpx2.Client, database: Database) -> None:
    cycle, before = _cycle_of_three(client, database)
    path = f"/swap-cycles/{cycle['reference']}"
    for number, move in enumerate(cycle["moves"]):
        early = _post(approver, f"{path}/approve")
        assert (early.status_code, f"{3 - number} of 3" in early.json()["detail"]) == (409, True)
        assert _confirm(client, cycle, move["household"]).status_code == 200
        assert _confirm(client, cycle, move["household"]).status_code == 409
    assert _homes(database) == before
    assert _post(client, "/swap-cycles/propose").json()["cycles"] == []  # they are in one

    done = _post(approver, f"{path}/approve")
    assert (done.status_code, done.json()["state"]) == (200, "done"), done.text
    after = _homes(database)
    assert after == {move["household"]: move["to_house"] for move in cycle["moves"]}
    assert sorted(after.values()) == sorted(before.values())
    tenancies = client.get("/tenancies").json()["items"]
    ended = [each for each in tenancies if each["ended_for"] == "transfer"]
    assert (len(ended), len(tenancies)) == (3, 6)
    titles = {each["household"]: [holder["person"] for holder in each["holders"]] for each in ended}
    current = client.get("/tenancies?current=true").json()["items"]
    assert {each["household"]: [holder["person"] for holder in each["holders"]] for each in current} == titles
    for each in current:  # the application follows
        (application,) = client.get("/applications", params={"household": each["household"]}).json()["items"]
        assert application["state"] == "housed"
    assert {each["state"] for each in client.get("/swap-wishes").json()["items"]} == {"done"}
    for verb in ("approve", "confirm", "refuse"):
        who = approver if verb == "approve" else client
        body = None if verb == "approve" else {"household": cycle["moves"][0]["household"]}
        answer = _post(who, f"{path}/{verb}", (body or {}) | AGREED if verb == "confirm" else body)
        assert answer.status_code == 409, answer.text


def test_who_has_left_a_family_gets_no_title_to_the_house_that_it_swaps_for(
    client: httpx2.Client, approver: httpx2.Client, database: Database
) -> None:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        cycle = living.swap_cycle(session, factories.settlement(session), confirmed=True)
        lived_in = cycle.moves[0].wish.tenancy
        lived_in.holders.append(TenancyHolder(person=factories.household(session).people[0]))
        members = {move.wish.household.reference: move.wish.household.people[0].reference for move in cycle.moves}
    assert _post(approver, f"/swap-cycles/{cycle.reference}/approve").status_code == 200
    current = client.get("/tenancies?current=true").json()["items"]
    titles = {each["household"]: [holder["person"] for holder in each["holders"]] for each in current}
    assert titles == {household: [member] for household, member in members.items()}


def _refuses(client: httpx2.Client, cycle: dict[str, Any], household: str, _house: str) -> httpx2.Response:
    return _post(client, f"/swap-cycles/{cycle['reference']}/refuse", {"household": household})


def _withdraws(client: httpx2.Client, cycle: dict[str, Any], household: str, _house: str) -> httpx2.Response:
    (move,) = [each for each in cycle["moves"] if each["household"] == household]
    return _post(client, f"/swap-wishes/{move['wish']}/withdraw")


def _moves_out(client: httpx2.Client, _cycle: dict[str, Any], _household: str, house: str) -> httpx2.Response:
    return _post(client, f"/houses/{house}/move-out", {"moved_out_on": str(TODAY), "reason": "Gone."})


def _becomes_unfit(client: httpx2.Client, _cycle: dict[str, Any], _household: str, house: str) -> httpx2.Response:
    return _post(client, f"/houses/{house}/unfit", {"reason": "It leaks."})


@on_sqlite
@pytest.mark.parametrize("falls_away", [_refuses, _withdraws, _moves_out, _becomes_unfit])
def test_a_cycle_falls_apart_as_a_whole(
    client: httpx2.Client,
    approver: httpx2.Client,
    database: Database,
    falls_away: Callable[[httpx2.Client, dict[str, Any], str, str], httpx2.Response],
) -> None:
    cycle, before = _cycle_of_three(client, database)
    for move in cycle["moves"]:
        assert _confirm(client, cycle, move["household"]).status_code == 200
    last = cycle["moves"][-1]["household"]
    answer = falls_away(client, cycle, last, before[last])
    assert answer.status_code == 200, answer.text
    (read,) = client.get("/swap-cycles").json()["items"]
    assert (read["state"], bool(read["end_reason"])) == ("fell_apart", True)
    assert _post(approver, f"/swap-cycles/{cycle['reference']}/approve").status_code == 409
    others = {household: house for household, house in _homes(database).items() if household != last}
    assert others == {household: house for household, house in before.items() if household != last}
    states = {each["household"]: each["state"] for each in client.get("/swap-wishes").json()["items"]}
    assert states == dict.fromkeys(before, "open") | {last: "withdrawn"}


@on_sqlite
def test_nobody_signs_what_they_proposed_nor_while_a_gate_is_closed(
    client: httpx2.Client, acting_as: ActingAs, approver: httpx2.Client, database: Database
) -> None:
    cycle, before = _cycle_of_three(client, database)
    for move in cycle["moves"]:
        assert _confirm(client, cycle, move["household"]).status_code == 200
    with database.session(writes=True) as session:
        place = session.scalars(select(Settlement).where(Settlement.name == "Hillside")).one()
        place.status = SettlementStatus.SUSPENDED
    closed = _post(approver, f"/swap-cycles/{cycle['reference']}/approve")
    assert (closed.status_code, "gate" in closed.json()["detail"]) == (409, True)
    assert _homes(database) == before
    both = acting_as(Role.PLANNER, Role.APPROVER)
    with database.session(writes=True) as session:
        place = session.scalars(select(Settlement).where(Settlement.name == "Hillside")).one()
        place.status = SettlementStatus.OPEN
        living.propose_as(session, cycle["reference"], both.get("/me").json()["reference"])
    assert _post(both, f"/swap-cycles/{cycle['reference']}/approve").status_code == 403
    assert _post(approver, f"/swap-cycles/{cycle['reference']}/approve").status_code == 200


@on_sqlite
def test_only_what_fits_and_was_named_is_proposed(client: httpx2.Client, database: Database) -> None:
    """A house that is too small, too large, has stairs, or is away from kin is passed over; the next best is taken."""
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        place, away = factories.settlement(session), factories.settlement(session, "Hillside")

        def home(bedrooms: int, where: Settlement = place, **fields: Any) -> Tenancy:
            step_free = bool(fields.get("needs_step_free"))
            return factories.tenancy(
                session, factories.house(session, where, bedrooms=bedrooms, step_free=step_free), **fields
            )

        alone, large = home(1), home(3, children=3)
        wheelchair, kin = home(1, needs_step_free=True), home(1, kin_group=factories.kin_group(session))
        far = home(1, away)
        everybody = [alone, large, wheelchair, kin, far]
        for each in everybody:
            living.swap_wish(session, each, place, away)
    found = _post(client, "/swap-cycles/propose").json()
    cycles = client.get("/swap-cycles").json()["items"]
    got = {move["household"]: move["to_house"] for cycle in cycles for move in cycle["moves"]}
    assert found["families"] == len(got)
    assert large.household.reference not in got  # everybody else's house is too small for it
    assert wheelchair.household.reference not in got  # and has stairs
    names = {each.house.reference: each for each in everybody}
    for household, house in got.items():
        assert names[house].house.bedrooms <= 2
        assert household != kin.household.reference or names[house].house.settlement_id == place.id
    assert got


def test_nobody_swaps_to_where_a_placement_forbids_it_to_live(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        place, away = factories.settlement(session), factories.settlement(session, "Hillside")
        kept_from = factories.tenancy(session, factories.house(session, place))
        other = factories.tenancy(session, factories.house(session, away))
        court = factories.placement(session, kept_from.household, away, reason=PlacementReason.COURT_ORDER)
        court.state, court.confirmed_at = PlacementState.CONFIRMED, utc_now()  # before it was housed
        court.confirmed_by_id = factories.user(session, Role.APPROVER).user_id
        living.swap_wish(session, kept_from, away)
        living.swap_wish(session, other, place)
    assert _post(client, "/swap-cycles/propose").json()["families"] == 0
    with database.session(writes=True) as session:
        placements.lift(session, session.scalars(placements.loaded(select(Placement))).one(), "Over.", OPERATOR)
    assert _post(client, "/swap-cycles/propose").json()["families"] == 2


@on_sqlite
def test_wishes_that_cannot_be_are_refused(client: httpx2.Client, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        home = factories.tenancy(session, factories.house(session, place))
        other = factories.tenancy(session, factories.house(session, place))
        nowhere = factories.household(session)
    here, there = {"settlement": place.reference}, {"house": other.house.reference}
    household = home.household.reference
    assert _wish(client, nowhere.reference, here).status_code == 409
    for options, pointer in (
        ([{"house": home.house.reference}], "#/body/options/0"),
        ([here, there, there], "#/body/options/2"),
        ([there, {"house": "HO-00000000"}], "#/body/options/1"),
        ([{"settlement": "ST-00000000"}], "#/body/options/0"),
    ):
        refused = _wish(client, household, *options)
        assert (refused.status_code, [each["pointer"] for each in refused.json()["errors"]]) == (422, [pointer])
    assert _wish(client, household).status_code == 422
    assert _wish(client, household, here | there).status_code == 422
    assert _wish(client, household, there, here).status_code == 201
    assert _wish(client, household, here).status_code == 409
    (wish,) = client.get("/swap-wishes", params={"state": "open"}).json()["items"]
    assert [(each["house"], each["settlement"]) for each in wish["options"]] == [
        (other.house.reference, None),
        (None, place.reference),
    ]
    assert _post(client, f"/swap-wishes/{wish['reference']}/withdraw").json()["state"] == "withdrawn"
    assert _post(client, f"/swap-wishes/{wish['reference']}/withdraw").status_code == 409
