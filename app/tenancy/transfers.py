"""Swaps: cycles are found among open wishes, every family says yes, an approver signs, and all move or nobody does."""

from collections.abc import Sequence
from datetime import date, tzinfo

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import placements, places, policies
from app.allocation.offer_models import GivenHow
from app.audit import Act
from app.database import utc_now
from app.errors import Conflict, FieldError, Invalid
from app.housing.closures import require_open
from app.housing.models import House, HouseState, Settlement
from app.housing.queries import within
from app.housing.readiness import settlement_is_ready
from app.policy.assess import service_uses
from app.policy.parameters import Policy
from app.registry.facts import facts_of
from app.registry.models import Application, ApplicationState, Household
from app.tenancy import swap_endings, swap_places, swaps
from app.tenancy.models import Tenancy, TenancyEnd, TenancyHolder
from app.tenancy.swap_models import SwapCycle, SwapCycleState, SwapMove, SwapWish, SwapWishState
from app.tenancy.swap_places import Member

REFUSED = "A family did not agree."
SWAPPED = "Swapped for house {house}."


def propose(session: Session, actor: Principal) -> list[SwapCycle]:
    """Find who could swap among the open wishes where `actor` plans, and propose it to the families.

    Top trading cycles: nobody gets a house that it did not name or that does not fit it, and no school or clinic gets
    more users than places. What was found is checked by other means before it is proposed. Raises Forbidden.
    """
    actor.require_somewhere(Permission.SWAP_PROPOSE)
    _, policy = policies.in_force(session)
    wishes = _free_wishes(session, actor)
    owned = {wish.reference: wish.tenancy.house.reference for wish in wishes}
    houses = {wish.tenancy.house.reference: wish.tenancy.house for wish in wishes}
    ranks = _ranks(session, wishes, list(houses.values()), policy)
    on = utc_now().date()
    stands_in = {reference: house.settlement_id for reference, house in houses.items()}
    there = places.now(session, set(stands_in.values()), policy, on)
    members = {wish.reference: _member(wish, policy, on) for wish in wishes}
    cycles = swap_places.cycles(owned, ranks, members, stands_in, there)
    by_reference = {wish.reference: wish for wish in wishes}
    found = [
        SwapCycle(
            state=SwapCycleState.PROPOSED,
            proposed_by_id=actor.user_id,
            moves=[
                SwapMove(
                    wish=by_reference[wish],
                    from_house=by_reference[wish].tenancy.house,
                    to_house=houses[owned[following]],
                )
                for wish, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
            ],
        )
        for cycle in cycles
    ]
    session.add_all(found)
    session.flush()
    details = {"cycles": sorted(cycle.reference for cycle in found), "wishes": len(wishes)}
    audit.record(session, actor, Act.SWAP_PROPOSE, details=details)
    return found


def _free_wishes(session: Session, actor: Principal) -> list[SwapWish]:
    """Lock the open wishes, in no cycle yet, of families in houses that they can leave and others move to."""
    in_cycle = select(SwapMove.wish_id).where(SwapMove.is_live)
    return list(
        session.scalars(
            select(SwapWish)
            .join(SwapWish.tenancy)
            .join(Tenancy.house)
            .join(House.settlement)
            .where(
                SwapWish.state == SwapWishState.OPEN,
                SwapWish.id.not_in(in_cycle),
                Tenancy.moved_out_on.is_(None),
                House.state == HouseState.OCCUPIED,
                settlement_is_ready(),
                within(actor.scope(Permission.SWAP_PROPOSE)),
            )
            .options(
                selectinload(SwapWish.options),
                joinedload(SwapWish.tenancy).joinedload(Tenancy.house).joinedload(House.settlement),
                joinedload(SwapWish.household).selectinload(Household.people),
            )
            .order_by(SwapWish.id)
            .with_for_update(of=SwapWish)
        )
    )


def _ranks(
    session: Session, wishes: Sequence[SwapWish], houses: Sequence[House], policy: Policy
) -> dict[str, list[str]]:
    families = [wish.household_id for wish in wishes]
    applications = {
        application.household_id: application
        for application in session.scalars(
            select(Application).where(
                Application.household_id.in_(families),
                Application.state == ApplicationState.HOUSED,
            )
        )
    }
    forbidden, on = placements.forbidden(session, families), utc_now().date()
    return {
        wish.reference: swaps.ranked(
            wish,
            wish.tenancy.house,
            [house for house in houses if house.settlement_id not in forbidden.get(wish.household_id, ())],
            swaps.need_of(wish.household, applications.get(wish.household_id), wish.tenancy.house, policy, on),
            policy,
        )
        for wish in wishes
    }


