"""hearth occupancy …: keys and moves, what was found at houses, and where that and the record do not fit together."""

from collections.abc import Iterable
from typing import Annotated

import typer

from app import audit, console
from app.access.permissions import OPERATOR
from app.audit import Act
from app.cli_options import ActingAs, Day, name, sentence, the_day
from app.housing.models import House, Settlement
from app.housing.queries import house as visible_house
from app.opening import acting, opened, settlement_named
from app.references import normalised
from app.tenancy import check_queries, checks, moves
from app.tenancy.models import Finding, OccupancyCheck, TenancyEnd

DAYS = 90
"""For so long a house may go unchecked, and keys unused."""

occupancy_commands = typer.Typer(help="Who lives where, on record and found.", no_args_is_help=True)
HouseReference = Annotated[str, typer.Argument(metavar="HOUSE", help="Public reference of the house.")]
Family = Annotated[str, typer.Argument(metavar="HOUSEHOLD", help="Public reference of the household.")]
Place = Annotated[str | None, typer.Option("--settlement", help="Only in this settlement (reference or key).")]


@occupancy_commands.command("keys")
def give_keys(
    house: HouseReference,
    household: Family,
    received_by: Annotated[
        str | None, typer.Option(metavar="PERSON", help="The member who took them (public reference).")
    ] = None,
    representative: Annotated[
        str | None, typer.Option(parser=name, metavar="NAME", help="Who took them for the family, where no member did.")
    ] = None,
    on: Day = None,
    username: ActingAs = None,
) -> None:
    """Record that a family got the keys: it has accepted the house, and every gate of the settlement is met."""
    if (received_by is None) == (representative is None):
        raise typer.BadParameter("name the member who took the keys (--received-by), or the --representative.")
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        made = moves.give_keys(
            session,
            visible_house(session, actor, normalised(house), lock=True),
            normalised(household),
            the_day(on),
            actor,
            received_by=normalised(received_by) if received_by else None,
            representative=representative,
        )
        console.say(f"Recorded as {made.reference}.")


@occupancy_commands.command("move-in")
def move_in(house: HouseReference, household: Family, on: Day = None, username: ActingAs = None) -> None:
    """Record that a family lives in its house. It has the keys, or gets them with this."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = visible_house(session, actor, normalised(house), lock=True)
        made = moves.move_in(session, found, normalised(household), the_day(on), actor)
        console.say(f"Recorded as {made.reference}.")


@occupancy_commands.command("move-out")
def move_out(
    house: HouseReference,
    reason: Annotated[str, typer.Option(parser=sentence, metavar="TEXT", help="Why, in words.")],
    code: Annotated[TenancyEnd, typer.Option(help="Why, as a code.")] = TenancyEnd.OTHER,
    on: Day = None,
    username: ActingAs = None,
) -> None:
    """Record that a family left. The house is free for another at once, unless it is unfit."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = visible_house(session, actor, normalised(house), lock=True)
        moves.move_out(session, found, the_day(on), reason, actor, ended_for=code)
    console.say("Recorded.")


@occupancy_commands.command("unfit")
def declare_unfit(
    house: HouseReference,
    reason: Annotated[str, typer.Option(parser=sentence, metavar="TEXT", help="What is wrong with it.")],
    username: ActingAs = None,
) -> None:
    """Say that nobody should live in a house: a reservation is released, and who lives there waits for another."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        moves.declare_unfit(session, visible_house(session, actor, normalised(house), lock=True), reason, actor)
    console.say("Recorded.")


@occupancy_commands.command("fit")
def declare_fit(house: HouseReference, username: ActingAs = None) -> None:
    """Say that a house can be lived in again: by whoever lives there, or it is free."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        moves.declare_fit(session, visible_house(session, actor, normalised(house), lock=True), actor)
    console.say("Recorded.")


@occupancy_commands.command("check")
def check_house(
    house: HouseReference,
    finding: Annotated[Finding, typer.Option(help="What was found.")],
    note: Annotated[str | None, typer.Option(parser=sentence, metavar="TEXT", help="What is to be said of it.")] = None,
    on: Day = None,
    username: ActingAs = None,
) -> None:
    """Record what was found at a house. It changes nothing by itself: see hearth occupancy reconcile."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = visible_house(session, actor, normalised(house))
        made = checks.record(session, found, finding=finding, checked_on=the_day(on), note=note, actor=actor)
        console.say(f"Recorded {made.reference}.")


@occupancy_commands.command("list")
def list_checks(
    settlement: Place = None,
    finding: Annotated[Finding | None, typer.Option(help="Only where this was found.")] = None,
) -> None:
    """Print what was found at houses, in the order in which it was recorded."""
    query = check_queries.checks(OPERATOR)
    if finding is not None:
        query = query.where(OccupancyCheck.finding == finding)
    with opened() as database, database.session(writes=True) as session:
        if settlement is not None:
            query = query.where(Settlement.id == settlement_named(session, settlement).id)
        rows = session.scalars(query.order_by(OccupancyCheck.id)).all()
        households = (row.tenancy.household for row in rows if row.tenancy)
        audit.record(session, OPERATOR, Act.OCCUPANCY_CHECK_LIST, details=audit.listed(rows, households))
    console.show_table(("check", "day", "house", "settlement", "household", "found"), map(_check_row, rows))


def _check_row(check: OccupancyCheck) -> Iterable[str]:
    yield from (check.reference, str(check.checked_on), check.house.reference, check.house.settlement.name)
    yield check.tenancy.household.reference if check.tenancy else ""
    yield check.finding.value


@occupancy_commands.command("reconcile")
def reconcile(
    settlement: Place = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="For so many days a house may go unchecked.")] = DAYS,
) -> None:
    """Print the houses where the record and what was found do not fit together, for somebody to put right."""
    query = check_queries.to_reconcile(OPERATOR, days)
    with opened() as database, database.session(writes=True) as session:
        if settlement is not None:
            query = check_queries.in_settlement(query, settlement_named(session, settlement).reference)
        rows = session.scalars(query.order_by(House.id)).all()
        found = check_queries.contradictions(session, rows, days)
        tenancies = check_queries.current_tenancies(session, rows)
        last = check_queries.last_checks(session, rows)
        households = (tenancy.household for tenancy in tenancies.values())
        audit.record(session, OPERATOR, Act.OCCUPANCY_RECONCILE, details=audit.listed(rows, households))
    console.show_table(
        ("house", "settlement", "state", "household", "last found", "does not fit"),
        (
            (
                house.reference,
                house.settlement.name,
                house.state.value,
                tenancies[house.id].household.reference if house.id in tenancies else "",
                f"{last[house.id].finding.value} {last[house.id].checked_on}" if house.id in last else "",
                ", ".join(found[house.id]),
            )
            for house in rows
        ),
    )
    console.say(f"{len(rows):,} houses are to be looked into.")
