"""hearth placement …: where one household is to live, or not, by decision of two people."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from app import console
from app.access.permissions import OPERATOR, Permission
from app.allocation import placements
from app.allocation.placement_models import Placement, PlacementReason, PlacementState
from app.allocation.placements import Where
from app.cli_options import ActingAs, sentence
from app.errors import Invalid
from app.housing.queries import named_house
from app.opening import acting, opened, settlement_named
from app.references import normalised
from app.registry.queries import visible_household

placement_commands = typer.Typer(help="Where one household is to live, or not, by decision.", no_args_is_help=True)
PlacementReference = Annotated[str, typer.Argument(metavar="PLACEMENT", help="Public reference of the placement.")]


@placement_commands.command("request")
def request_placement(
    household: Annotated[str, typer.Argument(metavar="HOUSEHOLD", help="Public reference of the household.")],
    reason: Annotated[PlacementReason, typer.Option(help="Why.")],
    house: Annotated[str | None, typer.Option(help="In this house.")] = None,
    settlement: Annotated[str | None, typer.Option(help="In this settlement, in houses of --size.")] = None,
    size: Annotated[int | None, typer.Option(min=0, help="In the measure of the policy.")] = None,
    step_free: Annotated[bool, typer.Option("--step-free", help="In houses without a step.")] = False,
    forbid: Annotated[str | None, typer.Option(metavar="SETTLEMENT", help="Not in this settlement.")] = None,
    note: Annotated[str | None, typer.Option(parser=sentence, metavar="TEXT", help="Why, in words.")] = None,
    username: ActingAs = None,
) -> None:
    """Ask for a placement. It counts once somebody else has confirmed it."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        family = visible_household(session, actor, normalised(household), Permission.PLACEMENT_WRITE)
        where = _where(session, house, settlement, size, step_free, forbid)
        made = placements.request(session, family, where, reason, note, actor)
        console.say(f"Requested {made.reference}. Somebody else confirms it: hearth placement confirm {made.reference}")


def _where(
    session: Session, house: str | None, settlement: str | None, size: int | None, step_free: bool, forbid: str | None
) -> Where:
    if (house is not None) + (settlement is not None) + (forbid is not None) != 1:
        raise Invalid("Give one of --house, --settlement with --size, and --forbid.")
    if forbid is not None:
        return Where(settlement_named(session, forbid), is_forbidden=True)
    if house is not None:
        found = named_house(session, normalised(house), "--house")
        return Where(found.settlement, house=found)
    if size is None:
        raise Invalid("Give the --size of the houses.")
    return Where(settlement_named(session, settlement or ""), size=size, step_free=step_free)


@placement_commands.command("confirm")
def confirm_placement(reference: PlacementReference, username: ActingAs = None) -> None:
    """Let a placement count. By somebody else than who requested it."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = placements.actable(session, actor, Permission.PLACEMENT_DECIDE, normalised(reference))
        placements.confirm(session, found, actor)
    console.say("Confirmed.")


@placement_commands.command("lift")
def lift_placement(
    reference: PlacementReference,
    reason: Annotated[str, typer.Option(parser=sentence, metavar="TEXT", help="Why it counts no more, or is refused.")],
    username: ActingAs = None,
) -> None:
    """End a placement, or refuse one that was requested."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        found = placements.actable(session, actor, Permission.PLACEMENT_READ, normalised(reference))
        placements.lift(session, found, reason, actor)
    console.say("Lifted.")


@placement_commands.command("list")
def list_placements() -> None:
    """Print the placements that are not lifted."""
    with opened() as database, database.session(writes=False) as session:
        query = placements.visible(OPERATOR).where(Placement.state != PlacementState.LIFTED).order_by(Placement.id)
        console.show_placements(session.scalars(query).all())
