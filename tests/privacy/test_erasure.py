"""What is erased is gone for good, and what was decided still holds."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import proof, runs
from app.allocation.models import Proposal, ProposalState
from app.allocation.placement_models import Placement, PlacementState
from app.database import Base, Database
from app.errors import Conflict
from app.exchange import exports, imports
from app.exchange.refusals import ImportRefused
from app.housing.models import House, Settlement
from app.idempotency import IdempotencyKey
from app.policy.facts import Relationship, Sex
from app.privacy.erasure import erase
from app.registry.models import Application, ApplicationState, Household, KinGroup, Person, Suitability
from app.tenancy import moves
from app.tenancy.appeal_models import Appeal
from app.tenancy.models import Finding, OccupancyCheck, Tenancy
from app.tenancy.swap_models import SwapWish, SwapWishState
from tests import appealing, factories
from tests.allocation.conftest import Register, decide, drawn, proposed, read
from tests.concurrency import at_once
from tests.conftest import ActingAs

BORN_ON, DISPLACED_ON = factories.LONG_AGO.replace(year=1951), factories.LONG_AGO.replace(year=1994)
REASON = {"reason": "The family asked for it."}


@pytest.fixture
def family(database: Database, register: Register) -> str:
    """The reference of a household that will surely be housed, of which every text contains `Marker`."""
    reference = register.families["wheelchair"]
    with database.session(writes=True) as session:
        household = _household(session, reference)
        household.key, household.phone, household.language = "MarkerKey", "Marker phone", "Marker"
        household.displaced_on, household.kin_group = DISPLACED_ON, KinGroup(key="MarkerKin")
        head = household.people[0]
        head.given_name, head.family_name, head.key, head.birth_date = "MarkerGiven", "MarkerFamily", "MarkerP", BORN_ON
        head.national_id, head.occupation = "MarkerNumber", "MarkerWork"
        partner = Person(
            given_name="MarkerGiven2",
            family_name="MarkerFamily2",
            sex=Sex.MALE,
            birth_date=BORN_ON,
            relationship=Relationship.SPOUSE,
            needs_step_free=False,
        )
        household.people.append(partner)
        session.flush()
        head.partner_id, partner.partner_id = partner.id, head.id
        application = session.scalars(select(Application).where(Application.household_id == household.id)).one()
        application.size_override, application.size_override_reason = 1, "Marker override"
        said = {"household": household, "statement": "Marker statement", "corrections": {"size": "Marker"}}
        appealing.appeal(session, application, **said).reason = "Marker reason"
        place = session.scalars(select(House.settlement_id)).first()
        factories.placement(session, household, session.get_one(Settlement, place), note="Marker note")
        session.add(Suitability(household_id=household.id, settlement_id=place, score=0.5))
        for made in (reference, head.reference, application.reference, "HH-OTHER"):
            session.add(IdempotencyKey(user_reference="US-1", key=made, request_sha256="0" * 64, made_reference=made))
    return reference


def _household(session: Session, reference: str) -> Household:
    query = select(Household).where(Household.reference == reference)
    return session.scalars(
        query.options(selectinload(Household.people), joinedload(Household.kin_group), joinedload(Household.origin))
    ).one()


def _house(session: Session, family: str) -> House:
    query = select(House).join(Proposal, Proposal.house_id == House.id).join(Proposal.household)
    return session.scalars(query.where(Household.reference == family).options(joinedload(House.settlement))).one()


def _housed(database: Database, family: str, *, moves_out: bool) -> str:
    """Allocate, move the family in, and perhaps out. Returns the run's reference."""
    run = drawn(database)
    with database.session(writes=True) as session:
        reserved = session.scalars(select(Proposal).join(Proposal.household).where(Household.reference == family)).one()
        days = {"issued_at": factories.SO_LONG_AGO, "answered_on": factories.LONG_AGO}
        factories.offer(session, reserved, accepted=True, **days)
    with database.session(writes=True) as session:
        moves.move_in(session, _house(session, family), family, factories.LONG_AGO, OPERATOR)
    if moves_out:
        with database.session(writes=True) as session:
            moves.move_out(session, _house(session, family), factories.LONG_AGO, "Marker reason", OPERATOR)
    return run


def _dump(database: Database) -> str:
    with database.session(writes=False) as session:
        return "\n".join(
            f"{table.name}: {tuple(row)}"
            for table in Base.metadata.sorted_tables
            for row in session.execute(select(table))
        )


