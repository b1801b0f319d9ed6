"""Answers to offers from the command line: what families said, by whom, and what is refused in a sentence."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.access.models import Role
from app.allocation.models import Run
from app.allocation.offer_models import GivenHow, Offer, OfferState
from app.database import Database, utc_now
from app.housing.models import HouseState
from app.policy.facts import DeclineReason
from tests import factories
from tests.conftest import CommandLine

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def issued(database: Database) -> str:
    """The reference of an offer that waits for an answer."""
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        return factories.offer(session, factories.reservation(session, house)).reference


def read(database: Database) -> Offer:
    with database.session(writes=False) as session:
        return session.scalars(select(Offer).options(joinedload(Offer.house))).one()


def test_a_house_is_taken(database: Database, issued: str, command_line: CommandLine) -> None:
    with database.session(writes=True) as session:
        caseworker = factories.user(session, Role.CASEWORKER).username
        planner = factories.user(session, Role.PLANNER).username
    accept = ("offers", "accept", issued.lower(), "--how", "in_person")
    assert command_line("offers", "accept", issued)[0] == 2  # how did it say so?
    assert (command_line(*accept, "--as", planner)[0], read(database).state) == (1, OfferState.ISSUED)
    code, _, err = command_line(*accept, "--on", "2001-01-01", "--as", caseworker)
    assert (code, "Give a day from" in err) == (1, True)
    code, out, _ = command_line(*accept, "--on", str(utc_now().date()), "--as", caseworker)
    assert (code, f"{issued} is accepted" in out) == (0, True)
    offer = read(database)
    assert (offer.state, offer.given_how) == (OfferState.ACCEPTED, GivenHow.IN_PERSON)
    assert offer.answered_by_id is not None
    code, _, err = command_line(*accept)
    assert (code, "accepted already" in err) == (1, True)


def test_a_house_is_not_taken_and_may_be_asked_for_again(
    database: Database, issued: str, command_line: CommandLine
) -> None:
    decline = ("offers", "decline", issued, "--how", "telephone")
    assert command_line(*decline, "--reason", "because")[0] == 2
    assert command_line(*decline, "--reason", "no_work", "--note", "x" * 501)[0] == 2
    code, _, err = command_line("offers", "ask-again", issued)
    assert (code, "only one that was declined" in err) == (1, True)
    assert command_line(*decline, "--reason", "no_work", "--note", "The mill is closed.")[0] == 0
    offer = read(database)
    assert (offer.state, offer.decline_reason, offer.note) == (
        OfferState.DECLINED,
        DeclineReason.NO_WORK,
        "The mill is closed.",
    )
    assert offer.house.state is HouseState.HANDED_OVER
    assert command_line("offers", "ask-again", issued)[0] == 0
    assert read(database).asked_again_at is not None
    assert command_line("offers", "ask-again", issued)[0] == 1
    assert "no such offer" in command_line("offers", "ask-again", "OF-00000000")[2]


def test_an_offer_is_taken_back_by_who_may_offer(database: Database, issued: str, command_line: CommandLine) -> None:
    with database.session(writes=True) as session:
        caseworker = factories.user(session, Role.CASEWORKER).username
    withdraw = ("offers", "withdraw", issued, "--reason", "Measured wrongly.")
    assert command_line(*withdraw, "--as", caseworker)[0] == 1
    assert read(database).state is OfferState.ISSUED
    assert command_line(*withdraw)[0] == 0
    assert read(database).state is OfferState.WITHDRAWN
    assert command_line(*withdraw)[0] == 1


def test_offers_of_one_run_are_listed(database: Database, issued: str, command_line: CommandLine) -> None:
    with database.session(writes=False) as session:
        run = session.scalars(select(Run.reference)).one()
    assert issued in command_line("offers", "list", "--run", run.lower())[1]
    code, out, err = command_line("offers", "list", "--run", "RUN-00000000")
    assert (code, out, "no such run" in err) == (1, "", True)
