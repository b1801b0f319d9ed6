"""Turning a decided run into reservations: everything it rests on is locked, and verified as it stands now."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.allocation import placements, places, reservations
from app.allocation.models import Proposal, ProposalState, Run
from app.allocation.placement_models import Placement, PlacementKind
from app.allocation.snapshot import Snapshot, class_of
from app.errors import Conflict
from app.housing.closures import kept_open
from app.housing.models import House, HouseState, Settlement
from app.housing.readiness import FREE, gates, loaded_for_gates
from app.policy.assess import Service
from app.policy.occupancy import Measure
from app.policy.parameters import Policy
from app.registry.models import Application, ApplicationState

NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Moves:
    """What a run does to reservations that it may move, by household: the house stays, is another, or is none."""

    kept: tuple[str, ...]
    moved: tuple[str, ...]
    lost: tuple[str, ...]

    @classmethod
    def of(cls, held: Mapping[str, str], given: Mapping[str, str]) -> "Moves":
        """`held`: household → the house reserved for it at the request; `given`: what the run gives it."""
        return cls(
            tuple(each for each, house in held.items() if given.get(each) == house),
            tuple(each for each, house in held.items() if given.get(each, house) != house),
            tuple(each for each in held if each not in given),
        )


def closed(settlement: Settlement) -> str:
    """Why a settlement, loaded for its gates, cannot be allocated; empty where it can."""
    unmet = [gate.reason for gate in gates(settlement) if not gate.met]
    return f"{settlement.name} ({settlement.reference}) is not ready: {' '.join(unmet)}" if unmet else ""


def houses(session: Session, run: Run, snapshot: Snapshot, given: Mapping[str, str]) -> dict[str, House]:
    """Lock the drawn houses, and those that the run may take back, in the order of their references; then the gates.

    Raises Conflict unless each drawn one can still be allocated as what the snapshot says it is.
    """
    drawn, held = set(given.values()), set(snapshot.held.values())
    places = {part.settlement_id: part.settlement.reference for part in run.settlements}
    measure = Measure(snapshot.households[0].need.measure)
    classes = {house: part.id for part in snapshot.house_classes for house in part.houses}
    states = (*FREE, HouseState.RESERVED) if held else FREE
    query = select(House).where(House.settlement_id.in_(places), House.state.in_(states)).order_by(House.reference)
    locked = {
        house.reference: house
        for house in session.scalars(query.with_for_update(of=House).execution_options(populate_existing=True))
        if house.reference in drawn | held
    }
    used = {part.settlement for part in snapshot.house_classes if set(part.houses) & drawn}
    _require_open(session, [identifier for identifier, place in places.items() if place in used])
    gone = sorted(
        house
        for house in drawn
        if house not in locked
        or class_of(locked[house], places[locked[house].settlement_id], measure) != classes[house]
        or (locked[house].state is HouseState.RESERVED and house not in held)
    )
    if gone:
        raise Conflict(f"Houses that cannot be allocated any more: {listed(gone)}. Reject this run, request another.")
    return locked


def _require_open(session: Session, settlement_ids: Collection[int]) -> None:
    """Refuse where a gate has closed, and let none close until the transaction ends."""
    shut = set(settlement_ids) - kept_open(session, settlement_ids)
    if shut:
        query = select(Settlement).where(Settlement.id.in_(shut)).order_by(Settlement.reference)
        as_it_is = query.options(*loaded_for_gates()).execution_options(populate_existing=True)
        sentences = " ".join(map(closed, session.scalars(as_it_is)))
        raise Conflict(f"{sentences} Reject this run and request another.")


def take_back(session: Session, run: Run, held: Mapping[str, str], moves: Moves, locked: Mapping[str, House]) -> None:
    """Release the reservations that the run moves or ends, their offers with them; those that it keeps stay.

    Raises Conflict where a family has accepted since, or its reservation has ended.
    """
    places = [part.settlement_id for part in run.settlements] if held else []
    live = {
        proposal.household.reference: proposal
        for proposal in session.scalars(
            select(Proposal)
            .where(Proposal.state == ProposalState.RESERVED, Proposal.settlement_id.in_(places))
            .options(joinedload(Proposal.household))
            .order_by(Proposal.id)
            .with_for_update(of=Proposal)
            .execution_options(populate_existing=True)
        )
    }
    houses_now = {house.id: reference for reference, house in locked.items()}
    ended = sorted(
        family
        for family in (*moves.kept, *moves.moved)
        if family not in live or houses_now.get(live[family].house_id or 0) != held[family]
    )
    if ended:
        raise Conflict(
            f"Families whose reservation has ended since: {listed(ended)}. Reject this run, request another."
        )
    leaving = [family for family in (*moves.moved, *moves.lost) if family in live]
    if firm := sorted(family for family in leaving if live[family].is_firm):
        raise Conflict(f"Families that have accepted since: {listed(firm)}. No run moves them: reject this one.")
    for family in sorted(leaving, key=lambda each: live[each].id):
        proposal = live[family]
        house, by = locked[held[family]], [run.requested_by_id, run.decided_by_id]
        reservations.give_back(session, proposal, house, f"Run {run.reference} moved it.", by)


def applications(session: Session, run: Run, proposals: Sequence[Proposal]) -> dict[int, Application]:
    """Lock the applications, and refuse where one waits no more, or was decided on anew: the run rests on before.

    So it does where an application is another household's by now: two records of one family were merged.
    """
    families = {proposal.application_id: proposal.household_id for proposal in proposals}
    query = select(Application).where(Application.id.in_(families)).order_by(Application.id).with_for_update()
    found = {each.id: each for each in session.scalars(query)}
    gone = sorted(
        each.reference
        for each in found.values()
        if each.state is not ApplicationState.ELIGIBLE
        or each.household_id != families[each.id]
        or (each.decided_at is not None and each.decided_at > run.requested_at)
    )
    if gone:
        raise Conflict(
            f"Applications that changed or wait no more: {listed(gone)}. Reject this run and request another."
        )
    return found


def require_places(session: Session, snapshot: Snapshot, proposals: Sequence[Proposal]) -> None:
    """Refuse where more would use a school or clinic than it has places, now that these are reserved and flushed.

    Families may have swapped into a settlement since, or its school not be there any more. The settlements are locked.
    """
    uses = {row["id"]: row["uses"] for row in snapshot.problem["households"]}
    more: Counter[tuple[int, Service]] = Counter()
    for proposal in proposals:
        for service, number in uses[proposal.household.reference].items():
            more[proposal.settlement_id or 0, Service(service)] += number
    policy = Policy.model_validate(snapshot.policy.document)
    there = places.now(session, {place for place, _service in more}, policy, snapshot.on)
    there.add({each: -number for each, number in more.items()})  # they are counted already
    if lacking := there.lacking(more):
        sentences = " ".join(there.sentence(*each) for each in lacking)
        raise Conflict(f"{sentences} Reject this run and request another.")


def require_placements(
    session: Session, snapshot: Snapshot, classes: Mapping[str, str], given: Mapping[str, str]
) -> None:
    """Lock the placements that count now, and refuse unless the run rests on all of them that concern it."""
    known = {part.reference for part in snapshot.placements}
    now = {each.reference: each for each in placements.counting(session, locked=True)}
    if lifted := sorted(known - now.keys()):
        raise Conflict(f"Placements that were lifted: {listed(lifted)}. Reject this run and request another.")
    broken = [each.reference for each in now.values() if each.reference not in known and _breaks(each, classes, given)]
    if broken:
        raise Conflict(
            f"Placements that were confirmed since, and do not hold in this run: {listed(broken)}. "
            "Reject this run and request another."
        )


def _breaks(placement: Placement, classes: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Whether what a run gives is not what a placement says; who gets nothing breaks none but a kept house."""
    household, place = placement.household.reference, placement.settlement.reference
    mine = classes.get(household)
    is_there = mine is not None and mine.startswith(f"{place}/")
    match placement.kind:
        case PlacementKind.FORBID:
            return is_there
        case PlacementKind.PIN:
            access = "step-free" if placement.step_free else "stairs"
            return mine is not None and mine != f"{place}/{placement.size}/{access}"
        case PlacementKind.HOUSE:
            assert placement.house is not None  # noqa: S101 - the database holds to it
            house = placement.house.reference
            return given.get(household, house) != house or any(
                kept == house and other != household for other, kept in given.items()
            )


def listed(references: Sequence[str]) -> str:
    """Return the first of them, and how many more there are."""
    more = len(references) - NAMED_AT_MOST
    return ", ".join(references[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
