"""hearth offers …: offering what a run reserves, what families answer, and ending offers that nobody answered."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from app import console
from app.access.permissions import OPERATOR, Permission, Principal
from app.allocation import queries
from app.allocation.offer_models import Offer, OfferState
from app.cli_options import ActingAs, Day, How, sentence, the_day
from app.opening import acting, opened
from app.policy.facts import DeclineReason
from app.references import normalised
from app.settings import Settings
from app.tenancy import answers, offer_queries, offers
from app.tenancy.deadlines import deadlines
from app.worker import expire_offers

offer_commands = typer.Typer(help="Houses offered to families.", no_args_is_help=True)
OfferReference = Annotated[str, typer.Argument(metavar="OFFER", help="Public reference of the offer.")]


@offer_commands.command("issue")
def issue_offers(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Public reference of an approved run.")],
    username: ActingAs = None,
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
    if state is not None:
        query = query.where(Offer.state == state)
    with opened() as database, database.session(writes=False) as session:
        if run is not None:
            query = query.where(Offer.run_id == queries.run_in_short(session, OPERATOR, normalised(run)).id)
        found = session.scalars(query.order_by(Offer.id)).unique().all()
        ends = deadlines(session, found, Settings().zone)
    console.show_offers((offer, ends[offer.id]) for offer in found)


@offer_commands.command("expire")
def expire_overdue() -> None:
    """End every offer whose deadline is over, as a worker does by itself."""
    with opened() as database:
        expired = expire_offers(database, Settings())
    console.say(f"{len(expired):,} offers ran out.")


@offer_commands.command("accept")
def accept_offer(reference: OfferReference, how: How, on: Day = None, username: ActingAs = None) -> None:
    """Record that a family takes the house: in time, and while every gate of the settlement is met."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        offer = _answered(session, actor, reference)
        zone = Settings().zone
        answers.accept(session, offer, answered_on=the_day(on), given_how=how, zone=zone, actor=actor)
    console.say(f"{offer.reference} is accepted: no run moves {offer.household.reference} any more.")


@offer_commands.command("decline")
def decline_offer(
    reference: OfferReference,
    how: How,
    reason: Annotated[DeclineReason, typer.Option(help="Why.")],
    note: Annotated[
        str | None, typer.Option(parser=sentence, metavar="TEXT", help="What the family says of it.")
    ] = None,
    on: Day = None,
    username: ActingAs = None,
) -> None:
    """Record that a family does not take the house, also after it had accepted it. The house is free at once."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        offer = _answered(session, actor, reference)
        answers.decline(
            session,
            offer,
            reason=reason,
            note=note,
            answered_on=the_day(on),
            given_how=how,
            zone=Settings().zone,
            actor=actor,
        )
    console.say(f"{offer.reference} is declined: {offer.house.reference} is free, and the family waits as before.")


@offer_commands.command("ask-again")
def ask_again(reference: OfferReference, username: ActingAs = None) -> None:
    """Record that a family that declined may be offered the same settlement again, from the next run on."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        answers.ask_again(session, _answered(session, actor, reference), actor)
    console.say("From the next run on it may be offered again.")


def _answered(session: Session, actor: Principal, reference: str) -> Offer:
    return offer_queries.offer(session, actor, Permission.OFFER_ANSWER, normalised(reference))


@offer_commands.command("withdraw")
def withdraw_offer(
    reference: OfferReference,
    reason: Annotated[str, typer.Option(parser=sentence, metavar="TEXT", help="What is wrong with it.")],
    username: ActingAs = None,
) -> None:
    """Take an offer back that was a mistake. The house is free at once, and the family waits as before."""
    with opened() as database, database.session(writes=True) as session:
        actor = acting(session, username)
        offer = offer_queries.offer(session, actor, Permission.OFFER_WRITE, normalised(reference))
        offers.withdraw(session, offer, reason, actor)
    console.say("Withdrawn.")
