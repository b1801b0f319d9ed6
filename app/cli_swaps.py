"""hearth swaps …: families that would swap houses, cycles among them, and what they say of those."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from app import audit, console
from app.access.permissions import OPERATOR, Permission, Principal
from app.audit import Act
from app.cli_options import ActingAs, Day, How, the_day
from app.opening import acting, opened, settlement_named
from app.references import normalised
from app.registry.queries import visible_household
from app.settings import Settings
from app.tenancy import swap_queries, swaps, transfers
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapOption, SwapWish, SwapWishState
from app.tenancy.swaps import Wanted

swap_commands = typer.Typer(help="Families that swap the houses they live in.", no_args_is_help=True)
Family = Annotated[str, typer.Argument(metavar="HOUSEHOLD", help="Public reference of the household.")]
CycleReference = Annotated[str, typer.Argument(metavar="CYCLE", help="Public reference of the cycle of swaps.")]


@swap_commands.command("wish")
def register_wish(
    household: Family,
    wanted: Annotated[
        list[str],
        typer.Argument(metavar="HOUSE|SETTLEMENT…", help="What it would take instead, the best first."),
    ],
    username: ActingAs = None,
) -> None:
    """Register that a family would give its house for one of those named: a house, or any that fits in a settlement."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        family = visible_household(session, actor, normalised(household))
        options = [_wanted(session, actor, name) for name in wanted]
        console.say(f"Registered {swaps.register(session, family, options, actor).reference}.")


def _wanted(session: Session, actor: Principal, name: str) -> Wanted:
    if normalised(name).startswith("HO-"):
        return swap_queries.named_house(session, actor, normalised(name), name)
    return Wanted(None, settlement_named(session, name), name)


@swap_commands.command("withdraw")
def withdraw_wish(
    wish: Annotated[str, typer.Argument(metavar="WISH", help="Public reference of the wish.")],
    username: ActingAs = None,
) -> None:
    """End a wish at the family's word. A cycle that it is part of falls apart."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        swaps.withdraw(session, swap_queries.wish(session, actor, Permission.SWAP_WRITE, normalised(wish)), actor)
    console.say("Withdrawn.")


@swap_commands.command("wishes")
def list_wishes(
    state: Annotated[SwapWishState, typer.Option(help="Those in this state.")] = SwapWishState.OPEN,
) -> None:
    """Print who would swap, and for what."""
    with opened() as database, database.session(writes=True) as session:
        query = swap_queries.wishes(OPERATOR).where(SwapWish.state == state)
        rows = session.scalars(query.order_by(SwapWish.id)).all()
        households = [row.household for row in rows]
        audit.record(session, OPERATOR, Act.SWAP_WISH_LIST, details=audit.listed(rows, households))
    console.show_table(
        ("wish", "household", "gives", "would take"),
        (
            (row.reference, row.household.reference, row.tenancy.house.reference, ", ".join(map(_named, row.options)))
            for row in rows
        ),
    )


def _named(option: SwapOption) -> str:
    if option.house is not None:
        return option.house.reference
    return option.settlement.name if option.settlement is not None else ""


@swap_commands.command("propose")
def propose_cycles(username: ActingAs = None) -> None:
    """Find who could swap among the open wishes: each gets a house that it named and that fits. Then they are asked."""
    with opened() as database, database.session(writes=True) as session:
        found = transfers.propose(session, acting(session, username))
        families = sum(len(cycle.moves) for cycle in found)
    console.say(
        f"Proposed {len(found):,} cycles of {families:,} families: {', '.join(each.reference for each in found)}"
    )


@swap_commands.command("list")
def list_cycles(
    state: Annotated[SwapCycleState, typer.Option(help="Those in this state.")] = SwapCycleState.PROPOSED,
) -> None:
    """Print cycles, one family to a line: what it gives and gets, and when it agreed."""
    with opened() as database, database.session(writes=True) as session:
        query = swap_queries.cycles(OPERATOR).where(SwapCycle.state == state)
        rows = session.scalars(query.order_by(SwapCycle.id)).all()
        households = (move.wish.household for row in rows for move in row.moves)
        audit.record(session, OPERATOR, Act.SWAP_CYCLE_LIST, details=audit.listed(rows, households))
    console.show_table(
        ("cycle", "household", "gives", "gets", "agreed on"),
        (
            (
                row.reference,
                move.wish.household.reference,
                move.from_house.reference,
                move.to_house.reference,
                str(move.confirmed_on or ""),
            )
            for row in rows
            for move in row.moves
        ),
    )


@swap_commands.command("confirm")
def confirm_cycle(
    cycle: CycleReference, household: Family, how: How, on: Day = None, username: ActingAs = None
) -> None:
    """Record that a family agrees to its part of a cycle."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = swap_queries.cycle(session, actor, Permission.SWAP_WRITE, normalised(cycle))
        transfers.confirm(
            session,
            found,
            normalised(household),
            answered_on=the_day(on),
            given_how=how,
            zone=Settings().zone,
            actor=actor,
        )
        waiting = sum(move.confirmed_on is None for move in found.moves)
    console.say(f"Confirmed; {waiting:,} of its families have not answered yet." if waiting else "All have agreed.")


@swap_commands.command("refuse")
def refuse_cycle(cycle: CycleReference, household: Family, username: ActingAs = None) -> None:
    """Record that a family does not agree: its wish ends, and nobody of the cycle moves."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = swap_queries.cycle(session, actor, Permission.SWAP_WRITE, normalised(cycle))
        transfers.refuse(session, found, normalised(household), actor)
    console.say("Refused. The others wait for another cycle.")


@swap_commands.command("approve")
def approve_cycle(cycle: CycleReference, username: ActingAs = None) -> None:
    """Sign a cycle to which every family has agreed, and have all of them move. By somebody else than proposed it."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = swap_queries.cycle(session, actor, Permission.SWAP_DECIDE, normalised(cycle))
        transfers.approve(session, found, Settings().zone, actor)
        families = len(found.moves)
    console.say(f"{families:,} families have moved.")
