"""What goes on beside the way home, in any order with it: appeals, duplicates, swaps and placements."""

from datetime import UTC, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR, Permission
from app.allocation import placements, recounting, what_ifs
from app.allocation.corrections import Correction
from app.allocation.placement_models import Placement, PlacementReason, PlacementState
from app.allocation.placements import Where
from app.allocation.snapshot import Snapshot
from app.duplicates import decisions
from app.duplicates.decisions import Decision
from app.housing.models import House, Settlement
from app.policy.facts import Accommodation
from app.registry.duplicate_models import CandidateState, DuplicateCandidate, Merge
from app.registry.models import Household, Person
from app.registry.queries import visible_household
from app.tenancy import appeal_queries, appeals, swap_queries, swaps, transfers
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealGround, AppealState
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapMove, SwapWish, SwapWishState
from app.tenancy.swaps import Wanted
from tests import factories
from tests.lifecycle.way_home import NAMES, ZONE, WayHome, solved, which

SAID = {
    AppealAgainst.INELIGIBILITY: Correction(eligible=True, tier=1),
    AppealAgainst.PRIORITY: Correction(accommodation=Accommodation.UNSAFE_BUILDING),
    AppealAgainst.PROPOSAL: Correction(size=1),
    AppealAgainst.OFFER: Correction(),
}


