"""By the code on a letter a caseworker finds whether it is genuine: as it was written, whatever has changed since."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.access.models import Role
from app.audit import Act
from app.database import Database
from app.housing.models import GateClosure, Settlement
from app.references import ALPHABET
from app.registry.models import Application
from tests import appealing, factories
from tests.audit.trail import entries
from tests.conftest import ActingAs, CommandLine
from tests.letters.test_rendering import read

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ISSUED = datetime(2026, 11, 3, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Paper:
    """What stands on a letter, and where it is read."""

    path: str
    body: dict[str, Any]


def on_paper(client: httpx2.Client, path: str) -> str:
    """Return the code that a letter is printed with."""
    found = re.search(rf"[{ALPHABET}]{{4}}(?:-[{ALPHABET}]{{4}}){{2}}", read(client.get(path).content))
    assert found is not None
    return found[0]


def is_genuine(client: httpx2.Client, body: dict[str, Any], **otherwise: Any) -> bool:
    answer = client.post("/letters/check", json=body | otherwise)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"genuine"}
    return answer.json()["genuine"] is True


@pytest.fixture
def offered(database: Database, acting_as: ActingAs) -> Paper:
    """A letter about an offer."""
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session, "Valley"))
        given = factories.reservation(session, house)
        given.run.decided_at = ISSUED
        offer = factories.offer(session, given, issued_at=ISSUED, answer_by=date(2026, 11, 17))
        application, reference = offer.proposal.application.reference, offer.reference
    path = f"/applications/{application}/letter"
    client = acting_as(Role.CASEWORKER)
    code = on_paper(client, path)
    assert code == on_paper(client, f"/offers/{reference}/letter?language=ar")
    return Paper(path, {"application": application, "written_on": "2026-11-03", "code": code, "about": reference})


def test_a_genuine_letter_is_known_however_it_is_typed(offered: Paper, acting_as: ActingAs) -> None:
    client, code = acting_as(Role.CASEWORKER), offered.body["code"]
    assert is_genuine(client, offered.body)
    confused = code.translate(str.maketrans("10", "lo"))
    for typed in (code.lower(), code.replace("-", ""), f" {code.replace('-', ' – ')} ", confused, confused.upper()):
        assert is_genuine(client, offered.body, code=typed), typed
    assert is_genuine(client, {name: value.lower() for name, value in offered.body.items()})


def test_what_was_altered_is_found(database: Database, offered: Paper, acting_as: ActingAs) -> None:
    client, code = acting_as(Role.VERIFIER), offered.body["code"]
    with database.session(writes=True) as session:
        other = factories.applicant(session, anywhere=True).reference
    another = ALPHABET[(ALPHABET.index(code[-1]) + 1) % len(ALPHABET)]
    for altered in (
        {"written_on": "2026-11-04"},
        {"code": code[:-1] + another},
        {"code": code[:-1]},
        {"code": code + another},
        {"code": "–"},
        {"code": "код"},
        {"about": "OF-00000000"},
        {"about": None},
        {"application": other},
        {"appeal_state": "upheld"},
    ):
        assert not is_genuine(client, offered.body, **altered), altered
    for wrong in ({"code": ""}, {"code": "A" * 65}, {"written_on": "3.11.2026"}, {"about": "the offer"}):
        assert client.post("/letters/check", json=offered.body | wrong).status_code == 422


def test_a_letter_stays_genuine_when_its_case_goes_on(database: Database, offered: Paper, acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    assert "until 17 November 2026" in read(client.get(offered.path).content)
    with database.session(writes=True) as session:
        place = session.scalars(select(Settlement)).one()
        closed_at = ISSUED + timedelta(days=2)
        session.add(GateClosure(settlement_id=place.id, closed_at=closed_at, opened_at=closed_at + timedelta(days=2)))
        application = session.scalars(select(Application)).one()
        application.household_id = factories.household(session, place=place).id  # which its own was merged into
    assert "until 20 November 2026" in read(client.get(offered.path).content)
    assert is_genuine(client, offered.body)


def test_a_decision_without_an_offer_is_known(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)))
        given.run.decided_at = ISSUED
        application = given.application.reference
    client = acting_as(Role.PLANNER)
    body = {
        "application": application,
        "written_on": "2026-11-03",
        "code": on_paper(client, f"/applications/{application}/letter"),
    }
    assert is_genuine(client, body)
    assert not is_genuine(client, body, about="OF-00000000")


def test_a_letter_about_an_appeal_is_known_by_what_became_of_it(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        appeal = appealing.appeal(session, factories.applicant(session, anywhere=True), lodged_at=ISSUED)
        application, reference = appeal.application.reference, appeal.reference
    client = acting_as(Role.VERIFIER)
    code = on_paper(client, f"/appeals/{reference}/letter")
    body = {"application": application, "written_on": "2026-11-03", "code": code, "about": reference}
    decision = {"upheld": False, "reason": "The survey says otherwise."}
    assert client.post(f"/appeals/{reference}/decide", json=decision).status_code == 200
    assert is_genuine(client, body)
    assert is_genuine(client, body, appeal_state="lodged")
    assert not is_genuine(client, body, appeal_state="upheld")
    assert not is_genuine(client, body, code=on_paper(client, f"/appeals/{reference}/letter"))


def test_a_letter_to_a_family_elsewhere_is_as_if_not_there(offered: Paper, acting_as: ActingAs) -> None:
    elsewhere = acting_as(Role.CASEWORKER, district="Elsewhere")
    answers = [
        elsewhere.post("/letters/check", json=offered.body | {"application": reference})
        for reference in (offered.body["application"], "AP-00000000")
    ]
    assert [(each.status_code, each.json()["detail"]) for each in answers] == [
        (404, "There is no such application that you may see.")
    ] * 2
    assert acting_as(Role.VILLAGE_ADMINISTRATOR).post("/letters/check", json=offered.body).status_code == 403


def test_the_command_line_checks_it_and_the_trail_has_it(
    database: Database, offered: Paper, command_line: CommandLine
) -> None:
    body = offered.body
    arguments = ("letters-check", body["application"].lower(), body["written_on"], body["code"], "--about")
    assert command_line(*arguments, body["about"])[:2] == (0, "The letter is genuine.\n")
    code, _, err = command_line(*arguments, "OF-00000000")
    assert (code, "No such letter" in err) == (1, True)
    assert "no such application" in command_line("letters-check", "AP-00000000", *arguments[2:4])[2]
    assert command_line("letters-check", body["application"], "yesterday", body["code"])[0] == 2
    checks = [each for each in entries(database) if each["act"] == Act.LETTER_CHECK]
    assert [(each["subject"], each["details"]) for each in checks] == [
        (body["application"], {"about": body["about"], "genuine": True}),
        (body["application"], {"about": "OF-00000000", "genuine": False}),
    ]
