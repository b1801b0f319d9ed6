"""Letters about decisions: one to print, all of a run in a zip, and on disk from the command line."""

import io
import zipfile
from datetime import UTC, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies, queries, runs, sentences, what_ifs
from app.allocation.corrections import Correction
from app.allocation.models import Proposal, ProposalState
from app.allocation.what_if_models import WhatIfKind
from app.answering import answer_one
from app.database import Database, utc_now
from app.housing.models import Settlement
from app.languages.words import SCRIPTS, words_for
from app.policy.offers import LaterTier, NoEffect, OfferRules
from app.policy.parameters import DEFAULT_POLICY
from app.registry.models import Application, ApplicationState
from app.settings import Settings
from app.tenancy import offer_queries, offers
from app.worker import work_one
from tests import factories
from tests.allocation.conftest import Register, decide, drawn, proposed, register, request, settings
from tests.allocation.conftest import said as allocated
from tests.conftest import ActingAs, CommandLine
from tests.letters.test_explanation import explained, said, speaking
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


def test_who_keeps_its_house_in_later_runs_is_told_of_the_offer_and_until_when_to_answer(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs
) -> None:
    def keep() -> str:
        run = request(database, move_issued=True)
        assert work_one(database, settings) == run
        decide(database, run, runs.approve)
        assert allocated(database, run)[register.families["large"]].state is ProposalState.KEPT
        return run

    def sections() -> dict[str, list[str]]:
        told = client.get(f"/applications/{application}/explanation").json()["sections"]
        return {section["heading"]: section["sentences"] for section in told}

    application, client = speaking(database, register.families["large"], "en"), acting_as(Role.PLANNER)
    first = drawn(database)
    keep()
    assert "Your answer" not in sections()  # nobody has offered it yet
    with database.session(writes=True) as session:
        for each in offers.issue(session, queries.run_in_short(session, OPERATOR, first), UTC, OPERATOR).offers:
            each.issued_at -= timedelta(days=9)
    answer = sections()["Your answer"]
    assert "Please answer until" in " ".join(answer)
    last = keep()
    assert sections()["Your answer"] == answer
    with database.session(writes=False) as session:
        going_on = session.scalars(offer_queries.offers(OPERATOR)).all()
        offer = next(each.reference for each in going_on if each.household.reference == register.families["large"])
    letter = read(_of_run(client, last, application))
    today = words_for("en").date(utc_now().date())
    for part in (offer, "Please answer until", f"Written on {today}"):
        assert part in letter
    assert letter == read(client.get(f"/applications/{application}/letter").content)
    body = {"answered_on": str(utc_now().date()), "given_how": "in_person", "reason": "other"}
    assert acting_as(Role.CASEWORKER).post(f"/offers/{offer}/decline", json=body).status_code == 200
    assert "You declined this offer on" in " ".join(sections()["Your answer"])
    assert "Why this house" not in sections()
    again = allocated(database, drawn(database))[register.families["large"]]  # the very house, not offered yet
    assert again.house_id == allocated(database, last)[register.families["large"]].house_id
    keep()
    assert "Your answer" not in sections()


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize(
    ("role", "path", "body"),
    [
        (Role.VILLAGE_ADMINISTRATOR, "/houses/{house}/unfit", {"reason": "The roof."}),
        (Role.CASEWORKER, "/applications/{application}/withdraw", {"reason": "It stays where it is."}),
        (Role.PLANNER, "/offers/{offer}/withdraw", {"reason": "Measured wrongly."}),
        (Role.CASEWORKER, "/offers/{offer}/decline", {"given_how": "in_person", "reason": "no_work"}),
    ],
)
def test_who_lost_its_house_is_not_told_that_it_was_given_it(
    database: Database, acting_as: ActingAs, role: Role, path: str, body: dict[str, str], language: str
) -> None:
    words, decided_at = words_for(language), utc_now() - timedelta(days=20)
    facts = {"place": "Valley", "size": 2, "measure": "bedrooms", "step_free": False}
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session, "Valley"), bedrooms=2)
        given = factories.reservation(session, house, language=language)
        given.grounds, given.run.decided_at = {"house": facts, "better": []}, decided_at
        named = {"house": house.reference, "application": given.application.reference}
        if is_offered := "{offer}" in path:
            named["offer"] = factories.offer(session, given).reference

    def told() -> str:
        return said(explained(acting_as, named["application"]))

    in_a_word = sentences.house(facts, words)
    given_it = words.say("You have been given this house: {house}.", house=in_a_word)
    not_any_more = words.say("This house was reserved for you, and is not any more: {house}.", house=in_a_word)
    assert (given_it in told(), not_any_more in told()) == (True, False)
    if path.endswith("decline"):
        body = body | {"answered_on": str(utc_now().date())}
    assert acting_as(role).post(path.format(**named), json=body).status_code == 200
    assert (given_it in told(), not_any_more in told()) == (False, True)
    assert (words.say("Your caseworker can tell you why.") in told().split("\n")) == (not is_offered)
    headings = [section["heading"] for section in explained(acting_as, named["application"])["sections"]]
    assert (words.say("Why there is no house yet") in headings, words.say("Why this house") in headings) == (
        True,
        False,
    )
    letter = "".join(
        read(acting_as(Role.CASEWORKER).get(f"/applications/{named['application']}/letter").content).split()
    )
    if language != "ar":  # whose letters come out of a PDF in other forms
        assert "".join(not_any_more.split()) in letter
        assert "".join(words.date(utc_now().date()).split()) in letter  # not of the day on which it was given


