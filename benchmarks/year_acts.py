"""What happens in a simulated year, one transaction each, through the operations that the service uses."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app import demo
from app.access import tokens, users
from app.access.models import Role
from app.access.passwords import NO_PASSWORD
from app.access.permissions import OPERATOR, HeldRole, Permission, Principal
from app.allocation import placements, policies, queries, reservations, runs
from app.allocation.models import RunState
from app.allocation.offer_models import GivenHow, Offer
from app.allocation.placement_models import PlacementReason
from app.allocation.placements import Where
from app.database import Database, utc_now
from app.errors import Conflict
from app.exchange import imports
from app.housing import houses, land, settlements
from app.housing.models import House, LandReleaseArea, LandState, Settlement, SettlementStatus
from app.housing.readiness import RELEASED
from app.policy.facts import DeclineReason
from app.registry.models import Application, ApplicationState, Household
from app.registry.queries import visible_application
from app.settings import Settings
from app.tenancy import answers, moves, offer_queries, offers
from app.worker import expire_offers, work_one

FIRST_DAY = datetime(2027, 1, 4, 8, tzinfo=UTC)
TIME_LIMIT_SECONDS = 120
ACCEPTS, DECLINES, SILENT = 0.78, 0.12, 0.07
"""Shares of the answers to an offer; who does none of it withdraws."""
DAYS_TO_MOVE = (3, 21)
JUDGES = {Permission.APPEAL_DECIDE_CASE: Role.VERIFIER, Permission.APPEAL_DECIDE_ALLOCATION: Role.APPROVER}
ENDED_OR_HOUSED = (ApplicationState.WITHDRAWN, ApplicationState.HOUSED)


@dataclass
class Year:
    """The state of a simulated year. `plan`: day number → what happens then; `judges`: who decide on appeals."""

    database: Database
    settings: Settings
    random: Random
    travel: time_machine.Traveller
    actors: dict[Role, Principal] = field(default_factory=dict)
    judges: dict[Permission, Principal] = field(default_factory=dict)
    plan: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    solving_seconds: list[float] = field(default_factory=list)
    day: int = 0

    def attempt(self, what: str, act: Callable[[Session], object]) -> None:
        """Do an act that the rules may refuse at this moment, and count what became of it."""
        try:
            with self.database.session(writes=True) as session:
                act(session)
            self.counts[what] += 1
        except Conflict:
            self.counts[f"{what}, refused"] += 1

    def later(self, days: int, act: Callable[[], None]) -> None:
        """Have something happen in so many days."""
        self.plan.setdefault(self.day + days, []).append(act)

    def pass_day(self) -> None:
        """Let a day go by: what was planned for it happens, and what ran out ends without anybody's click."""
        self.day += 1
        self.travel.move_to(FIRST_DAY + timedelta(days=self.day))
        for act in self.plan.pop(self.day, ()):
            act()
        self.counts["offers expired"] += len(expire_offers(self.database, self.settings))


def appoint(year: Year) -> None:
    """Put a policy in force, and add a user for each role that acts in the year; others decide on appeals."""
    with year.database.session(writes=True) as session:
        policies.ensure_default(session)
        for role in (Role.CASEWORKER, Role.VERIFIER, Role.PLANNER, Role.APPROVER, Role.VILLAGE_ADMINISTRATOR):
            year.actors[role] = _user(session, role.value, role)
        for permission, role in JUDGES.items():
            year.judges[permission] = _user(session, f"{role.value}-of-appeals", role)


def _user(session: Session, name: str, role: Role) -> Principal:
    made = users.add(
        session,
        username=name,
        display_name=name,
        password_hash=NO_PASSWORD,
        roles=[HeldRole(role)],
        actor=OPERATOR,
    )
    return tokens.principal_of(made)


def hand_over(year: Year, keys: list[str]) -> None:
    """Hand finished houses over."""
    with year.database.session(writes=True) as session:
        found = session.scalars(select(House).where(House.key.in_(keys)).options(joinedload(House.settlement)))
        for house in found:
            houses.change(session, house, {"handed_over_on": utc_now().date()}, year.actors[Role.PLANNER])
            year.counts["houses handed over"] += 1


def register(year: Year, folder: Path) -> None:
    """Take families in, and have their applications verified and decided by somebody else."""
    with year.database.session(writes=True) as session:
        report = imports.run(session, folder, actor=year.actors[Role.PLANNER])
        year.counts["families registered"] += report.tables["households"].created
    with year.database.session(writes=True) as session:
        demo.check_applications(session, year.actors[Role.VERIFIER])


def set_status(year: Year, key: str, status: SettlementStatus) -> None:
    """Suspend a settlement, or open it."""
    with year.database.session(writes=True) as session:
        found = session.scalars(
            select(Settlement).where(Settlement.key == key).options(selectinload(Settlement.milestones))
        ).one()
        settlements.change(session, found, {"status": status}, None, year.actors[Role.PLANNER])
        if status is SettlementStatus.OPEN:
            for milestone in found.milestones:
                if milestone.achieved_on is None:
                    settlements.record_milestone(
                        session,
                        found,
                        milestone.name,
                        achieved_on=utc_now().date(),
                        expected_on=None,
                        actor=year.actors[Role.PLANNER],
                    )


def set_land(year: Year, key: str, *, suspected: bool) -> None:
    """Suspect one released area of a settlement again, or release what holds hazards there."""
    with year.database.session(writes=True) as session:
        areas = session.scalars(
            select(LandReleaseArea)
            .join(LandReleaseArea.settlement)
            .where(Settlement.key == key)
            .options(joinedload(LandReleaseArea.settlement))
            .order_by(LandReleaseArea.id)
        ).all()
        if suspected:
            released = next(area for area in areas if area.state in RELEASED)
            changed: dict[LandReleaseArea, dict[str, Any]] = {released: {"state": LandState.SUSPECTED_HAZARDOUS}}
        else:
            release = {
                "state": LandState.CLEARED,
                "method": "manual clearance",
                "released_on": utc_now().date(),
                "certificate": "LR-2027",
            }
            changed = {area: release for area in areas if area.state not in RELEASED}
        for area, fields in changed.items():
            land.change(session, area, fields, year.actors[Role.PLANNER])