class FurtherWays(WayHome):
    """All that people may do, with somebody to decide on appeals who takes no part in anything else."""

    def __init__(self) -> None:
        super().__init__()
        with self.database.session(writes=True) as session:
            self.judges = {
                Permission.APPEAL_DECIDE_CASE: factories.user(session, Role.VERIFIER),
                Permission.APPEAL_DECIDE_ALLOCATION: factories.user(session, Role.APPROVER),
            }

    @initialize()
    def begin(self) -> None:
        """More families than houses; some live in theirs, and others were told that there is none for them."""
        super().begin()
        for number in range(6):
            self.build(number, 3, step_free=False)
            self.register(number % 4, step_free=False, kin=False, consent=1, name=NAMES[number % 3])
            self.hand_in(0)
        self.register(0, step_free=True, kin=False, consent=0, name=NAMES[0])
        self.hand_in(0)
        self.sign(0, eligible=False)
        self.allocate(move_issued=False)
        for _ in range(5):
            self.settle(0)

    # appeals

    @rule(number=which, against=st.sampled_from(AppealAgainst))
    def appeal(self, number: int, against: AppealAgainst) -> None:
        """A family appeals against what it was told, one thing or the other; what would have been is calculated."""
        kinds = list(AppealAgainst)
        at = kinds.index(against)
        done = self.done
        for kind in (*kinds[at:], *kinds[:at]):
            if self.done == done:
                self._appeal(number, kind)
        self.calculate()

    def _appeal(self, number: int, against: AppealAgainst) -> None:

        def act(session: Session) -> None:
            found = self.application(session, number)
            if found is not None:
                appeals.lodge(
                    session,
                    found,
                    against=against,
                    ground=AppealGround.FACTS_WRONG,
                    statement="It is not so.",
                    correction=SAID[against],
                    zone=ZONE,
                    actor=self.actors[Role.CASEWORKER],
                )

        self.attempt(act)

    def calculate(self) -> None:
        """The worker answers what would have been."""
        with self.database.session(writes=True) as session:
            asked = what_ifs.take(session, timedelta(seconds=30))
        if asked is not None:
            found = recounting.with_correction(
                Snapshot.model_validate_json(asked.snapshot),
                asked.seed,
                asked.solution,
                asked.given["row"],
                20,
                lambda problem, _seconds: solved(asked.snapshot, problem),
            )
            with self.database.session(writes=True) as session:
                what_ifs.answer(session, asked, found)

    @rule(number=which, upheld=st.booleans(), first=st.sampled_from([None, None, True]))
    def decide_appeal(self, number: int, upheld: bool, first: bool | None) -> None:
        """Somebody who took no part decides."""

        def act(session: Session) -> None:
            found = self.pick(session, Appeal, number, Appeal.state == AppealState.LODGED)
            if found is not None:
                judge = self.judges[appeals.DECIDED_WITH[found.against]]
                appeal = appeal_queries.appeal(session, judge, found.reference)
                appeals.decide(
                    session,
                    appeal,
                    upheld=upheld,
                    reason="As it is.",
                    first_in_line=first if upheld else None,
                    actor=judge,
                )

        self.attempt(act)

    @rule(number=which)
    def withdraw_appeal(self, number: int) -> None:
        """A family takes its appeal back, one that was decided perhaps."""

        def act(session: Session) -> None:
            found = self.pick(session, Appeal, number)
            if found is not None:
                appeal = appeal_queries.appeal(session, OPERATOR, found.reference)
                appeals.withdraw(session, appeal, self.actors[Role.CASEWORKER])

        self.attempt(act)

    # duplicates

    @rule(
        number=which,
        other=which,
        state=st.sampled_from([CandidateState.SAME, CandidateState.SAME, CandidateState.MOVED_HOUSEHOLD]),
    )
    def decide_duplicate(self, number: int, other: int, state: CandidateState) -> None:
        """The verifier takes two households for one, or somebody for moved."""

        def act(session: Session) -> None:
            found = self.pick(session, DuplicateCandidate, number, DuplicateCandidate.state == CandidateState.OPEN)
            if found is None:
                return
            households = [found.first_id, found.second_id]
            moved = self.pick(session, Person, other, Person.household_id.in_(households))
            survivor = session.get_one(Household, households[other % 2]).reference
            decision = (
                Decision(state, "They were called.", survivor=survivor if other % 3 else None)
                if state is CandidateState.SAME or moved is None
                else Decision(state, "They were called.", people=(moved.reference,))
            )
            decisions.decide(session, found.reference, decision, self.actors[Role.VERIFIER])

        self.attempt(act)

    @rule(number=which)
    def undo_merge(self, number: int) -> None:
        """A merge is undone, perhaps long after."""

        def act(session: Session) -> None:
            found = self.pick(session, Merge, number, Merge.undone_at.is_(None))
            if found is not None:
                decisions.undo(session, found.reference, "A mistake.", self.actors[Role.VERIFIER])

        self.attempt(act)

    # swaps

    @rule(number=which, other=which, anywhere=st.booleans())
    def wish_to_swap(self, number: int, other: int, anywhere: bool) -> None:
        """A family would rather live in another house, or anywhere in a settlement."""

        def act(session: Session) -> None:
            lived_in = self.pick(session, Tenancy, number, Tenancy.moved_out_on.is_(None))
            house = self.pick(session, House, other)
            place = self.pick(session, Settlement, other)
            if lived_in is not None and house is not None and place is not None:
                family = session.get_one(Household, lived_in.household_id)
                wanted = Wanted(None if anywhere else house, place if anywhere else None, "#/body/options/0")
                swaps.register(session, family, [wanted], self.actors[Role.CASEWORKER])

        self.attempt(act)

    @rule(number=which)
    def withdraw_wish(self, number: int) -> None:
        """A family does not want to swap any more."""

        def act(session: Session) -> None:
            found = self.pick(session, SwapWish, number, SwapWish.state == SwapWishState.OPEN)
            if found is not None:
                wish = swap_queries.wish(session, OPERATOR, Permission.SWAP_READ, found.reference)
                swaps.withdraw(session, wish, self.actors[Role.CASEWORKER])

        self.attempt(act)

    @rule(number=which, refuses=st.integers(0, 4))
    def swap(self, number: int, refuses: int) -> None:
        """Some would live anywhere that fits; all of a cycle agree, or one does not, and it is signed."""
        for one in range(number % 4 + 1):
            self._wish_for_any(number + one)
        self.attempt(lambda session: transfers.propose(session, self.actors[Role.PLANNER]))
        with self.database.session(writes=False) as session:
            cycle = self.pick(session, SwapCycle, number, SwapCycle.state == SwapCycleState.PROPOSED)
            if cycle is None:
                return
            families = session.scalars(
                select(Household.reference)
                .join(SwapWish, SwapWish.household_id == Household.id)
                .join(SwapMove, SwapMove.wish_id == SwapWish.id)
                .where(SwapMove.cycle_id == cycle.id)
                .order_by(Household.id)
            ).all()
        for place, family in enumerate(families):
            self._answer_swap(cycle.reference, family, refuses=refuses == 0 and place == len(families) - 1)
        self.sign_swap(number)

    def _wish_for_any(self, number: int) -> None:
        def act(session: Session) -> None:
            lived_in = self.pick(session, Tenancy, number, Tenancy.moved_out_on.is_(None))
            if lived_in is not None:
                family = session.get_one(Household, lived_in.household_id)
                places = session.scalars(select(Settlement).order_by(Settlement.id)).all()[:: 1 if number % 2 else -1]
                wanted = [Wanted(None, place, f"#/body/options/{at}") for at, place in enumerate(places)]
                swaps.register(session, family, wanted, self.actors[Role.CASEWORKER])

        self.attempt(act)

    def _answer_swap(self, cycle: str, family: str, *, refuses: bool) -> None:
        def act(session: Session) -> None:
            found = swap_queries.cycle(session, OPERATOR, Permission.SWAP_READ, cycle)
            if refuses:
                transfers.refuse(session, found, family, self.actors[Role.CASEWORKER])
            else:
                transfers.confirm(session, found, family, **self._answer())

        self.attempt(act)

    @rule(number=which)
    def sign_swap(self, number: int) -> None:
        """The approver signs a swap, whether or not all have agreed."""

        def act(session: Session) -> None:
            found = self.pick(session, SwapCycle, number, SwapCycle.state == SwapCycleState.PROPOSED)
            if found is not None:
                cycle = swap_queries.cycle(session, OPERATOR, Permission.SWAP_READ, found.reference)
                transfers.approve(session, cycle, UTC, self.actors[Role.APPROVER])

        self.attempt(act)

    # placements

    @rule(number=which, other=which, kind=st.sampled_from(["forbid", "pin", "house"]), confirmed=st.booleans())
    def place(self, number: int, other: int, kind: str, confirmed: bool) -> None:
        """The planner says where a family is to live, or not; mostly the approver confirms it."""
        made: list[str] = []

        def act(session: Session) -> None:
            family = self.pick(session, Household, number, Household.merged_into_id.is_(None))
            house = self.pick(session, House, other)
            if family is None or house is None:
                return
            found = visible_household(session, OPERATOR, family.reference)
            place = session.get_one(Settlement, house.settlement_id)
            where = {
                "forbid": Where(place, is_forbidden=True),
                "pin": Where(place, size=house.bedrooms, step_free=house.step_free),
                "house": Where(place, house=house),
            }[kind]
            placed = placements.request(session, found, where, PlacementReason.SAFETY, None, self.actors[Role.PLANNER])
            made.append(placed.reference)

        self.attempt(act)
        for reference in made if confirmed else ():
            self.attempt(lambda session, reference=reference: self._confirm(session, reference))  # type: ignore[misc]

    def _confirm(self, session: Session, reference: str) -> None:
        approver = self.actors[Role.APPROVER]
        found = placements.actable(session, approver, Permission.PLACEMENT_DECIDE, reference)
        placements.confirm(session, found, approver)

    @rule(number=which)
    def confirm_placement(self, number: int) -> None:
        """The approver confirms a placement, perhaps after all has changed."""

        def act(session: Session) -> None:
            found = self.pick(session, Placement, number, Placement.state == PlacementState.REQUESTED)
            if found is not None:
                self._confirm(session, found.reference)

        self.attempt(act)

    @rule(number=which)
    def lift_placement(self, number: int) -> None:
        """The planner lifts a placement."""

        def act(session: Session) -> None:
            found = self.pick(session, Placement, number, Placement.state != PlacementState.LIFTED)
            if found is not None:
                planner = self.actors[Role.PLANNER]
                placed = placements.actable(session, planner, Permission.PLACEMENT_WRITE, found.reference)
                placements.lift(session, placed, "Not needed.", planner)

        self.attempt(act)
