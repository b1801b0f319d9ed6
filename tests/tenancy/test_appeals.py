"""Appeals: in time, decided by somebody who took no part, calculated, and what follows of one that is upheld."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from typer.testing import CliRunner

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies, runs, what_ifs
from app.allocation.corrections import Correction
from app.allocation.models import Proposal, Run, RunState
from app.allocation.offer_models import Offer
from app.allocation.what_if_models import WhatIf, WhatIfState
from app.answering import answer_one
from app.cli import cli
from app.database import Database, utc_now
from app.housing.models import House, HouseState
from app.policy.facts import Accommodation
from app.policy.offers import LaterTier, OfferRules
from app.policy.parameters import DEFAULT_POLICY
from app.registry.models import Application, ApplicationState, Household
from app.settings import Settings
from app.tenancy.appeal_models import Appeal, AppealAgainst, AppealState
from tests import appealing, factories
from tests.allocation.conftest import Register, decide, drawn, proposed, read, register, said, settings, snapshots_held
from tests.concurrency import at_once
from tests.conftest import ActingAs
from tests.tenancy import living

__all__ = ["register", "settings", "snapshots_held"]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BODY = {"against": "proposal", "ground": "facts_wrong", "statement": "Nobody asked us."}
UPHOLD = {"upheld": True, "reason": "The survey shows it."}
DISMISS = {"upheld": False, "reason": "The survey shows otherwise."}


def application_of(database: Database, household: str) -> Application:
    with database.session(writes=False) as session:
        query = select(Application).join(Application.household).where(Household.reference == household)
        return session.scalars(query).one()


def lodge(client: httpx2.Client, application: Application, **fields: Any) -> httpx2.Response:
    return client.post("/appeals", json={**BODY, "application": application.reference, **fields})


def lodged(client: httpx2.Client, application: Application, **fields: Any) -> str:
    answer = lodge(client, application, **fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["reference"])


def told(acting_as: ActingAs, application: Application) -> str:
    answer = acting_as(Role.CASEWORKER).get(f"/applications/{application.reference}/explanation")
    return "\n".join(each for section in answer.json()["sections"] for each in section["sentences"])


def test_a_fact_put_right_is_calculated_and_puts_a_lost_house_first_in_line(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs
) -> None:
    drawn(database)
    application = application_of(database, register.families["rented"])
    reference = lodged(acting_as(Role.CASEWORKER), application, corrections={"accommodation": "unsafe_building"})
    approver = acting_as(Role.APPROVER)
    early = approver.post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert (early.status_code, "not calculated yet" in early.json()["detail"]) == (409, True)

    assert answer_one(database, settings) is not None
    assert answer_one(database, settings) is None

    calculated = approver.get(f"/appeals/{reference}").json()["calculated"]
    assert (calculated["state"], calculated["housed"], calculated["proven"]) == ("done", True, True)
    assert (calculated["others_housed"], calculated["others_not_housed"]) == (0, 1)
    answer = approver.post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert (answer.status_code, answer.json()["state"], answer.json()["gives_precedence"]) == (200, "upheld", True)
    now = told(acting_as, application)
    assert "your appeal was upheld: you were right." in now
    assert "In the next allocation you come before all others" in now
    assert "You would have got this house: Valley: 1 bedroom." in now
    with database.session(writes=False) as session:
        family = session.scalars(select(Household).where(Household.id == application.household_id)).one()
        assert family.current_accommodation == "unsafe_building"
    caseworker = acting_as(Role.CASEWORKER)
    (kept,) = caseworker.get(f"/applications/{application.reference}/corrections").json()["items"]
    assert (kept["reason"], kept["state_before"]) == (f"Appeal {reference} was upheld.", "eligible")
    (change,) = kept["changes"]
    assert (change["before"], change["after"]) == ("rented", "unsafe_building")
    assert caseworker.get(f"/applications/{application.reference}").json()["state"] == "eligible"


def test_who_has_precedence_is_housed_before_all_others_and_others_are_told_so(
    database: Database, register: Register
) -> None:
    """The family of the last tier gets the only house, though three of better tiers want it."""
    with database.session(writes=True) as session:
        valley = session.scalars(select(House).order_by(House.id)).all()[1]
        family = session.scalars(
            select(Application).join(Application.household).where(Household.reference == register.families["rented"])
        ).one()
        family.precedence_since = utc_now()
        for house in session.scalars(select(House).where(House.id != valley.id)):
            house.handed_over_on = None
            house.state = HouseState.UNDER_CONSTRUCTION
    run = drawn(database)
    given = said(database, run)
    assert given[register.families["rented"]].house_class is not None
    unsafe = given[register.families["unsafe"]]
    assert (unsafe.reason, unsafe.tier) == ("taken_by_priority", 1)
    assert unsafe.grounds is not None
    assert unsafe.grounds["lowest_tier"] == 0
    assert "first in line after an appeal" in unsafe.explanation


@on_sqlite
def test_precedence_ends_with_an_offer_that_was_declined_and_not_with_one_taken_back(database: Database) -> None:
    from app.allocation import declines

    with database.session(writes=True) as session:
        place = factories.settlement(session)
        family = factories.applicant(session, place)
        family.precedence_since = utc_now() - timedelta(days=2)
        assert declines.has_precedence(declines.past_offers(session, utc_now().date()), family)
        other = living.declined_offer(session, factories.house(session, place))
        other.household_id = family.household_id
        other.ended_at = utc_now() - timedelta(days=3)
        session.flush()
        assert declines.has_precedence(declines.past_offers(session, utc_now().date()), family)
        other.ended_at = utc_now()
        session.flush()
        assert not declines.has_precedence(declines.past_offers(session, utc_now().date()), family)


def _asked(session: Session, proposal: Proposal, correction: Correction) -> WhatIf:
    return what_ifs.ask_correction(session, proposal.run_id, proposal.household_id, correction, OPERATOR)


@on_sqlite
def test_what_would_have_been_goes_by_what_the_family_had_declined(database: Database) -> None:
    """By a policy that puts it later for that; and not by what it declined after the run."""
    later = OfferRules(effect=LaterTier(tiers=2), counted_declines=1)
    with database.session(writes=True) as session:
        policy = DEFAULT_POLICY.model_copy(update={"offers": later})
        draft = policies.draft(session, policy, factories.user(session, Role.PLANNER))
        policies.put_in_force(session, draft, factories.user(session, Role.APPROVER))
        place = factories.settlement(session)
        living.declined_offer(session, factories.house(session, place))
        factories.house(session, factories.settlement(session))
        factories.applicant(session, place)
    run = drawn(database)
    unsafe = Correction(accommodation=Accommodation.UNSAFE_BUILDING)
    with database.session(writes=True) as session:
        before = session.scalars(select(Offer)).one()
        tiers = {}
        for proposal in session.scalars(select(Proposal).join(Proposal.run).where(Run.reference == run)):
            asked = _asked(session, proposal, unsafe)
            tiers[proposal.household_id == before.household_id] = asked.given["row"]["tier"]
        assert tiers == {True: 3, False: 1}
        before.ended_at = utc_now()
        session.flush()
        proposal = session.scalars(select(Proposal).where(Proposal.household_id == before.household_id)).all()[-1]
        assert _asked(session, proposal, unsafe).given["row"]["tier"] == 1


@on_sqlite
def test_still_without_a_house_is_told_with_the_reason(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs
) -> None:
    drawn(database)
    application = application_of(database, register.families["rented"])
    reference = lodged(acting_as(Role.CASEWORKER), application, corrections={"size": 9})
    answer_one(database, settings)
    calculated = acting_as(Role.APPROVER).get(f"/appeals/{reference}").json()["calculated"]
    assert (calculated["housed"], calculated["reason"]) == (False, "no_class_fits")
    assert "You would not have got a house in it either." in told(acting_as, application)
    answer = acting_as(Role.APPROVER).post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert answer.json()["gives_precedence"] is False
    assert application_of(database, register.families["rented"]).size_override == 9


@on_sqlite
def test_who_could_not_take_part_is_calculated_as_if_it_could(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs
) -> None:
    drawn(database)
    application = application_of(database, register.families["without consent"])
    caseworker = acting_as(Role.CASEWORKER)
    refused = lodge(caseworker, application, against="ineligibility", corrections={"tier": 1})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/body/corrections/eligible")
    reference = lodged(
        caseworker, application, against="ineligibility", corrections={"eligible": True, "tier": 1, "points": 90}
    )
    answer_one(database, settings)
    assert acting_as(Role.VERIFIER).get(f"/appeals/{reference}").json()["calculated"]["housed"] is True


@on_sqlite
def test_a_signed_ineligibility_is_reopened(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        signer = factories.user(session, Role.VERIFIER)
        application = factories.applicant(session, anywhere=True)
        application.state, application.decided_at = ApplicationState.INELIGIBLE, utc_now()
        application.ineligible_for, application.decided_by_id = ["owns_home"], signer.user_id
    found = acting_as(Role.CASEWORKER).get(f"/applications/{application.reference}/explanation").json()
    assert found["reason"] == "owns_home"
    assert acting_as(Role.CASEWORKER).get(f"/applications/{application.reference}/letter").status_code == 200
    reference = lodged(acting_as(Role.CASEWORKER), application, against="ineligibility")
    with database.session(writes=False) as session:
        assert session.scalars(select(Appeal)).one().took_part == [signer.user_id]
    answer = acting_as(Role.VERIFIER).post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert answer.status_code == 200, answer.text
    with database.session(writes=False) as session:
        again = session.scalars(select(Application)).one()
        assert (again.state, again.ineligible_for) == (ApplicationState.SUBMITTED, None)


def test_who_was_signed_as_ineligible_is_calculated_too(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs
) -> None:
    """By the first run since, which kept beside its problem what that would have said of the family."""
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        application = session.scalars(
            select(Application).join(Application.household).where(Household.reference == register.families["dormitory"])
        ).one()
        application.state, application.decided_at = ApplicationState.INELIGIBLE, utc_now()
        application.ineligible_for = ["no_consent"]
    caseworker = acting_as(Role.CASEWORKER)
    says = {"against": "ineligibility", "corrections": {"eligible": True}}
    early = lodged(caseworker, application, **says)
    assert caseworker.get(f"/appeals/{early}").json()["calculated"] is None  # no run did without it yet
    assert caseworker.post(f"/appeals/{early}/withdraw").status_code == 200
    run = drawn(database)
    drawn_again = read(database, run)
    assert said(database, run).keys().isdisjoint({register.families["dormitory"]})
    reference = lodged(caseworker, application, **says)
    assert answer_one(database, settings) is not None
    verifier = acting_as(Role.VERIFIER)
    calculated = verifier.get(f"/appeals/{reference}").json()["calculated"]
    assert (calculated["state"], calculated["housed"], calculated["proven"]) == ("done", True, True)
    assert calculated["others_not_housed"] == 1
    answer = verifier.post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert (answer.status_code, answer.json()["gives_precedence"]) == (200, True)
    with database.session(writes=False) as session:
        again = session.scalars(select(Application).where(Application.id == application.id)).one()
        assert again.state is ApplicationState.SUBMITTED
        assert session.scalars(select(WhatIf.run_id).where(WhatIf.proposal_id.is_(None))).one() == drawn_again.id


def test_the_first_run_without_a_family_is_found_one_run_at_a_time(
    database: Database, register: Register, acting_as: ActingAs, snapshots_held: list[int]
) -> None:
    family = register.families["without consent"]
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        query = select(Application).join(Application.household).where(Household.reference == family)
        application = session.scalars(query).one()
        application.state, application.decided_at = ApplicationState.INELIGIBLE, utc_now()
        application.ineligible_for = ["no_consent"]
    first = drawn(database)
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        factories.house(session, place)
        factories.applicant(session, place)
    drawn(database)
    snapshots_held.clear()
    lodged(acting_as(Role.CASEWORKER), application, against="ineligibility", corrections={"eligible": True})
    assert max(snapshots_held) == 1
    with database.session(writes=False) as session:
        assert session.scalars(select(Run.reference).join(WhatIf, WhatIf.run_id == Run.id)).one() == first


@on_sqlite
@pytest.mark.parametrize("part", ["requested", "approved", "lodged", "submitted"])
def test_who_took_part_does_not_decide(database: Database, register: Register, acting_as: ActingAs, part: str) -> None:
    run = drawn(database)
    application = application_of(database, register.families["rented"])
    reference = lodged(acting_as(Role.CASEWORKER), application)
    approver = acting_as(Role.APPROVER)
    with database.session(writes=True) as session:
        appeal = session.scalars(select(Appeal)).one()
        decided_by = session.scalars(select(Proposal).join(Proposal.run)).first()
        assert decided_by is not None
        acting = _newest_user(session)
        if part == "lodged":
            appeal.lodged_by_id = acting
        else:
            appeal.took_part = [*appeal.took_part, acting]
    refused = approver.post(f"/appeals/{reference}/decide", json=DISMISS)
    assert refused.status_code == 403
    assert "somebody else has to decide" in refused.json()["detail"]
    assert run


def _newest_user(session: Any) -> int:
    from app.access.models import User

    found = session.scalars(select(User.id).order_by(User.id.desc())).first()
    assert found is not None
    return int(found)


@on_sqlite
def test_all_who_took_part_are_known_from_the_start(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    run = drawn(database)
    with database.session(writes=True) as session:
        application = session.scalars(
            select(Application).join(Application.household).where(Household.reference == register.families["rented"])
        ).one()
        people = [factories.user(session, Role.VERIFIER).user_id for _ in range(3)]
        application.submitted_by_id, application.verified_by_id, application.decided_by_id = people
    reference = lodged(acting_as(Role.CASEWORKER), application)
    with database.session(writes=False) as session:
        row = session.scalars(select(Proposal).where(Proposal.application_id == application.id)).one()
        appeal = session.scalars(select(Appeal).where(Appeal.reference == reference)).one()
        decided = session.scalars(select(Proposal.run_id)).first()
        assert decided == row.run_id
        assert set(people) < set(appeal.took_part)
        assert len(appeal.took_part) == 5  # and who requested and who approved the run
        assert None in appeal.took_part  # the operator requested it
    assert run


@on_sqlite
def test_a_verifier_and_an_approver_decide_their_own_kinds(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    drawn(database)
    application = application_of(database, register.families["rented"])
    reference = lodged(acting_as(Role.CASEWORKER), application, against="priority")
    assert acting_as(Role.APPROVER).post(f"/appeals/{reference}/decide", json=DISMISS).status_code == 403
    assert acting_as(Role.VERIFIER).post(f"/appeals/{reference}/decide", json=DISMISS).status_code == 200
    assert "the decision stays as it is" in told(acting_as, application)
    again = acting_as(Role.VERIFIER).post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert (again.status_code, again.json()["state"]) == (409, "dismissed")


@on_sqlite
def test_what_is_no_text_is_refused(database: Database, register: Register, acting_as: ActingAs) -> None:
    drawn(database)
    application = application_of(database, register.families["rented"])
    no_text = ("", " \n\t", "a\x07", "a\x00", "a\ufffe", "a\uffff", "x" * 4_001)
    for words in no_text:
        refused = lodge(acting_as(Role.CASEWORKER), application, statement=words)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/body/statement")
    reference = lodged(acting_as(Role.CASEWORKER), application, statement=" Nobody asked us.\n\tלא שאלו אותנו.\n")
    for words in no_text:
        refused = acting_as(Role.APPROVER).post(f"/appeals/{reference}/decide", json=UPHOLD | {"reason": words})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/body/reason")
    with database.session(writes=False) as session:
        assert session.scalars(select(Appeal)).one().statement == "Nobody asked us.\n\tלא שאלו אותנו."


@on_sqlite
def test_nobody_is_first_in_line_by_a_dismissal(database: Database, register: Register, acting_as: ActingAs) -> None:
    drawn(database)
    reference = lodged(acting_as(Role.CASEWORKER), application_of(database, register.families["rented"]))
    answer = acting_as(Role.APPROVER).post(f"/appeals/{reference}/decide", json=DISMISS | {"first_in_line": True})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/body/first_in_line")


@on_sqlite
def test_an_offer_that_ended_wrongly_puts_first_in_line(database: Database, acting_as: ActingAs) -> None:
    with database.session(writes=True) as session:
        offer = living.declined_offer(session, factories.house(session, factories.settlement(session)))
        application = session.scalars(select(Application).where(Application.household_id == offer.household_id)).one()
    reference = lodged(acting_as(Role.CASEWORKER), application, against="offer", ground="procedure")
    answer = acting_as(Role.APPROVER).post(f"/appeals/{reference}/decide", json=UPHOLD)
    assert answer.json()["gives_precedence"] is True


@on_sqlite
@pytest.mark.parametrize(
    ("against", "state"), [("proposal", None), ("priority", None), ("offer", None), ("ineligibility", None)]
)
def test_there_is_nothing_to_appeal_against_before_a_decision(
    database: Database, register: Register, acting_as: ActingAs, against: str, state: None
) -> None:
    proposed(database)
    answer = lodge(acting_as(Role.CASEWORKER), application_of(database, register.families["rented"]), against=against)
    assert (answer.status_code, "nothing of that kind" in answer.json()["detail"]) == (409, True)


@on_sqlite
def test_an_appeal_comes_in_time_and_one_at_a_time(database: Database, register: Register, acting_as: ActingAs) -> None:
    drawn(database)
    application, client = application_of(database, register.families["rented"]), acting_as(Role.CASEWORKER)
    reference = lodged(client, application)
    second = lodge(client, application)
    assert (second.status_code, "goes on already" in second.json()["detail"]) == (409, True)
    assert client.post(f"/appeals/{reference}/withdraw").json()["state"] == "withdrawn"
    assert "You withdrew your appeal on" in told(acting_as, application)
    with database.session(writes=True) as session:
        for proposal in session.scalars(select(Proposal)):
            run = session.get_one(Run, proposal.run_id)
            run.decided_at = utc_now() - timedelta(days=32)
    late = lodge(client, application)
    assert (late.status_code, "could be lodged until" in late.json()["detail"]) == (409, True)


@on_sqlite
def test_what_is_overdue_is_listed(database: Database, acting_as: ActingAs, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.session(writes=True) as session:
        application = factories.applicant(session, anywhere=True)
        late = appealing.appeal(session, application, decide_by=utc_now().date() - timedelta(days=3))
        appealing.appeal(session, factories.applicant(session, anywhere=True))
    found = acting_as(Role.VERIFIER).get("/appeals?overdue=true").json()["items"]
    assert [each["reference"] for each in found] == [late.reference]
    assert found[0]["statement"] == "Amina Kovalenko says that it is wrong."
    monkeypatch.setenv("HEARTH_DATABASE_URL", database.url.render_as_string(hide_password=False))
    printed = CliRunner().invoke(cli, ["appeals", "overdue"]).output
    assert late.reference in printed
    assert "3 days late" in printed
    assert "Kovalenko" not in printed


@on_sqlite
def test_what_a_family_says_is_encrypted_where_it_is_stored(database: Database) -> None:
    with database.session(writes=True) as session:
        appealing.appeal(session, factories.applicant(session, anywhere=True), statement="A secret of ours.")
    path = Path(str(database.url.database))
    database.dispose()
    stored = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert b"A secret of ours" not in stored


def test_of_two_who_decide_at_once_one_does(database: Database, register: Register, acting_as: ActingAs) -> None:
    drawn(database)
    reference = lodged(acting_as(Role.CASEWORKER), application_of(database, register.families["rented"]))
    path = f"/appeals/{reference}/decide"
    first, second = acting_as(Role.APPROVER), acting_as(Role.APPROVER)
    answers = at_once(lambda: first.post(path, json=UPHOLD), lambda: second.post(path, json=DISMISS))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    with database.session(writes=False) as session:
        state = session.scalars(select(Appeal.state)).one()
    assert state is (AppealState.UPHELD if answers[0].status_code == 200 else AppealState.DISMISSED)


def test_an_appeal_upheld_while_the_next_run_is_approved_leaves_both(
    database: Database, register: Register, acting_as: ActingAs
) -> None:
    """Whichever is first: the family has its house, or comes first in line; nothing is lost."""
    with database.session(writes=True) as session:
        application = session.scalars(
            select(Application)
            .join(Application.household)
            .where(Household.reference == register.families["large"])
            .options(joinedload(Application.household))
        ).one()
        appeal = appealing.appeal(session, application, against=AppealAgainst.PROPOSAL).reference
    run = proposed(database)
    approver = acting_as(Role.APPROVER)
    uphold = UPHOLD | {"first_in_line": True}
    answers: list[httpx2.Response] = []
    at_once(
        lambda: answers.append(approver.post(f"/appeals/{appeal}/decide", json=uphold)),
        lambda: decide(database, run, runs.approve),
    )
    assert answers[0].status_code == 200, answers[0].text
    with database.session(writes=False) as session:
        after = session.scalars(select(Application).where(Application.id == application.id)).one()
        assert (after.state, after.precedence_since is None) == (ApplicationState.ALLOCATED, False)
        assert session.scalars(select(Run.state)).one() is RunState.DRAWN


@on_sqlite
def test_a_question_that_takes_too_long_fails_and_may_be_asked_again(
    database: Database, register: Register, settings: Settings, acting_as: ActingAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(database)
    application, client = application_of(database, register.families["rented"]), acting_as(Role.CASEWORKER)
    path = f"/applications/{application.reference}/smallest-change"
    first = client.post(path)
    assert (first.status_code, first.json()["state"]) == (202, "queued")
    assert client.post(path).json()["reference"] == first.json()["reference"]
    answer_one(database, settings.model_copy(update={"what_if_seconds": 0}))
    with database.session(writes=False) as session:
        assert session.scalars(select(WhatIf.state)).one() is WhatIfState.FAILED
    again = client.post(path)
    assert again.json()["reference"] != first.json()["reference"]
    answer_one(database, settings)
    said_now = told(acting_as, application)
    assert "You would have got a house in this allocation if" in said_now
    assert "It promises nothing for the next allocation." in said_now
