"""What was found at houses, and where that and the record contradict each other."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.access.permissions import Permission, Principal
from app.allocation.models import Proposal, ProposalState
from app.database import utc_now
from app.housing.models import House, HouseState, Settlement
from app.housing.queries import within
from app.registry.models import Person
from app.tenancy.models import Finding, OccupancyCheck, Tenancy


class Contradiction(StrEnum):
    """What does not fit together."""

    FAMILY_NOT_FOUND = "family_not_found"
    NOBODY_EXPECTED = "nobody_expected"
    FOUND_UNFIT = "found_unfit"
    NOT_CHECKED = "not_checked"
    NOT_MOVED_IN = "not_moved_in"
    RECORDED_TWICE = "recorded_twice"


def checks(principal: Principal) -> Select[OccupancyCheck]:
    """Select what was found at houses where `principal` may see it, loaded."""
    principal.require_somewhere(Permission.TENANCY_READ)
    return (
        select(OccupancyCheck)
        .join(OccupancyCheck.house)
        .join(House.settlement)
        .where(within(principal.scope(Permission.TENANCY_READ)))
        .options(
            joinedload(OccupancyCheck.house).joinedload(House.settlement),
            joinedload(OccupancyCheck.tenancy).joinedload(Tenancy.household),
        )
    )


def _newest() -> ScalarSelect[int]:
    """Return, as SQL, the last check of a House: by the day of looking, for what is older may be typed in late."""
    return (
        select(OccupancyCheck.id)
        .where(OccupancyCheck.house_id == House.id)
        .order_by(OccupancyCheck.checked_on.desc(), OccupancyCheck.id.desc())
        .limit(1)
        .correlate(House)
        .scalar_subquery()
    )


def _conditions(not_since: date) -> dict[Contradiction, ColumnElement[bool]]:
    """Return each contradiction as an SQL condition over House. `not_since`: the day that is long enough ago."""
    living, last = aliased(Tenancy), aliased(OccupancyCheck)
    of_house = and_(living.house_id == House.id, living.moved_out_on.is_(None))

    def lived_in(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(of_house, *conditions)

    def found(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(last.id == _newest(), *conditions)

    checked = exists().where(
        OccupancyCheck.house_id == House.id,
        OccupancyCheck.tenancy_id == living.id,
        OccupancyCheck.checked_on > not_since,
        OccupancyCheck.finding != Finding.NO_ACCESS,
    )
    other, own, same = aliased(Tenancy), aliased(Person), aliased(Person)
    elsewhere = exists().where(
        other.moved_out_on.is_(None),
        other.id != living.id,
        own.household_id == living.household_id,
        same.household_id == other.household_id,
        func.lower(own.given_name) == func.lower(same.given_name),
        func.lower(own.family_name) == func.lower(same.family_name),
        own.birth_date == same.birth_date,
    )
    expected_elsewhere = exists().where(
        Proposal.household_id == living.household_id, Proposal.state == ProposalState.RESERVED
    )
    return {
        # A check is of the tenancy of its day: what has been put right since contradicts nothing.
        Contradiction.FAMILY_NOT_FOUND: lived_in(
            exists().where(
                last.id == _newest(),
                last.tenancy_id == living.id,
                last.finding.in_((Finding.EMPTY, Finding.SOMEONE_ELSE)),
            )
        ),
        Contradiction.NOBODY_EXPECTED: and_(
            ~lived_in(), found(last.tenancy_id.is_(None), last.finding == Finding.SOMEONE_ELSE)
        ),
        Contradiction.FOUND_UNFIT: and_(House.state != HouseState.UNFIT, found(last.finding == Finding.UNFIT)),
        Contradiction.NOT_CHECKED: lived_in(living.keys_given_on <= not_since, ~checked),
        Contradiction.NOT_MOVED_IN: lived_in(living.moved_in_on.is_(None), living.keys_given_on <= not_since),
        Contradiction.RECORDED_TWICE: lived_in(
            or_(elsewhere, and_(expected_elsewhere, House.state != HouseState.UNFIT))
        ),
    }


def seen_by(principal: Principal) -> Select[House]:
    """Select the houses where `principal` may see who lives in them."""
    return select(House).join(House.settlement).where(within(principal.scope(Permission.TENANCY_READ)))


def to_reconcile(principal: Principal, days: int) -> Select[House]:
    """Select the houses, where `principal` may see them, of which the record and what was found do not fit together.

    `days`: for so long a house may go unchecked, and keys unused.
    """
    conditions = _conditions(utc_now().date() - timedelta(days=days))
    return seen_by(principal).where(or_(*conditions.values())).options(joinedload(House.settlement))


def in_settlement(query: Select[House], reference: str) -> Select[House]:
    """Select only the houses in this settlement."""
    return query.where(Settlement.reference == reference)


def contradictions(session: Session, houses: Sequence[House], days: int) -> dict[int, list[Contradiction]]:
    """Return house → what does not fit together there."""
    conditions = _conditions(utc_now().date() - timedelta(days=days))
    columns = [condition.label(kind.value) for kind, condition in conditions.items()]
    rows = session.execute(select(House.id, *columns).where(House.id.in_([house.id for house in houses])))
    return {row[0]: [kind for kind, holds in zip(conditions, row[1:], strict=True) if holds] for row in rows}


def last_checks(session: Session, houses: Sequence[House]) -> dict[int, OccupancyCheck]:
    """Return house → what was found there last."""
    last = aliased(OccupancyCheck)
    found = session.scalars(
        select(last)
        .join(House, last.house_id == House.id)
        .where(House.id.in_([house.id for house in houses]), last.id == _newest())
    )
    return {check.house_id: check for check in found}


def current_tenancies(session: Session, houses: Sequence[House]) -> dict[int, Tenancy]:
    """Return house → who has its keys."""
    found = session.scalars(
        select(Tenancy)
        .where(Tenancy.house_id.in_([house.id for house in houses]), Tenancy.moved_out_on.is_(None))
        .options(joinedload(Tenancy.household))
    )
    return {tenancy.house_id: tenancy for tenancy in found}
