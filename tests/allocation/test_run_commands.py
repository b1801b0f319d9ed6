"""Runs from the command line: what is printed is what was entered."""

from pathlib import Path

import pytest
from sqlalchemy import update

from app.access.models import Role
from app.allocation import runs
from app.database import Database
from app.housing.models import Settlement
from tests import factories
from tests.allocation.conftest import Register, decide, proposed, read, request, solved
from tests.conftest import CommandLine

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ODD_NAME = "Ford [/old] :id:"


@pytest.fixture
def oddly_named(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        session.execute(update(Settlement).where(Settlement.reference == register.valley).values(name=ODD_NAME))


def test_names_are_printed_as_they_are(database: Database, oddly_named: None, command_line: CommandLine) -> None:
    code, out, err = command_line("run", "--wait")
    assert (code, ODD_NAME in out) == (0, True), err
    with database.session(writes=True) as session:
        approver = factories.user(session, Role.APPROVER)
    code, out, err = command_line("run", "list")
    assert (code, ODD_NAME in out) == (0, True), err
    reference = out.splitlines()[1].split()[0]
    code, out, err = command_line("run", "approve", reference, "--as", approver.username)
    assert (code, ODD_NAME in out) == (0, True), err
    assert command_line("offers", "issue", reference)[0] == 0
    code, out, err = command_line("offers", "list")
    assert (code, ODD_NAME in out) == (0, True), err


def test_a_run_is_held_to_the_hash_that_was_published(
    database: Database, register: Register, command_line: CommandLine
) -> None:
    reference = proposed(database)
    published = read(database, reference).snapshot_sha256
    assert command_line("run", "verify", reference, "--published", published.upper())[0] == 0
    code, out, err = command_line("run", "verify", reference, "--published", "0" * 64)
    assert (code, out, "not the one that was published" in err) == (1, "", True)


def test_who_checks_a_run_is_told_its_seed_and_source_and_how_good_it_is(
    database: Database, register: Register, command_line: CommandLine, tmp_path: Path
) -> None:
    reference = request(database, seed_source="the draw of 1 March")
    decide(database, reference, runs.enter_seed, "4 17 23")
    assert solved(database) == reference
    published = read(database, reference).snapshot_sha256
    file = str(tmp_path / "proof.zip")
    assert command_line("run", "bundle", reference, file)[0] == 0
    code, out, err = command_line("run", "verify", file, "--published", published, "--seed", "4 17 23")
    assert code == 0, err
    assert out.startswith(f"{file} holds.\n{reference}: Proven optimal in every stage: tier 1")
    assert "By its own account the run is proposed" in out
    assert "its seed is '4 17 23', from 'the draw of 1 March'. Compare that" in out
    for what in (file, reference):
        assert command_line("run", "verify", what, "--seed", "4 17 23")[0] == 0
        code, out, err = command_line("run", "verify", what, "--seed", "4 17 24")
        assert (code, out, "seed is '4 17 23', not '4 17 24'." in err) == (1, "", True)
