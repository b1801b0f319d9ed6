"""Whoever decides or checks a run is told nothing of a person: every text of its documents is of a known kind."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Date, Enum, String, Uuid, select
from sqlalchemy.orm import selectinload

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import placements
from app.allocation.parts import (
    AsidePart,
    ClassPart,
    HouseholdPart,
    NeedPart,
    PolicyPart,
    ProfilePart,
    RulePart,
    SettlementPart,
)
from app.allocation.pinning import PlacementPart
from app.allocation.placement_models import PlacementKind, PlacementReason
from app.allocation.placements import Where
from app.allocation.snapshot import Snapshot
from app.database import Base, Database
from app.housing.models import Job, Origin, Settlement
from app.policy.eligibility import Ineligibility
from app.policy.occupancy import STANDARDS, Measure
from app.policy.parameters import DEFAULT_POLICY
from app.policy.priority import DEFAULT_TIER_RULE
from app.registry.models import Application, Household, KinGroup, Person
from app.sealed import sealed_of, table_of
from tests import factories
from tests.allocation.conftest import Register, drawn, read, said
from tests.conftest import ActingAs

PERSONAL = (Household, Person, Application, KinGroup)
KNOWN = {"reference", "state", "decided_policy"}  # what documents may hold of them
REFERENCE = r"(?:HH|AP|ST|HO|KG|PL|RUN|PO)-[0-9A-HJKMNP-TV-Z]{8}"
PARTS = (
    *(Snapshot, PlacementPart, PolicyPart, SettlementPart, ClassPart, NeedPart, RulePart, HouseholdPart, ProfilePart),
    AsidePart,
)
PROBLEM_FIELDS = {
    *("format", "spare_bedroom_penalty", "settlements", "house_classes", "profiles", "households", "id", "capacities"),
    *("settlement", "bedrooms", "step_free", "count", "reserved", "values", "tier", "points", "bedrooms_min"),
    *(
        "bedrooms_max",
        "needs_step_free",
        "options",
        "anywhere",
        "profile",
        "kin_group",
        "uses",
        "forbidden",
        "lottery",
        "pinned",
    ),
    *("pinned", "school", "clinic"),
}


def _plant(row: Any, number: int) -> Iterator[str]:
    """Fill every text of a row that could say who somebody is, and yield what was filled in."""
    model: type[Base] = type(row)
    table, sealed = table_of(model), sealed_of(model)
    stored = {name for each in sealed for name in (each.sealed_name, each.index_name)}
    texts = [
        column.name
        for column in table.columns
        if isinstance(column.type, String) and not isinstance(column.type, Enum) and column.name not in KNOWN | stored
    ]
    for name in [*texts, *(each.name for each in sealed)]:
        marker = f"marker{table.name}{name}{number}".replace("_", "")
        setattr(row, name, marker)
        yield marker
    for column in table.columns:
        if isinstance(column.type, Uuid):
            setattr(row, column.name, uuid4())
            yield str(getattr(row, column.name))
        elif isinstance(column.type, Date) and (day := getattr(row, column.name)) is not None:
            yield day.isoformat()
    if table.name == "people":
        yield row.reference


@pytest.fixture
def markers(database: Database, register: Register) -> set[str]:
    """What must be in no document: everything of the register that could say who somebody is."""
    with database.session(writes=True) as session:
        origins = session.scalars(select(Origin)).all()
        for number, origin in enumerate(origins):
            origin.name, origin.key = f"markerorigin{number}", f"markeroriginkey{number}"
        planted = {origin.name for origin in origins} | {str(origin.key) for origin in origins}
        applications = session.scalars(
            select(Application).options(selectinload(Application.household).selectinload(Household.people))
        ).all()
        kin = KinGroup()
        session.add(kin)
        applications[0].household.kin_group = kin
        planted |= set(_plant(kin, 0))
        for number, application in enumerate(applications):
            application.size_override = 1
            application.household.registered_on = date(2024, 2, 3)
            planted |= set(_plant(application, number)) | set(_plant(application.household, number))
            for place, person in enumerate(application.household.people):
                planted |= set(_plant(person, 10 * number + place))
        assert len({type(row) for row in session.new | session.dirty} & set(PERSONAL)) == len(PERSONAL)
        note = "markerplacementnote"
        where = Where(session.scalars(select(Settlement).order_by(Settlement.name)).all()[0], is_forbidden=True)
        placed = placements.request(
            session, applications[-1].household, where, PlacementReason.COURT_ORDER, note, OPERATOR
        )
        placements.confirm(session, placed, factories.user(session, Role.APPROVER))
        planted.add(note)
    with database.session(writes=False) as session:
        for model in (Household, Person):
            for each in sealed_of(model):
                for name in (each.sealed_name, each.index_name):
                    planted |= set(session.scalars(select(table_of(model).c[str(name)])))
    return planted


def _texts(document: Any) -> Iterator[tuple[str, bool]]:
    """Every text of a JSON document, and whether it names a field."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield key, True
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)
    elif isinstance(document, str):
        yield document, False


def test_every_text_of_a_snapshot_and_a_problem_is_of_a_known_kind(database: Database, markers: set[str]) -> None:
    run = read(database, drawn(database))
    snapshot, problem = json.loads(run.snapshot), json.loads(run.problem or "")
    with database.session(writes=False) as session:
        public = set(session.scalars(select(Settlement.name))) | set(session.scalars(select(Job.sector)))
    assert snapshot["policy"].pop("document") == DEFAULT_POLICY.model_dump(mode="json")
    rules = {DEFAULT_TIER_RULE} | {rule.name for rule in DEFAULT_POLICY.priority_rules}
    fields = {field for part in PARTS for field in part.model_fields} | PROBLEM_FIELDS
    words = {
        *map(str, PlacementKind),
        *map(str, PlacementReason),
        *map(str, Ineligibility),
        *map(str, Measure),
        *STANDARDS,
        "hearth-snapshot/1",
        "hearth-problem/1",
    }
    kinds = re.compile(rf"{REFERENCE}|ST-\w{{8}}/\d+/(?:stairs|step-free)|work-\d+|[0-9a-f]{{64}}")
    texts = set(_texts(snapshot)) | set(_texts(problem))
    unknown = {
        text
        for text, is_field in texts
        if not kinds.fullmatch(text)
        and text not in (fields | public if is_field else words | public | rules | {snapshot["on"]})
    }
    assert unknown == set()
    assert len(texts) > 60


def test_nothing_of_a_person_is_in_what_decides_proves_or_explains(
    database: Database, markers: set[str], acting_as: ActingAs
) -> None:
    reference = drawn(database)
    run = read(database, reference)
    assert run.solution is not None
    assert run.problem is not None
    auditor = acting_as(Role.AUDITOR)
    shown = ["", "/snapshot", "/problem", "/solution", "/events"]
    documents = {
        "snapshot": run.snapshot,
        "problem": run.problem,
        "solution and certificate": run.solution,
        "progress": json.dumps(run.progress),
        "explanations": "\n".join(f"{each.reason} {each.explanation}" for each in said(database, reference).values()),
        **{f"GET {path}": auditor.get(f"/runs/{reference}{path}").text for path in shown},
        "GET /occupancy": auditor.get("/occupancy").text,
    }
    assert all(len(text) > 1 for text in documents.values())
    found = {(name, marker) for name, text in documents.items() for marker in markers if marker in text}
    assert found == set()
    assert len(markers) > 100
