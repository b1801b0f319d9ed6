"""Roles that are held in one district or settlement end at its border, and what lies beyond does not exist."""

from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import select

from app.access.models import Role
from app.database import Database
from app.registry.models import Application
from tests import factories
from tests.conftest import ActingAs

PERSON = {
    "given_name": "Amina",
    "family_name": "Kovalenko",
    "sex": "female",
    "birth_date": "1980-03-24",
    "relationship": "head",
}


class Place(NamedTuple):
    """References of what there is in one settlement."""

    settlement: str
    origin: str
    household: str
    person: str
    application: str
    house: str
    reserved: str
    lived_in: str


@pytest.fixture
def places(database: Database) -> dict[str, Place]:
    """One settlement in each of two districts, with everything in it."""
    made = {}
    with database.session(writes=True) as session:
        for district in ("North", "South"):
            place = factories.settlement(session, f"{district} valley", district=district)
            application = factories.applicant(session, place, place=place)
            house, reserved, lived_in = (factories.house(session, place) for _ in range(3))
            factories.reservation(session, reserved)
            factories.tenancy(session, lived_in)
            household = application.household
            assert household.origin is not None
            made[district] = Place(
                place.reference,
                household.origin.reference,
                household.reference,
                household.people[0].reference,
                application.reference,
                house.reference,
                reserved.reference,
                lived_in.reference,
            )
    return made


def _references(client: httpx2.Client, path: str, name: str = "reference") -> set[str]:
    return {each[name] for each in client.get(path).json()["items"]}


REGISTER: list[tuple[str, str, Any]] = [
    ("GET", "/households/{household}", None),
    ("PATCH", "/households/{household}", {"phone": "+999 50 201"}),
    ("GET", "/households/{household}/assessment", None),
    ("POST", "/households/{household}/people", PERSON | {"relationship": "child"}),
    ("PATCH", "/people/{person}", {"given_name": "Else"}),
    ("DELETE", "/people/{person}", None),
    ("GET", "/applications/{application}", None),
    ("PATCH", "/applications/{application}", {"anywhere": True}),
    ("POST", "/applications/{application}/submit", None),
    ("POST", "/applications/{application}/withdraw", {"reason": "None of their business."}),
]
HOUSES: list[tuple[str, str, Any]] = [
    ("GET", "/houses/{house}", None),
    ("PATCH", "/houses/{house}", {"address": "Street 2"}),
    ("POST", "/houses/{reserved}/move-in", {"household": "HH-00000000", "moved_in_on": "2026-01-01"}),
    ("POST", "/houses/{lived_in}/move-out", {"moved_out_on": "2026-01-01", "reason": "Gone."}),
    ("POST", "/houses/{house}/unfit", {"reason": "It leaks."}),
    ("POST", "/houses/{house}/fit", None),
]


def _send(client: httpx2.Client, method: str, path: str, body: Any) -> httpx2.Response:
    return client.request(method, path, headers={"If-Match": '"1"'}, **({} if body is None else {"json": body}))


NOTHING = Place(*["XX-00000000"] * len(Place._fields))


@pytest.mark.parametrize(("role", "requests"), [(Role.CASEWORKER, REGISTER), (Role.VILLAGE_ADMINISTRATOR, HOUSES)])
def test_what_lies_beyond_is_answered_like_what_does_not_exist(
    acting_as: ActingAs, places: dict[str, Place], role: Role, requests: list[tuple[str, str, Any]]
) -> None:
    here = acting_as(role, district="North")
    everywhere = acting_as(Role.CASEWORKER, Role.VILLAGE_ADMINISTRATOR)
    before = [everywhere.get(path.format(**places["South"]._asdict())).text for _, path, _ in requests]
    for method, path, body in requests:
        hidden = _send(here, method, path.format(**places["South"]._asdict()), body)
        missing = _send(here, method, path.format(**NOTHING._asdict()), body)
        assert (hidden.status_code, missing.status_code) == (404, 404), path
        assert hidden.json() == missing.json(), path
        seen = _send(here, method, path.format(**places["North"]._asdict()), body)
        assert seen.status_code != 404, path
    assert before == [everywhere.get(path.format(**places["South"]._asdict())).text for _, path, _ in requests]


