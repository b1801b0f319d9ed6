"""Lists come in pages that stay in order while things are added."""

import pytest

from app.access.models import Role
from app.database import Database
from app.pagination import LARGEST
from app.tenancy.models import Finding, OccupancyCheck
from tests import factories
from tests.conftest import ActingAs


@pytest.fixture
def kin_groups(database: Database) -> list[str]:
    """Seven things of a list, in the order in which they were made."""
    with database.session(writes=True) as session:
        return [factories.kin_group(session).reference for _ in range(7)]


def test_pages_follow_each_other_without_gap_or_overlap(acting_as: ActingAs, kin_groups: list[str]) -> None:
    client, seen, cursor, sizes = acting_as(Role.CASEWORKER), [], "", []
    while True:
        page = client.get("/kin-groups", params={"limit": 3, "cursor": cursor}).json()
        seen += [group["reference"] for group in page["items"]]
        sizes.append(len(page["items"]))
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == kin_groups
    assert sizes == [3, 3, 1]


def test_what_is_added_meanwhile_comes_last_and_moves_nothing(
    acting_as: ActingAs, database: Database, kin_groups: list[str]
) -> None:
    client = acting_as(Role.CASEWORKER)
    first = client.get("/kin-groups?limit=4").json()
    with database.session(writes=True) as session:
        added = factories.kin_group(session).reference
    rest = client.get(f"/kin-groups?cursor={first['next']}").json()
    found = [group["reference"] for group in first["items"] + rest["items"]]
    assert found == [*kin_groups, added]
    assert rest["next"] is None


def test_a_page_that_ends_with_the_list_has_no_next(acting_as: ActingAs, kin_groups: list[str]) -> None:
    client = acting_as(Role.CASEWORKER)
    assert client.get(f"/kin-groups?limit={len(kin_groups)}").json()["next"] is None
    assert client.get(f"/kin-groups?limit={len(kin_groups) - 1}").json()["next"] is not None


@pytest.mark.parametrize(("limit", "items"), [("0", 1), ("-1", 1), ("-" + "9" * 30, 1), ("1", 1), ("1000000000", 7)])
def test_the_limit_is_brought_into_its_bounds(
    acting_as: ActingAs, kin_groups: list[str], limit: str, items: int
) -> None:
    answer = acting_as(Role.CASEWORKER).get(f"/kin-groups?limit={limit}")
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == items


def test_no_page_is_larger_than_the_largest(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        for _ in range(LARGEST + 1):
            factories.kin_group(session)
    page = acting_as(Role.CASEWORKER).get("/kin-groups?limit=1000000000").json()
    assert len(page["items"]) == LARGEST
    assert page["next"] is not None


def test_a_cursor_that_names_nothing_ends_the_list_instead_of_beginning_it_again(
    acting_as: ActingAs, kin_groups: list[str]
) -> None:
    client = acting_as(Role.CASEWORKER)
    for cursor in ("KG-00000000", "garbage", "-", "0"):
        assert client.get(f"/kin-groups?cursor={cursor}").json() == {"items": [], "next": None}, cursor


def test_a_cursor_tells_nothing_of_what_lies_beyond_ones_scope(acting_as: ActingAs, database: Database) -> None:
    """As one that names nothing, though what it names was made before what is seen."""
    roles = (Role.CASEWORKER, Role.VILLAGE_ADMINISTRATOR, Role.PLANNER)

    def references() -> dict[str, str]:
        return {path: acting_as(*roles).get(path).json()["items"][0]["reference"] for path in lists}

    lists = ("/households", "/applications", "/houses", "/tenancies", "/offers", "/placements", "/occupancy/checks")
    with database.session(writes=True) as session:
        for district in ("South", "North", "North"):
            place = factories.settlement(session, district=district)
            lived_in = factories.tenancy(session, factories.house(session, place))
            session.add(
                OccupancyCheck(
                    house=lived_in.house,
                    tenancy=lived_in,
                    finding=Finding.EXPECTED_FAMILY,
                    checked_on=factories.LONG_AGO,
                )
            )
            factories.offer(session, factories.reservation(session, factories.house(session, place)))
            factories.placement(session, factories.household(session, place=place), place)
    hidden, client = references(), acting_as(*roles, district="North")
    for path in lists:
        seen = [each["reference"] for each in client.get(path).json()["items"]]
        assert seen, path
        assert hidden[path] not in seen
        assert client.get(path, params={"cursor": hidden[path]}).json() == {"items": [], "next": None}, path
        assert [each["reference"] for each in client.get(f"{path}?cursor={seen[0]}").json()["items"]] == seen[1:]


def test_pages_go_on_after_what_was_last_is_filtered_out_or_gone(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        made = [factories.submitted(session, place) for _ in range(4)]
        expected = [factories.reservation(session, factories.house(session, place)) for _ in range(2)]
    first, second, third, fourth = (each.reference for each in made)
    client = acting_as(Role.CASEWORKER, Role.VERIFIER, Role.VILLAGE_ADMINISTRATOR, Role.PLANNER)

    def rest(path: str, cursor: str) -> list[str]:
        page = client.get(path, params={"state": "submitted", "cursor": cursor, "limit": 200}).json()
        return [each["reference"] for each in page["items"]]

    client.post("/applications/verify", json={"applications": [first]}).raise_for_status()
    assert rest("/applications", first) == [second, third, fourth]
    erased = made[1].household.reference
    client.post(f"/households/{erased}/erase", json={"reason": "It asked."}).raise_for_status()
    assert rest("/applications", second) == [third, fourth]
    after = client.get("/households", params={"cursor": erased}).json()["items"]
    assert [each["reference"] for each in after][:2] == [each.household.reference for each in made[2:]]
    path = f"/applications/{expected[0].application.reference}"
    seen = {"If-Match": client.get(path).headers["ETag"]}
    client.post(f"{path}/withdraw", json={"reason": "It has a home."}, headers=seen).raise_for_status()
    after = client.get("/reservations", params={"cursor": expected[0].reference}).json()["items"]
    assert [each["household"] for each in after] == [expected[1].household.reference]


def test_a_cursor_may_be_typed_in_small_letters(acting_as: ActingAs, kin_groups: list[str]) -> None:
    page = acting_as(Role.CASEWORKER).get(f"/kin-groups?cursor={kin_groups[4].lower()}").json()
    assert [group["reference"] for group in page["items"]] == kin_groups[5:]


def test_a_longer_list_takes_no_more_queries(acting_as: ActingAs, database: Database, statements: list[str]) -> None:
    """Every list of the register and the stock, with two things and with ten."""
    client = acting_as(*Role)
    lists = (
        "/households",
        "/applications",
        "/settlements",
        "/houses",
        "/origins",
        "/kin-groups",
        "/land-release-areas",
        "/users",
        "/tenancies",
        "/reservations",
        "/occupancy",
        "/policies",
        "/runs",
    )

    def add(number: int) -> None:
        with database.session(writes=True) as session:
            for _ in range(number):
                place = factories.settlement(session)
                factories.house(session, place)
                factories.land_release_area(session, place)
                reserved, lived_in = factories.house(session, place), factories.house(session, place)
                factories.accepted(session, reserved)
                factories.tenancy(session, lived_in)
                group = factories.kin_group(session)
                factories.applicant(session, place, children=2, place=place, kin_group=group)

    def count() -> dict[str, int]:
        counts = {}
        for path in lists:
            statements.clear()
            assert client.get(path).status_code == 200, path
            counts[path] = len(statements)
        return counts

    add(2)
    few = count()
    add(8)
    assert count() == few
