"""A reservation ends without a trace of blame: the house is free, and the family waits or has withdrawn."""

import pytest
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR, Principal
from app.allocation import proof, queries, reservations
from app.allocation.models import Proposal, ProposalState
from app.database import Database
from app.errors import Conflict, Forbidden
from app.housing.models import House, HouseState
from app.registry.models import Application, ApplicationState
from app.registry.queries import visible_application
from tests import factories
from tests.allocation.conftest import Register, drawn, proposed, said


def withdraw(database: Database, proposal: Proposal, actor: Principal = OPERATOR) -> None:
    with database.session(writes=True) as session:
        application = visible_application(session, OPERATOR, proposal.application.reference)
        reservations.withdraw(session, application, "Found a home.", actor)


def release(database: Database, proposal: Proposal, actor: Principal = OPERATOR) -> None:
    with database.session(writes=True) as session:
        reservations.release(session, session.get_one(Proposal, proposal.id), "No heating yet.", actor)


def standing(session: Session, proposal: Proposal) -> tuple[ProposalState, HouseState, ApplicationState]:
    house = session.get_one(House, proposal.house_id)
    application = session.get_one(Application, proposal.application_id)
    return session.get_one(Proposal, proposal.id).state, house.state, application.state


def test_a_released_house_is_free_and_the_family_waits(database: Database, register: Register) -> None:
    reference = drawn(database)
    proposal = said(database, reference)[register.families["large"]]
    release(database, proposal)
    with database.session(writes=False) as session:
        assert standing(session, proposal) == ("released", "handed_over", "eligible")
        assert proof.verify(session, queries.run(session, OPERATOR, reference)) == []
    after = said(database, reference)[register.families["large"]]
    assert after.explanation.endswith("Released: No heating yet.")
    assert after.application.settlement_id is None
    with pytest.raises(Conflict, match="is released: no house is reserved by it"):
        release(database, proposal)


def test_a_withdrawn_familys_house_is_free_and_goes_to_the_next(database: Database, register: Register) -> None:
    first = said(database, drawn(database))
    withdraw(database, first[register.families["unsafe"]])
    with database.session(writes=False) as session:
        assert standing(session, first[register.families["unsafe"]]) == ("released", "handed_over", "withdrawn")
    second = said(database, proposed(database, settlements=[register.valley]))
    assert second[register.families["rented"]].state is ProposalState.PROPOSED
    assert register.families["unsafe"] not in second


def test_a_family_that_waits_withdraws_without_a_reservation(database: Database, register: Register) -> None:
    proposals = said(database, drawn(database))
    withdraw(database, proposals[register.families["rented"]])
    with pytest.raises(Conflict, match="withdrawn already"):
        withdraw(database, proposals[register.families["rented"]])


def test_a_family_that_moved_in_moves_out_instead(database: Database, register: Register) -> None:
    proposal = said(database, drawn(database))[register.families["large"]]
    with database.session(writes=True) as session:
        session.get_one(Application, proposal.application_id).state = ApplicationState.HOUSED
        session.get_one(Proposal, proposal.id).state = ProposalState.MOVED_IN
    with pytest.raises(Conflict, match="Mark it as moved out instead"):
        withdraw(database, proposal)


def test_a_house_that_became_unfit_stays_unfit(database: Database, register: Register) -> None:
    proposal = said(database, drawn(database))[register.families["large"]]
    with database.session(writes=True) as session:
        house = session.get_one(House, proposal.house_id)
        house.state, house.unfit_reason = HouseState.UNFIT, "No roof."
    withdraw(database, proposal)
    with database.session(writes=False) as session:
        assert standing(session, proposal) == ("released", "unfit", "withdrawn")


def test_only_who_answers_for_the_house_or_the_family_may(database: Database, register: Register) -> None:
    proposal = said(database, drawn(database))[register.families["large"]]
    with database.session(writes=True) as session:
        elsewhere = factories.user(session, Role.VILLAGE_ADMINISTRATOR, settlement=register.valley)
        here = factories.user(session, Role.VILLAGE_ADMINISTRATOR, settlement=register.hillside)
        caseworker = factories.user(session, Role.CASEWORKER)
    for actor in (elsewhere, caseworker):
        with pytest.raises(Forbidden):
            release(database, proposal, actor)
    with pytest.raises(Forbidden):
        withdraw(database, proposal, here)
    with database.session(writes=False) as session:
        assert standing(session, proposal) == ("reserved", "reserved", "allocated")
    release(database, proposal, here)
    withdraw(database, proposal, caseworker)