def test_nothing_of_it_stays_and_its_run_still_verifies(
    database: Database, family: str, acting_as: ActingAs, database_url: str
) -> None:
    reference = _housed(database, family, moves_out=True)
    with database.session(writes=False) as session:
        stored = _household(session, family).people[0]
        secrets = [str(stored.national_id_sealed), str(stored.national_id_index)]
    assert _dump(database).count("Marker") >= 10
    planner = acting_as(Role.PLANNER)
    answer = planner.post(f"/households/{family}/erase", json=REASON)
    assert answer.status_code == 200
    assert (answer.json()["household"], answer.json()["reason"]) == (family, REASON["reason"])

    after = _dump(database)
    for secret in ("Marker", str(BORN_ON), str(DISPLACED_ON), repr(BORN_ON), repr(DISPLACED_ON), *secrets):
        assert secret not in after
    with database.session(writes=False) as session:
        assert session.scalars(select(IdempotencyKey.made_reference)).all() == ["HH-OTHER"]
        assert session.scalars(select(Suitability)).all() == []
        assert session.scalars(select(KinGroup)).all() == []
        household = _household(session, family)
        assert (household.people, household.erased_reason) == ([], REASON["reason"])
        appeal = session.scalars(select(Appeal)).one()
        assert (appeal.state, appeal.statement, appeal.reason, appeal.corrections) == ("withdrawn", None, None, {})
        placement = session.scalars(select(Placement).where(Placement.household_id == household.id)).one()
        assert (placement.state, placement.note, placement.lift_reason) == (PlacementState.LIFTED, "Erased.", "Erased.")
        tenancy = session.scalars(select(Tenancy).where(Tenancy.household_id == household.id)).one()
        assert (tenancy.moved_in_on, tenancy.moved_out_on) == (factories.LONG_AGO, factories.LONG_AGO)
        said = session.scalars(select(Proposal).where(Proposal.household_id == household.id)).one()
        assert said.state is ProposalState.MOVED_IN
        assert proof.verify(session, read(database, reference)) == []
    shown = planner.get(f"/runs/{reference}/proposals", params={"limit": 200}).json()["items"]
    assert family in {each["household"] for each in shown}
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        files = {each.name: each.read_bytes() for each in path.parent.glob("hearth.db*")}
        for secret in ("Marker", *secrets):
            assert [name for name, content in files.items() if secret.encode() in content] == []


def test_the_keys_of_requests_that_were_about_it_are_gone(database: Database, family: str) -> None:
    _housed(database, family, moves_out=True)
    with database.session(writes=True) as session:
        household = _household(session, family)
        tenancy = session.scalars(select(Tenancy).where(Tenancy.household_id == household.id)).one()
        found = {"house_id": tenancy.house_id, "tenancy_id": tenancy.id, "checked_on": factories.LONG_AGO}
        check = OccupancyCheck(finding=Finding.EMPTY, **found)
        wish = SwapWish(household_id=household.id, tenancy_id=tenancy.id, state=SwapWishState.WITHDRAWN)
        session.add_all((check, wish))
        session.flush()
        about = {check.reference, wish.reference, tenancy.reference}
        about.add(factories.break_glass_grant(session, household).reference)
        for model in (Appeal, Placement):
            about.add(session.scalars(select(model.reference).where(model.household_id == household.id)).one())
        for made in about:
            session.add(IdempotencyKey(user_reference="US-1", key=made, request_sha256="0" * 64, made_reference=made))
    with database.session(writes=True) as session:
        erase(session, family, REASON["reason"], OPERATOR)
        assert session.scalars(select(IdempotencyKey.made_reference)).all() == ["HH-OTHER"]


def test_it_is_not_there_any_more(database: Database, family: str, acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER, Role.CASEWORKER)
    before = client.get(f"/households/{family}").json()
    application = client.get("/applications", params={"household": family}).json()["items"][0]["reference"]
    assert client.post(f"/households/{family}/erase", json=REASON).status_code == 200
    version = {"If-Match": '"2"'}
    for method, path in (
        ("GET", f"/households/{family}"),
        ("PATCH", f"/households/{family}"),
        ("GET", f"/households/{family}/assessment"),
        ("POST", f"/households/{family}/erase"),
        ("GET", f"/applications/{application}"),
        ("PATCH", f"/people/{before['people'][0]['reference']}"),
    ):
        body = REASON if method == "POST" else {} if method == "PATCH" else None
        assert client.request(method, path, json=body, headers=version).status_code == 404, path
    assert family not in {each["reference"] for each in client.get("/households").json()["items"]}
    assert client.get("/applications", params={"household": family}).json()["items"] == []
    with database.session(writes=False) as session:
        files = exports.write(session, actor=OPERATOR)
    assert not any(family.encode() in content for content in files.values())


