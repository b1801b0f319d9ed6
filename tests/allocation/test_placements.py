"""Placements: two people decide, a run holds to them or is not approved, and says what they cost."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from app.access.models import Role
from app.access.permissions import OPERATOR, Permission, Principal
from app.allocation import placements, proof, queries, runs
from app.allocation.models import ProposalState, Run, RunState
from app.allocation.placement_models import Placement, PlacementReason, PlacementState
from app.allocation.placement_prices import in_words
from app.allocation.placements import Where
from app.allocation.snapshot import Snapshot
from app.database import Database
from app.errors import Conflict, Forbidden
from app.housing.models import House, HouseState, Settlement
from app.registry.models import Household
from app.settings import Settings
from app.worker import work_one
from tests import factories
from tests.allocation.conftest import Register, decide, proposed, read, request, said
from tests.audit.trail import entries
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def household(session: Session, reference: str) -> Household:
    return session.scalars(select(Household).where(Household.reference == reference)).one()


def settlement(session: Session, reference: str) -> Settlement:
    return session.scalars(select(Settlement).where(Settlement.reference == reference)).one()


def houses(session: Session, place: str) -> list[House]:
    query = select(House).join(House.settlement).where(Settlement.reference == place, ~House.step_free)
    return list(session.scalars(query.options(joinedload(House.settlement)).order_by(House.reference)))


def requested(session: Session, family: str, where: Where, actor: Principal = OPERATOR) -> Placement:
    return placements.request(session, household(session, family), where, PlacementReason.MEDICAL, "Dialysis.", actor)


def confirmed(database: Database, family: str, where: Callable[[Session], Where]) -> str:
    """Request and confirm a placement, by two people. Returns its reference."""
    with database.session(writes=True) as session:
        made = requested(session, family, where(session))
        placements.confirm(session, made, factories.user(session, Role.APPROVER))
        return made.reference


def lift(database: Database, reference: str) -> None:
    with database.session(writes=True) as session:
        found = placements.actable(session, OPERATOR, Permission.PLACEMENT_READ, reference)
        placements.lift(session, found, "It is over.", OPERATOR)


def verified(database: Database, reference: str) -> list[str]:
    with database.session(writes=False) as session:
        return proof.verify(session, queries.run(session, OPERATOR, reference))


def last_house(register: Register) -> Callable[[Session], Where]:
    """Of the two houses of one bedroom, not step-free, in Valley: the one that the order of references gives last."""

    def where(session: Session) -> Where:
        house = houses(session, register.valley)[-1]
        return Where(house.settlement, house=house)

    return where


def test_a_house_is_kept_for_who_would_have_got_none_and_the_price_is_measured(
    database: Database, register: Register, settings: Settings
) -> None:
    family = register.families["rented"]
    placement = confirmed(database, family, last_house(register))
    reference = request(database)
    work_one(database, settings)
    run = read(database, reference)
    (part,) = Snapshot.model_validate_json(run.snapshot).placements
    assert (part.reference, part.household, part.reason, part.pinned) == (
        placement,
        family,
        "medical",
        f"{register.valley}/1/stairs",
    )
    assert "Dialysis" not in run.snapshot
    assert said(database, reference)[family].state is ProposalState.PROPOSED
    assert run.placement_prices is not None
    (price,) = run.placement_prices
    assert price["placements"] == [placement]
    # dormitory, of tier 2, lost its house to a family of tier 4
    assert [(each["name"], each["with"], each["without"]) for each in price["stages"]][:4] == [
        ("tier 1", 2, 2),
        ("tier 2", 2, 3),
        ("tier 3", 0, 0),
        ("tier 4", 1, 0),
    ]
    assert in_words(price) == f"Without {placement}, tier 2 would be 3 instead of 2."
    decide(database, reference, runs.approve)
    given = said(database, reference)[family].house
    assert given is not None
    assert given.reference == part.house
    assert verified(database, reference) == []


@on_sqlite
def test_several_are_priced_together_and_one_by_one(database: Database, register: Register, settings: Settings) -> None:
    first = confirmed(database, register.families["rented"], last_house(register))
    second = confirmed(
        database,
        register.families["large"],
        lambda session: Where(settlement(session, register.hillside), is_forbidden=True),
    )
    reference = request(database)
    work_one(database, settings)
    run = read(database, reference)
    prices = {tuple(each["placements"]): in_words(each) for each in run.placement_prices or ()}
    assert prices == {
        tuple(sorted([first, second])): "Without " + " and ".join(sorted([first, second])) + ", tier 2 would be 3 "
        "instead of 1.",
        (first,): f"Without {first}, tier 2 would be 2 instead of 1.",
        (second,): f"Without {second}, tier 2 would be 2 instead of 1.",
    }
    assert said(database, reference)[register.families["large"]].state is ProposalState.NOT_HOUSED
    assert run.progress[-1]["stage"] == "value"


@on_sqlite
def test_pins_to_a_kind_of_house_and_away_from_the_run(database: Database, register: Register) -> None:
    confirmed(
        database,
        register.families["rented"],
        lambda session: Where(settlement(session, register.valley), size=1, step_free=True),
    )
    family = register.families["unsafe"]
    confirmed(
        database, family, lambda session: Where(factories.settlement(session, "Elsewhere"), size=1, step_free=False)
    )
    run = read(database, proposed(database, settlements=[register.valley, register.hillside]))
    rows = {row["id"]: row for row in Snapshot.model_validate_json(run.snapshot).problem["households"]}
    assert rows[register.families["rented"]]["pinned"] == f"{register.valley}/1/step-free"
    assert rows[family]["forbidden"] == sorted([register.valley, register.hillside])
    said_now = said(database, run.reference)
    assert said_now[register.families["rented"]].house_class == f"{register.valley}/1/step-free"
    assert said_now[register.families["wheelchair"]].state is ProposalState.NOT_HOUSED
    assert said_now[family].state is ProposalState.NOT_HOUSED


def test_who_is_pinned_keeps_no_step_free_house_from_others_elsewhere(
    database: Database, register: Register, settings: Settings
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session, "Meadow")
        factories.house(session, place, step_free=True)
        needing = factories.applicant(session, place, anywhere=True, needs_step_free=True).household.reference
        other = factories.applicant(session, place).household.reference
    confirmed(database, needing, lambda session: Where(settlement(session, register.valley), size=1, step_free=True))
    reference = request(database)
    work_one(database, settings)
    given = said(database, reference)
    assert (given[needing].house_class, given[other].house_class) == (
        f"{register.valley}/1/step-free",
        f"{place.reference}/1/step-free",
    )


@on_sqlite
def test_a_house_kept_for_who_does_not_take_part_is_nobodys(database: Database, register: Register) -> None:
    confirmed(database, register.families["without consent"], last_house(register))
    run = read(database, proposed(database))
    snapshot = Snapshot.model_validate_json(run.snapshot)
    counts = {part.id: len(part.houses) for part in snapshot.house_classes}
    assert counts[f"{register.valley}/1/stairs"] == 1
    assert snapshot.placements == ()


@on_sqlite
def test_contradictions_are_named_in_plain_words_at_the_request(database: Database, register: Register) -> None:
    family = register.families["rented"]
    placement = confirmed(
        database, family, lambda session: Where(settlement(session, register.hillside), size=3, step_free=False)
    )
    with pytest.raises(Conflict) as refused:
        request(database)
    assert refused.value.detail == (
        f"The placements cannot all hold: household {family} is pinned to class a house of size 3 with stairs in "
        f"Hillside, in a settlement that it does not accept. Lift or change {placement}."
    )
    lift(database, placement)
    placement = confirmed(
        database, family, lambda session: Where(settlement(session, register.valley), size=4, step_free=False)
    )
    with pytest.raises(Conflict, match=r"a house of size 4 with stairs in Valley, and no such house can be allocated"):
        request(database)
    lift(database, placement)
    placement = confirmed(database, family, last_house(register))
    with database.session(writes=True) as session:
        house = houses(session, register.valley)[-1]
        session.execute(
            update(House).where(House.id == house.id).values(state=HouseState.UNFIT, unfit_reason="It leaks.")
        )
    with pytest.raises(Conflict, match=f"{placement} keeps house {house.reference} .* cannot be allocated now"):
        request(database)
    request(database, settlements=[register.hillside])  # where it is pinned to nothing


@on_sqlite
def test_two_people_decide_each_once_and_where_they_may(session: Session) -> None:
    valley = factories.settlement(session)
    waiting, settled = factories.applicant(session, valley), factories.household(session)
    house, taken = (factories.house(session, valley) for _ in range(2))
    both = factories.user(session, Role.PLANNER, Role.APPROVER)
    approver, elsewhere = factories.user(session, Role.APPROVER), factories.user(session, Role.PLANNER, district="S")
    family = waiting.household.reference
    for actor in (approver, elsewhere):
        with pytest.raises(Forbidden):
            requested(session, family, Where(valley, house=house), actor)
    made = requested(session, family, Where(valley, house=house), both)
    with pytest.raises(Conflict, match=f"{made.reference} says already where the household is to live"):
        requested(session, family, Where(valley, size=1, step_free=False), both)
    with pytest.raises(Conflict, match=f"{made.reference} keeps that house already"):
        requested(session, settled.reference, Where(valley, house=house), both)
    forbidding = requested(session, family, Where(valley, is_forbidden=True), both)
    with pytest.raises(Conflict, match=f"{forbidding.reference} says so already"):
        requested(session, family, Where(valley, is_forbidden=True), both)
    with pytest.raises(Forbidden, match="somebody else"):
        placements.confirm(session, made, both)
    assert placements.counting(session) == []
    placements.confirm(session, made, approver)
    assert placements.counting(session) == [made]
    with pytest.raises(Conflict, match="only a requested one"):
        placements.confirm(session, made, approver)
    placements.lift(session, made, "Over.", approver)
    with pytest.raises(Conflict, match="lifted already"):
        placements.lift(session, made, "Over.", both)
    assert placements.counting(session) == []
    given = factories.reservation(session, taken)
    late = requested(session, given.household.reference, Where(valley, size=1, step_free=False))
    with pytest.raises(Conflict, match="has a house already"):
        placements.confirm(session, late, approver)
    other = requested(session, settled.reference, Where(valley, house=taken))
    with pytest.raises(Conflict, match="somebody's already"):
        placements.confirm(session, other, approver)


def test_a_run_is_not_approved_against_what_was_decided_since(database: Database, register: Register) -> None:
    placement = confirmed(database, register.families["rented"], last_house(register))
    first = proposed(database)
    lift(database, placement)
    with pytest.raises(Conflict, match=f"Placements that were lifted: {placement}"):
        decide(database, first, runs.approve)
    decide(database, first, runs.reject, "A placement was lifted.")
    second = proposed(database)
    harmless = confirmed(
        database,
        register.families["unsafe"],
        lambda session: Where(settlement(session, register.hillside), is_forbidden=True),
    )
    cases: tuple[tuple[str, Callable[[Session], Where]], ...] = (
        ("large", lambda session: Where(settlement(session, register.hillside), is_forbidden=True)),
        ("dormitory", lambda session: Where(settlement(session, register.valley), size=1, step_free=True)),
        ("without consent", last_house(register)),
    )
    for family, where in cases:
        later = confirmed(database, register.families[family], where)
        with pytest.raises(Conflict, match=f"confirmed since, and do not hold in this run: {later}") as refused:
            decide(database, second, runs.approve)
        assert harmless not in refused.value.detail
        lift(database, later)
    decide(database, second, runs.approve)
    assert read(database, second).state is RunState.DRAWN


def test_lifting_while_a_run_is_approved_comes_before_or_after_it(database: Database, register: Register) -> None:
    family = register.families["rented"]
    placement = confirmed(database, family, last_house(register))
    reference = proposed(database)

    def approve() -> str:
        try:
            decide(database, reference, runs.approve)
        except Conflict as refused:
            return refused.detail
        return "approved"

    def end() -> str:
        lift(database, placement)
        return "lifted"

    answer, lifted = at_once(approve, end)
    assert lifted == "lifted"
    state = said(database, reference)[family].state
    if answer == "approved":
        assert state is ProposalState.RESERVED
    else:
        assert (f"were lifted: {placement}" in answer, state) == (True, ProposalState.PROPOSED)


def test_confirming_while_a_run_is_approved_holds_or_is_refused(database: Database, register: Register) -> None:
    family = register.families["dormitory"]
    with database.session(writes=True) as session:
        made = requested(session, family, Where(settlement(session, register.valley), is_forbidden=True)).reference
        approver = factories.user(session, Role.APPROVER)
    reference = proposed(database)

    def guarded(act: Callable[[], None]) -> str:
        try:
            act()
        except Conflict as refused:
            return refused.detail
        return "done"

    def confirm() -> None:
        with database.session(writes=True) as session:
            found = placements.actable(session, approver, Permission.PLACEMENT_DECIDE, made)
            placements.confirm(session, found, approver)

    answers = at_once(lambda: guarded(lambda: decide(database, reference, runs.approve)), lambda: guarded(confirm))
    assert answers.count("done") == 1
    with database.session(writes=False) as session:
        state = session.scalars(select(Placement.state)).one()
    drawn = read(database, reference).state is RunState.DRAWN
    assert drawn is (state is PlacementState.REQUESTED)


def test_who_may_confirm_a_placement_may_refuse_it_whatever_else_they_are_elsewhere(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    planner, both = acting_as(Role.PLANNER), acting_as(Role.PLANNER, settlement=register.valley)
    with database.session(writes=True) as session:
        me = both.get("/me").json()["reference"]
        factories.grant(session, me, Role.APPROVER, settlement=register.hillside)
    body = {"household": register.families["rented"], "kind": "forbid", "reason": "safety"}
    for place, may_confirm in ((register.hillside, 200), (register.valley, 404)):
        made = planner.post("/placements", json=body | {"settlement": place}).json()
        assert both.post(f"/placements/{made['reference']}/confirm").status_code == may_confirm
        lifted = both.post(f"/placements/{made['reference']}/lift", json={"reason": "It is over."})
        assert (lifted.status_code, lifted.json()["state"]) == (200, "lifted")


def test_a_token_without_either_right_lifts_no_placement(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    family = register.families["rented"]
    made = confirmed(database, family, lambda session: Where(settlement(session, register.valley), is_forbidden=True))
    approver = acting_as(Role.APPROVER)
    wanted = {"name": "A list", "permissions": ["placement.read"], "days": 1}
    approver.headers["Authorization"] = f"Bearer {approver.post('/api-tokens', json=wanted).json()['token']}"
    refused = approver.post(f"/placements/{made}/lift", json={"reason": "It is over."})
    assert (refused.status_code, "placement.decide" in refused.json()["detail"]) == (403, True)


def test_over_the_api(database: Database, register: Register, acting_as: ActingAs) -> None:
    planner, approver = acting_as(Role.PLANNER), acting_as(Role.APPROVER)
    family = register.families["rented"]
    body: dict[str, Any] = {"household": family, "kind": "forbid", "settlement": register.hillside, "reason": "safety"}
    for wrong in (
        {"kind": "house"},
        {"kind": "pin"},
        {"house": "HO-00000000"},
        {"settlement": "ST-00000000"},
        {"reason": "because"},
    ):
        assert planner.post("/placements", json=body | wrong).status_code == 422
    assert planner.post("/placements", json=body | {"household": "HH-00000000"}).status_code == 404
    before = len(entries(database))
    note = {"note": "Threats by a neighbour."}
    twice = [planner.post("/placements", json=body | note, headers={"Idempotency-Key": "1"}) for _ in range(2)]
    assert [each.status_code for each in twice] == [201, 201]
    made = twice[0].json()
    assert made == twice[1].json()
    assert (made["state"], made["reason"], made["note"]) == ("requested", "safety", note["note"])
    assert planner.post(f"/placements/{made['reference']}/confirm").status_code == 403
    answer = approver.post(f"/placements/{made['reference']}/confirm").json()
    assert (answer["state"], answer["confirmed_by"]) == ("confirmed", approver.get("/me").json()["reference"])
    listed = approver.get("/placements", params={"household": family, "state": "confirmed"}).json()["items"]
    assert [each["reference"] for each in listed] == [made["reference"]]
    lifted = approver.post(f"/placements/{made['reference']}/lift", json={"reason": "The neighbour moved."}).json()
    assert (lifted["state"], lifted["lift_reason"]) == ("lifted", "The neighbour moved.")
    trail = str(entries(database, before))
    assert "neighbour" not in trail
    assert "placement.confirm" in trail
    run = read(database, request(database))
    assert isinstance(run, Run)
    assert "placements" not in run.snapshot
