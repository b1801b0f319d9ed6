"""Every setting, kind of problem, permission and state is documented, as it is in the code, and nothing else is."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from app import errors
from app.access.models import Role
from app.access.permissions import PERMISSIONS
from app.audit import Act
from app.models import ALL_MODELS
from app.settings import Settings
from tests.architecture.repository import ROOT, table, text

DECISIONS = sorted((ROOT / "docs" / "decisions").iterdir())
DECISION_HEADINGS = ["Context", "Decision", "Consequences", "What would undo it"]


def _state_enums() -> list[type[StrEnum]]:
    """Every enum of states that a table has a column of."""
    found = {
        getattr(column.type, "enum_class", None)
        for model in ALL_MODELS
        for column in model.__table__.columns
        if column.name in {"state", "status"}
    }
    return sorted((kind for kind in found if kind is not None), key=lambda kind: kind.__name__)


STATES = _state_enums()


def test_every_setting_is_in_the_readme() -> None:
    documented = {name: row for name, row in table(text("README.md")).items() if name.startswith("HEARTH_")}
    settings = {
        f"HEARTH_{name.upper()}": (f"`{field.default}`" if str(field.default) else "", field.description)
        for name, field in Settings.model_fields.items()
    }
    assert {name: row[1:] for name, row in documented.items()} == settings


def test_every_kind_of_problem_is_documented() -> None:
    expected = {kind.slug: (str(kind.status), kind.title, kind.meaning) for kind in errors.every_kind()}
    assert {kind: row[1:] for kind, row in table(text("docs/problems.md")).items()} == expected


def test_every_permission_is_documented_with_the_roles_that_have_it() -> None:
    documented = {name: set(row[2].split(", ")) for name, row in table(text("docs/permissions.md")).items()}
    assert documented == {
        permission.value: {role.value.replace("_", " ") for role in roles} for permission, roles in PERMISSIONS.items()
    }


def test_every_act_of_the_audit_trail_is_documented() -> None:
    documented = {name for name in table(text("docs/audit.md")) if re.fullmatch(r"[a-z_]+\.[a-z_]+", name)}
    assert documented == {act.value for act in Act}


def test_every_role_is_named_by_some_permission() -> None:
    assert set().union(*PERMISSIONS.values()) == set(Role)


def test_there_are_states_to_document() -> None:
    assert {"ApplicationState", "HouseState", "LandState", "PolicyState", "ProposalState", "RunState"} <= {
        kind.__name__ for kind in STATES
    }


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
def test_every_state_is_documented_with_who_moves_things_there(kind: type[StrEnum]) -> None:
    sections = dict(re.findall(r"^## .*\(`(\w+)`\)\n((?:(?!## ).*\n)+)", text("docs/states.md"), re.MULTILINE))
    rows = table(sections[kind.__name__])
    assert set(rows) == {state.value for state in kind}
    assert all(meaning and mover for _, meaning, mover in rows.values())


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_why_what_follows_and_what_would_undo_it(path: Path) -> None:
    first, *rest = path.read_text("utf-8").splitlines()
    assert first.startswith(f"# {int(path.name[:4])}. ")
    assert [line.removeprefix("## ") for line in rest if line.startswith("#")] == DECISION_HEADINGS


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
