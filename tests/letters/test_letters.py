"""Letters about decisions: one to print, all of a run in a zip, and on disk from the command line."""

import io
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.access.models import Role
from app.cli import cli
from app.database import Database, utc_now
from tests import factories
from tests.allocation.conftest import Register, drawn, proposed, register, settings
from tests.conftest import ActingAs
from tests.letters.test_explanation import speaking
from tests.letters.test_rendering import read

__all__ = ["register", "settings"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_decision_comes_as_a_letter_to_save(database: Database, register: Register, acting_as: ActingAs) -> None:
    application = speaking(database, register.families["rented"], "uk")
    drawn(database)
    answer = acting_as(Role.CASEWORKER).get(f"/applications/{application}/letter")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="letter-{application}.pdf"'
    said = read(answer.content)
    assert "Рішення щодо вашої заяви" in said
    assert "Чому поки що немає будинку" in said
    assert application in said


def test_an_offer_is_written_about_until_it_is_answered_and_after(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session, "Valley"), bedrooms=2)
        given = factories.reservation(session, house, language="en")
        offer = factories.offer(session, given)
        name = given.household.people[0].family_name
    client = acting_as(Role.CASEWORKER)
    answer = client.get(f"/offers/{offer.reference}/letter")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="letter-{offer.reference}.pdf"'
    said = read(answer.content)
    for part in (name, house.address, "2 bedrooms", offer.reference, "decline without any penalty"):
        assert part in said
    told = client.get(f"/applications/{given.application.reference}/explanation").json()["sections"]
    assert [section["heading"] for section in told][:2] == ["Application", "Your answer"]
    body = {"answered_on": str(utc_now().date()), "given_how": "in_person", "reason": "no_work"}
    assert client.post(f"/offers/{offer.reference}/decline", json=body).status_code == 200
    said = read(client.get(f"/offers/{offer.reference}/letter").content)
    assert "You declined this offer on" in said
    assert "decline without any penalty" not in said


def test_there_is_no_letter_about_what_nobody_decided(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    application = speaking(database, register.families["rented"], "uk")
    run = proposed(database)
    assert acting_as(Role.CASEWORKER).get(f"/applications/{application}/letter").status_code == 409
    assert acting_as(Role.PLANNER).get(f"/runs/{run}/letters").status_code == 409


def test_a_run_has_a_letter_for_every_family_page_by_page(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    run, client = drawn(database), acting_as(Role.PLANNER)
    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(f"/runs/{run}/letters?limit=4" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            names += archive.namelist()
            assert all(archive.read(name).startswith(b"%PDF") for name in archive.namelist())
        cursor = answer.headers.get("Hearth-Next")
    assert len(set(names)) == len(names) == len(register.families)


def test_the_command_line_writes_them_all(
    database: Database, register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = drawn(database)
    monkeypatch.setenv("HEARTH_DATABASE_URL", database.url.render_as_string(hide_password=False))
    made = CliRunner().invoke(cli, ["letters", run, str(tmp_path / "letters"), "--language", "ar"])
    assert made.exit_code == 0, made.output
    assert len(list((tmp_path / "letters").glob("letter-AP-*.pdf"))) == len(register.families)
