"""Swaps between villages: no school and no clinic has more users than places after them."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR, Permission
from app.allocation import places, policies, runs
from app.allocation.offer_models import GivenHow
from app.allocation.places import Places
from app.database import Database, utc_now
from app.errors import Conflict
from app.housing.models import Milestone, Settlement
from app.policy.assess import Service
from app.policy.parameters import DEFAULT_POLICY
from app.tenancy import swap_places, swap_queries, transfers
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapCycleState
from app.tenancy.swap_places import Member
from app.tenancy.trading_cycles import trade
from tests import factories
from tests.allocation.conftest import decide, proposed
from tests.concurrency import overtaken
from tests.tenancy import living

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TODAY = utc_now().date()


def _free(places_left: Mapping[int, int]) -> Places:
    """Settlements whose schools have so many places left; clinics have plenty."""
    return Places(
        {place: f"Village {place}" for place in places_left},
        {place: {Service.SCHOOL: left, Service.CLINIC: 1000} for place, left in places_left.items()},
        {place: Counter() for place in places_left},
    )


def test_a_cycle_that_brings_too_many_to_a_school_is_no_cycle() -> None:
    owned = {"one": "A", "two": "B", "three": "C"}
    members = {"one": Member({Service.SCHOOL: 2}, 1), "two": Member({}, 2), "three": Member({Service.SCHOOL: 1}, 2)}
    stands_in = {"A": 1, "B": 2, "C": 2}
    ranked = {"one": ["B", "C"], "two": ["A"], "three": ["A"]}
    assert swap_places.cycles(owned, ranked, members, stands_in, _free({1: 0, 2: 2})) == [["one", "two"]]
    # One place is too few for two pupils; with the family whose pupil leaves it is enough.
    ranked["one"] = ["C", "B"]
    assert swap_places.cycles(owned, ranked, members, stands_in, _free({1: 0, 2: 1})) == [["one", "three"]]
    assert swap_places.cycles(owned, ranked, members, stands_in, _free({1: 0, 2: 0})) == []


@settings(max_examples=60)
@given(data=st.data(), families=st.integers(2, 7))
def test_whatever_is_wished_no_school_is_too_small(data: st.DataObject, families: int) -> None:
    names = [f"family {number}" for number in range(families)]
    owned = {name: f"house {name}" for name in names}
    stands_in = {house: data.draw(st.integers(1, 3)) for house in owned.values()}
    members = {
        name: Member({Service.SCHOOL: data.draw(st.integers(0, 3))}, stands_in[house]) for name, house in owned.items()
    }
    ranked = {
        name: [house for house in data.draw(st.permutations(sorted(owned.values()))) if house != owned[name]][
            : data.draw(st.integers(0, families))
        ]
        for name in names
    }
    left = {place: data.draw(st.integers(0, 4)) for place in (1, 2, 3)}
    found = swap_places.cycles(owned, ranked, members, stands_in, _free(left))
    more: Counter[int] = Counter()
    for cycle in found:
        for family, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert owned[following] in ranked[family]
            pupils = members[family].uses[Service.SCHOOL]
            more[stands_in[owned[following]]] += pupils
            more[stands_in[owned[family]]] -= pupils
    assert all(more[place] <= max(left[place], 0) for place in left)
    assert len({family for cycle in found for family in cycle}) == sum(map(len, found))
    plenty = swap_places.cycles(owned, ranked, members, stands_in, _free(dict.fromkeys(left, 100)))
    assert plenty == trade(owned, ranked)


def _would_swap(session: Session) -> tuple[Settlement, Settlement, list[Tenancy]]:
    """A family with a pupil in Valley and one without in Hillside, who would have each other's house."""
    policies.ensure_default(session)
    valley, hillside = factories.settlement(session), factories.settlement(session, "Hillside")
    homes = [
        factories.tenancy(session, factories.house(session, place, bedrooms=2), children=children)
        for place, children in ((valley, 1), (hillside, 0))
    ]
    for home, other in zip(homes, reversed(homes), strict=True):
        living.swap_wish(session, home, other.house)
    return valley, hillside, homes


@on_sqlite
@pytest.mark.parametrize("school", ["full", "not there yet", "there"])
def test_nobody_is_proposed_a_village_without_a_place_at_school(session: Session, school: str) -> None:
    _valley, hillside, _homes = _would_swap(session)
    if school == "full":
        hillside.school_places = 0
    elif school == "not there yet":
        hillside.milestones.append(Milestone(name="school"))
    session.flush()
    found = transfers.propose(session, factories.user(session, Role.PLANNER))
    assert len(found) == (school == "there")


def _agreed(session: Session) -> tuple[SwapCycle, Settlement]:
    _valley, hillside, _homes = _would_swap(session)
    (cycle,) = transfers.propose(session, OPERATOR)
    for move in cycle.moves:
        move.confirmed_on, move.given_how = TODAY, GivenHow.IN_PERSON
    session.flush()
    return cycle, hillside


@on_sqlite
def test_a_swap_is_not_signed_once_the_school_is_full(session: Session) -> None:
    cycle, hillside = _agreed(session)
    hillside.school_places = 0
    session.flush()
    read = swap_queries.cycle(session, OPERATOR, Permission.SWAP_READ, cycle.reference)
    with pytest.raises(Conflict, match=r"Hillside \(ST-\w+\) has not enough school places: 0. Refuse this swap"):
        transfers.approve(session, read, UTC, factories.user(session, Role.APPROVER))


def test_a_run_is_not_approved_into_a_school_that_a_swap_filled(database: Database) -> None:
    """The swap is signed while the run waits to be approved; both would bring a pupil to the last place."""
    with database.session(writes=True) as session:
        cycle, hillside = _agreed(session)
        hillside.school_places = 1
        factories.house(session, hillside, bedrooms=2)
        factories.applicant(session, hillside, children=1)
        reference = cycle.reference
    run = proposed(database)

    def sign(session: Session) -> None:
        read = swap_queries.cycle(session, OPERATOR, Permission.SWAP_READ, reference)
        transfers.approve(session, read, UTC, factories.user(session, Role.APPROVER))

    def approve() -> str:
        try:
            decide(database, run, runs.approve)
        except Conflict as refused:
            return refused.detail
        return ""

    assert "has not enough school places: 1. Reject this run" in overtaken(database, sign, approve)
    with database.session(writes=False) as session:
        assert session.scalars(select(SwapCycle.state)).one() is SwapCycleState.DONE
        ids = session.scalars(select(Settlement.id)).all()
        there = places.now(session, ids, DEFAULT_POLICY, utc_now().astimezone(UTC).date())
        assert sum(taken[Service.SCHOOL] for taken in there.taken.values()) == 1
