"""What `make`, the image and the composed services promise, as far as it shows without running them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.architecture.repository import ROOT, text

COMPOSE: dict[str, Any] = yaml.safe_load(text("compose.yaml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_change_nothing_but_its_data(service: str) -> None:
    described = SERVICES[service]
    assert described["read_only"] is True
    assert "/tmp" in described["tmpfs"]  # noqa: S108 - a path in a container of its own
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert {volume.split(":")[0] for volume in described.get("volumes", [])} <= set(COMPOSE["volumes"])


def test_the_password_is_a_file_and_in_no_environment() -> None:
    (secret,) = COMPOSE["secrets"]
    for described in SERVICES.values():
        given = {name: value for name, value in described["environment"].items() if "PASSWORD" in name}
        assert given
        assert all(name.endswith("_FILE") and value == f"/run/secrets/{secret}" for name, value in given.items())
        assert described["secrets"] == [secret]
    assert f"\n{Path(COMPOSE['secrets'][secret]['file']).parent}/\n" in text(".gitignore")


def test_services_wait_for_the_migration_and_it_for_the_database() -> None:
    assert SERVICES["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    for service in ("api", "worker"):
        assert SERVICES[service]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_every_lasting_service_says_whether_it_is_well() -> None:
    for service in SERVICES.keys() - {"migrate"}:
        assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"
        assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "database"])
def test_only_settings_that_exist_are_set(service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {name: value for name, value in SERVICES[service]["environment"].items() if name.startswith("HEARTH_")}
    assert {name.removeprefix("HEARTH_").lower() for name in given} <= Settings.model_fields.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    secret = tmp_path / "database_password"
    secret.write_text("p@ss/word\n")
    monkeypatch.setenv("HEARTH_DATABASE_PASSWORD_FILE", str(secret))
    assert Settings().url == "postgresql://hearth:p%40ss%2Fword@database/hearth"


def test_the_image_installs_by_hash_and_runs_without_privileges() -> None:
    dockerfile = text("Dockerfile")
    final = dockerfile.split("\nFROM ")[-1]
    assert "pip install --no-cache-dir --require-hashes -r requirements.txt" in dockerfile
    assert "\nUSER 10001:10001\n" in final
    assert "/livez" in final
    assert "HEARTH_DATA_DIR=/data" in final


PYTHON_3_10 = f"""exec '{sys.executable}' -c "import sys; sys.version_info = (3, 10, 13); exec('$2')\""""


def _make(target: str, folder: Path, python: str, interpreter: str) -> subprocess.CompletedProcess[str]:
    """Run make in a fresh checkout where the only interpreter is a script of the text `interpreter`."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    script = folder / "python-found"
    script.write_text(f"#!/bin/sh\n{interpreter}\n")
    script.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", target, f"PYTHON={python}"],  # noqa: S607 - make is where the machine has it
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", ["run", "test"])
@pytest.mark.parametrize(
    ("python", "interpreter", "sentence"),
    [
        ("./python-found", PYTHON_3_10, "Hearth needs Python 3.11 or newer, and none of these is: ./python-found."),
        ("./missing", "exit 0", "Hearth needs Python 3.11 or newer, and none of these is: ./missing."),
        (
            "./python-found",
            'case "$2" in *venv*) exit 1;; esac',
            "Hearth needs the venv module of ./python-found, which is missing (Debian: apt install python3-venv).",
        ),
    ],
    ids=["too old", "missing", "without venv"],
)
def test_make_says_which_python_it_needs(
    target: str, python: str, interpreter: str, sentence: str, tmp_path: Path
) -> None:
    made = _make(target, tmp_path, python, interpreter)
    assert made.returncode == 2
    assert made.stderr.splitlines()[0] == sentence
    assert not (tmp_path / ".venv").exists()
