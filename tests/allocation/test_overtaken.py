"""Approving a run and issuing its offers while a gate closes, or while what the run rests on is corrected."""

from collections.abc import Callable
from datetime import UTC

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import queries, runs
from app.allocation.models import RunState
from app.allocation.offer_models import Offer
from app.database import Database
from app.errors import HearthError
from app.housing import settlements
from app.housing.models import Settlement
from app.registry import applications, households
from app.registry import queries as registry
from app.registry.models import Application, ApplicationState, Correction, Household
from app.tenancy import offers
from tests import factories
from tests.allocation.conftest import Register, decide, drawn, proposed, read, register
from tests.concurrency import overtaken

__all__ = ["register"]


def told(act: Callable[[], object]) -> str:
    """Do something; return the sentence that it was refused with, or nothing."""
    try:
        act()
    except HearthError as refused:
        return refused.detail
    return ""


def close(session: Session, reference: str) -> None:
    """Close a gate of a settlement."""
    loaded = selectinload(Settlement.milestones)
    place = session.scalars(select(Settlement).where(Settlement.reference == reference).options(loaded)).one()
    settlements.record_milestone(session, place, "electricity", achieved_on=None, expected_on=None, actor=OPERATOR)


def issue(session: Session, run: str) -> offers.Issued:
    return offers.issue(session, queries.run_in_short(session, OPERATOR, run), UTC, OPERATOR)


def approve(session: Session, run: str) -> None:
    approver = factories.user(session, Role.APPROVER)
    runs.approve(session, queries.run_in_short(session, OPERATOR, run), approver)


def application_of(database: Database, family: str) -> Application:
    with database.session(writes=False) as session:
        query = select(Application).join(Application.household).where(Household.reference == family)
        return session.scalars(query).one()


def waits_for(database: Database, reference: str, *, anywhere: bool = True) -> None:
    """Correct what an application asks for."""
    with database.session(writes=True) as session:
        application = registry.visible_application(session, OPERATOR, reference)
        applications.change(session, application, wishes=None, anywhere=anywhere, size_override=None, actor=OPERATOR)


def test_no_run_is_approved_behind_a_gate_that_closes(database: Database, register: Register) -> None:
    run = proposed(database)
    refused = overtaken(
        database,
        lambda session: close(session, register.valley),
        lambda: told(lambda: decide(database, run, runs.approve)),
    )
    assert "is not ready: Electricity: not there. Reject this run" in refused
    assert read(database, run).state is RunState.PROPOSED
    assert application_of(database, register.families["large"]).state is ApplicationState.ELIGIBLE


def test_a_gate_that_closes_after_the_approval_holds_the_offers_back(database: Database, register: Register) -> None:
    run = proposed(database)

    def shut() -> None:
        with database.session(writes=True) as session:
            close(session, register.valley)

    overtaken(database, lambda session: approve(session, run), shut)
    assert read(database, run).state is RunState.DRAWN
    with database.session(writes=True) as session:
        issued = issue(session, run)
        assert (len(issued.offers), issued.held_back) == (2, [register.valley])


def test_no_offer_is_issued_behind_a_gate_that_closes(database: Database, register: Register) -> None:
    run = drawn(database)

    def issued() -> list[str]:
        with database.session(writes=True) as session:
            return issue(session, run).held_back

    assert overtaken(database, lambda session: close(session, register.valley), issued) == [register.valley]
    with database.session(writes=False) as session:
        offered = session.scalars(select(Offer).options(selectinload(Offer.house))).all()
        shut = session.scalars(select(Settlement.id).where(Settlement.reference == register.valley)).one()
        assert len(offered) == 2
        assert shut not in {offer.house.settlement_id for offer in offered}


def test_what_is_corrected_before_is_not_approved(database: Database, register: Register) -> None:
    run = proposed(database)
    reference = application_of(database, register.families["large"]).reference

    def correct(session: Session) -> None:
        family = registry.visible_household(session, OPERATOR, register.families["large"])
        households.remove_person(session, family, family.people[-1], OPERATOR)

    refused = overtaken(database, correct, lambda: told(lambda: decide(database, run, runs.approve)))
    assert refused == f"Applications that changed or wait no more: {reference}. Reject this run and request another."
    assert application_of(database, register.families["large"]).state is ApplicationState.SUBMITTED


def test_what_is_approved_before_is_not_corrected_under_the_family(database: Database, register: Register) -> None:
    """What it asks for is settled then; what is corrected of the household is kept, and takes no house from it."""
    run = proposed(database)
    reference = application_of(database, register.families["large"]).reference
    refused = overtaken(
        database, lambda session: approve(session, run), lambda: told(lambda: waits_for(database, reference))
    )
    assert refused.startswith("The application is allocated") or "changed the application at this moment" in refused
    assert read(database, run).state is RunState.DRAWN


def test_a_household_corrected_while_it_is_given_a_house_keeps_both(database: Database, register: Register) -> None:
    run = proposed(database)
    family = register.families["large"]

    def correct() -> None:
        with database.session(writes=True) as session:
            household = registry.visible_household(session, OPERATOR, family)
            households.change_person(session, household, household.people[0], {"needs_step_free": True}, OPERATOR)

    overtaken(database, lambda session: approve(session, run), correct)
    application = application_of(database, family)
    assert application.state is ApplicationState.ALLOCATED
    with database.session(writes=False) as session:
        kept = session.scalars(select(Correction).where(Correction.application_id == application.id)).one()
        assert kept.state_before is ApplicationState.ALLOCATED
