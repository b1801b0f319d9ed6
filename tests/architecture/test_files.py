"""What holds of every file: names, lengths, and nothing of the machine it was written on."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.architecture.repository import CODE, ROOT, committed_texts, text

VAGUE_NAMES = {"common", "core", "data", "handler", "helper", "helpers", "manager", "misc", "service", "util", "utils"}
MOST_LINES = 400
HOME_FOLDER = re.compile(r"(?<![\w.}])/(?:home|root|Users|work)/\w")
INDEX_HOST = re.compile(
    r"\b(?:py[p]i|python[h]osted|npm[j]s|docker|ghcr|quay|gcr|jsdelivr|unpkg)\.(?:org|com|io|net)\b"
)
INDEX_OPTION = re.compile(r"(?<!-no-emit)-(?:-extra)?-?(?:index-url|find-links|trusted-host)\b")
LOCKS = ("requirements.txt", "requirements-dev.txt")


def _pins(lock: str) -> dict[str, tuple[str, int]]:
    """Package → version and number of hashes. Raises AttributeError where a line is not `name==version`."""
    pins: dict[str, tuple[str, int]] = {}
    for entry in re.split(r"\n(?=[^ #\n])", text(lock).strip()):
        pinned = re.match(r"([a-z0-9-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)(?: ; .*)? \\\n", entry)
        assert pinned, f"{lock}: {entry.splitlines()[0]}"
        pins[pinned[1]] = (pinned[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)))
    return pins


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_is_about_and_does_not_go_on(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


def test_no_file_knows_the_machine_it_was_written_on_or_where_packages_come_from() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, content in committed_texts()
        for number, line in enumerate(content.splitlines(), 1)
        for pattern in (HOME_FOLDER, INDEX_HOST, INDEX_OPTION)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_its_hashes_and_no_address(lock: str) -> None:
    pins = _pins(lock)
    assert pins
    assert [name for name, (_, hashes) in pins.items() if hashes == 0] == []
    assert "://" not in text(lock)


@pytest.mark.parametrize(("lock", "extras"), [("requirements.txt", []), ("requirements-dev.txt", ["dev"])])
def test_the_lock_satisfies_what_is_asked_for(lock: str, extras: list[str]) -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    pins = _pins(lock)
    for requirement in map(Requirement, wanted):
        version, _ = pins[re.sub(r"[-_.]+", "-", requirement.name).lower()]
        assert requirement.specifier.contains(version), f"make lock: {requirement} is not {version}"


def test_what_is_tested_is_what_runs() -> None:
    assert _pins("requirements.txt").items() <= _pins("requirements-dev.txt").items()
