"""A case is told to its family, in its language, as it was decided, and nothing of another family with it."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from app.access.models import Role
from app.allocation import runs
from app.allocation.models import Proposal
from app.database import Database
from app.registry.models import Application, Household
from tests.allocation.conftest import Register, decide, drawn, proposed, register, settings
from tests.conftest import ActingAs

__all__ = ["register", "settings"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def speaking(database: Database, household: str, language: str | None) -> str:
    """Set the language of a household. Returns the reference of its application."""
    with database.session(writes=True) as session:
        family = session.scalars(select(Household).where(Household.reference == household)).one()
        family.language = language
        return session.scalars(select(Application.reference).where(Application.household_id == family.id)).one()


def explained(acting_as: ActingAs, application: str, query: str = "") -> dict[str, Any]:
    answer = acting_as(Role.CASEWORKER).get(f"/applications/{application}/explanation{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def said(explanation: dict[str, Any]) -> str:
    return "\n".join(sentence for section in explanation["sections"] for sentence in section["sentences"])


def test_who_has_a_house_is_told_which_and_why(database: Database, register: Register, acting_as: ActingAs) -> None:
    application = speaking(database, register.families["large"], None)
    run = drawn(database)
    found = explained(acting_as, application)
    assert (found["run"], found["reason"], found["language"], found["direction"]) == (run, "housed", "en", "ltr")
    assert "You have been given this house: Hillside: 3 bedrooms." in said(found)
    assert found["appeal_until"] is not None


def test_who_has_none_is_told_why_in_its_language(database: Database, register: Register, acting_as: ActingAs) -> None:
    application = speaking(database, register.families["rented"], "uk-UA")
    drawn(database)
    found = explained(acting_as, application)
    assert (found["language"], found["asked_for"], found["is_in_language_asked_for"]) == ("uk", "uk-UA", True)
    assert "У цьому розподілі для вас немає будинку." in said(found)
    assert "Ваша група черговості: 4." in said(found)
    arabic = explained(acting_as, application, "?language=ar-SY")
    assert (arabic["language"], arabic["direction"]) == ("ar", "rtl")
    unknown = explained(acting_as, application, "?language=ka")
    assert (unknown["language"], unknown["is_in_language_asked_for"]) == ("en", False)
    assert "(ka)" in unknown["note"]


def test_who_cannot_take_part_is_told_every_reason(database: Database, register: Register, acting_as: ActingAs) -> None:
    application = speaking(database, register.families["without consent"], "az")
    drawn(database)
    found = explained(acting_as, application)
    assert found["reason"] == "no_consent"
    assert "İştiraka razılıq verdiyiniz barədə qeydimiz yoxdur." in said(found)


@pytest.mark.parametrize("decision", [None, "reject"])
def test_what_nobody_has_decided_is_told_to_nobody(
    database: Database, register: Register, acting_as: ActingAs, decision: str | None
) -> None:
    application = speaking(database, register.families["large"], "en")
    run = proposed(database)
    if decision:
        decide(database, run, runs.reject, "A mistake.")
    found = explained(acting_as, application)
    assert (found["run"], found["reason"], found["appeal_until"]) == (None, None, None)
    assert "given" not in said(found)


def test_nothing_of_another_family_is_told(database: Database, register: Register, acting_as: ActingAs) -> None:
    drawn(database)
    for household in register.families.values():
        found = explained(acting_as, speaking(database, household, "en"))
        assert set(re.findall(r"HH-\w+", str(found))) == {household}
        assert "ovalenko" not in str(found)


def test_what_was_decided_before_grounds_were_kept_is_told_as_it_was_written(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    application = speaking(database, register.families["rented"], "uk")
    drawn(database)
    with database.session(writes=True) as session:
        for row in session.scalars(select(Proposal)):
            row.grounds = None
    assert "It is in tier 4" in said(explained(acting_as, application))


def test_a_tag_that_is_none_is_refused(database: Database, register: Register, acting_as: ActingAs) -> None:
    application = speaking(database, register.families["rented"], "uk")
    answer = acting_as(Role.CASEWORKER).get(f"/applications/{application}/explanation?language=%7Buk%7D")
    assert answer.status_code == 422
