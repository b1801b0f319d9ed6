"""Verifying and deciding on many applications at once, each for itself: what was done, and what was refused and why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app import audit
from app.access.permissions import Permission, Principal
from app.allocation import policies
from app.audit import Act
from app.errors import Conflict, Forbidden
from app.housing.models import Origin, Settlement
from app.registry import queries
from app.registry.models import Application, ApplicationState, Household, Preference
from app.verification import verdicts, verifications
from app.verification.verdicts import Stated

AT_ONCE = 500
"""Applications that one transaction takes: it locks each of them until it ends."""


@dataclass(frozen=True)
class Selection:
    """Applications by their references, or all that wait, from one settlement's or one origin's households.

    `after` is where the last transaction got to.
    """

    references: tuple[str, ...] | None = None
    settlement: Settlement | None = None
    origin: Origin | None = None
    after: str | None = None


@dataclass(frozen=True)
class Refused:
    """An application with which nothing was done."""

    reference: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of a selection. `following` is where to go on from, where there is more."""

    done: tuple[str, ...]
    refused: tuple[Refused, ...]
    following: str | None


@dataclass(frozen=True)
class _Taken:
    """The applications of one transaction, locked before they and their households were read."""

    applications: Sequence[Application]
    is_cut_short: bool


def verify(session: Session, chosen: Selection, actor: Principal) -> Outcome:
    """Verify the applications of `chosen`, or the first of them."""
    taken = _taken(session, chosen, ApplicationState.SUBMITTED, actor, Permission.APPLICATION_VERIFY)
    return _each(
        session,
        chosen,
        taken,
        Act.APPLICATION_VERIFY,
        actor,
        lambda application: verifications.mark_verified(application, actor),
    )


def decide(session: Session, chosen: Selection, *, eligible: bool, actor: Principal) -> Outcome:
    """Sign, of the applications of `chosen` or the first of them, those of which the rules say what is stated."""
    taken = _taken(session, chosen, ApplicationState.VERIFIED, actor, Permission.APPLICATION_DECIDE)
    in_force = policies.in_force(session)
    return _each(
        session,
        chosen,
        taken,
        Act.APPLICATION_DECIDE,
        actor,
        lambda application: verdicts.mark_decided(application, Stated(eligible), in_force, actor),
    )


def every(act: Callable[[Selection], Outcome], chosen: Selection) -> Iterator[Outcome]:
    """Go through all of `chosen` with `act`, such as `verify`, as often as that takes."""
    while True:
        outcome = act(chosen)
        yield outcome
        if outcome.following is None:
            return
        chosen = replace(chosen, after=outcome.following)


def _each(
    session: Session,
    chosen: Selection,
    taken: _Taken,
    act: Act,
    actor: Principal,
    mark: Callable[[Application], None],
) -> Outcome:
    """Mark each of `taken`, and record all of that as one act, which names them and their households."""
    done: list[Application] = []
    refused: list[Refused] = []
    for application in taken.applications:
        try:
            mark(application)
        except (Forbidden, Conflict) as error:  # said before anything of it was changed
            refused.append(Refused(application.reference, error.detail))
        else:
            done.append(application)
    if done:
        audit.record(session, actor, act, details=audit.listed(done, (each.household for each in done)))
    found = {application.reference for application in taken.applications}
    unknown = [each for each in dict.fromkeys(chosen.references or ()) if each not in found]
    refused += [Refused(each, "There is no such application that you may see.") for each in unknown]
    following = taken.applications[-1].reference if taken.is_cut_short else None
    return Outcome(tuple(each.reference for each in done), tuple(refused), following)


def _taken(
    session: Session, chosen: Selection, waiting: ApplicationState, actor: Principal, permission: Permission
) -> _Taken:
    ids = session.scalars(_locking(chosen, waiting, actor, permission)).all()
    return _Taken(_loaded(session, ids[:AT_ONCE]), len(ids) > AT_ONCE)


def _locking(chosen: Selection, waiting: ApplicationState, actor: Principal, permission: Permission) -> Select[int]:
    """Lock what is chosen before anything of it is read, one after the other, as everybody does who locks several."""
    seen = select(Application.id).join(Application.household).where(queries.visible_to(actor, permission))
    query = (
        seen.where(Household.erased_at.is_(None))
        .order_by(Application.id)
        .limit(AT_ONCE + 1)
        .with_for_update(of=Application)
    )
    if chosen.references is not None:
        return query.where(Application.reference.in_(chosen.references))
    query = query.where(Application.state == waiting)
    if chosen.origin is not None:
        query = query.where(Household.origin_id == chosen.origin.id)
    if chosen.settlement is not None:
        query = query.join(Household.origin).where(Origin.settlement_id == chosen.settlement.id)
    if chosen.after is not None:
        last = seen.where(Application.reference == chosen.after)
        query = query.where(Application.id > last.correlate(None).scalar_subquery())
    return query


def _loaded(session: Session, ids: Sequence[int]) -> Sequence[Application]:
    household = joinedload(Application.household)
    return session.scalars(
        select(Application)
        .where(Application.id.in_(ids))
        .options(
            household.joinedload(Household.origin).joinedload(Origin.settlement),
            household.joinedload(Household.kin_group),
            household.selectinload(Household.people),
            selectinload(Application.preferences).joinedload(Preference.settlement),
        )
        .order_by(Application.id)
        .execution_options(populate_existing=True)
    ).all()
