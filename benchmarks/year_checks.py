"""What must hold of a register at any moment of a year, read past the operations that keep it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from app.allocation.models import Proposal, ProposalState, Run
from app.allocation.offer_models import Offer
from app.allocation.placement_models import Placement
from app.allocation.what_if_models import WhatIf, WhatIfState
from app.audit import Act
from app.audit.models import AuditEntry
from app.housing.models import House, HouseState
from app.registry.duplicate_models import Merge
from app.registry.models import Application, ApplicationState, Household
from app.tenancy.appeal_models import Appeal, AppealState
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapMove, SwapWish, SwapWishState

MOVES = ("kept", "moved", "ended")
STATEFUL: dict[str, Any] = {
    "appeal": Appeal,
    "placement": Placement,
    "swap_cycle": SwapCycle,
    "swap_wish": SwapWish,
    "application": Application,
    "offer": Offer,
    "house": House,
    "run": Run,
}


def faults(session: Session, registered: int) -> Iterator[str]:
    """Name every rule that is broken now. `registered`: households that were ever registered."""
    holds = [
        ("house", Tenancy.house_id, Tenancy.moved_out_on.is_(None)),
        ("household", Tenancy.household_id, Tenancy.moved_out_on.is_(None)),
        ("house", Proposal.house_id, Proposal.state == ProposalState.RESERVED),
        ("household", Proposal.household_id, Proposal.state == ProposalState.RESERVED),
        ("house", Offer.house_id, Offer.ended_at.is_(None)),
        ("household", Offer.household_id, Offer.ended_at.is_(None)),
    ]
    for thing, column, condition in holds:
        yield from _twice(session, thing, column, condition)
    yield from _both(session)
    yield from _families(session)
    yield from _houses(session)
    yield from _applications(session, registered)


def _twice(
    session: Session, thing: str, column: InstrumentedAttribute[Any], condition: ColumnElement[bool]
) -> Iterator[str]:
    query = select(column).where(condition).group_by(column).having(func.count() > 1)
    for number in session.scalars(query):
        yield f"{thing} {number} is given twice in {column.class_.__tablename__}"


def _both(session: Session) -> Iterator[str]:
    """A family that lives in one house and holds another, unless the first is unfit; or one house with two families."""
    held = (Tenancy.moved_out_on.is_(None), Proposal.state == ProposalState.RESERVED)
    pairs = select(Tenancy.reference, Proposal.reference).where(*held)
    one_house = pairs.where(Tenancy.house_id == Proposal.house_id, Tenancy.household_id != Proposal.household_id)
    one_family = pairs.join(Tenancy.house).where(
        Tenancy.household_id == Proposal.household_id, House.state != HouseState.UNFIT
    )
    for query in (one_house, one_family):
        for tenancy, proposal in session.execute(query):
            yield f"{tenancy} and {proposal} give one house or one family twice"


def _families(session: Session) -> Iterator[str]:
    """A family in two records that were merged is one: it has one home, and holds no other unless that is unfit.

    What is going on is about the household that goes on.
    """
    merged = select(Household.id, Household.merged_into_id).where(Household.merged_into_id.is_not(None))
    into = {household: now for household, now in session.execute(merged) if now is not None}

    def family(household: int) -> int:
        while household in into:
            household = into[household]
        return household

    lives = select(Tenancy.household_id, House.state).join(Tenancy.house).where(Tenancy.moved_out_on.is_(None))
    homes = [(family(household), state is not HouseState.UNFIT) for household, state in session.execute(lives)]
    holds = select(Proposal.household_id).where(Proposal.state == ProposalState.RESERVED)
    held = [family(household) for household in session.scalars(holds)]
    at_home = Counter(each for each, _is_fit in homes)
    given = Counter(each for each, is_fit in homes if is_fit) + Counter(held)
    for name in sorted(_more_than_one(at_home) | _more_than_one(given)):
        yield f"family {name}, in several records, has several houses"
    goes_on = [
        ("tenancy", select(Tenancy.household_id).where(Tenancy.moved_out_on.is_(None))),
        ("reservation", holds),
        ("offer", select(Offer.household_id).where(Offer.ended_at.is_(None))),
        ("appeal", select(Appeal.household_id).where(Appeal.state == AppealState.LODGED)),
        ("swap", select(SwapWish.household_id).where(SwapWish.state == SwapWishState.OPEN)),
    ]
    for what, query in goes_on:
        if hidden := sorted(set(session.scalars(query)) & into.keys()):
            yield f"households {hidden} were merged into others, and their {what} goes on"
    rests = select(SwapMove.id).join(SwapMove.wish).where(SwapMove.is_live, SwapWish.state != SwapWishState.OPEN)
    if session.scalars(rests).all():
        yield "a swap goes on for a wish that has ended"


def _more_than_one(counted: Counter[int]) -> set[int]:
    return {each for each, number in counted.items() if number > 1}


def _houses(session: Session) -> Iterator[str]:
    """A house's state says who is in it."""
    reserved = select(Proposal.house_id).where(Proposal.state == ProposalState.RESERVED)
    occupied = select(Tenancy.house_id).where(Tenancy.moved_out_on.is_(None))
    for state, holders in ((HouseState.RESERVED, reserved), (HouseState.OCCUPIED, occupied)):
        claimed = {number for number in session.scalars(holders) if number is not None}
        stated = set(session.scalars(select(House.id).where(House.state == state)))
        unfit = set(session.scalars(select(House.id).where(House.state == HouseState.UNFIT)))
        if wrong := (claimed ^ stated) - unfit:
            yield f"houses {sorted(wrong)[:5]} are {state.value} in one place only"


