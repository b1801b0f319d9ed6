"""Documents from the command line: attached, listed, saved for one's own eyes, and removed."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.access.models import Role
from app.audit import Act
from app.database import Database
from app.documents.models import Document
from tests import factories
from tests.audit.trail import acts
from tests.conftest import CommandLine
from tests.documents.test_documents import PDF, folder

__all__ = ["folder"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def application(database: Database, folder: Path) -> str:
    """The reference of one that nobody has verified."""
    with database.session(writes=True) as session:
        return factories.submitted(session, factories.settlement(session)).reference


def test_a_document_is_attached_listed_saved_and_removed(
    database: Database, application: str, folder: Path, tmp_path: Path, command_line: CommandLine
) -> None:
    scan, saved = tmp_path / "scan.pdf", tmp_path / "saved.pdf"
    scan.write_bytes(PDF)
    attach = ("documents", "attach", application, str(scan), "--kind", "identity")
    code, out, _ = command_line(*attach)
    assert code == 0
    with database.session(writes=False) as session:
        reference = session.scalars(select(Document.reference)).one()
    assert out == command_line(*attach)[1] == f"Attached as {reference}.\n"
    assert all(PDF not in each.read_bytes() for each in folder.iterdir())
    assert all(each in command_line("documents", "list", application)[1] for each in (reference, "identity", "29"))
    code, out, _ = command_line("documents", "save", reference, str(saved))
    assert (code, saved.read_bytes(), saved.stat().st_mode & 0o777) == (0, PDF, 0o600)
    code, _, err = command_line("documents", "save", reference, str(saved))
    assert (code, "exists" in err) == (1, True)
    assert command_line("documents", "remove", reference)[0] == 0
    assert list(folder.iterdir()) == []
    assert "no such document" in command_line("documents", "save", reference)[2]
    assert {Act.DOCUMENT_ADD, Act.DOCUMENT_LIST, Act.DOCUMENT_READ, Act.DOCUMENT_REMOVE} <= set(acts(database))


def test_what_the_service_would_refuse_is_refused(
    database: Database, application: str, tmp_path: Path, command_line: CommandLine
) -> None:
    with database.session(writes=True) as session:
        planner, verifier = (factories.user(session, each).username for each in (Role.PLANNER, Role.VERIFIER))
    scan = tmp_path / "scan.pdf"
    attach = ("documents", "attach", application, str(scan), "--kind", "identity")
    assert "No such file" in command_line(*attach)[2]
    scan.write_bytes(b"MZ")
    assert "no PDF and no picture" in command_line(*attach)[2]
    scan.write_bytes(PDF)
    assert "household.write" in command_line(*attach, "--as", verifier)[2]
    assert "no such application" in command_line("documents", "list", "AP-00000000")[2]
    assert command_line("documents", "attach", application, str(scan), "--kind", "novel")[0] == 2
    assert command_line(*attach)[0] == 0
    with database.session(writes=False) as session:
        reference = session.scalars(select(Document.reference)).one()
    save = ("documents", "save", reference, str(tmp_path / "saved.pdf"))
    assert "document.read" in command_line(*save, "--as", planner)[2]
    assert not (tmp_path / "saved.pdf").exists()
    assert command_line(*save, "--as", verifier)[0] == 0
