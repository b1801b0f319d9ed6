"""Checks of who lives where, and swaps, from the command line."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.access.models import Role
from app.audit import Act
from app.database import Database, utc_now
from app.tenancy.models import Finding, OccupancyCheck, Tenancy, TenancyEnd
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapWish, SwapWishState
from tests import factories
from tests.audit.trail import acts
from tests.conftest import CommandLine
from tests.tenancy import living

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def homes(database: Database) -> dict[str, str]:
    """Household → the house that it lives in."""
    with database.session(writes=False) as session:
        query = select(Tenancy).where(Tenancy.moved_out_on.is_(None))
        return {row.household.reference: row.house.reference for row in session.scalars(query.options(*living.LIVING))}


def test_what_was_found_is_recorded_listed_and_set_against_the_record(
    database: Database, command_line: CommandLine
) -> None:
    with database.session(writes=True) as session:
        valley = factories.settlement(session, "Valley [1]")
        lived_in = factories.tenancy(session, factories.house(session, valley)).house.reference
        free = factories.house(session, factories.settlement(session, "Hillside")).reference
        key, planner = valley.key or valley.reference, factories.user(session, Role.PLANNER).username
    code, out, _ = command_line("occupancy", "reconcile", "--days", "7")
    assert (code, lived_in in out, "not_checked" in out, "1 houses" in out) == (0, True, True, True)
    check = ("occupancy", "check", lived_in, "--finding")
    assert command_line(*check, "haunted")[0] == 2
    assert command_line(*check, "empty", "--note", "\x07")[0] == 2
    tomorrow = str(utc_now().date() + timedelta(days=2))
    assert "future" in command_line(*check, "empty", "--on", tomorrow)[2]
    assert command_line(*check, "empty", "--as", planner)[0] == 1
    assert "no family is expected" in command_line("occupancy", "check", free, "--finding", "expected_family")[2]
    assert command_line(*check, "empty", "--note", "The shutters were closed.")[0] == 0
    assert command_line("occupancy", "check", free, "--finding", "someone_else", "--on", "2026-01-02")[0] == 0
    with database.session(writes=False) as session:
        notes = {row.finding: (row.note, row.checked_on.isoformat()) for row in session.scalars(select(OccupancyCheck))}
    assert notes[Finding.EMPTY][0] == "The shutters were closed."
    assert notes[Finding.SOMEONE_ELSE] == (None, "2026-01-02")
    out = command_line("occupancy", "reconcile")[1]
    assert ("family_not_found" in out, "nobody_expected" in out, "2 houses" in out) == (True, True, True)
    out = command_line("occupancy", "reconcile", "--settlement", key)[1]
    assert (lived_in in out, free in out, "Valley [1]" in out) == (True, False, True)
    out = command_line("occupancy", "list", "--finding", "empty", "--settlement", key)[1]
    assert (lived_in in out, free in out, "Kovalenko" in out) == (True, False, False)
    assert "no settlement" in command_line("occupancy", "list", "--settlement", "Nowhere")[2]
    assert {Act.OCCUPANCY_RECONCILE, Act.OCCUPANCY_CHECK_LIST} <= set(acts(database))


def test_families_swap_from_wish_to_move(database: Database, command_line: CommandLine) -> None:
    with database.session(writes=True) as session:
        valley = factories.settlement(session, "Valley")
        first, second = (factories.tenancy(session, factories.house(session, valley)) for _ in range(2))
        names = [each.household.reference for each in (first, second)]
        houses = [each.house.reference for each in (first, second)]
        approver = factories.user(session, Role.APPROVER).username
    code, _, err = command_line("swaps", "wish", names[0], houses[0])
    assert (code, "own house" in err) == (1, True)
    assert "no house" in command_line("swaps", "wish", names[0], "HO-00000000")[2]
    assert "no settlement" in command_line("swaps", "wish", names[0], "Nowhere")[2]
    assert command_line("swaps", "wish", names[0], houses[1].lower())[0] == 0
    assert "open wish already" in command_line("swaps", "wish", names[0], houses[1])[2]
    assert command_line("swaps", "wish", names[1], valley.reference)[0] == 0
    out = command_line("swaps", "wishes")[1]
    assert all(each in out for each in (*names, *houses, "Valley"))

    code, out, _ = command_line("swaps", "propose")
    assert (code, "Proposed 1 cycles of 2 families: SC-" in out) == (0, True)
    with database.session(writes=False) as session:
        cycle = session.scalars(select(SwapCycle.reference)).one()
    assert cycle in command_line("swaps", "list")[1]
    approve = ("swaps", "approve", cycle, "--as", approver)
    assert "2 of 2 families have not agreed" in command_line(*approve)[2]
    confirm = ("swaps", "confirm", cycle, names[0], "--how", "in_person")
    assert "Give a day from" in command_line(*confirm, "--on", "2001-01-01")[2]
    assert "1 of its families" in command_line(*confirm)[1]
    assert "agreed already" in command_line(*confirm)[2]
    assert command_line("swaps", "confirm", cycle, names[1], "--how", "in_writing")[1] == "All have agreed.\n"
    assert "somebody else" in command_line("swaps", "approve", cycle)[2]  # the operator proposed it
    assert command_line(*approve)[1] == "2 families have moved.\n"
    assert homes(database) == {names[0]: houses[1], names[1]: houses[0]}
    assert cycle in command_line("swaps", "list", "--state", "done")[1]
    assert {Act.SWAP_WISH_LIST, Act.SWAP_CYCLE_LIST} <= set(acts(database))


@pytest.mark.parametrize("how", ["refuse", "withdraw"])
def test_a_family_that_does_not_want_to_leaves_all_where_they_are(
    database: Database, command_line: CommandLine, how: str
) -> None:
    with database.session(writes=True) as session:
        cycle = living.swap_cycle(session, factories.settlement(session), confirmed=True)
        reference, wish = cycle.reference, cycle.moves[0].wish
        arguments = (reference, wish.household.reference) if how == "refuse" else (wish.reference,)
    before = homes(database)
    assert command_line("swaps", how, *arguments)[0] == 0
    assert command_line("swaps", how, *arguments)[0] == 1
    with database.session(writes=False) as session:
        assert session.scalars(select(SwapCycle.state)).one() is SwapCycleState.FELL_APART
        states = session.scalars(select(SwapWish.state).order_by(SwapWish.id)).all()
    assert (states, homes(database)) == ([SwapWishState.WITHDRAWN, SwapWishState.OPEN], before)


def test_a_family_gets_the_keys_moves_in_and_leaves(database: Database, command_line: CommandLine) -> None:
    with database.session(writes=True) as session:
        given = factories.accepted(session, factories.house(session, factories.settlement(session)))
        assert given.house is not None
        house, family = given.house.reference, given.household.reference
        member = given.household.people[0].reference
        planner = factories.user(session, Role.PLANNER).username
    keys = ("occupancy", "keys", house, family)
    assert command_line(*keys)[0] == 2  # who took them?
    assert command_line(*keys, "--received-by", member, "--representative", "Omar")[0] == 2
    assert command_line(*keys, "--representative", "\x07")[0] == 2
    assert "no person" in command_line(*keys, "--received-by", "PE-00000000")[2]
    assert "tenancy.write" in command_line(*keys, "--received-by", member, "--as", planner)[2]
    assert "another household" in command_line("occupancy", "keys", house, "HH-00000000", "--received-by", member)[2]
    assert command_line(*keys, "--received-by", member)[1].startswith("Recorded as TE-")
    assert command_line("occupancy", "move-in", house, family)[0] == 0
    assert homes(database) == {family: house}
    assert command_line("occupancy", "move-in", house, family)[0] == 1
    leave = ("occupancy", "move-out", house, "--reason", "With relatives.")
    assert "moved in on" in command_line(*leave, "--on", "2001-01-01")[2]
    assert command_line(*leave, "--code", "boredom")[0] == 2
    assert command_line(*leave, "--code", "with_relatives")[0] == 0
    with database.session(writes=False) as session:
        assert session.scalars(select(Tenancy.ended_for)).one() is TenancyEnd.WITH_RELATIVES
    assert "nobody is recorded" in command_line(*leave)[2]


def test_a_house_is_unfit_and_fit_again(database: Database, command_line: CommandLine) -> None:
    with database.session(writes=True) as session:
        house = factories.tenancy(session, factories.house(session, factories.settlement(session))).house.reference
        planner = factories.user(session, Role.PLANNER).username
    assert command_line("occupancy", "unfit", house)[0] == 2
    refused = command_line("occupancy", "unfit", house, "--reason", "The roof leaks.", "--as", planner)
    assert (refused[0], "tenancy.write" in refused[2]) == (1, True)
    assert command_line("occupancy", "unfit", house, "--reason", "The roof leaks.")[0] == 0
    assert " unfit " in command_line("occupancy", "reconcile")[1]
    assert command_line("occupancy", "fit", house)[0] == 0
    assert command_line("occupancy", "fit", house)[0] == 1
    assert " occupied " in command_line("occupancy", "reconcile")[1]
