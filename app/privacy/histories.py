"""Whom the history of an application names: families that were merged, or had somebody move, are in each other's."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from app.registry import corrections
from app.registry.duplicate_models import Merge
from app.registry.models import Application, Correction, Household, Person

THINGS: tuple[tuple[Any, Any], ...] = (
    (Household.reference, Household.id),
    (Person.reference, Person.household_id),
    (Application.reference, Application.household_id),
)


def of_others(session: Session, households: Collection[int]) -> set[str]:
    """Return the references, in the histories of these households, of what is other families'."""
    others = _related(session, households)
    return _things(session, others) - _references(session, households) if others else set()


def forget(session: Session, household: Household) -> None:
    """Leave nothing of a household, which is locked and still has its people, in the histories of others."""
    others = _related(session, [household.id])
    if not others:
        return
    # All of them in one order, its own too: whoever erases one of the others at this moment locks the same.
    locked = _history([household.id, *others]).with_for_update(of=Correction)
    kept = session.scalars(locked.execution_options(populate_existing=True)).all()
    gone = _things(session, [household.id])
    for correction in kept:
        corrections.drop(correction, lambda change: change["thing"] in gone)


def _related(session: Session, households: Collection[int]) -> set[int]:
    """Return what else was merged with these households, or had somebody move, also by way of others."""
    columns = (Merge.from_id, Merge.into_id, Merge.set_aside_id)
    found = fresh = set(households)
    while fresh:
        rows = session.execute(select(*columns).where(or_(*(column.in_(fresh) for column in columns))))
        fresh = {each for row in rows for each in row if each is not None} - found
        found = found | fresh
    return found - set(households)


def _references(session: Session, households: Collection[int]) -> set[str]:
    return {
        each for reference, owner in THINGS for each in session.scalars(select(reference).where(owner.in_(households)))
    }


def _things(session: Session, households: Collection[int]) -> set[str]:
    """Return the references of what is these households', and of whom they had before, as their histories say."""
    named = {
        change["thing"]
        for correction in session.scalars(_history(households))
        for change in json.loads(correction.content or "{}")["changes"]
    }
    there = {each for reference, _ in THINGS for each in session.scalars(select(reference).where(reference.in_(named)))}
    return _references(session, households) | (named - there)


def _history(households: Collection[int]) -> Select[Correction]:
    query = select(Correction).join(Application, Application.id == Correction.application_id)
    return query.where(Application.household_id.in_(households)).order_by(Correction.id)
