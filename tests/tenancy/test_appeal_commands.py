"""Appeals from the command line: lodged, decided by somebody else, withdrawn, and listed without what they say."""

import io
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from app.access.models import Role
from app.audit import Act
from app.database import Database, utc_now
from app.registry.models import Application, ApplicationState
from app.tenancy.appeal_models import Appeal, AppealState
from tests import factories
from tests.allocation.conftest import Register, drawn, register
from tests.audit.trail import acts
from tests.conftest import CommandLine
from tests.letters.test_explanation import speaking

__all__ = ["register"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def application(database: Database) -> str:
    """The reference of an application that was signed as ineligible."""
    with database.session(writes=True) as session:
        signed = factories.applicant(session, anywhere=True)
        signed.state, signed.ineligible_for, signed.decided_at = ApplicationState.INELIGIBLE, ["no_consent"], utc_now()
        return signed.reference


def lodged(command_line: CommandLine, application: str, statement: Path, *more: str) -> tuple[int, str, str]:
    arguments = ("--against", "ineligibility", "--ground", "facts_wrong", *more)
    return command_line("appeals", "lodge", application, str(statement), *arguments)


def test_an_appeal_is_lodged_and_decided_by_who_took_no_part(
    database: Database, application: str, tmp_path: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.session(writes=True) as session:
        verifier, approver = (factories.user(session, each).username for each in (Role.VERIFIER, Role.APPROVER))
    said = tmp_path / "said.txt"
    said.write_text("We live in a cellar.\nNobody asked us.\n")
    assert "appeal.lodge" in lodged(command_line, application, said, "--as", approver)[2]
    assert "no such application" in lodged(command_line, "AP-00000000", said)[2]
    code, out, err = lodged(command_line, application, said)
    assert code == 0, err
    with database.session(writes=False) as session:
        appeal = session.scalars(select(Appeal)).one()
    assert appeal.statement == "We live in a cellar.\nNobody asked us."
    assert out == f"Lodged {appeal.reference}, to be decided by {appeal.decide_by}.\n"
    assert "goes on already" in lodged(command_line, application, said)[2]
    listed = command_line("appeals", "list")[1]
    assert (appeal.reference in listed, "cellar" in listed) == (True, False)

    decide = ("appeals", "decide", appeal.reference, "-", "--uphold")
    monkeypatch.setattr(sys, "stdin", io.StringIO("The survey shows it."))
    assert "took part" in command_line(*decide)[2]  # the operator lodged it
    monkeypatch.setattr(sys, "stdin", io.StringIO("The survey shows it."))
    assert command_line(*decide, "--as", approver)[0] == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO("The survey shows it."))
    code, out, err = command_line(*decide, "--first-in-line", "--as", verifier)
    assert (code, out) == (0, f"{appeal.reference} is upheld. It comes before all others in the next run.\n"), err
    with database.session(writes=False) as session:
        found = session.scalars(select(Appeal)).one()
        assert (found.reason, found.state) == ("The survey shows it.", AppealState.UPHELD)
        assert session.scalars(select(Application.state)).one() is not ApplicationState.INELIGIBLE
    assert appeal.reference in command_line("appeals", "list", "--state", "upheld")[1]
    assert "is upheld" in command_line("appeals", "withdraw", appeal.reference)[2]
    assert {Act.APPEAL_LODGE, Act.APPEAL_LIST, Act.APPEAL_DECIDE} <= set(acts(database))


def test_what_is_no_text_is_refused(
    database: Database, application: str, tmp_path: Path, command_line: CommandLine
) -> None:
    said = tmp_path / "said.txt"
    assert "No such file" in lodged(command_line, application, said)[2]
    for content in (b"", b" \n", b"\x07", b"x" * 4001, b"\xff", "\uffff".encode()):
        said.write_bytes(content)
        code, _, err = lodged(command_line, application, said)
        assert (code, "has no text" in err) == (1, True)
    said.write_text("We live in a cellar.")
    assert lodged(command_line, application, said, "--tier", "21")[0] == 2
    assert command_line("appeals", "decide", "APL-00000000", str(said))[0] == 2  # upheld or not?
    assert "no such appeal" in command_line("appeals", "decide", "APL-00000000", str(said), "--dismiss")[2]


def test_facts_that_are_otherwise_are_calculated(
    database: Database, register: Register, tmp_path: Path, command_line: CommandLine
) -> None:
    drawn(database)
    said = tmp_path / "said.txt"
    said.write_text("We live in a cellar.")
    application = speaking(database, register.families["rented"], "en")
    arguments = ("--against", "priority", "--ground", "facts_changed", "--accommodation", "unsafe_building")
    assert command_line("appeals", "lodge", application, str(said), *arguments, "--no-step-free")[0] == 0
    with database.session(writes=False) as session:
        appeal = session.scalars(select(Appeal)).one()
    assert appeal.corrections == {"accommodation": "unsafe_building", "needs_step_free": False}
    assert "queued" in command_line("appeals", "list")[1]
    assert command_line("appeals", "withdraw", appeal.reference)[0] == 0