def test_its_reference_is_not_filled_again_by_a_file(database: Database, register: Register) -> None:
    family = register.families["rented"]
    with database.session(writes=False) as session:
        files = exports.write(session, actor=OPERATOR)
    with database.session(writes=True) as session:
        erase(session, family, "Asked for.", OPERATOR)
    for chosen in (files, {"people.csv": files["people.csv"]}):
        with database.session(writes=True) as session, pytest.raises(ImportRefused) as refused:
            imports.run(session, chosen, actor=OPERATOR)
        assert {(row.column, row.value) for row in refused.value.rows} == {("household", family)}
        assert all("erased" in row.message for row in refused.value.rows)


def test_a_household_with_a_house_is_refused_and_told_what_to_do(
    database: Database, family: str, acting_as: ActingAs
) -> None:
    _housed(database, family, moves_out=False)
    planner = acting_as(Role.PLANNER, Role.VILLAGE_ADMINISTRATOR)
    refused = planner.post(f"/households/{family}/erase", json=REASON)
    assert refused.status_code == 409
    assert "Once it has moved out" in refused.json()["detail"]
    assert _dump(database).count("Marker") >= 10
    with database.session(writes=False) as session:
        house = _house(session, family).reference
    moved = {"moved_out_on": str(factories.LONG_AGO), "reason": "Left."}
    assert planner.post(f"/houses/{house}/move-out", json=moved).status_code == 200
    assert planner.post(f"/households/{family}/erase", json=REASON).status_code == 200


def test_a_household_with_a_reservation_is_refused_and_told_what_to_do(
    database: Database, family: str, acting_as: ActingAs
) -> None:
    drawn(database)
    client = acting_as(Role.PLANNER, Role.CASEWORKER)
    refused = client.post(f"/households/{family}/erase", json=REASON)
    assert refused.status_code == 409
    assert "Withdraw its application" in refused.json()["detail"]
    application = client.get("/applications", params={"household": family}).json()["items"][0]["reference"]
    assert client.post(f"/applications/{application}/withdraw", json=REASON).status_code == 200
    assert client.post(f"/households/{family}/erase", json=REASON).status_code == 200


def test_of_an_approval_and_an_erasure_at_once_one_is_refused(database: Database, family: str) -> None:
    run = proposed(database)

    def approved() -> bool:
        try:
            decide(database, run, runs.approve)
        except Conflict:
            return False
        return True

    def erased() -> bool:
        try:
            with database.session(writes=True) as session:
                erase(session, family, "Asked for.", OPERATOR)
        except Conflict:
            return False
        return True

    assert sorted(at_once(approved, erased)) == [False, True]
    with database.session(writes=False) as session:
        household = _household(session, family)
        application = session.scalars(select(Application).where(Application.household_id == household.id)).one()
        is_gone = household.erased_at is not None
        assert application.state is (ApplicationState.WITHDRAWN if is_gone else ApplicationState.ALLOCATED)


def test_kin_who_stay_keep_their_group(database: Database, register: Register) -> None:
    first, second = register.families["rented"], register.families["unsafe"]
    with database.session(writes=True) as session:
        group = factories.kin_group(session)
        for reference in (first, second):
            _household(session, reference).kin_group = group
    for reference, left in ((first, 1), (second, 0)):
        with database.session(writes=True) as session:
            erase(session, reference, "Asked for.", OPERATOR)
        with database.session(writes=False) as session:
            assert len(session.scalars(select(KinGroup)).all()) == left


def test_only_who_may_erase_erases_and_only_there(database: Database, register: Register, acting_as: ActingAs) -> None:
    path = f"/households/{register.families['rented']}/erase"
    with database.session(writes=True) as session:
        valley = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        _household(session, register.families["rented"]).origin = factories.origin(session, valley)
    for role in set(Role) - {Role.PLANNER}:
        assert acting_as(role).post(path, json=REASON).status_code == 403
    elsewhere = acting_as(Role.PLANNER, settlement=register.hillside)
    assert elsewhere.post(path, json=REASON).status_code == 404
    assert elsewhere.get("/retention").status_code == 403
    planner = acting_as(Role.PLANNER)
    assert planner.post("/households/HH-00000000/erase", json=REASON).status_code == 404
    for wrong in ({}, {"reason": " "}, {"reason": "x" * 501}):
        assert _pointers(planner.post(path, json=wrong)) == ["#/body/reason"]
    assert acting_as(Role.PLANNER, settlement=register.valley).post(path, json=REASON).status_code == 200


def _pointers(answer: httpx2.Response) -> list[Any]:
    assert answer.status_code == 422
    return [error["pointer"] for error in answer.json()["errors"]]
