"""School and clinic places: how many each settlement has, and how many the families placed there take."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.housing.models import Settlement
from app.housing.readiness import capacities
from app.policy.assess import Service, service_uses
from app.policy.parameters import Policy
from app.registry.facts import facts_of
from app.registry.models import PLACED, Application, Household


def taken(placed: Iterable[Application], policy: Policy, on: date) -> Mapping[int | None, Counter[Service]]:
    """Return settlement → places that the households of these applications, loaded with their people, take there."""
    found: dict[int | None, Counter[Service]] = defaultdict(Counter)
    for application in placed:
        facts = facts_of(application.household, on=on, has_home=True)
        found[application.settlement_id].update(service_uses(facts, policy.services))
    return found


@dataclass(frozen=True)
class Places:
    """Of some settlements, by id: their names, how many places each service has, and how many are taken."""

    names: Mapping[int, str]
    capacities: Mapping[int, Mapping[Service, int]]
    taken: Mapping[int | None, Counter[Service]]

    def lacking(self, more: Mapping[tuple[int, Service], int]) -> list[tuple[int, Service]]:
        """Return where `more` people would come than there are places left. Where nobody comes none are lacking."""
        return sorted(
            (place, service)
            for (place, service), number in more.items()
            if number > 0 and self.taken[place][service] + number > self.capacities[place][service]
        )

    def add(self, more: Mapping[tuple[int, Service], int]) -> None:
        """Count places as taken, or as given back."""
        for (place, service), number in more.items():
            self.taken[place][service] += number

    def sentence(self, place: int, service: Service) -> str:
        """Say that there are not enough."""
        return f"{self.names[place]} has not enough {service.value} places: {self.capacities[place][service]}."


def now(session: Session, settlement_ids: Collection[int], policy: Policy, on: date) -> Places:
    """Return the places of these settlements as they are now; lock these first to rely on it."""
    settlements = session.scalars(
        select(Settlement)
        .where(Settlement.id.in_(settlement_ids))
        .options(selectinload(Settlement.milestones))
        .execution_options(populate_existing=True)
    ).all()
    placed = session.scalars(
        select(Application)
        .where(Application.settlement_id.in_(settlement_ids), Application.state.in_(PLACED))
        .options(joinedload(Application.household).selectinload(Household.people))
    )
    return Places(
        {each.id: f"{each.name} ({each.reference})" for each in settlements},
        {each.id: capacities(each) for each in settlements},
        taken(placed, policy, on),
    )