def propose(year: Year, **options: Any) -> str | None:
    """Request a run of whatever is ready and have it solved. Returns its reference; None with nothing to allocate."""
    try:
        with year.database.session(writes=True) as session:
            run = runs.request(
                session,
                settlements=None,
                time_limit_seconds=TIME_LIMIT_SECONDS,
                actor=year.actors[Role.PLANNER],
                **options,
            )
            reference = run.reference
    except Conflict:
        year.counts["weeks with nothing to allocate"] += 1
        return None
    started = time.perf_counter()
    work_one(year.database, year.settings)
    year.solving_seconds.append(time.perf_counter() - started)
    return reference


def allocate(year: Year, **options: Any) -> None:
    """One weekly run: requested, solved, approved by another, offered."""
    reference = propose(year, **options)
    if reference is None:
        return
    with year.database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, reference)
        if run.state is not RunState.PROPOSED:
            raise SystemExit(f"Run {reference} is {run.state.value}: {run.failure}")
        runs.approve(session, run, year.actors[Role.APPROVER])
    with year.database.session(writes=True) as session:
        run = queries.run(session, OPERATOR, reference)
        issued = offers.issue(session, run, year.settings.zone, year.actors[Role.PLANNER])
        made = sorted((offer.reference, offer.household_id) for offer in issued.offers)
    year.counts["runs"] += 1
    year.counts["offers issued"] += len(made)
    for offer, household in made:
        foresee(year, offer, household)


def foresee(year: Year, offer: str, household: int) -> None:
    """Decide what a family will answer, and when."""
    days, chance = year.random.randint(1, 12), year.random.random()
    if chance < ACCEPTS:
        year.later(days, lambda: accept(year, offer))
    elif chance < ACCEPTS + DECLINES:
        year.later(days, lambda: decline(year, offer))
    elif chance >= ACCEPTS + DECLINES + SILENT:
        year.later(days, lambda: withdraw(year, household))


def going_on(session: Session, reference: str) -> Offer | None:
    """Return an offer as an answer needs it, unless it has ended meanwhile."""
    query = offer_queries.offers(OPERATOR).where(Offer.reference == reference, Offer.ended_at.is_(None))
    return session.scalar(query)


def accept(year: Year, reference: str) -> None:
    """Have a family take its house, and move in some days later; while a gate is closed it tries again."""

    def act(session: Session) -> None:
        if (offer := going_on(session, reference)) is not None:
            answers.accept(session, offer, **answer(year))

    before = year.counts["offers accepted, refused"]
    year.attempt("offers accepted", act)
    if year.counts["offers accepted, refused"] > before:
        year.later(3, lambda: accept(year, reference))
    else:
        year.later(year.random.randint(*DAYS_TO_MOVE), lambda: move_in(year, reference))


def answer(year: Year) -> dict[str, Any]:
    """Return what every answer comes with."""
    return {
        "answered_on": utc_now().astimezone(year.settings.zone).date(),
        "given_how": GivenHow.TELEPHONE,
        "zone": year.settings.zone,
        "actor": year.actors[Role.CASEWORKER],
    }


def decline(year: Year, reference: str) -> None:
    """Have a family decline."""

    def act(session: Session) -> None:
        if (offer := going_on(session, reference)) is not None:
            reason = year.random.choice(list(DeclineReason))
            answers.decline(session, offer, reason=reason, note=None, **answer(year))

    year.attempt("offers declined", act)


def withdraw(year: Year, household: int) -> None:
    """Have a family give up its application."""

    def act(session: Session) -> None:
        mine = select(Application.reference).where(
            Application.household_id == household, Application.state.not_in(ENDED_OR_HOUSED)
        )
        if (reference := session.scalar(mine)) is not None:
            application = visible_application(session, OPERATOR, reference)
            reservations.withdraw(session, application, "Stays where it is.", year.actors[Role.CASEWORKER])

    year.attempt("families withdrew", act)


def forbid(year: Year, household: str, settlement: str) -> None:
    """Have nobody offer a settlement to a family that would not go there."""
    with year.database.session(writes=True) as session:
        family = session.scalars(select(Household).where(Household.key == household)).one()
        place = session.scalars(select(Settlement).where(Settlement.key == settlement)).one()
        where = Where(place, is_forbidden=True)
        made = placements.request(session, family, where, PlacementReason.OTHER, None, year.actors[Role.PLANNER])
        reference = made.reference
    with year.database.session(writes=True) as session:
        approver = year.actors[Role.APPROVER]
        placements.confirm(
            session, placements.actable(session, approver, Permission.PLACEMENT_DECIDE, reference), approver
        )


def move_in(year: Year, reference: str) -> None:
    """Hand over the keys; while a gate is closed, later."""

    def act(session: Session) -> None:
        if (offer := going_on(session, reference)) is not None:
            today = utc_now().date()
            house = session.scalars(
                select(House).where(House.id == offer.house_id).options(joinedload(House.settlement)).with_for_update()
            ).one()
            moves.move_in(session, house, offer.household.reference, today, year.actors[Role.VILLAGE_ADMINISTRATOR])

    before = year.counts["families moved in, refused"]
    year.attempt("families moved in", act)
    if year.counts["families moved in, refused"] > before:
        year.later(3, lambda: move_in(year, reference))
