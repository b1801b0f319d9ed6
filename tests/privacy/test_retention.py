"""Data is held until some time after a case has ended, and no longer."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import reservations
from app.allocation.models import Run
from app.database import Database, utc_now
from app.policy.facts import Accommodation
from app.privacy import retention
from app.privacy.retention import CaseEnd, EndedCase
from app.registry import queries
from app.registry.models import Application, ApplicationState, Household
from app.settings import Settings
from tests import factories
from tests.allocation.conftest import Register, drawn
from tests.conftest import ActingAs
from tests.tenancy import living

DAYS = 30
SETTINGS = Settings(retention_days=DAYS)
TODAY = utc_now().date()


def _backdate(session: Session, days: int) -> None:
    """Let everything have happened so many days ago."""
    at = utc_now() - timedelta(days=days)
    session.execute(update(Run).where(Run.decided_at.is_not(None)).values(decided_at=at))
    session.execute(update(Application).values(updated_at=at))
    session.execute(update(Application).where(Application.withdrawn_at.is_not(None)).values(withdrawn_at=at))
    session.execute(update(Household).values(updated_at=at))


def _due(database: Database, settings: Settings = SETTINGS) -> dict[str, CaseEnd]:
    with database.session(writes=False) as session:
        return {each.household: each.how for each in retention.due(session, settings, OPERATOR)}


def _withdraw(database: Database, family: str) -> None:
    with database.session(writes=True) as session:
        query = select(Application).join(Application.household).where(Household.reference == family)
        application = session.scalars(query).one()
        application.state, application.withdrawn_at = ApplicationState.WITHDRAWN, utc_now()


@pytest.mark.parametrize(("days", "is_due"), [(DAYS - 1, False), (DAYS, True), (DAYS + 1, True)])
def test_a_case_is_due_when_it_ended_long_enough_ago(
    database: Database, register: Register, days: int, is_due: bool
) -> None:
    drawn(database)
    withdrawn, ineligible = register.families["rented"], register.families["without consent"]
    with database.session(writes=True) as session:
        family = session.scalars(select(Household).where(Household.reference == withdrawn)).one()
        application = session.scalars(select(Application).where(Application.household_id == family.id)).one()
        if application.state is not ApplicationState.WITHDRAWN:
            reservations.withdraw(session, _loaded(session, application), "Found a home.", OPERATOR)
    with database.session(writes=True) as session:
        _backdate(session, days)
    expected = {withdrawn: CaseEnd.WITHDRAWN, ineligible: CaseEnd.INELIGIBLE}
    assert _due(database) == (expected if is_due else {})
    with database.session(writes=False) as session:
        found = {each.household: each for each in retention.ended_cases(session, None)}
    ended_on = TODAY - timedelta(days=days)
    assert found == {household: EndedCase(household, ended_on, how) for household, how in expected.items()}


def _loaded(session: Session, application: Application) -> Application:
    return queries.visible_application(session, OPERATOR, application.reference)


def test_who_moved_out_is_due_and_who_lives_there_is_not(database: Database) -> None:
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        lives, left = (factories.tenancy(session, factories.house(session, place)) for _ in range(2))
        living.left(left, TODAY)
        application = session.scalars(select(Application).where(Application.household_id == left.household_id)).one()
        application.state, application.withdrawn_at = ApplicationState.WITHDRAWN, utc_now()
        _backdate(session, DAYS)
        there, gone = lives.household.reference, left.household.reference
    assert _due(database) == {gone: CaseEnd.MOVED_OUT}
    ended = Settings(retention_days=DAYS, programme_ended_on=TODAY - timedelta(days=3 * DAYS))
    assert _due(database, ended) == {gone: CaseEnd.PROGRAMME_ENDED}
    assert there not in _due(database, ended)


@pytest.mark.parametrize(
    "again",
    [
        lambda session, family: factories.application(session, family, anywhere=True),
        lambda session, family: factories.application(session, family, state=ApplicationState.DRAFT),
    ],
)
def test_who_applies_again_is_not_due(database: Database, again: Callable[[Session, Household], Application]) -> None:
    with database.session(writes=True) as session:
        first = factories.applicant(session, anywhere=True)
        first.state, first.withdrawn_at = ApplicationState.WITHDRAWN, utc_now()
        session.flush()
        _backdate(session, DAYS)
        reference = first.household.reference
    assert _due(database) == {reference: CaseEnd.WITHDRAWN}
    with database.session(writes=True) as session:
        again(session, session.scalars(select(Household)).one())
    assert _due(database) == {}


def test_who_was_ineligible_and_has_changed_since_is_not_due(database: Database, register: Register) -> None:
    drawn(database)
    with database.session(writes=True) as session:
        _backdate(session, DAYS)
    reference = register.families["without consent"]
    assert _due(database) == {reference: CaseEnd.INELIGIBLE}
    with database.session(writes=True) as session:
        household = session.scalars(select(Household).where(Household.reference == reference)).one()
        household.current_accommodation = Accommodation.RENTED
        household.consent_on = TODAY
    assert _due(database) == {}


@pytest.mark.parametrize(("ended_on", "is_due"), [(TODAY - timedelta(days=DAYS), True), (TODAY, False)])
def test_with_the_programme_every_case_ends_that_has_no_house(
    database: Database, register: Register, ended_on: date, is_due: bool
) -> None:
    drawn(database)
    settings = Settings(retention_days=DAYS, programme_ended_on=ended_on)
    with database.session(writes=False) as session:
        housed = set(
            session.scalars(
                select(Household.reference)
                .join(Application, Application.household_id == Household.id)
                .where(Application.state == ApplicationState.ALLOCATED)
            )
        )
    waiting = set(register.families.values()) - housed
    assert waiting
    assert _due(database, settings) == (dict.fromkeys(waiting, CaseEnd.PROGRAMME_ENDED) if is_due else {})


def test_what_is_due_is_shown_and_erased(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        families = [factories.applicant(session, anywhere=True) for _ in range(3)]
        for application in families[:2]:
            application.state, application.withdrawn_at = ApplicationState.WITHDRAWN, utc_now()
        session.flush()
        _backdate(session, Settings().retention_days)
        gone = sorted(application.household.reference for application in families[:2])
        stays = families[2].household.reference
    planner = acting_as(Role.PLANNER)
    ended_on = str(TODAY - timedelta(days=Settings().retention_days))
    shown = planner.get("/retention").json()
    assert shown == {
        "retention_days": 730,
        "programme_ended_on": None,
        "due": 2,
        "cases": [{"household": each, "ended_on": ended_on, "how": "withdrawn"} for each in gone],
    }
    assert planner.get("/households").json()["items"][0]["head"] is not None
    assert planner.post("/retention/apply").json() == {"erased": shown["cases"], "left": 0}
    assert planner.post("/retention/apply").json() == {"erased": [], "left": 0}
    assert [each["reference"] for each in planner.get("/households").json()["items"]] == [stays]
    with database.session(writes=False) as session:
        reasons = set(session.scalars(select(Household.erased_reason).where(Household.erased_at.is_not(None))))
    assert reasons == {f"Retention: the case ended on {ended_on} (withdrawn)."}


def test_it_is_applied_in_parts(database: Database, register: Register) -> None:
    settings = Settings(retention_days=0, programme_ended_on=TODAY)
    counts = []
    left = 1
    while left:
        with database.session(writes=True) as session:
            erased, left = retention.apply(session, settings, OPERATOR, 3)
        counts.append(len(erased))
    assert counts == [3, 3, 1]
    assert _due(database, settings) == {}
