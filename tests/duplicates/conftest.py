"""Two records of one family, and what decides on them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import Principal
from app.database import Database, utc_now
from app.housing.models import Origin
from app.policy.facts import Relationship, Sex
from app.registry import duplicates
from app.registry.duplicate_models import CandidateState, DuplicateCandidate
from app.registry.models import Application, Household, Person
from tests import factories

TODAY = utc_now().date()
BORN_ON = {"Amina": date(1980, 3, 24), "Omar": date(1978, 2, 11), "Leyla": date(2010, 5, 4), "Yusuf": date(2014, 9, 30)}
RELATIONSHIPS = {
    "Amina": Relationship.HEAD,
    "Omar": Relationship.SPOUSE,
    "Leyla": Relationship.CHILD,
    "Yusuf": Relationship.CHILD,
}
OTHERWISE = {"Amina": "Аміна", "Omar": "Омар", "Leyla": "Leila", "Yusuf": "Yusif"}


def family(session: Session, *names: str, otherwise: bool = False, **fields: Any) -> Household:
    """A household of these people, by their given names, from one place; `otherwise` spells them in another way."""
    if "origin" not in fields:
        place = fields.get("place")
        of_place = Origin.settlement_id == (place.id if place else None)
        fields["origin"] = session.scalar(select(Origin).where(of_place).limit(1)) or factories.origin(session, place)
    household = factories.household(session, **fields)
    household.people.clear()
    session.flush()  # one head at a time
    household.people = [
        Person(
            given_name=OTHERWISE[name] if otherwise else name,
            family_name="Коваленко" if otherwise and name in ("Amina", "Omar") else "Kovalenko",
            sex=Sex.FEMALE if name in ("Amina", "Leyla") else Sex.MALE,
            birth_date=BORN_ON[name],
            relationship=RELATIONSHIPS[name] if number > 1 else Relationship.HEAD,
            needs_step_free=False,
            key=str(number),
        )
        for number, name in enumerate(names, 1)
    ]
    session.flush()
    return household


@dataclass(frozen=True)
class Pair:
    """References of two households that look alike, of their applications, and of the candidate."""

    first: str
    second: str
    applications: tuple[str, str]
    candidate: str


def open_candidates(session: Session) -> list[DuplicateCandidate]:
    """Return what waits for a decision."""
    query = select(DuplicateCandidate).where(DuplicateCandidate.state == CandidateState.OPEN)
    return list(session.scalars(query.order_by(DuplicateCandidate.id)))


def household_named(session: Session, reference: str) -> Household:
    """Return one household, alone."""
    return session.scalars(select(Household).where(Household.reference == reference)).one()


def application_named(session: Session, reference: str) -> Application:
    """Return one application, alone."""
    return session.scalars(select(Application).where(Application.reference == reference)).one()


MakePair = Callable[..., Pair]


@pytest.fixture
def make_pair(database: Database) -> MakePair:
    """Makes two records of one family; the first registered 30 days before the second."""

    def make(
        first: tuple[str, ...] = ("Amina", "Omar", "Leyla"),
        second: tuple[str, ...] = ("Amina", "Leyla", "Yusuf"),
        **fields: Any,
    ) -> Pair:
        with database.session(writes=True) as session:
            place = factories.settlement(session)
            one = family(session, *first, registered_on=TODAY - timedelta(days=30), place=place, key="HH-1")
            other = family(session, *second, otherwise=True, registered_on=TODAY, place=place, key="HH-2", **fields)
            applications = [factories.application(session, each, [place], anywhere=True) for each in (one, other)]
            duplicates.look(session, [one.id, other.id])
            (candidate,) = open_candidates(session)
            references = applications[0].reference, applications[1].reference
            return Pair(one.reference, other.reference, references, candidate.reference)

    return make


@pytest.fixture
def pair(make_pair: MakePair) -> Pair:
    """Two records of one family: Amina and Leyla in both, Omar in the first, Yusuf in the second."""
    return make_pair()


@pytest.fixture
def verifier(database: Database) -> Principal:
    """Who decides."""
    with database.session(writes=True) as session:
        return factories.user(session, Role.VERIFIER)
