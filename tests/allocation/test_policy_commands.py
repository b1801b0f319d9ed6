"""A policy from the command line: drafted, previewed, and put in force by somebody else."""

import json
import re
from pathlib import Path

import pytest

from app.access.models import Role
from app.database import Database
from tests import factories
from tests.allocation.conftest import Register
from tests.allocation.test_previews import RENTED_FIRST
from tests.conftest import CommandLine

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def drafted(command_line: CommandLine, file: Path) -> str:
    file.write_text(RENTED_FIRST.model_dump_json())
    code, out, err = command_line("policy", "draft", str(file))
    assert code == 0, err
    found = re.search(r"PO-[0-9A-Z]{8}", out)
    assert found is not None
    return found[0]


def test_a_policy_is_drafted_previewed_and_put_in_force(
    database: Database, register: Register, tmp_path: Path, command_line: CommandLine
) -> None:
    reference = drafted(command_line, tmp_path / "policy.json")
    shown = json.loads(command_line("policy", "show", reference)[1])
    assert shown == RENTED_FIRST.model_dump(mode="json")
    code, out, err = command_line("policy", "preview", reference, "--solve", "--time-limit", "20")
    assert code == 0, err
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["all"] == ["5", "5", "1", "1"]  # of the houses: one gets one, and another loses it
    assert "single_parent" in rows or "large_family" in rows
    preview = re.search(r"PV-[0-9A-Z]{8}", out)
    assert preview is not None
    assert command_line("policy", "previewed", preview[0])[1] == out
    assert "Who would be housed" not in out

    with database.session(writes=True) as session:
        approver, planner = (factories.user(session, each).username for each in (Role.APPROVER, Role.PLANNER))
    put = ("policy", "put-in-force", reference)
    assert "somebody else" in command_line(*put)[2]
    assert "policy.decide" in command_line(*put, "--as", planner)[2]
    assert command_line(*put, "--as", approver)[0] == 0
    states = {line.split()[0]: line.split()[1] for line in command_line("policy", "list")[1].splitlines()}
    assert (states[reference], sorted(states.values())) == ("in_force", ["in_force", "state", "superseded"])
    code, _, err = command_line("policy", "preview", reference)
    assert (code, "only a draft" in err) == (1, True)


def test_a_policy_is_shown_as_it_was_drafted(database: Database, tmp_path: Path, command_line: CommandLine) -> None:
    file, named = tmp_path / "policy.json", RENTED_FIRST.model_copy(update={"name": "Plan :house: two [/old]"})
    file.write_text(named.model_dump_json())
    code, out, err = command_line("policy", "draft", str(file))
    assert code == 0, err
    shown = command_line("policy", "show", out.split()[1].rstrip("."))[1]
    assert json.loads(shown) == named.model_dump(mode="json")
    assert named.name in command_line("policy", "list")[1]


def test_what_is_no_policy_is_refused_with_the_place_in_it(
    database: Database, tmp_path: Path, command_line: CommandLine
) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(RENTED_FIRST.model_dump(mode="json") | {"spare_allowed": "two", "mood": 1}))
    code, _, err = command_line("policy", "draft", str(file))
    assert (code, "is no policy" in err, "#/spare_allowed: " in err, "#/mood: " in err) == (1, True, True, True)
    file.write_text("{")
    assert "is no policy" in command_line("policy", "draft", str(file))[2]
    assert "No such file" in command_line("policy", "draft", str(tmp_path / "none.json"))[2]
    assert "no such policy" in command_line("policy", "show", "PO-00000000")[2]
    assert "no such preview" in command_line("policy", "previewed", "PV-00000000")[2]


def test_a_preview_of_which_nothing_can_be_solved_says_so(
    database: Database, tmp_path: Path, command_line: CommandLine
) -> None:
    reference = drafted(command_line, tmp_path / "policy.json")
    code, _, err = command_line("policy", "preview", reference, "--solve")
    assert (code, "nothing to solve" in err) == (1, True)
    code, out, _ = command_line("policy", "preview", reference)
    assert (code, " is done: " in out, "not eligible" in out) == (0, True, False)
