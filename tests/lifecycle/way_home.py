"""A machine that does whatever people may do to a small register, in any order, and looks after each step."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import time_machine
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import claims, policies, proposals, queries, reservations, runs
from app.allocation.models import Run, RunState
from app.allocation.offer_models import GivenHow, Offer
from app.allocation.order import known, objectives
from app.allocation.snapshot import Snapshot
from app.database import Base, Database, utc_now
from app.errors import HearthError
from app.housing import houses, settlements
from app.housing import queries as stock
from app.housing.models import House, HouseState, Origin, Settlement, SettlementStatus
from app.policy.facts import Accommodation, DeclineReason, Relationship, Sex
from app.registry import applications, households
from app.registry.models import Application, ApplicationState, Household, KinGroup, ReturnReason
from app.registry.queries import visible_application
from app.tenancy import answers, moves, offer_queries, offers
from app.verification import verdicts, verifications
from app.verification.verdicts import Stated
from benchmarks import year_checks
from solver import Parameters, Problem, solve
from solver.solution import Assignments
from tests import factories

ZONE = ZoneInfo("UTC")
HOUSES_AT_MOST = 12
NAMES = ("Ada", "Bela", "Celia")
"""Who has the same name as somebody else may be the same."""
Row = TypeVar("Row", bound=Base)
STATUSES = [SettlementStatus.OPEN, SettlementStatus.OPEN, SettlementStatus.SUSPENDED]
which = st.integers(0, 30)
"""Which of the things there are: counted around."""


class WayHome(RuleBasedStateMachine):
    """Two settlements, a caseworker, a verifier, a planner, an approver and a village administrator.

    A step that the rules refuse changes nothing; any other error is a fault.
    """

    new_database: Callable[[], AbstractContextManager[str]]

    def __init__(self) -> None:
        super().__init__()
        self._url = self.new_database()
        self.database = Database(self._url.__enter__())
        self._travel = time_machine.travel(utc_now(), tick=True)
        self._clock = self._travel.start()
        self.registered, self.done, self.refused = 0, 0, 0
        with self.database.session(writes=True) as session:
            policies.ensure_default(session)
            places = [factories.settlement(session, name, school_places=8) for name in ("Valley", "Hillside")]
            self.origin = factories.origin(session, places[0]).id
            self.kin_group = factories.kin_group(session).id
            roles = (Role.CASEWORKER, Role.VERIFIER, Role.PLANNER, Role.APPROVER, Role.VILLAGE_ADMINISTRATOR)
            self.actors = {role: factories.user(session, role) for role in roles}

    def teardown(self) -> None:
        """Hold the trail against the register, and let the database go."""
        try:
            with self.database.session(writes=False) as session:
                assert list(year_checks.untold(session)) == []
        finally:
            self._travel.stop()
            self.database.dispose()
            self._url.__exit__(None, None, None)

    def attempt(self, act: Callable[[Session], object]) -> None:
        """Do an act in a transaction of its own; the rules may refuse it."""
        try:
            with self.database.session(writes=True) as session:
                act(session)
            self.done += 1
        except HearthError:
            self.refused += 1

    def pick(self, session: Session, kind: type[Row], number: int, *conditions: Any) -> Row | None:
        """Return one of the rows of a kind, if there is any."""
        found = session.scalars(select(kind.id).where(*conditions).order_by(kind.id)).all()
        return session.get_one(kind, found[number % len(found)]) if found else None

    def application(self, session: Session, number: int, *states: ApplicationState) -> Application | None:
        """Return an application, in one of these states or any, as its operations need it."""
        found = self.pick(session, Application, number, *([Application.state.in_(states)] if states else []))
        return None if found is None else visible_application(session, OPERATOR, found.reference)

    def house(self, session: Session, number: int, *states: HouseState) -> House | None:
        """Return a locked house."""
        found = self.pick(session, House, number, *([House.state.in_(states)] if states else []))
        return None if found is None else stock.house(session, OPERATOR, found.reference, lock=True)

    def run(self, session: Session, number: int, *states: RunState) -> Run | None:
        """Return a run."""
        found = self.pick(session, Run, number, Run.state.in_(states))
        return None if found is None else queries.run_in_short(session, OPERATOR, found.reference)

    def offer(self, session: Session, number: int, *, may_have_ended: bool = False) -> Offer | None:
        """Return an offer, mostly one that goes on."""
        found = self.pick(session, Offer, number, *([] if may_have_ended else [Offer.ended_at.is_(None)]))
        query = offer_queries.offers(OPERATOR)
        return None if found is None else session.scalar(query.where(Offer.id == found.id))

    @initialize()
    def begin(self) -> None:
        """Some families are registered and checked, and some houses stand: what follows needs both."""
        for number in range(6):
            self.build(number, 1 + number % 3, step_free=number % 2 == 0)
            self.register(number % 5, step_free=number == 0, kin=number in (3, 4), consent=1, name=NAMES[number % 3])
            self.hand_in(0)

    # families

    @rule(
        children=st.integers(0, 4),
        step_free=st.booleans(),
        kin=st.booleans(),
        consent=st.integers(0, 9),
        name=st.sampled_from(NAMES),
    )
    def register(self, children: int, step_free: bool, kin: bool, consent: int, name: str) -> None:
        """A family registers, and begins its application."""

        def act(session: Session) -> None:
            people: list[dict[str, Any]] = [
                person(Relationship.HEAD, factories.ADULT_BORN_ON, needs_step_free=step_free, given_name=name),
                *(person(Relationship.CHILD, factories.CHILD_BORN_ON, given_name=name) for _ in range(children)),
            ]
            fields = {
                "registered_on": utc_now().date(),
                "current_accommodation": list(Accommodation)[children],
                "displaced_on": factories.LONG_AGO,
                "consent_on": utc_now().date() if consent else None,
                "client_id": None,
                "key": None,
                "phone": None,
                "language": None,
            }
            group = session.get_one(KinGroup, self.kin_group) if kin else None
            caseworker = self.actors[Role.CASEWORKER]
            origin = session.scalars(
                select(Origin).where(Origin.id == self.origin).options(joinedload(Origin.settlement))
            ).one()
            family = households.register(session, fields, people, origin=origin, kin_group=group, actor=caseworker)
            wishes = [] if children == 0 else session.scalars(select(Settlement).order_by(Settlement.id)).all()
            applications.create(
                session, family, client_id=None, wishes=wishes[children % 2 :], anywhere=children == 0, actor=caseworker
            )

        before = self.done
        self.attempt(act)
        self.registered += self.done - before

    @rule(number=which)
    def submit(self, number: int) -> None:
        """A draft or a returned application is handed in."""
        waiting = (ApplicationState.DRAFT, ApplicationState.RETURNED)
        self._with_application(
            number, waiting, lambda session, found: applications.submit(session, found, self.actors[Role.CASEWORKER])
        )

    @rule(number=which)
    def verify(self, number: int) -> None:
        """The verifier looks at what was handed in."""
        self._with_application(
            number,
            (ApplicationState.SUBMITTED,),
            lambda session, found: verifications.verify(session, found, self.actors[Role.VERIFIER]),
        )

    @rule(number=which, eligible=st.sampled_from([True, True, True, False]))
    def sign(self, number: int, eligible: bool) -> None:
        """The verifier signs what the rules say, or what they do not say."""
        self._with_application(
            number,
            (ApplicationState.VERIFIED,),
            lambda session, found: verdicts.sign(session, found, Stated(eligible), self.actors[Role.VERIFIER]),
        )

    @rule(number=which)
    def hand_in(self, number: int) -> None:
        """An application goes all the way to where it takes part."""
        self.submit(number)
        self.verify(number)
        self.sign(number, eligible=True)

    @rule(number=which)
    def send_back(self, number: int) -> None:
        """The verifier gives an application back, whatever state it is in."""
        self._with_application(
            number,
            (),
            lambda session, found: verifications.send_back(
                session, found, [ReturnReason.MISSING_DOCUMENT], None, self.actors[Role.VERIFIER]
            ),
        )

    @rule(number=which, anywhere=st.booleans())
    def correct(self, number: int, anywhere: bool) -> None:
        """The caseworker corrects an application, whatever state it is in."""
        self._with_application(
            number,
            (),
            lambda session, found: applications.change(
                session,
                found,
                wishes=None,
                anywhere=anywhere,
                size_override=None,
                actor=self.actors[Role.CASEWORKER],
            ),
        )

    @rule(number=which)
    def withdraw(self, number: int) -> None:
        """A family gives up, whatever state its application is in."""
        self._with_application(
            number,
            (),
            lambda session, found: reservations.withdraw(
                session, found, "Stays where it is.", self.actors[Role.CASEWORKER]
            ),
        )

    @rule(number=which)
    def apply_again(self, number: int) -> None:
        """A family applies anew."""

        def act(session: Session) -> None:
            family = self.pick(session, Household, number, Household.merged_into_id.is_(None))
            if family is not None:
                found = session.scalars(
                    select(Household)
                    .where(Household.id == family.id)
                    .options(joinedload(Household.origin).joinedload(Origin.settlement))
                ).one()
                applications.create(
                    session, found, client_id=None, wishes=[], anywhere=True, actor=self.actors[Role.CASEWORKER]
                )

        self.attempt(act)

    def _with_application(
        self, number: int, states: tuple[ApplicationState, ...], act: Callable[[Session, Application], object]
    ) -> None:
        def on_one(session: Session) -> None:
            found = self.application(session, number, *states)
            if found is not None:
                act(session, found)

        self.attempt(on_one)

    # the stock

    @rule(number=which, bedrooms=st.integers(1, 3), step_free=st.booleans())
    def build(self, number: int, bedrooms: int, step_free: bool) -> None:
        """A house is handed over."""

        def act(session: Session) -> None:
            place = self.pick(session, Settlement, number)
            if place is not None and len(session.scalars(select(House.id)).all()) < HOUSES_AT_MOST:
                fields = {
                    "address": "Street 1",
                    "rooms": bedrooms + 1,
                    "bedrooms": bedrooms,
                    "floor_area_m2": 60.0,
                    "step_free": step_free,
                    "storeys": 1,
                    "solar_kw": 0.0,
                    "handed_over_on": utc_now().date(),
                    "key": None,
                }
                houses.add(session, place, fields, self.actors[Role.PLANNER])

        self.attempt(act)

    @rule(
        number=which, status=st.sampled_from([SettlementStatus.OPEN, SettlementStatus.OPEN, SettlementStatus.SUSPENDED])
    )
    def set_status(self, number: int, status: SettlementStatus) -> None:
        """A settlement is suspended, or open again."""

        def act(session: Session) -> None:
            place = self.pick(session, Settlement, number)
            if place is not None:
                settlements.change(session, place, {"status": status}, None, self.actors[Role.PLANNER])

        self.attempt(act)

    @rule(number=which)
    def declare_unfit(self, number: int) -> None:
        """A house turns out to be unfit."""
        self._with_house(
            number,
            (),
            lambda session, found: moves.declare_unfit(
                session, found, "The roof fell in.", self.actors[Role.VILLAGE_ADMINISTRATOR]
            ),
        )

    @rule(number=which)
    def declare_fit(self, number: int) -> None:
        """An unfit house is repaired."""
        self._with_house(
            number,
            (HouseState.UNFIT,),
            lambda session, found: moves.declare_fit(session, found, self.actors[Role.VILLAGE_ADMINISTRATOR]),
        )

    def _with_house(self, number: int, states: tuple[HouseState, ...], act: Callable[[Session, House], object]) -> None:
        def on_one(session: Session) -> None:
            found = self.house(session, number, *states)
            if found is not None:
                act(session, found)

        self.attempt(on_one)

    # deciding

    @rule(move_issued=st.booleans())
    def request(self, move_issued: bool) -> None:
        """The planner requests a run over whatever is ready; it may move who has not accepted."""
        self.attempt(
            lambda session: runs.request(
                session,
                settlements=None,
                time_limit_seconds=20,
                actor=self.actors[Role.PLANNER],
                move_issued=move_issued,
            )
        )

    @rule()
    def work(self) -> None:
        """The worker solves the run that has waited longest."""
        with self.database.session(writes=True) as session:
            claim = claims.take(session)
        if claim is not None:
            outcome = proposals.outcome_of(claim.snapshot, claim.problem, solved(claim.snapshot, claim.problem))
            self.attempt(lambda session: proposals.record(session, claim, outcome))

    @rule(number=which)
    def approve(self, number: int) -> None:
        """The approver approves a run, and the planner offers what it reserved."""
        self._with_run(number, lambda session, found: runs.approve(session, found, self.actors[Role.APPROVER]))

    @rule(number=which)
    def reject(self, number: int) -> None:
        """The approver turns a run down."""
        self._with_run(
            number, lambda session, found: runs.reject(session, found, "Look again.", self.actors[Role.APPROVER])
        )

    @rule(number=which)
    def cancel(self, number: int) -> None:
        """The planner cancels a run."""
        self._with_run(number, lambda session, found: runs.cancel(session, found, self.actors[Role.PLANNER]))

    def _with_run(self, number: int, act: Callable[[Session, Run], object]) -> None:
        def on_one(session: Session) -> None:
            found = self.run(session, number, RunState.PROPOSED, RunState.QUEUED)
            if found is not None:
                act(session, found)

        self.attempt(on_one)

    @rule(number=which)
    def issue(self, number: int) -> None:
        """The planner offers what a run reserved."""

        def act(session: Session) -> None:
            found = self.run(session, number, RunState.DRAWN, RunState.OFFERS_ISSUED)
            if found is not None:
                offers.issue(session, found, ZONE, self.actors[Role.PLANNER])

        self.attempt(act)

    @rule(move_issued=st.booleans())
    def allocate(self, move_issued: bool) -> None:
        """A run goes all the way to its offers."""
        self.request(move_issued)
        self.work()
        self.approve(0)
        self.issue(-1)

    # the way in

    @rule(number=which)
    def settle(self, number: int) -> None:
        """A family takes its house and moves in."""
        self.accept(number)
        self.move_in(number)

    @rule(number=which)
    def accept(self, number: int) -> None:
        """A family takes its house."""
        self._with_offer(number, lambda session, found: answers.accept(session, found, **self._answer()))

    @rule(number=which, reason=st.sampled_from(DeclineReason))
    def decline(self, number: int, reason: DeclineReason) -> None:
        """A family declines."""
        self._with_offer(
            number, lambda session, found: answers.decline(session, found, reason=reason, note=None, **self._answer())
        )

    @rule(number=which)
    def take_back(self, number: int) -> None:
        """The planner takes an offer back, one that has ended perhaps."""
        self._with_offer(
            number,
            lambda session, found: offers.withdraw(session, found, "A mistake.", self.actors[Role.PLANNER]),
            may_have_ended=True,
        )

    def _with_offer(
        self, number: int, act: Callable[[Session, Offer], object], *, may_have_ended: bool = False
    ) -> None:
        def on_one(session: Session) -> None:
            found = self.offer(session, number, may_have_ended=may_have_ended)
            if found is not None:
                act(session, found)

        self.attempt(on_one)

    def _answer(self) -> dict[str, Any]:
        return {
            "answered_on": utc_now().date(),
            "given_how": GivenHow.IN_PERSON,
            "zone": ZONE,
            "actor": self.actors[Role.CASEWORKER],
        }

    @rule(days=st.integers(1, 20))
    def pass_days(self, days: int) -> None:
        """Days go by; what ran out ends."""
        self._clock.shift(timedelta(days=days))
        with self.database.session(writes=False) as session:
            overdue = offers.overdue(session, ZONE)
        for reference in overdue:
            self.attempt(partial(offers.expire, reference=reference, zone=ZONE))

    @rule(number=which)
    def move_in(self, number: int) -> None:
        """A family gets the key to the house that is kept for it, or to another."""

        def act(session: Session) -> None:
            given = self.offer(session, number)
            found = None if given is None else stock.house(session, OPERATOR, given.house.reference, lock=True)
            if given is not None and found is not None:
                moves.move_in(
                    session,
                    found,
                    given.household.reference,
                    utc_now().date(),
                    self.actors[Role.VILLAGE_ADMINISTRATOR],
                )

        self.attempt(act)

    @rule(number=which)
    def move_out(self, number: int) -> None:
        """A family moves out."""
        self._with_house(
            number,
            (HouseState.OCCUPIED, HouseState.UNFIT),
            lambda session, found: moves.move_out(
                session, found, utc_now().date(), "Moves to kin.", self.actors[Role.VILLAGE_ADMINISTRATOR]
            ),
        )

    @invariant()
    def all_is_well(self) -> None:
        """No house with two families, no family with two houses, no application lost."""
        with self.database.session(writes=False) as session:
            assert list(year_checks.faults(session, self.registered)) == []


def solved(snapshot: str, problem: str) -> str:
    """Solve a problem as a worker does, in this process, by the stages of its run."""
    frozen = Snapshot.model_validate_json(snapshot)
    homes = sorted(frozen.homes.items())
    kept = Assignments(np.array([name for name, _ in homes], np.str_), np.array([home for _, home in homes], np.str_))
    stages = objectives(known(frozen.stages, problem))
    return solve(Problem.from_json(problem), Parameters(stages=stages), homes=kept).to_json()


def person(relationship: Relationship, born_on: Any, **fields: Any) -> dict[str, Any]:
    """Return the fields of a person."""
    return {
        "key": None,
        "given_name": "Ada",
        "family_name": "North",
        "sex": Sex.FEMALE,
        "birth_date": born_on,
        "relationship": relationship,
        "needs_step_free": False,
        "occupation": None,
        "national_id": None,
    } | fields
