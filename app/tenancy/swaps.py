"""Wishes to swap: a family in a house says which others it would take instead, and in which order."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.housing.models import House, HouseState, Origin, Settlement
from app.policy.assess import assess
from app.policy.facts import HouseFacts
from app.policy.occupancy import measured
from app.policy.parameters import Policy
from app.registry.facts import facts_of
from app.registry.models import Application, Household
from app.tenancy import swap_endings
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapOption, SwapWish, SwapWishState

ENDED_BY_FAMILY = "A family does not want to swap any more."


@dataclass(frozen=True)
class Wanted:
    """What a family would take: one house, or any in a settlement. `pointer`: where the payload names it."""

    house: House | None
    settlement: Settlement | None
    pointer: str


def require(actor: Principal, tenancy: Tenancy) -> None:
    """Raise Forbidden unless `actor` records what families want, where this one lives or where it comes from."""
    actor.require_somewhere(Permission.SWAP_WRITE)
    origin = tenancy.household.origin
    places = [tenancy.house.settlement, *([origin.settlement] if origin and origin.settlement else [])]
    scope = actor.scope(Permission.SWAP_WRITE)
    if not any(scope.covers(district=place.district, settlement=place.reference) for place in places):
        raise Forbidden("The family neither lives where you record what families want, nor comes from there.")


def register(session: Session, household: Household, wanted: Sequence[Wanted], actor: Principal) -> SwapWish:
    """Register that a family would give its house for one of those `wanted`, the best first.

    Raises Forbidden, Invalid where one is named twice or is its own, and Conflict where the family lives in no house,
    in one that is unfit, or has an open wish already.
    """
    tenancy = session.scalar(
        select(Tenancy)
        .where(Tenancy.household_id == household.id, Tenancy.moved_out_on.is_(None), Tenancy.moved_in_on.is_not(None))
        .options(
            joinedload(Tenancy.house).joinedload(House.settlement),
            joinedload(Tenancy.household).joinedload(Household.origin).joinedload(Origin.settlement),
        )
        .with_for_update(of=Tenancy)
    )
    if tenancy is None:
        raise Conflict("The household is not recorded as living in a house: there is nothing to swap.")
    require(actor, tenancy)
    if tenancy.house.state is not HouseState.OCCUPIED:
        raise Conflict(f"The house is {tenancy.house.state.value}: its family waits for another anyway.")
    _refuse_second(session, household)
    _check(wanted, tenancy.house)
    wish = SwapWish(
        tenancy=tenancy,
        household=household,
        state=SwapWishState.OPEN,
        registered_by_id=actor.user_id,
        options=[
            SwapOption(rank=rank, house=each.house, settlement=each.settlement) for rank, each in enumerate(wanted, 1)
        ],
    )
    session.add(wish)
    audit.record(session, actor, Act.SWAP_WISH_REGISTER, wish)
    return wish


def _refuse_second(session: Session, household: Household) -> None:
    open_wish = session.scalar(
        select(SwapWish.reference).where(SwapWish.household_id == household.id, SwapWish.state == SwapWishState.OPEN)
    )
    if open_wish is not None:
        raise Conflict(f"The household has an open wish already: {open_wish}. Withdraw it first.")


def _check(wanted: Sequence[Wanted], own: House) -> None:
    errors = [FieldError(each.pointer, "This is the family's own house.") for each in wanted if each.house is own]
    seen: set[tuple[int | None, int | None]] = set()
    for each in wanted:
        what = (each.house.id if each.house else None, each.settlement.id if each.settlement else None)
        if what in seen:
            errors.append(FieldError(each.pointer, "Name it once."))
        seen.add(what)
    if errors:
        raise Invalid("The wish cannot be so.", errors)


def withdraw(session: Session, wish: SwapWish, actor: Principal) -> SwapWish:
    """End an open wish, as the family asks; a cycle that it is part of falls apart.

    `wish` must be loaded with its tenancy, house, household and origin. Raises Forbidden, and Conflict when it is not
    open any more.
    """
    require(actor, wish.tenancy)
    lock(session, wish)
    swap_endings.withdraw(session, wish, ENDED_BY_FAMILY)
    audit.record(session, actor, Act.SWAP_WISH_WITHDRAW, wish)
    return wish


def lock(session: Session, wish: SwapWish) -> None:
    """Lock a wish. Raises Conflict unless it is open."""
    session.refresh(wish, ["state", "version"], with_for_update=True)
    if wish.state is not SwapWishState.OPEN:
        raise Conflict(f"The wish is {wish.state.value} and has ended.", state=wish.state.value)


@dataclass(frozen=True)
class Need:
    """What a family needs of a house: sizes in the policy's measure, both included."""

    size_min: int
    size_max: int
    needs_step_free: bool


def need_of(household: Household, application: Application | None, own: House, policy: Policy, on: date) -> Need:
    """Return what a family, loaded with its people, needs under a policy; it may keep the space that it has."""
    assessment = assess(facts_of(household, on=on, has_home=True), policy)
    override = application.size_override if application else None
    smallest = assessment.size_min if override is None else override
    return Need(smallest, max(policy.size_max(smallest), size_of(own, policy)), assessment.needs_step_free)


def size_of(house: House, policy: Policy) -> int:
    """Return the size of a house in the policy's measure."""
    facts = HouseFacts(house.bedrooms, house.rooms, house.floor_area_m2, house.step_free)
    return measured(facts, policy.occupancy.measure)


def ranked(wish: SwapWish, own: House, houses: Iterable[House], need: Need, policy: Policy) -> list[str]:
    """Return the references of those `houses` that a family would rather have than its own, the best first.

    Those that it names, that fit it and are step-free where it needs that; one with kin stays in its settlement. Among
    the houses of a settlement that it names as a whole, the order is by a digest that nobody chooses.
    """
    found: list[str] = []
    others = [
        house
        for house in houses
        if house.id != own.id
        and need.size_min <= size_of(house, policy) <= need.size_max
        and (house.step_free or not need.needs_step_free)
        and (wish.household.kin_group_id is None or house.settlement_id == own.settlement_id)
    ]
    drawn = sorted(others, key=lambda house: hashlib.sha256(f"{wish.reference}\n{house.reference}".encode()).digest())
    for option in wish.options:
        named = [
            house.reference
            for house in drawn
            if house.id == option.house_id or house.settlement_id == option.settlement_id
        ]
        found += [reference for reference in named if reference not in found]
    return found
