"""Requesting, confirming and lifting placements: where one household is to live, or not, for a coded reason."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation.placement_models import Placement, PlacementKind, PlacementReason, PlacementState
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, NotFound
from app.housing.models import House, HouseState, Settlement
from app.housing.queries import within
from app.registry.checks import lock_household
from app.registry.models import PLACED, Application, Household

HELD = (HouseState.RESERVED, HouseState.OCCUPIED)


@dataclass(frozen=True)
class Where:
    """What is decided: not to live in `settlement`; to live in it in houses of `size`; or in `house`, which lies there.

    `size` is in the measure of the policy in force.
    """

    settlement: Settlement
    size: int | None = None
    step_free: bool | None = None
    house: House | None = None
    is_forbidden: bool = False

    @property
    def kind(self) -> PlacementKind:
        """What kind of placement it is."""
        if self.is_forbidden:
            return PlacementKind.FORBID
        return PlacementKind.PIN if self.house is None else PlacementKind.HOUSE


def loaded(query: Select[Placement]) -> Select[Placement]:
    """Load what the placements of `query` name."""
    return query.options(
        joinedload(Placement.household).load_only(Household.reference),
        joinedload(Placement.settlement),
        joinedload(Placement.house),
        joinedload(Placement.requested_by),
        joinedload(Placement.confirmed_by),
        joinedload(Placement.lifted_by),
    )


def visible(actor: Principal, permission: Permission = Permission.PLACEMENT_READ) -> Select[Placement]:
    """Select the placements in settlements where `actor` has `permission`, loaded."""
    return loaded(select(Placement).join(Placement.settlement).where(within(actor.scope(permission))))


def actable(session: Session, actor: Principal, permission: Permission, reference: str) -> Placement:
    """Return one placement where `actor` has `permission`. Raises NotFound."""
    found = session.scalar(visible(actor, permission).where(Placement.reference == reference))
    if found is None:
        raise NotFound("There is no such placement that you may see.")
    return found


def request(
    session: Session,
    household: Household,
    where: Where,
    reason: PlacementReason,
    note: str | None,
    actor: Principal,
) -> Placement:
    """Ask for a placement, which counts once somebody else has confirmed it.

    Raises Forbidden, and Conflict where the household or the house has another one already, or a home, and where the
    household was merged or erased since it was read.
    """
    _require(actor, Permission.PLACEMENT_WRITE, where.settlement)
    lock_household(session, household)
    _refuse_repeated(session, household, where)
    placement = Placement(
        household=household,
        kind=where.kind,
        settlement=where.settlement,
        size=where.size,
        step_free=where.step_free,
        house=where.house,
        reason=reason,
        note=note,
        state=PlacementState.REQUESTED,
        requested_by_id=actor.user_id,
    )
    try:
        with session.begin_nested():
            session.add(placement)
    except IntegrityError:
        _refuse_repeated(session, household, where)  # another was made at the same moment
        raise
    audit.record(session, actor, Act.PLACEMENT_REQUEST, placement)
    return _loaded(session, placement)


def confirm(session: Session, placement: Placement, actor: Principal) -> Placement:
    """Let a placement count in the runs that are requested from now on, and hold in those that are not decided.

    Raises Forbidden, also for who requested it, and Conflict unless it waits for that, the household waits for a house
    and the house, where one is named, is not somebody's.
    """
    _require(actor, Permission.PLACEMENT_DECIDE, placement.settlement)
    actor.require_another(placement.requested_by_id, "requested this placement")
    _refuse_settled(session, placement)
    _lock(session, placement)
    if placement.state is not PlacementState.REQUESTED:
        raise Conflict(
            f"Placement {placement.reference} is {placement.state.value}: only a requested one is confirmed."
        )
    placement.state, placement.confirmed_at = PlacementState.CONFIRMED, utc_now()
    placement.confirmed_by_id = actor.user_id
    audit.record(session, actor, Act.PLACEMENT_CONFIRM, placement)
    return _loaded(session, placement)


def lift(session: Session, placement: Placement, reason: str, actor: Principal) -> Placement:
    """End a placement, or refuse one that was requested. A run that rests on it cannot be approved any more.

    Who may ask for one in its settlement may do it, and who may confirm one there. Raises Forbidden, and Conflict
    where it was lifted already.
    """
    settlement = placement.settlement
    may_ask = actor.scope(Permission.PLACEMENT_WRITE)
    if not may_ask.covers(district=settlement.district, settlement=settlement.reference):
        _require(actor, Permission.PLACEMENT_DECIDE, settlement)
    _lock(session, placement)
    if placement.state is PlacementState.LIFTED:
        raise Conflict(f"Placement {placement.reference} was lifted already.")
    end(placement, reason, actor)
    why = audit.digest("placement", placement.reference, "lift_reason", reason)  # of the family's life
    audit.record(session, actor, Act.PLACEMENT_LIFT, placement, reason=why)
    return _loaded(session, placement)


def end(placement: Placement, reason: str, actor: Principal) -> None:
    """Lift a locked placement, as part of an act that records it."""
    placement.state, placement.lifted_at = PlacementState.LIFTED, utc_now()
    placement.lifted_by_id, placement.lift_reason = actor.user_id, reason


def counting(session: Session, *, locked: bool = False) -> Sequence[Placement]:
    """Return every placement that counts in a run, by reference, loaded; `locked`: until the transaction ends."""
    query = select(Placement).where(Placement.state == PlacementState.CONFIRMED).order_by(Placement.reference)
    if locked:
        query = query.with_for_update(of=Placement).execution_options(populate_existing=True)
    return session.scalars(loaded(query)).all()


def forbidden(session: Session, household_ids: Collection[int]) -> Mapping[int, set[int]]:
    """Return household → the settlements where it is not to live by a placement that counts."""
    query = select(Placement.household_id, Placement.settlement_id).where(
        Placement.state == PlacementState.CONFIRMED,
        Placement.kind == PlacementKind.FORBID,
        Placement.household_id.in_(household_ids),
    )
    found: dict[int, set[int]] = defaultdict(set)
    for household, settlement in session.execute(query):
        found[household].add(settlement)
    return found


def _require(actor: Principal, permission: Permission, settlement: Settlement) -> None:
    actor.require(permission, district=settlement.district, settlement=settlement.reference)


def _loaded(session: Session, placement: Placement) -> Placement:
    query = loaded(select(Placement).where(Placement.id == placement.id))
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _lock(session: Session, placement: Placement) -> None:
    session.refresh(placement, ["state"], with_for_update=True)


def _refuse_repeated(session: Session, household: Household, where: Where) -> None:
    live = select(Placement).where(Placement.state != PlacementState.LIFTED)
    if where.is_forbidden:
        same = live.where(
            Placement.household_id == household.id,
            Placement.settlement_id == where.settlement.id,
            Placement.kind == PlacementKind.FORBID,
        )
        if (found := session.scalar(same)) is not None:
            raise Conflict(f"Placement {found.reference} says so already.")
        return
    placed = live.where(Placement.household_id == household.id, Placement.kind != PlacementKind.FORBID)
    if (found := session.scalar(placed)) is not None:
        raise Conflict(f"Placement {found.reference} says already where the household is to live. Lift that first.")
    if where.house is not None:
        kept = session.scalar(live.where(Placement.house_id == where.house.id))
        if kept is not None:
            raise Conflict(f"Placement {kept.reference} keeps that house already. Lift that first.")


def _refuse_settled(session: Session, placement: Placement) -> None:
    """Lock the house first and then the applications, as an approval does, and refuse where either is settled."""
    if placement.house_id is not None:
        named = select(House.reference, House.state).where(House.id == placement.house_id)
        house, state = session.execute(named.with_for_update()).one()
        if state in HELD:
            raise Conflict(f"House {house} is {state.value}: it is somebody's already.")
    query = select(Application.state).where(Application.household_id == placement.household_id).order_by(Application.id)
    if any(state in PLACED for state in session.scalars(query.with_for_update())):
        raise Conflict("The household has a house already, or one is reserved for it. Lift the placement.")
