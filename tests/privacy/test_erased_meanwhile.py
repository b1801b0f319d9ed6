"""What is written of a household at the moment in which it is erased is refused: nobody would erase it any more."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import placements, policies
from app.allocation.placement_models import Placement, PlacementReason
from app.break_glass import grants
from app.database import Database, utc_now
from app.errors import HearthError, NotFound
from app.exchange import imports
from app.exchange.refusals import ImportRefused
from app.housing.models import Settlement
from app.privacy.erasure import erase
from app.registry import applications, queries
from app.registry.models import Application, ApplicationState, Household, Person, Suitability
from app.tenancy.appeal_models import Appeal
from tests import appealing, factories
from tests.concurrency import overtaken

PERSON = (
    "household,person,given_name,family_name,sex,birth_date,relationship,needs_step_free,occupation,national_id\n"
    "HH-2,9,Sona,Kovalenko,female,2014-09-30,child,0,,\n"
)
ESTIMATE = "household,settlement,score\nHH-2,S-2,0.5\n"


def a_newborn(session: Session, _household: Household) -> None:
    imports.run(session, {"people.csv": PERSON.encode()}, actor=OPERATOR)


def an_estimate(session: Session, _household: Household) -> None:
    imports.run(session, {"suitability.csv": ESTIMATE.encode()}, actor=OPERATOR)


def a_placement(session: Session, household: Household) -> None:
    where = placements.Where(session.scalars(select(Settlement)).one(), size=1, step_free=False)
    placements.request(session, household, where, PlacementReason.MEDICAL, "Sona is ill.", OPERATOR)


def an_appeal(session: Session, household: Household) -> None:
    reference = session.scalars(select(Application.reference)).one()
    appealing.lodged(session, reference)


def an_application(session: Session, household: Household) -> None:
    applications.create(session, household, client_id=None, wishes=[], anywhere=True, actor=OPERATOR)


@pytest.mark.parametrize("write", [a_newborn, an_estimate, a_placement, an_appeal, an_application])
def test_of_what_is_written_at_the_same_moment_nothing_stays(
    database: Database, write: Callable[[Session, Household], None]
) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session, key="S-2")
        household = factories.household(session, place=place, key="HH-2")
        if write is an_appeal:
            application = factories.application(session, household, [place])
            application.state, application.decided_at = ApplicationState.INELIGIBLE, utc_now()
            application.ineligible_for = ["owns_home"]
            policies.ensure_default(session)
        reference = household.reference

    def written() -> str:
        try:
            with database.session(writes=True) as session:
                write(session, queries.visible_household(session, OPERATOR, reference))
        except (HearthError, ImportRefused) as refused:
            return type(refused).__name__
        return "written"

    answer = overtaken(database, lambda session: erase(session, reference, "Asked for.", OPERATOR), written)
    begins_before = database.engine.dialect.name == "postgresql"  # on SQLite it waits to begin, and finds nothing
    assert answer in (("Conflict",) if begins_before else ("NotFound", "ImportRefused"))
    with database.session(writes=False) as session:
        for model in (Person, Suitability, Placement, Appeal):
            assert session.scalar(select(func.count()).select_from(model)) == 0
        states = set(session.scalars(select(Application.state)))
        assert states <= {ApplicationState.WITHDRAWN}


def test_nobody_opens_an_erased_household(database: Database) -> None:
    with database.session(writes=True) as session:
        reference = factories.household(session).reference
        user = factories.user(session, Role.CASEWORKER, district="Elsewhere")
        erase(session, reference, "Asked for.", OPERATOR)
    with database.session(writes=True) as session, pytest.raises(NotFound):
        grants.open_household(session, reference, "Sona asks.", timedelta(hours=1), user)


def test_an_estimate_changes_no_version(session: Session) -> None:
    factories.settlement(session, key="S-2")
    household = factories.household(session, key="HH-2")
    before = household.version, household.updated_at
    an_estimate(session, household)
    session.refresh(household)
    assert (household.version, household.updated_at) == before
    assert session.scalars(select(Suitability.score)).all() == [0.5]