@pytest.mark.parametrize("language", SCRIPTS)
def test_who_had_the_keys_of_a_house_is_not_told_that_it_has_it_once_it_has_not(
    database: Database, acting_as: ActingAs, language: str
) -> None:
    words, today = words_for(language), utc_now().date()
    facts = {"place": "Valley", "size": 2, "measure": "bedrooms", "step_free": False}
    with database.session(writes=True) as session:
        lived_in = factories.tenancy(
            session, factories.house(session, factories.settlement(session, "Valley")), language=language
        )
        given = session.scalars(select(Proposal)).one()
        given.grounds = {"house": facts, "better": []}
        application = session.scalars(select(Application.reference)).one()
    path, client = f"/houses/{lived_in.house.reference}", acting_as(Role.VILLAGE_ADMINISTRATOR)
    in_a_word = sentences.house(facts, words)
    given_it = words.say("You have been given this house: {house}.", house=in_a_word)
    unfit = words.say(
        "You got the keys of this house on {date}, and nobody can live in it now: {house}.",
        date=lived_in.keys_given_on,
        house=in_a_word,
    )
    gone = words.say("You had this house until {date}: {house}.", date=today, house=in_a_word)

    def told() -> tuple[list[str], bool]:
        found = explained(acting_as, application)
        headings = [section["heading"] for section in found["sections"]]
        has = words.say("Why this house") in headings
        assert has != (words.say("Why there is no house yet") in headings)
        return [each for each in (given_it, unfit, gone) if each in said(found).split("\n")], has

    assert told() == ([given_it], True)
    assert client.post(f"{path}/unfit", json={"reason": "It burnt."}).status_code == 200
    assert told() == ([unfit], False)
    assert client.post(f"{path}/fit").status_code == 200
    assert told() == ([given_it], True)
    assert client.post(f"{path}/unfit", json={"reason": "It burnt again."}).status_code == 200
    out = {"moved_out_on": str(today), "reason": "It burnt.", "code": "house_unfit"}
    assert client.post(f"{path}/move-out", json=out).status_code == 200
    assert told() == ([gone], False)
    letter = "".join(read(acting_as(Role.CASEWORKER).get(f"/applications/{application}/letter").content).split())
    if language != "ar":  # whose letters come out of a PDF in other forms
        assert "".join(gone.split()) in letter


def test_what_declining_costs_is_told_by_the_policy_that_the_next_run_goes_by(
    database: Database, acting_as: ActingAs
) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)), language="en")
        path = f"/offers/{factories.offer(session, given).reference}/letter"
    client, free = acting_as(Role.CASEWORKER), "By the rules of today you may decline without any penalty"
    assert free in read(client.get(path).content)
    for version, effect in (("2", LaterTier(tiers=3)), ("3", NoEffect())):
        rules = DEFAULT_POLICY.model_copy(
            update={"version": version, "offers": OfferRules(counted_declines=1, effect=effect)}
        )
        with database.session(writes=True) as session:
            draft = policies.draft(session, rules, factories.user(session, Role.PLANNER))
            policies.put_in_force(session, factories.previewed(session, draft), factories.user(session, Role.APPROVER))
        letter = read(client.get(path).content)
        assert (free in letter, "You may decline. How this counts" in letter) == (version == "3", version == "2")


def test_who_is_first_in_line_until_it_declines_is_promised_no_place(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)), language="en")
        given.application.precedence_since = utc_now() - timedelta(days=9)
        offer = factories.offer(session, given).reference
    letter = read(acting_as(Role.CASEWORKER).get(f"/offers/{offer}/letter").content)
    assert ("without any penalty" in letter, "You may decline. How this counts" in letter) == (False, True)


@pytest.mark.parametrize("answer", [None, "decline", "accept"])
def test_the_last_day_for_an_appeal_is_the_one_that_the_offer_gives(
    database: Database, acting_as: ActingAs, answer: str | None
) -> None:
    today, past = utc_now().date(), utc_now() - timedelta(days=40)
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)), language="en")
        given.run.decided_at = past
        offer = factories.offer(session, given, issued_at=past if answer == "decline" else utc_now()).reference
        application = given.application.reference
    client = acting_as(Role.CASEWORKER)
    if answer is not None:
        body = {"answered_on": str(today), "given_how": "in_person"}
        body |= {"reason": "no_work"} if answer == "decline" else {}
        assert client.post(f"/offers/{offer}/{answer}", json=body).status_code == 200
    last = (past.date() if answer == "accept" else today) + timedelta(days=30)  # nobody appeals what it accepted
    assert explained(acting_as, application)["appeal_until"] == str(last)
    for path in (f"/offers/{offer}/letter", f"/applications/{application}/letter"):
        letter = read(client.get(path).content)
        assert (f"you can appeal until {words_for('en').date(last)}" in letter) == (answer != "accept")
        assert ("you can appeal" in letter) == (answer != "accept")
    body = {"application": application, "against": "offer", "ground": "facts_wrong", "statement": "It is not ours."}
    assert client.post("/appeals", json=body).status_code == (409 if answer == "accept" else 201)


