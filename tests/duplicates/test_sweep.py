"""Sweeping the whole register, by the rules and by a statistical model, over the command line."""

import random
import sys
from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from app import console
from app.access.models import Role
from app.access.permissions import OPERATOR
from app.cli import cli
from app.database import Database
from app.duplicates import sweep
from app.errors import Forbidden, Unavailable
from app.registry.duplicate_models import FoundBy
from app.registry.matching import EvidenceCode
from app.registry.models import Household
from tests import factories
from tests.duplicates.conftest import Pair, open_candidates

SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo")


def _register(session: Session, size: int) -> list[Household]:
    """Households of one person each with names that hardly anybody shares."""
    random_ = random.Random(7)
    made = []
    for _ in range(size):
        household = factories.household(session)
        person = household.people[0]
        person.given_name, person.family_name = ("".join(random_.choices(SYLLABLES, k=4)).title() for _ in range(2))
        household.phone = f"+999 50 {random_.randrange(10**7):07}"
        person.birth_date = date(1950, 1, 2) + timedelta(days=random_.randrange(18_000))
        made.append(household)
    session.flush()
    return made


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_model_names_whom_the_rules_leave(session: Session) -> None:
    everybody = _register(session, 150)
    one, other = everybody[3].people[0], everybody[80].people[0]
    other.given_name, other.family_name = one.given_name, one.family_name
    everybody[80].phone = everybody[3].phone
    other.birth_date = one.birth_date.replace(year=one.birth_date.year + 11)
    session.flush()
    assert sweep.sweep(session, OPERATOR, with_model=False).by_rules == 0
    found = sweep.sweep(session, OPERATOR, with_model=True)
    (candidate,) = open_candidates(session)
    assert (found.by_rules, found.by_model) == (0, 1)
    assert candidate.found_by is FoundBy.STATISTICAL_MODEL
    (evidence,) = candidate.evidence
    assert (evidence["code"], evidence["first"], evidence["second"]) == (
        EvidenceCode.STATISTICAL_MODEL,
        one.reference,
        other.reference,
    )
    assert sweep.sweep(session, OPERATOR, with_model=True) == sweep.Swept(0, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_the_model_it_says_what_to_install(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(Unavailable, match=r"pip install 'hearth\[sweep\]'"):
        sweep.sweep(session, OPERATOR, with_model=True)


def test_only_who_decides_everywhere_sweeps(session: Session) -> None:
    with pytest.raises(Forbidden):
        sweep.sweep(session, factories.user(session, Role.VERIFIER, district="North"), with_model=False)
    assert sweep.sweep(session, factories.user(session, Role.VERIFIER), with_model=False) == sweep.Swept(0, 0)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_command_line_lists_and_sweeps(
    database: Database, database_url: str, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_DATABASE_URL", database_url)
    said: list[str] = []
    monkeypatch.setattr(console, "say", said.append)
    for arguments in (["list"], ["sweep"], ["list", "--state", "different"]):
        result = CliRunner().invoke(cli, ["duplicates", *arguments])
        assert result.exit_code == 0, result.output
    assert said == [
        f"{pair.candidate}  {pair.first}  {pair.second}   23.5",
        "1 pairs are open.",
        "0 pairs are new: `hearth duplicates list` names them.",
        "0 pairs are different.",
    ]