def _applications(session: Session, registered: int) -> Iterator[str]:
    """Every family that registered has exactly one application that goes on, or withdrew its last."""
    second_records = select(Merge.set_aside_id).where(Merge.set_aside_id.is_not(None))
    there = select(func.count()).select_from(Household).where(Household.id.not_in(second_records))
    households = session.scalar(there) or 0
    if households != registered:
        yield f"{registered} households registered and {households} are there"
    live = Counter(
        session.scalars(select(Application.household_id).where(Application.state != ApplicationState.WITHDRAWN))
    )
    ended = set(
        session.scalars(select(Application.household_id).where(Application.state == ApplicationState.WITHDRAWN))
    )
    for household, into in session.execute(select(Household.id, Household.merged_into_id)):
        lacks = into is None and not live[household] and household not in ended
        if lacks or live[household] > (into is None):
            yield f"household {household} has {live[household]} applications that go on"
    allocated = set(session.scalars(select(Application.id).where(Application.state == ApplicationState.ALLOCATED)))
    reserved = set(session.scalars(select(Proposal.application_id).where(Proposal.state == ProposalState.RESERVED)))
    if allocated ^ reserved:
        yield f"applications {sorted(allocated ^ reserved)[:5]} are allocated in one place only"


def appeals(session: Session) -> Iterator[str]:
    """Name what is wrong with the appeals once the year is over: each is decided, in time, by who took no part."""
    for appeal in session.scalars(select(Appeal).options(joinedload(Appeal.application))):
        name = appeal.reference
        if appeal.state is AppealState.LODGED or appeal.ended_at is None:
            yield f"appeal {name} goes on after the year"
        elif appeal.state is not AppealState.WITHDRAWN:
            if appeal.ended_at.date() > appeal.decide_by:
                yield f"appeal {name} was decided too late"
            if appeal.decided_by_id in (*appeal.took_part, appeal.lodged_by_id):
                yield f"appeal {name} was decided by somebody who took part"
        if appeal.gives_precedence and appeal.application.precedence_since is None:
            yield f"appeal {name} gave precedence, and the application does not have it"
    waits = WhatIf.state.in_((WhatIfState.QUEUED, WhatIfState.SOLVING))
    for asked in session.scalars(select(WhatIf.reference).where(waits)):
        yield f"what would have been, {asked}, still waits"


def offers_moved(session: Session) -> Counter[str]:
    """Return what became of offers that later runs could move, as the trail tells it: kept, moved, ended."""
    found: Counter[str] = Counter()
    for details in session.scalars(select(AuditEntry.details).where(AuditEntry.act == Act.RUN_APPROVE)):
        found.update({name: number for name, number in json.loads(details).items() if name in MOVES})
    return found


def untold(session: Session) -> Iterator[str]:
    """Name every transition that the audit trail does not tell: each begins where the one before ended, and the last
    ends at the state that the thing is in now."""
    now: dict[tuple[str, str], str] = {
        (thing, reference): state.value
        for thing, model in STATEFUL.items()
        for reference, state in session.execute(select(model.reference, model.state))
    }
    told: dict[tuple[str, str], str] = {}
    for details in session.scalars(select(AuditEntry.details).order_by(AuditEntry.id)):
        for change in json.loads(details).get("changes", ()):
            key = (change["thing"], change["reference"])
            if change["thing"] not in STATEFUL or "state" not in change["after"]:
                continue
            before = change["before"].get("state")
            if key in told and before != told[key]:
                yield f"{key[1]} goes from {told[key]} to {before} untold"
            told[key] = change["after"]["state"]
    for key, state in now.items():
        if key in told and told[key] != state:
            yield f"{key[1]} is {state}, and the trail left it {told[key]}"