def test_no_last_day_for_an_appeal_that_is_over_is_told(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        house = factories.house(session, factories.settlement(session))
        given = factories.reservation(session, house, language="en")
        given.run.decided_at = utc_now() - timedelta(days=40)
        application, reserved = given.application.reference, house.reference
    client = acting_as(Role.CASEWORKER)
    assert "you can appeal until" in read(client.get(f"/applications/{application}/letter").content)
    unfit = acting_as(Role.VILLAGE_ADMINISTRATOR).post(f"/houses/{reserved}/unfit", json={"reason": "The roof."})
    assert unfit.status_code == 200
    assert "you can appeal" not in read(client.get(f"/applications/{application}/letter").content)


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
    database: Database, register: Register, tmp_path: Path, command_line: CommandLine
) -> None:
    run, folder = drawn(database), tmp_path / "letters"
    folder.mkdir()
    code, _, err = command_line("letters", run, str(folder), "--language", "ar")
    assert code == 0, err
    written = list(folder.glob("letter-AP-*.pdf"))
    assert len(written) == len(register.families)
    assert {file.stat().st_mode & 0o777 for file in written} == {0o600}
    written[0].chmod(0o644)
    written[0].write_bytes(b"")
    assert command_line("letters", run, str(folder))[0] == 0
    assert written[0].read_bytes().startswith(b"%PDF")
    assert written[0].stat().st_mode & 0o777 == 0o600


def test_what_would_have_housed_them_is_asked_for_a_run_and_stands_in_every_letter(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs
) -> None:
    application = speaking(database, register.families["rented"], "az")
    run, client = drawn(database), acting_as(Role.PLANNER)
    heading = "Nə olsaydı, ev alardınız"
    assert heading not in read(_of_run(client, run, application))
    with database.session(writes=False) as session:
        without = session.scalars(select(func.count()).where(Proposal.state == ProposalState.NOT_HOUSED)).one()
    path = f"/runs/{run}/smallest-changes"
    first = client.post(path)
    assert (first.status_code, first.json()) == (202, {"asked": without, "left": 0})
    assert client.post(path).json() == {"asked": 0, "left": 0}
    while answer_one(database, settings):
        pass
    said = read(_of_run(client, run, application))
    assert heading in said
    assert said == read(client.get(f"/applications/{application}/letter").content)


def test_some_are_asked_for_at_once_and_corrections_before_them(database: Database, register: Register) -> None:
    with database.session(writes=True) as session:
        wanted = session.scalars(select(Settlement).where(Settlement.reference == register.valley)).one()
        factories.applicant(session, wanted)
    run = drawn(database)
    with database.session(writes=True) as session:
        reader = factories.user(session, Role.PLANNER)
        asked, left = what_ifs.ask_of_run(session, run, 1, reader)
        assert (asked, left) == (1, 1)
        of_appeal = session.scalars(select(Proposal).where(Proposal.state == ProposalState.RESERVED).limit(1)).one()
        what_ifs.ask_correction(session, of_appeal.run_id, of_appeal.household_id, Correction(tier=1), reader)
    with database.session(writes=True) as session:
        question = what_ifs.take(session, timedelta(seconds=30))
    assert question is not None
    assert question.kind is WhatIfKind.CORRECTION


def test_nothing_is_asked_of_a_run_that_nobody_decided_on(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    answer = acting_as(Role.PLANNER).post(f"/runs/{proposed(database)}/smallest-changes")
    assert (answer.status_code, "Nobody has decided" in answer.json()["detail"]) == (409, True)


def test_what_was_found_of_a_run_is_not_told_of_a_later_decision(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs, command_line: CommandLine
) -> None:
    application = speaking(database, register.families["rented"], "en")
    code, out, _ = command_line("run", "smallest-changes", drawn(database))
    assert (code, out.startswith("Asked for ")) == (0, True)
    while answer_one(database, settings):
        pass
    client = acting_as(Role.CASEWORKER)
    told = "What would have given you a house"
    assert told in read(client.get(f"/applications/{application}/letter").content)
    with database.session(writes=True) as session:
        signed = session.scalars(select(Application).where(Application.reference == application)).one()
        signed.state, signed.ineligible_for, signed.decided_at = ApplicationState.INELIGIBLE, ["no_consent"], utc_now()
        signed.decided_policy = policies.in_force(session)[0].reference
    said = read(client.get(f"/applications/{application}/letter").content)
    assert (told in said, "cannot take part" in said) == (False, True)


def _of_run(client: httpx2.Client, run: str, application: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(client.get(f"/runs/{run}/letters").content)) as archive:
        return archive.read(f"letter-{application}.pdf")
