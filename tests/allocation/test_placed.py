"""A family for which people decided is told so, with the reason and without a name; so is who lost a house by that."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.allocation.placements import Where
from app.database import Database
from app.registry.models import Application, Household
from tests.allocation.conftest import Register, drawn, register, said, settings
from tests.allocation.test_placements import confirmed, last_house, settlement
from tests.conftest import ActingAs

__all__ = ["register", "settings"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Placing = Callable[[Register], Callable[[Session], Where]]


def told(database: Database, acting_as: ActingAs, household: str) -> str:
    with database.session(writes=False) as session:
        query = select(Application.reference).join(Application.household).where(Household.reference == household)
        reference = session.scalars(query).one()
    answer = acting_as(Role.CASEWORKER).get(f"/applications/{reference}/explanation?language=en")
    return "\n".join(each for section in answer.json()["sections"] for each in section["sentences"])


def of_kind(register: Register) -> Callable[[Session], Where]:
    return lambda session: Where(settlement(session, register.valley), size=1, step_free=False)


def not_in_hillside(register: Register) -> Callable[[Session], Where]:
    return lambda session: Where(settlement(session, register.hillside), is_forbidden=True)


@pytest.mark.parametrize(
    ("family", "where", "for_it", "for_staff"),
    [
        ("rented", last_house, "that you are to live in this house.", "that it is to live in this house (medical)."),
        (
            "rented",
            of_kind,
            "that you are to live in a house of this kind in this place.",
            "of this kind here (medical)",
        ),
        ("anywhere", not_in_hillside, "that you are not to live here: Hillside.", "not to live in Hillside (medical)."),
    ],
)
def test_who_was_placed_is_told_so(
    database: Database,
    register: Register,
    acting_as: ActingAs,
    family: str,
    where: Placing,
    for_it: str,
    for_staff: str,
) -> None:
    household = register.families[family]
    confirmed(database, household, where(register))
    proposal = said(database, drawn(database))[household]
    assert for_staff in proposal.explanation
    now = told(database, acting_as, household)
    assert f"People decided, and not the calculation, {for_it} The reason: health." in now
    assert ("By your wishes" in now, "Dialysis" in now) == (False, False)
    assert "places that you did not ask for" not in now


def test_who_is_to_live_elsewhere_is_told_so_and_nothing_of_wishes(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    household = register.families["large"]
    confirmed(
        database, household, lambda session: Where(settlement(session, register.hillside), size=3, step_free=False)
    )
    run = drawn(database, settlements=[register.valley])
    assert (
        "that it is to live in a place that is not part of this run (medical)."
        in said(database, run)[household].explanation
    )
    now = told(database, acting_as, household)
    assert "that you are to live in a place that is not part of this allocation. The reason: health." in now
    assert "There is no house for you in this allocation." in now
    assert "did not ask for" not in now


def test_what_is_forbidden_elsewhere_is_not_said(database: Database, register: Register) -> None:
    household = register.families["rented"]
    confirmed(database, household, not_in_hillside(register))
    proposal = said(database, drawn(database, settlements=[register.valley]))[household]
    assert (proposal.grounds or {}).keys() & {"placed"} == set()
    assert "People decided" not in proposal.explanation


def test_who_lost_a_house_to_a_placement_is_told_so(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    confirmed(database, register.families["rented"], last_house(register))
    reasons = {"taken_by_priority", "held_together"}
    household = register.families["dormitory"]
    assert said(database, drawn(database))[household].reason in reasons
    now = told(database, acting_as, household)
    assert ("people decided so" in now, "relatives" in now) == (True, False)