def _member(wish: SwapWish, policy: Policy, on: date) -> Member:
    """Return what the family of a wish uses where it lives."""
    uses = service_uses(facts_of(wish.household, on=on, has_home=True), policy.services)
    return Member(uses, wish.tenancy.house.settlement_id)


def _move_of(cycle: SwapCycle, household: str) -> SwapMove:
    for move in cycle.moves:
        if move.wish.household.reference == household:
            return move
    raise Invalid(
        "Another family is part of this.",
        [FieldError("#/body/household", f"There is no household {household} in this cycle.")],
    )


def _lock(session: Session, cycle: SwapCycle) -> None:
    session.refresh(cycle, ["state", "version"], with_for_update=True)
    if cycle.state is not SwapCycleState.PROPOSED:
        raise Conflict(f"The swap is {cycle.state.value.replace('_', ' ')}.", state=cycle.state.value)


def confirm(
    session: Session,
    cycle: SwapCycle,
    household: str,
    *,
    answered_on: date,
    given_how: GivenHow,
    zone: tzinfo,
    actor: Principal,
) -> SwapCycle:
    """Record that a family agrees to its part of a cycle, loaded with everything that it names.

    Raises Forbidden, Invalid for a family that is no part of it or a day that cannot be, and Conflict when the cycle
    has ended or the family has agreed already.
    """
    move = _move_of(cycle, household)
    swaps.require(actor, move.wish.tenancy)
    first, today = cycle.proposed_at.astimezone(zone).date(), utc_now().astimezone(zone).date()
    if not first <= answered_on <= today:
        raise Invalid(
            "The family cannot have answered on that day.",
            [FieldError("#/body/answered_on", f"Give a day from {first} to {today}.")],
        )
    _lock(session, cycle)
    session.refresh(move, ["confirmed_on"])
    if move.confirmed_on is not None:
        raise Conflict("The family has agreed already.")
    move.confirmed_on, move.given_how, move.confirmed_by_id = answered_on, given_how, actor.user_id
    audit.record(session, actor, Act.SWAP_CONFIRM, cycle)
    return cycle


def refuse(session: Session, cycle: SwapCycle, household: str, actor: Principal) -> SwapCycle:
    """Record that a family does not agree, also after it had: the cycle falls apart as a whole.

    Its own wish ends; those of the others wait for another cycle. Raises as `confirm` does.
    """
    move = _move_of(cycle, household)
    swaps.require(actor, move.wish.tenancy)
    swaps.lock(session, move.wish)
    _lock(session, cycle)
    swap_endings.withdraw(session, move.wish, REFUSED)
    audit.record(session, actor, Act.SWAP_REFUSE, cycle)
    return cycle


def approve(session: Session, cycle: SwapCycle, zone: tzinfo, actor: Principal) -> SwapCycle:
    """Sign a cycle to which every family has agreed, and have all of them move, today in `zone`.

    Everything is verified again under locks. `cycle` must be loaded with everything that it names. Raises Forbidden,
    also for who proposed it, and Conflict when it has ended, a family has not agreed, a gate has closed, or a house or
    a family is not any more what the cycle rests on.
    """
    actor.require_another(cycle.proposed_by_id, "proposed this swap")
    settlements = {move.from_house.settlement.id: move.from_house.settlement for move in cycle.moves}
    for place in settlements.values():
        actor.require(Permission.SWAP_DECIDE, district=place.district, settlement=place.reference)
    tenancies = _locked(session, cycle, settlements)
    _verify(session, cycle)
    today = utc_now().astimezone(zone).date()
    for move in cycle.moves:
        former = tenancies[move.from_house_id]
        former.moved_out_on, former.ended_for = today, TenancyEnd.TRANSFER
        former.end_reason = SWAPPED.format(house=move.to_house.reference)
    session.flush()  # all leave before anybody moves in
    for move in cycle.moves:
        _move(session, move, tenancies[move.from_house_id], today, actor)
    cycle.state, cycle.decided_at, cycle.decided_by_id = SwapCycleState.DONE, utc_now(), actor.user_id
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("Somebody moved at the same moment. Read the swap again.") from error
    audit.record(session, actor, Act.SWAP_APPROVE, cycle)
    return cycle


