"""hearth offers …: offering what a run reserves, and ending offers that nobody answered."""

from typing import Annotated

import typer

from app import console
from app.access.permissions import OPERATOR
from app.allocation import queries
from app.allocation.models import Run
from app.allocation.offer_models import Offer, OfferState
from app.opening import acting, opened
from app.references import normalised
from app.settings import Settings
from app.tenancy import offer_queries, offers
from app.tenancy.deadlines import deadlines
from app.worker import expire_offers

offer_commands = typer.Typer(help="Houses offered to families.", no_args_is_help=True)


@offer_commands.command("issue")
def issue_offers(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Public reference of an approved run.")],
    username: Annotated[
        str | None, typer.Option("--as", metavar="USER", help="Who issues them: a user, with that user's rights.")
    ] = None,
) -> None:
    """Offer every house that a run reserves to its family. Asked again, it offers what was not offered yet."""
    with opened() as database, database.session(writes=True) as session:
        found = queries.run_in_short(session, OPERATOR, normalised(run))
        issued = offers.issue(session, found, Settings().zone, acting(session, username))
    console.say(f"Issued {len(issued.offers):,} offers of {found.reference}; {issued.before:,} were issued before.")
    if issued.held_back:
        console.say(f"Held back, for a gate is closed: {', '.join(issued.held_back)}. Issue them once it is open.")


@offer_commands.command("list")
def list_offers(
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    state: Annotated[OfferState | None, typer.Option(help="Only those in this state.")] = None,
) -> None:
    """Print offers, one to a line: house, household, state and the last day for an answer."""
    query = offer_queries.offers(OPERATOR)
    if run is not None:
        query = query.join(Offer.run).where(Run.reference == normalised(run))
    if state is not None:
        query = query.where(Offer.state == state)
    with opened() as database, database.session(writes=False) as session:
        found = session.scalars(query.order_by(Offer.id)).unique().all()
        ends = deadlines(session, found, Settings().zone)
    console.show_offers((offer, ends[offer.id]) for offer in found)


@offer_commands.command("expire")
def expire_overdue() -> None:
    """End every offer whose deadline is over, as a worker does by itself."""
    with opened() as database:
        expired = expire_offers(database, Settings())
    console.say(f"{len(expired):,} offers ran out.")
