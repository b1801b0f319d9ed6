"""Settings come from HEARTH_* variables, and a wrong one stops the service at once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_the_database_is_a_file_in_the_data_folder_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEARTH_DATA_DIR", str(tmp_path))
    assert Settings().url == f"sqlite:///{tmp_path / 'hearth.db'}"
    monkeypatch.setenv("HEARTH_DATABASE_URL", "postgresql://somewhere/hearth")
    assert Settings().url == "postgresql://somewhere/hearth"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("POOL_SIZE", "0"),
        ("WORKER", "somewhere"),
        ("SOLVER_THREADS", "0"),
        ("SOLVER_TIME_LIMIT_SECONDS", "-1"),
        ("TOKEN_HOURS", "0"),
        ("SESSION_IDLE_MINUTES", "0"),
        ("SESSION_HOURS", "0"),
        ("HASHES_AT_ONCE", "1"),
        ("MAX_UPLOAD_MB", "0"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"HEARTH_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_a_secret_may_be_a_file_and_a_variable_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "HEARTH_DATABASE_URL").write_text("postgresql://somewhere/hearth\n")
    assert Settings().database_url == ""
    monkeypatch.setenv("HEARTH_SECRETS_DIR", str(tmp_path))
    assert Settings().database_url == "postgresql://somewhere/hearth"
    monkeypatch.setenv("HEARTH_DATABASE_URL", "postgresql://elsewhere/hearth")
    assert Settings().database_url == "postgresql://elsewhere/hearth"
    (tmp_path / "HEARTH_PORT").write_text("eighty")
    with pytest.raises(ValidationError, match="port"):
        Settings()
    monkeypatch.setenv("HEARTH_SECRETS_DIR", str(tmp_path / "missing"))
    with pytest.raises(NotADirectoryError, match="HEARTH_SECRETS_DIR"):
        Settings()


def test_settings_do_not_change_while_the_service_runs() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(), "port", 1)  # noqa: B010 - the type checker would refuse the assignment


def test_only_variables_with_the_prefix_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    assert Settings().port == Settings.model_fields["port"].default
