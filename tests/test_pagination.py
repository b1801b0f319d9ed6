"""Lists come in pages that stay in order while things are added."""

import pytest

from app.access.models import Role
from app.database import Database
from app.pagination import LARGEST
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