def _locked(session: Session, cycle: SwapCycle, settlements: dict[int, Settlement]) -> dict[int, Tenancy]:
    """Lock houses, gates, wishes and cycle, in that order; return house → the tenancy that the cycle rests on."""
    ids = [move.from_house_id for move in cycle.moves]
    houses = session.scalars(
        select(House)
        .where(House.id.in_(ids))
        .order_by(House.reference)
        .with_for_update(of=House)
        .options(joinedload(House.settlement))
        .execution_options(populate_existing=True)
    ).all()
    # Against each other too, and against runs: both bring families to the same school.
    lock = select(Settlement.id).where(Settlement.id.in_(settlements)).order_by(Settlement.id)
    session.execute(lock.with_for_update(key_share=True))
    for number in sorted(settlements):
        require_open(session, settlements[number])
    for move in sorted(cycle.moves, key=lambda move: move.wish_id):
        swaps.lock(session, move.wish)
    _lock(session, cycle)
    for move in cycle.moves:
        session.refresh(move, ["confirmed_on"])
    waiting = sum(move.confirmed_on is None for move in cycle.moves)
    if waiting:
        raise Conflict(f"{waiting} of {len(cycle.moves)} families have not agreed yet.")
    tenancies = {
        tenancy.house_id: tenancy
        for tenancy in session.scalars(
            select(Tenancy)
            .where(Tenancy.house_id.in_(ids), Tenancy.moved_out_on.is_(None))
            .options(selectinload(Tenancy.holders))
            .with_for_update(of=Tenancy)
        )
    }
    gone = [house.reference for house in houses if house.state is not HouseState.OCCUPIED]
    gone += [
        move.from_house.reference
        for move in cycle.moves
        if tenancies.get(move.from_house_id) is None or tenancies[move.from_house_id].id != move.wish.tenancy_id
    ]
    if gone:
        raise Conflict(f"Not any more as it was when the swap was proposed: {', '.join(sorted(set(gone)))}.")
    return tenancies


def _verify(session: Session, cycle: SwapCycle) -> None:
    """Refuse unless each family gets a house that it named, that fits it and where it may live, and every house one.

    And where more would use a school or a clinic than it has places.
    """
    _, policy = policies.in_force(session)
    houses = [move.from_house for move in cycle.moves]
    ranks = _ranks(session, [move.wish for move in cycle.moves], houses, policy)
    if sorted(move.to_house_id for move in cycle.moves) != sorted(house.id for house in houses):
        raise Conflict("Not every house of the swap goes to one family of it.")
    worse = sorted(
        move.to_house.reference for move in cycle.moves if move.to_house.reference not in ranks[move.wish.reference]
    )
    if worse:
        raise Conflict(f"Not any more what its family named or needs: {', '.join(worse)}. Refuse this swap.")
    on = utc_now().date()
    moves = [(_member(move.wish, policy, on), move.to_house.settlement_id) for move in cycle.moves]
    there = places.now(session, {house.settlement_id for house in houses}, policy, on)
    if lacking := there.lacking(swap_places.change(moves)):
        raise Conflict(f"{' '.join(there.sentence(*each) for each in lacking)} Refuse this swap, or approve it later.")


def _move(session: Session, move: SwapMove, former: Tenancy, today: date, actor: Principal) -> None:
    """Begin a family's tenancy in its new house; who of it holds the title holds it there."""
    members = {person.id for person in move.wish.household.people}
    session.add(
        Tenancy(
            house_id=move.to_house_id,
            household_id=move.wish.household_id,
            keys_given_on=today,
            moved_in_on=today,
            recorded_by_id=actor.user_id,
            holders=[
                TenancyHolder(person_id=holder.person_id, opted_out_reason=holder.opted_out_reason)
                for holder in former.holders
                if holder.person_id in members
            ],
        )
    )
    move.is_live = False
    move.wish.state, move.wish.ended_at = SwapWishState.DONE, utc_now()
    application = session.scalar(
        select(Application)
        .where(Application.household_id == move.wish.household_id, Application.state == ApplicationState.HOUSED)
        .with_for_update()
    )
    if application is not None:
        application.settlement_id = move.to_house.settlement_id