def test_a_caseworker_of_a_district_lists_its_households_and_their_applications(
    acting_as: ActingAs, places: dict[str, Place]
) -> None:
    everywhere, here = acting_as(Role.CASEWORKER), acting_as(Role.CASEWORKER, district="North")
    assert len(_references(everywhere, "/households")) == 6
    assert len(_references(here, "/households")) == 3
    assert places["North"].household in _references(here, "/households")
    assert places["South"].household not in _references(here, "/households")
    assert _references(here, "/applications", "household") == _references(here, "/households")
    assert _references(here, "/households?q=Kovalenko") == _references(here, "/households")
    nowhere = acting_as(Role.CASEWORKER, district="north")
    assert _references(nowhere, "/households") == set()


def test_a_household_is_registered_only_where_the_role_is_held(acting_as: ActingAs, places: dict[str, Place]) -> None:
    here = acting_as(Role.CASEWORKER, district="North")
    beyond = places["South"].origin
    for origin, status in ((places["North"].origin, 201), (beyond, 422), ("OR-00000000", 422), (None, 403)):
        body = {"current_accommodation": "rented", "people": [PERSON], "origin": origin}
        assert here.post("/households", json=body).status_code == status, origin
    away = _send(here, "PATCH", f"/households/{places['North'].household}", {"origin": beyond})
    assert away.status_code == 422
    assert away.json()["errors"] == [{"pointer": "#/body/origin", "message": f"There is no origin {beyond}."}]
    kept = here.get(f"/households/{places['North'].household}").json()
    assert kept["origin"] == places["North"].origin


def test_a_family_allocated_to_a_settlement_is_seen_there_and_changed_where_it_came_from(
    acting_as: ActingAs, database: Database, places: dict[str, Place]
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session, "Far", district="East")
        family = factories.household(session)
        application = factories.application(session, family, [place], settlement_id=place.id)
    caseworker = acting_as(Role.CASEWORKER, district="East")
    assert _references(caseworker, "/households") == {family.reference}
    assert _references(caseworker, "/applications") == {application.reference}
    assert _send(caseworker, "PATCH", f"/households/{family.reference}", {"phone": None}).status_code == 403
    assert _references(acting_as(Role.CASEWORKER, district="West"), "/households") == set()


