"""hearth audit: 0 when the trail holds, 1 when it does not, 2 for what cannot be read."""

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.architecture.repository import text
from tests.test_cli import Hearth, data_dir, hearth

__all__ = ["data_dir", "hearth"]


@pytest.fixture
def kept(hearth: Hearth, data_dir: Path, sqlite_template: Path, tmp_path: Path) -> Path:
    """A file with the head of a trail."""
    data_dir.mkdir()
    shutil.copyfile(sqlite_template, data_dir / "hearth.db")
    assert hearth("db", "upgrade")[0] == 0
    path = tmp_path / "head.json"
    code, out, _ = hearth("audit", "head")
    assert code == 0
    path.write_text(out, encoding="utf-8")
    return path


def _change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "hearth.db")) as connection, connection:
        connection.execute("DROP TRIGGER audit_entries_unchanged")
        connection.execute("DROP TRIGGER audit_entries_undeleted")
        connection.execute(statement)


def test_a_trail_that_holds(hearth: Hearth, kept: Path) -> None:
    key = hearth("audit", "public-key")[1].strip()
    code, out, err = hearth("audit", "verify", "--head", str(kept), "--public-key", key)
    assert (code, err) == (0, "")
    assert out.startswith("The audit trail holds: 1 entries")
    assert "2 heads agree, 1 of them kept elsewhere." in out
    assert hearth("audit", "make-key")[0] == 1, "there is one"


def test_a_trail_that_was_changed_is_said_plainly(hearth: Hearth, kept: Path, data_dir: Path) -> None:
    _change(data_dir, "UPDATE audit_entries SET actor = 'US-00000000' WHERE sequence = 1")
    code, _, err = hearth("audit", "verify", "--head", str(kept))
    assert code == 1
    assert "hearth: entry 1: It was changed: its hash is not that of what it says." in err
    assert "no trigger audit_entries_unchanged, audit_entries_undeleted" in err


def test_a_trail_that_was_cut_off_is_said_plainly(hearth: Hearth, kept: Path, data_dir: Path) -> None:
    _change(data_dir, "DELETE FROM audit_entries")
    code, _, err = hearth("audit", "verify", "--head", str(kept))
    assert code == 1
    assert f"hearth: entry 1: It is missing: {kept} names it, and the trail ends at entry 0." in err


def test_a_head_of_another_trail_is_not_this_one(hearth: Hearth, kept: Path, tmp_path: Path) -> None:
    code, _, err = hearth("audit", "verify", "--public-key", "A" * 43 + "=")
    assert code == 1
    assert "signed with a key that you do not trust" in err


def test_without_the_key_nothing_is_signed_until_it_is_back_or_another_is_made(
    hearth: Hearth, kept: Path, data_dir: Path
) -> None:
    first = hearth("audit", "public-key")[1].strip()
    (data_dir / "audit-signing.pem").rename(data_dir / "backup.pem")
    for command in ("head", "public-key"):
        code, _, err = hearth("audit", command)
        assert (code, "Put the file back from its backup" in err) == (1, True)
    assert hearth("audit", "verify", "--public-key", first)[0] == 0
    second = hearth("audit", "make-key")[1].strip()
    assert hearth("audit", "head")[0] == 0
    assert "do not trust" in hearth("audit", "verify")[2]
    code, out, _ = hearth("audit", "verify", "--public-key", first, "--public-key", second)
    assert (code, "2 heads agree" in out) == (0, True)


def test_a_mistyped_address_is_told_and_makes_nothing(
    hearth: Hearth, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "copies" / "haerth.db"
    monkeypatch.setenv("HEARTH_DATABASE_URL", f"sqlite:///{missing}")
    for command in (("audit", "verify"), ("db", "check")):
        code, _, err = hearth(*command)
        assert (code, f"There is no database at {missing}." in err) == (1, True)
    assert not missing.parent.exists()


def test_an_address_that_is_a_uri_is_left_to_sqlite(
    hearth: Hearth, kept: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    monkeypatch.setenv("HEARTH_DATABASE_URL", f"sqlite:///file:{data_dir / 'hearth.db'}?mode=rw&uri=true")
    for command in (("audit", "verify"), ("db", "check"), ("run", "list")):
        assert hearth(*command)[0] == 0
    monkeypatch.setenv("HEARTH_DATABASE_URL", f"sqlite:///file:{tmp_path / 'haerth.db'}?mode=rw&uri=true")
    code, _, err = hearth("db", "check")
    assert (code, "The database cannot be reached." in err) == (1, True)
    assert set(tmp_path.iterdir()) == before


def test_what_is_no_head_is_a_wrong_use(hearth: Hearth, kept: Path, tmp_path: Path) -> None:
    kept.write_text("{}", encoding="utf-8")
    for wrong in (kept, tmp_path / "missing.json"):
        code, _, err = hearth("audit", "verify", "--head", str(wrong))
        assert code == 2
        assert "holds no head" in err


def test_what_an_operator_does_to_the_keys_is_told(hearth: Hearth, kept: Path, data_dir: Path) -> None:
    assert hearth("keys", "rotate")[0] == 0
    with closing(sqlite3.connect(data_dir / "hearth.db")) as connection:
        told = connection.execute("SELECT actor, act, details FROM audit_entries WHERE sequence = 2").fetchone()
    assert told[:2] == ("operator", "keys.rotate")
    assert '"texts":0' in told[2]
    assert hearth("audit", "verify")[0] == 0


def test_the_verifier_in_the_documentation_verifies(hearth: Hearth, kept: Path, data_dir: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", text("docs/audit.md"), re.DOTALL)
    command = [sys.executable, "-c", program]
    hearth("users", "add", "amina", "--role", "planner", "--password-file", str(_password(data_dir)))
    assert subprocess.run(command, cwd=data_dir, check=False).returncode == 0
    _change(data_dir, "UPDATE audit_entries SET actor = 'US-00000000' WHERE sequence = 2")
    failed = subprocess.run(command, cwd=data_dir, check=False, capture_output=True, text=True)
    assert failed.stderr.splitlines()[-1] == "AssertionError: 2"


def _password(folder: Path) -> Path:
    path = folder / "password"
    path.write_text("correct horse battery staple", encoding="utf-8")
    return path
