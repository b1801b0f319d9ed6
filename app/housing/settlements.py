"""Adding and changing settlements, the origins merged into them, their milestones and jobs."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import latest_today, utc_now
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.housing import closures
from app.housing.models import Job, Milestone, Origin, Settlement


def _require(actor: Principal, settlement: Settlement) -> None:
    actor.require(Permission.STOCK_WRITE, district=settlement.district, settlement=settlement.reference)


def _require_everywhere(actor: Principal) -> None:
    """Raise Forbidden for who plans in some places only: nobody moves families into their own scope, or out of it."""
    if not actor.scope(Permission.STOCK_WRITE).everywhere:
        raise Forbidden(
            "A settlement's district and the origins merged into it say who sees which families: they are changed by "
            f"who has the permission {Permission.STOCK_WRITE.value} everywhere."
        )


def add_origin(session: Session, fields: Mapping[str, Any], actor: Principal) -> Origin:
    """Add a former settlement that families left."""
    actor.require(Permission.STOCK_WRITE)
    origin = Origin(**fields)
    session.add(origin)
    audit.record(session, actor, Act.ORIGIN_ADD, origin)
    return origin


def add(session: Session, fields: Mapping[str, Any], merged_from: Sequence[str], actor: Principal) -> Settlement:
    """Add a settlement merged of the origins named.

    Raises Invalid for unknown ones, Conflict for taken ones, and Forbidden for any from who plans in some places only.
    """
    settlement = Settlement(**fields, origins=[], milestones=[], land_release_areas=[])
    _require(actor, settlement)
    session.add(settlement)
    session.flush()
    _merge(session, settlement, merged_from, actor)
    audit.record(session, actor, Act.SETTLEMENT_ADD, settlement)
    return settlement


def change(
    session: Session,
    settlement: Settlement,
    fields: Mapping[str, Any],
    merged_from: Sequence[str] | None,
    actor: Principal,
) -> Settlement:
    """Change fields of a settlement and, when given, the origins merged into it.

    Raises Forbidden for another district or other origins from who plans in some places only.
    """
    _require(actor, settlement)
    if fields.get("district", settlement.district) != settlement.district:
        _require_everywhere(actor)
    for name, value in fields.items():
        setattr(settlement, name, value)
    if merged_from is not None:
        _merge(session, settlement, merged_from, actor)
    settlement.updated_at = utc_now()
    closures.note(session, [settlement.id])
    audit.record(session, actor, Act.SETTLEMENT_CHANGE, settlement)
    return settlement


def _merge(session: Session, settlement: Settlement, references: Sequence[str], actor: Principal) -> None:
    """Make exactly these origins the ones merged into `settlement`, whose origins must be loaded."""
    # Locked, so that of two settlements that take one origin at the same moment the second sees the first.
    query = select(Origin).where(Origin.reference.in_(references)).order_by(Origin.id).with_for_update()
    found = {each.reference: each for each in session.scalars(query.execution_options(populate_existing=True))}
    unknown = [
        FieldError(f"#/body/merged_from/{number}", f"There is no origin {reference}.")
        for number, reference in enumerate(references)
        if reference not in found
    ]
    if unknown:
        raise Invalid("Some origins are unknown.", unknown)
    if set(found.values()) != set(settlement.origins):
        _require_everywhere(actor)
    for origin in found.values():
        if origin.settlement_id not in (None, settlement.id):
            raise Conflict(f"The origin {origin.name} ({origin.reference}) is merged into another settlement already.")
    settlement.origins = sorted(found.values(), key=lambda origin: origin.id)
    session.flush()


def record_milestone(
    session: Session,
    settlement: Settlement,
    name: str,
    *,
    achieved_on: date | None,
    expected_on: date | None,
    actor: Principal,
) -> Milestone:
    """Say when a milestone was reached or is expected; both empty means that nobody knows."""
    _require(actor, settlement)
    if achieved_on is not None and achieved_on > latest_today():
        raise Invalid(
            "The milestone lies in the future.",
            [FieldError("#/body/achieved_on", "Give a date up to today, or use expected_on.")],
        )
    milestone = next((each for each in settlement.milestones if each.name == name), None)
    if milestone is None:
        milestone = Milestone(settlement_id=settlement.id, name=name)
        settlement.milestones.append(milestone)
    milestone.achieved_on, milestone.expected_on = achieved_on, expected_on
    closures.note(session, [settlement.id])
    audit.record(session, actor, Act.MILESTONE_SET, settlement)
    return milestone


def set_jobs(
    session: Session, settlement: Settlement, jobs: Sequence[Mapping[str, Any]], actor: Principal
) -> list[Job]:
    """Make these the jobs of `settlement`. Raises Invalid when an employer names a sector twice."""
    _require(actor, settlement)
    pairs = [(job["employer"], job["sector"]) for job in jobs]
    twice = [number for number, pair in enumerate(pairs) if pair in pairs[:number]]
    if twice:
        raise Invalid(
            "An employer has a sector twice.",
            [FieldError(f"#/body/{number}", "Add the openings to the first entry.") for number in twice],
        )
    # Locked, so that two sets at the same moment follow each other instead of mixing.
    session.execute(select(Settlement.id).where(Settlement.id == settlement.id).with_for_update())
    for job in session.scalars(select(Job).where(Job.settlement_id == settlement.id)):
        session.delete(job)
    session.flush()  # the old ones go before the new ones come
    rows = [Job(settlement_id=settlement.id, **job) for job in jobs]
    session.add_all(rows)
    audit.record(session, actor, Act.JOBS_SET, settlement)
    return rows
