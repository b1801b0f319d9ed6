"""The rules' verdict, and signing it: what is signed is what the rules said."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.access.models import Role
from app.access.permissions import OPERATOR
from app.allocation import policies, runs
from app.allocation.gather import gather
from app.allocation.snapshot import build
from app.database import Database, utc_now
from app.demo import check_applications
from app.errors import Conflict, NotFound
from app.housing.readiness import ready_settlements
from app.policy.offers import OfferRules, Wait
from app.policy.parameters import DEFAULT_POLICY
from app.registry import applications, queries
from app.registry.checks import CHECKED
from app.registry.models import Application, ApplicationState
from app.verification import verdicts
from app.verification.verdicts import Stated
from tests import factories
from tests.allocation.conftest import Register, decide, proposed, register, settings  # noqa: F401 - fixtures
from tests.concurrency import at_once
from tests.conftest import ActingAs
from tests.tenancy import living

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _shown(found: dict[str, object]) -> dict[str, object]:
    return {name: found[name] for name in ("eligible", "policy", "facts_hash")}


def _verified(database: Database, **fields: object) -> tuple[str, str]:
    """Return the addresses of a verified application and of its household."""
    with database.session(writes=True) as session:
        policies.ensure_default(session)
        application = factories.verified(session, factories.settlement(session), **fields)
        return f"/applications/{application.reference}", f"/households/{application.household.reference}"


def test_a_verdict_is_shown_and_signed(acting_as: ActingAs, database: Database) -> None:
    verifier = acting_as(Role.VERIFIER)
    for fields, state, reasons in (
        ({}, "eligible", []),
        ({"consent_on": None, "displaced_on": None}, "ineligible", ["no_consent", "not_displaced"]),
    ):
        path, _ = _verified(database, **fields)
        found = verifier.get(f"{path}/eligibility").json()
        assert found["eligible"] is (state == "eligible")
        assert [each["code"] for each in found["reasons"]] == reasons
        assert all(each["sentence"].endswith(".") for each in found["reasons"])
        signed = verifier.post(f"{path}/decide-eligibility", json=_shown(found))
        assert signed.status_code == 200
        assert signed.json()["state"] == state
        assert signed.json()["ineligible_for"] == reasons
        assert signed.json()["decided_policy"] == found["policy"]
        assert signed.json()["decided_at"] is not None
        again = verifier.post(f"{path}/decide-eligibility", json=_shown(found))
        assert again.status_code == 409
        assert f"{state} already" in again.json()["detail"]


@on_sqlite
def test_only_what_the_rules_say_is_signed(acting_as: ActingAs, database: Database) -> None:
    path, family = _verified(database)
    verifier = acting_as(Role.VERIFIER)
    found = _shown(verifier.get(f"{path}/eligibility").json())
    refused = verifier.post(f"{path}/decide-eligibility", json=found | {"eligible": False})
    assert refused.status_code == 409
    assert "The rules say that it is eligible" in refused.json()["detail"]
    with database.session(writes=True) as session:
        household = queries.visible_household(session, OPERATOR, family.rsplit("/", 1)[-1])
        household.people[0].occupation = "health"  # past every operation: nothing is void by that
    refused = verifier.post(f"{path}/decide-eligibility", json=found)
    assert refused.status_code == 409
    assert "has changed since you read" in refused.json()["detail"]
    with database.session(writes=True) as session:
        draft = policies.draft(session, DEFAULT_POLICY, factories.user(session, Role.PLANNER))
        factories.previewed(session, draft)
        policies.put_in_force(session, draft, factories.user(session, Role.APPROVER))
    found = _shown(verifier.get(f"{path}/eligibility").json()) | {"policy": found["policy"]}
    refused = verifier.post(f"{path}/decide-eligibility", json=found)
    assert refused.status_code == 409
    assert "Another policy is in force" in refused.json()["detail"]
    assert verifier.get(path).json()["state"] == "verified"


@on_sqlite
def test_the_same_household_has_the_same_hash_tomorrow(session: Session) -> None:
    policies.ensure_default(session)
    application = factories.verified(session, children=1)
    in_force = policies.in_force(session)
    before = verdicts.verdict(application, *in_force)
    application.household.registered_on = factories.LONG_AGO
    assert verdicts.verdict(application, *in_force).facts_hash == before.facts_hash
    application.household.people.reverse()
    assert verdicts.verdict(application, *in_force).facts_hash == before.facts_hash
    application.household.people[0].needs_step_free = True
    assert verdicts.verdict(application, *in_force).facts_hash != before.facts_hash


@on_sqlite
def test_who_waits_after_declines_is_signed_as_eligible_and_waits_in_the_runs(session: Session) -> None:
    """A wait ends by itself; who was signed as ineligible would stay so."""
    waits = DEFAULT_POLICY.model_copy(update={"offers": OfferRules(effect=Wait(days=30), counted_declines=1)})
    draft = policies.draft(session, waits, factories.user(session, Role.PLANNER))
    factories.previewed(session, draft)
    policies.put_in_force(session, draft, factories.user(session, Role.APPROVER))
    offer = living.declined_offer(session, factories.house(session, factories.settlement(session)))
    application = session.scalars(queries.applications(OPERATOR)).one()
    application.state = ApplicationState.VERIFIED
    session.flush()
    signed = verdicts.sign(session, application, Stated(eligible=True), factories.user(session, Role.VERIFIER))
    assert (signed.state, signed.ineligible_for) == (ApplicationState.ELIGIBLE, [])
    names: Any = {"run": "RUN-00000000", "policy_reference": draft.reference, "settlements": ready_settlements(session)}
    said = []
    for days in (1, 31):
        offer.ended_at = utc_now() - timedelta(days=days)
        session.flush()
        (row,) = build(gather(session, on=utc_now().date(), policy=waits, **names)).households
        said.append(row.ineligible)
    assert said == [("waits_after_declines",), ()]


def test_two_verdicts_at_once_are_one(acting_as: ActingAs, database: Database) -> None:
    path, _ = _verified(database)
    clients = [acting_as(Role.VERIFIER) for _ in range(2)]
    found = _shown(clients[0].get(f"{path}/eligibility").json())
    answers = at_once(
        *(lambda client=client: client.post(f"{path}/decide-eligibility", json=found).status_code for client in clients)
    )
    assert sorted(answers) in ([200, 409], [200, 412])


def test_a_verdict_while_the_household_changes_does_not_outlive_the_change(
    acting_as: ActingAs, database: Database
) -> None:
    path, family = _verified(database)
    verifier, caseworker = acting_as(Role.VERIFIER), acting_as(Role.CASEWORKER)
    found = _shown(verifier.get(f"{path}/eligibility").json())
    seen = {"If-Match": caseworker.get(family).headers["ETag"]}
    answers = at_once(
        lambda: verifier.post(f"{path}/decide-eligibility", json=found).status_code,
        lambda: caseworker.patch(family, json={"consent_on": None}, headers=seen).status_code,
    )
    assert answers[0] in (200, 409, 412)
    assert answers[1] == 200
    assert verifier.get(path).json()["state"] == "submitted"


@on_sqlite
def test_a_run_does_not_rest_on_what_was_decided_anew(database: Database, register: Register) -> None:  # noqa: F811
    reference = proposed(database)
    with database.session(writes=True) as session:
        household = queries.visible_household(session, OPERATOR, register.families["unsafe"])
        application = session.scalars(
            queries.applications(OPERATOR).where(Application.household_id == household.id)
        ).one()
        applications.reopen(session, application, "The appeal was upheld.", OPERATOR)
        assert application.state is ApplicationState.SUBMITTED
    with pytest.raises(Conflict, match=f"changed or wait no more: {application.reference}"):
        decide(database, reference, runs.approve)
    with database.session(writes=True) as session:
        check_applications(session, factories.user(session, Role.VERIFIER))
    with pytest.raises(Conflict, match=f"changed or wait no more: {application.reference}"):
        decide(database, reference, runs.approve)


@on_sqlite
@pytest.mark.parametrize("state", sorted(set(ApplicationState) - set(CHECKED)))
def test_only_what_was_checked_is_reopened(session: Session, state: ApplicationState) -> None:
    application = factories.application(session, factories.household(session), state=state)
    with pytest.raises(Conflict, match=f"is {state.value} and cannot be reopened"):
        applications.reopen(session, application, "The appeal was upheld.", OPERATOR)
    assert application.state is state


@on_sqlite
def test_without_a_policy_nothing_is_decided(session: Session) -> None:
    reference, verifier = factories.verified(session).reference, factories.user(session, Role.VERIFIER)
    session.expunge_all()
    application = queries.visible_application(session, verifier, reference)
    with pytest.raises(NotFound, match="No policy is in force"):
        verdicts.sign(session, application, Stated(eligible=True), verifier)