def test_where_a_family_is_proposed_a_house_does_not_hide_it_from_where_it_came_from(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        north, south = factories.settlement(session), factories.settlement(session, "Hillside", district="South")
        origin = factories.origin(session, north)
        given = factories.reservation(session, factories.house(session, south), origin=origin)
        given.application.settlement_id = None
        path = f"/runs/{given.run.reference}/proposals?settlement={south.reference}"
    for district, seen in (("North", {given.household.reference}), ("South", set())):
        assert _references(acting_as(Role.CASEWORKER, district=district), path, "household") == seen


def test_roles_in_two_places_do_not_lend_each_other_their_permissions(
    acting_as: ActingAs, database: Database, places: dict[str, Place]
) -> None:
    """A caseworker of the North who also administers a village in the South reads both and writes in one."""
    client = acting_as(Role.CASEWORKER, district="North")
    reference = client.get("/me").json()["reference"]
    with database.session(writes=True) as session:
        factories.grant(session, reference, Role.VILLAGE_ADMINISTRATOR, settlement=places["South"].settlement)
    assert {places["North"].household, places["South"].household} <= _references(client, "/households")
    for district, status in (("North", 200), ("South", 403)):
        path = f"/households/{places[district].household}"
        assert _send(client, "PATCH", path, {"phone": None}).status_code == status, district


def test_who_plans_everywhere_declares_houses_unfit_only_in_the_own_village(
    acting_as: ActingAs, database: Database, places: dict[str, Place]
) -> None:
    client = acting_as(Role.PLANNER)
    reference = client.get("/me").json()["reference"]
    with database.session(writes=True) as session:
        factories.grant(session, reference, Role.VILLAGE_ADMINISTRATOR, settlement=places["South"].settlement)
    for district, status in (("North", 403), ("South", 200)):
        answer = client.post(f"/houses/{places[district].house}/unfit", json={"reason": "It leaks."})
        assert answer.status_code == status, district


def test_evidence_of_families_is_read_where_the_role_is_held_that_reads_it(
    acting_as: ActingAs, database: Database, places: dict[str, Place]
) -> None:
    """Who plans everywhere sees every family, and as a caseworker of the South the papers of the South alone."""
    client = acting_as(Role.PLANNER)
    reference = client.get("/me").json()["reference"]
    documents = {}
    with database.session(writes=True) as session:
        factories.grant(session, reference, Role.CASEWORKER, settlement=places["South"].settlement)
        for district, place in places.items():
            found = session.scalars(select(Application).where(Application.reference == place.application)).one()
            documents[district] = factories.document(session, found).reference
    for district, status in (("North", 404), ("South", 200)):
        application = f"/applications/{places[district].application}"
        assert client.get(application).status_code == 200, district
        for path in (f"/documents/{documents[district]}", f"{application}/documents", f"{application}/corrections"):
            assert client.get(path).status_code == status, path


def test_a_village_administrator_sees_the_houses_and_families_of_the_village(
    acting_as: ActingAs, places: dict[str, Place]
) -> None:
    north = places["North"]
    client = acting_as(Role.VILLAGE_ADMINISTRATOR, settlement=north.settlement)
    assert _references(client, "/houses") == {north.house, north.reserved, north.lived_in}
    assert _references(client, f"/houses?settlement={places['South'].settlement}") == set()
    assert _references(client, "/tenancies", "house") == {north.lived_in}
    assert _references(client, "/reservations", "house") == {north.reserved}
    assert {row["settlement"] for row in client.get("/occupancy").json()} == {north.settlement}
    assert client.get("/occupancy", params={"settlement": places["South"].settlement}).json() == []
    # Where there are settlements, and whether they can be lived in, is no secret.
    assert _references(client, "/settlements") == {north.settlement, places["South"].settlement}


def test_a_planner_of_a_district_changes_the_stock_of_that_district(
    acting_as: ActingAs, places: dict[str, Place]
) -> None:
    planner = acting_as(Role.PLANNER, district="North")
    new: dict[str, Any] = {
        "name": "New",
        "latitude": 0.4,
        "longitude": 0.3,
        "school_places": 1,
        "clinic_patients": 1,
        "status": "open",
    }
    house = {"address": "Street 9", "rooms": 2, "bedrooms": 1, "floor_area_m2": 50, "step_free": False}
    square = [[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]
    area = {"state": "suspected_hazardous", "hectares": 1, "geometry": {"type": "Polygon", "coordinates": [square]}}
    for district, added, created, done in (("North", 201, 201, 200), ("South", 403, 422, 404)):
        settlement = places[district].settlement
        path = f"/settlements/{settlement}"
        assert planner.post("/settlements", json=new | {"district": district}).status_code == added
        assert planner.post("/houses", json=house | {"settlement": settlement}).status_code == created
        assert planner.post("/land-release-areas", json=area | {"settlement": settlement}).status_code == created
        assert planner.put(f"{path}/jobs", json=[]).status_code == done
        assert planner.put(f"{path}/milestones/school", json={"achieved_on": None}).status_code == done
        assert _send(planner, "PATCH", path, {"school_places": 2}).status_code == done
    assert planner.post("/origins", json={"name": "Old", "latitude": 0, "longitude": 0}).status_code == 403
    moved = _send(planner, "PATCH", f"/settlements/{places['North'].settlement}", {"district": "South"})
    assert moved.status_code in (403, 412)


@pytest.mark.parametrize("where", ["settlement", "district"])
def test_who_plans_in_one_place_does_not_move_families_into_the_own_scope_or_out_of_it(
    acting_as: ActingAs, database: Database, places: dict[str, Place], where: str
) -> None:
    with database.session(writes=True) as session:
        free = factories.origin(session, None)
        household = factories.applicant(session, factories.settlement(session), origin=free).household.reference
    settlement = places["North"].settlement
    planner = acting_as(Role.PLANNER, **{where: settlement if where == "settlement" else "North"})
    path = f"/settlements/{settlement}"
    before = planner.get(path).json()
    merged = [origin["reference"] for origin in before["merged_from"]]

    def change(client: httpx2.Client, **fields: Any) -> httpx2.Response:
        return client.patch(path, json=fields, headers={"If-Match": client.get(path).headers["ETag"]})

    for fields in ({"merged_from": [*merged, free.reference]}, {"merged_from": merged[1:]}, {"district": "South"}):
        refused = change(planner, **fields)
        assert (refused.status_code, "stock.write everywhere" in refused.json()["detail"]) == (403, True), fields
        assert planner.get(path).json() == before
        assert planner.get(f"/households/{household}").status_code == 404
    same = {"district": "North", "merged_from": merged}
    assert change(planner, **same, school_places=2).json() == before | {"school_places": 2}
    new = {name: before[name] for name in ("name", "district", "latitude", "longitude", "status")}
    new |= {"school_places": 1, "clinic_patients": 1, "merged_from": [free.reference]}
    assert planner.post("/settlements", json=new).status_code == 403
    assert change(acting_as(Role.PLANNER), district="South", merged_from=[free.reference]).status_code == 200
