"""Letters about appeals: that one is there, what became of it and why, in the family's language."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from app.access.models import Role
from app.database import Database, utc_now
from app.languages.words import SCRIPTS, SOURCE, words_for
from app.letters import content, letters
from app.letters.content import Addressee, AppealTold
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealState
from tests import appealing, factories
from tests.conftest import ActingAs, CommandLine
from tests.letters.test_rendering import read

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DAY = date(2026, 11, 27)
FAMILY = Addressee("HH-7K3M9QTX", "AP-7K3M9QTX", "Amina")


def lodged(database: Database, language: str) -> str:
    with database.session(writes=True) as session:
        application = factories.applicant(session, anywhere=True, language=language)
        return appealing.appeal(session, application, against=AppealAgainst.PRIORITY).reference


def told(state: AppealState, against: AppealAgainst = AppealAgainst.OFFER) -> AppealTold:
    is_decided = state in (AppealState.UPHELD, AppealState.DISMISSED)
    return AppealTold(
        reference="APL-7K3M9QTX",
        against=against.value,
        state=state.value,
        lodged_on=DAY,
        due_on=DAY,
        ended_on=None if state is AppealState.LODGED else DAY,
        reason="The survey shows it." if is_decided else None,
        is_first_in_line=state is AppealState.UPHELD,
        would_have=(),
    )


def letter(about: AppealTold, language: str) -> letters.Letter:
    words = words_for(language)
    return letters.put_together(
        programme="Return",
        addressee=FAMILY,
        written_on=DAY,
        about=about,
        sections=[content.about_appeal(about, words)],
        words=words,
    )


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize("state", AppealState)
def test_every_state_is_written_about_in_every_language(state: AppealState, language: str) -> None:
    written = letter(told(state), language)
    assert ("APL-7K3M9QTX" in str(written["references"]), written["house"]) == (True, [])
    assert ("The survey shows it." in str(written["sections"])) == (
        state in (AppealState.UPHELD, AppealState.DISMISSED)
    )
    if language != SOURCE:
        english = letter(told(state), SOURCE)
        assert written["title"] != english["title"]
        assert set(written["sections"][0]["sentences"]).isdisjoint(english["sections"][0]["sentences"])


def test_a_code_is_that_of_this_outcome_of_this_appeal() -> None:
    said = {letter(told(state), "en")["verification"] for state in AppealState}
    assert len(said) == len(AppealState)


@on_sqlite
@pytest.mark.parametrize(
    ("upheld", "title", "sentence"),
    [
        (True, "Рішення щодо вашої скарги", "ви мали рацію"),
        (False, "Рішення щодо вашої скарги", "рішення залишається"),
    ],
)
def test_the_outcome_comes_as_a_letter_to_save(
    database: Database, acting_as: ActingAs, upheld: bool, title: str, sentence: str
) -> None:
    reference = lodged(database, "uk")
    verifier = acting_as(Role.VERIFIER)
    receipt = verifier.get(f"/appeals/{reference}/letter")
    assert receipt.headers["Content-Disposition"] == f'attachment; filename="letter-{reference}.pdf"'
    assert "Ми отримали вашу скаргу" in read(receipt.content)
    decision = {"upheld": upheld, "reason": "Так показало обстеження."}
    assert verifier.post(f"/appeals/{reference}/decide", json=decision).status_code == 200
    said = read(verifier.get(f"/appeals/{reference}/letter").content)
    for part in (title, reference, sentence, "Так показало обстеження."):
        assert part in said
    english = verifier.get(f"/appeals/{reference}/letter?language=en").content
    assert "Decision on your appeal" in read(english)
    assert "ovalenko says" not in read(english)  # what the family said itself


@on_sqlite
def test_there_is_no_letter_about_an_appeal_elsewhere(database: Database, acting_as: ActingAs) -> None:
    reference = lodged(database, "en")
    answer = acting_as(Role.CASEWORKER, district="Elsewhere").get(f"/appeals/{reference}/letter")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


@on_sqlite
def test_the_command_line_writes_it(database: Database, command_line: CommandLine, tmp_path: Path) -> None:
    reference, file = lodged(database, "en"), tmp_path / "letter.pdf"
    with database.session(writes=True) as session:
        row = session.scalars(select(Appeal)).one()
        row.state, row.ended_at = AppealState.WITHDRAWN, utc_now()
    assert command_line("appeals", "letter", reference, str(file))[0] == 0
    assert "End of your appeal" in read(file.read_bytes())
    code, _, err = command_line("appeals", "letter", "APL-00000000", str(file))
    assert (code, "no such appeal" in err) == (1, True)
    assert command_line("appeals", "letter", reference, str(tmp_path / "nowhere" / "letter.pdf"))[0] == 1
