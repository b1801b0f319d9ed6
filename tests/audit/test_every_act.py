"""Every operation of the API that changes something leaves one entry: a new one without a case here fails."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import httpx2
import pyotp
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import passwords, users
from app.access.models import BrowserSession, Role, SecondFactor, User
from app.access.permissions import OPERATOR, HeldRole
from app.access.sessions import csrf_token
from app.allocation import policies
from app.allocation.models import ProposalState
from app.allocation.offer_models import Offer
from app.audit import Act
from app.database import Base, Database, utc_now
from app.policy.parameters import DEFAULT_POLICY
from app.registry.models import ApplicationState
from app.tenancy.models import Tenancy
from app.verification import verdicts
from tests import appealing, factories
from tests.allocation.conftest import proposed, request
from tests.audit.trail import entries, require_chained
from tests.conftest import ActingAs
from tests.exchange.village import VILLAGE
from tests.tenancy import living

TODAY = str(utc_now().date())
PASSWORD = "correct horse battery"
IF_MATCH = {"If-Match": '"1"'}
PERSON = {"given_name": "Amina", "family_name": "Kovalenko", "sex": "female", "birth_date": "1980-03-24"}
SETTLEMENT = {"district": "N", "school_places": 1, "clinic_patients": 1, "status": "open"}
PLACE = {"name": "Upper Valley", "latitude": 0.5, "longitude": 0.3}
HOUSE = {"address": "Street 1", "rooms": 2, "bedrooms": 1, "floor_area_m2": 50, "step_free": False}
SQUARE = {"type": "Polygon", "coordinates": [[[0.0, 0.0], [0.0, 0.1], [0.1, 0.1], [0.0, 0.0]]]}
LAND = {"state": "suspected_hazardous", "hectares": 1.5, "geometry": SQUARE}
Answer = httpx2.Response
Request = Callable[[httpx2.Client], Answer]
Case = Callable[[Session, Database], Request]
"""Makes what the request is about, and returns the request."""


def _origin(_session: Session, _database: Database) -> Request:
    return lambda client: client.post("/origins", json=PLACE)


def _settlement(session: Session, _database: Database) -> Request:
    origin = factories.origin(session).reference
    return lambda client: client.post("/settlements", json=PLACE | SETTLEMENT | {"merged_from": [origin]})


def _change_settlement(session: Session, _database: Database) -> Request:
    place = factories.settlement(session)
    return lambda client: client.patch(f"/settlements/{place.reference}", json={"school_places": 7}, headers=IF_MATCH)


def _milestone(session: Session, _database: Database) -> Request:
    place = factories.settlement(session)
    return lambda client: client.put(
        f"/settlements/{place.reference}/milestones/school", json={"achieved_on": "2026-01-01"}
    )


def _jobs(session: Session, _database: Database) -> Request:
    place = factories.settlement(session, openings={"health": 2})
    body = [{"employer": "Cooperative", "sector": "health", "openings": 3}]
    return lambda client: client.put(f"/settlements/{place.reference}/jobs", json=body)


def _house(session: Session, _database: Database) -> Request:
    place = factories.settlement(session)
    return lambda client: client.post("/houses", json=HOUSE | {"settlement": place.reference})


def _change_house(session: Session, _database: Database) -> Request:
    house = factories.house(session, factories.settlement(session))
    return lambda client: client.patch(f"/houses/{house.reference}", json={"storeys": 2}, headers=IF_MATCH)


def _unfit(session: Session, _database: Database) -> Request:
    reserved = factories.house(session, factories.settlement(session))
    factories.reservation(session, reserved)
    return lambda client: client.post(f"/houses/{reserved.reference}/unfit", json={"reason": "The roof leaks."})


def _fit(session: Session, _database: Database) -> Request:
    house = factories.house(session, factories.settlement(session), state="unfit", unfit_reason="The roof leaks.")
    return lambda client: client.post(f"/houses/{house.reference}/fit")


def _land(session: Session, _database: Database) -> Request:
    place = factories.settlement(session)
    return lambda client: client.post("/land-release-areas", json=LAND | {"settlement": place.reference})


def _change_land(session: Session, _database: Database) -> Request:
    area = factories.land_release_area(session, factories.settlement(session))
    body = {"state": "suspected_hazardous"}
    return lambda client: client.patch(f"/land-release-areas/{area.reference}", json=body, headers=IF_MATCH)


def _household(_session: Session, _database: Database) -> Request:
    body = {"current_accommodation": "rented", "people": [PERSON | {"relationship": "head"}]}
    return lambda client: client.post("/households", json=body)


def _change_household(session: Session, _database: Database) -> Request:
    family = factories.household(session)
    return lambda client: client.patch(f"/households/{family.reference}", json={"language": "uk"}, headers=IF_MATCH)


def _person(session: Session, _database: Database) -> Request:
    family = factories.household(session)
    body = PERSON | {"relationship": "spouse", "partner": family.people[0].reference}
    return lambda client: client.post(f"/households/{family.reference}/people", json=body)


def _change_person(session: Session, _database: Database) -> Request:
    family = factories.household(session, children=1)
    path = f"/people/{family.people[0].reference}"
    return lambda client: client.patch(path, json={"given_name": "Leyla"}, headers=IF_MATCH)


def _remove_person(session: Session, _database: Database) -> Request:
    family = factories.household(session, children=1)
    return lambda client: client.delete(f"/people/{family.people[1].reference}", headers=IF_MATCH)


def _kin_group(_session: Session, _database: Database) -> Request:
    return lambda client: client.post("/kin-groups", json={"key": "KIN-1"})


def _application(session: Session, _database: Database) -> Request:
    family, place = factories.household(session), factories.settlement(session)
    body = {"household": family.reference, "preferences": [place.reference], "anywhere": False}
    return lambda client: client.post("/applications", json=body)


def _draft(session: Session) -> str:
    return factories.application(
        session, factories.household(session), anywhere=True, state=ApplicationState.DRAFT, submitted_at=None
    ).reference


def _change_application(session: Session, _database: Database) -> Request:
    path, place = f"/applications/{_draft(session)}", factories.settlement(session)
    return lambda client: client.patch(path, json={"preferences": [place.reference]}, headers=IF_MATCH)


def _submit(session: Session, _database: Database) -> Request:
    path = f"/applications/{_draft(session)}/submit"
    return lambda client: client.post(path)


def _verify(session: Session, _database: Database) -> Request:
    path = f"/applications/{factories.submitted(session).reference}/verify"
    return lambda client: client.post(path, headers=IF_MATCH)


def _verify_many(session: Session, _database: Database) -> Request:
    chosen = {"applications": [factories.submitted(session).reference]}
    return lambda client: client.post("/applications/verify", json=chosen)


def _return(session: Session, _database: Database) -> Request:
    path = f"/applications/{factories.submitted(session).reference}/return"
    body = {"reasons": ["other"], "note": "Amina's relatives are missing."}
    return lambda client: client.post(path, json=body, headers=IF_MATCH)


def _decide(session: Session, _database: Database) -> Request:
    policies.ensure_default(session)
    application = factories.verified(session, consent_on=None)
    found = verdicts.verdict(application, *policies.in_force(session))
    body = {"eligible": found.eligible, "policy": found.policy, "facts_hash": found.facts_hash}
    return lambda client: client.post(f"/applications/{application.reference}/decide-eligibility", json=body)


def _decide_many(session: Session, _database: Database) -> Request:
    policies.ensure_default(session)
    factories.verified(session)
    chosen = {"everything": True, "eligible": True}
    return lambda client: client.post("/applications/decide-eligibility", json=chosen)


def _submission(session: Session, _database: Database) -> Request:
    household = {"current_accommodation": "rented", "people": [PERSON | {"relationship": "head"}]}
    body = {"client_id": str(uuid.uuid4()), "household": household, "anywhere": True}
    return lambda client: client.post("/submissions", json=body)


def _add_document(session: Session, _database: Database) -> Request:
    path = f"/applications/{factories.submitted(session).reference}/documents"
    file = {"file": ("Amina.pdf", b"%PDF-1.7")}
    return lambda client: client.post(path, files=file, data={"kind": "identity"})


def _remove_document(session: Session, _database: Database) -> Request:
    path = f"/documents/{factories.document(session, factories.submitted(session)).reference}"
    return lambda client: client.delete(path)


def _withdraw(session: Session, _database: Database) -> Request:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    path = f"/applications/{given.application.reference}/withdraw"
    return lambda client: client.post(path, json={"reason": "Settled with relatives."})


def _decide_duplicate(session: Session, _database: Database) -> Request:
    candidate = factories.duplicate_candidate(session, factories.settlement(session))
    body = {"decision": "same", "reason": "Amina Kovalenko was called."}
    return lambda client: client.post(f"/duplicates/{candidate.reference}/decide", json=body)


def _undo_merge(session: Session, _database: Database) -> Request:
    merge = factories.merge(session, factories.settlement(session))
    return lambda client: client.post(f"/merges/{merge.reference}/undo", json={"reason": "Omar is her brother."})


def _open_household(session: Session, _database: Database) -> Request:
    family = factories.household(session)
    body = {"household": family.reference, "reason": "Amina Kovalenko stands at this desk."}
    return lambda client: client.post("/break-glass-grants", json=body)


def _read_opened(session: Session, _database: Database) -> Request:
    who_acts = session.scalar(select(func.max(User.id)))
    grant = factories.break_glass_grant(session, factories.household(session), who_acts)
    return lambda client: client.post(f"/break-glass-grants/{grant.reference}/read")


def _review(session: Session, _database: Database) -> Request:
    grant = factories.break_glass_grant(session, factories.household(session))
    path = f"/break-glass-grants/{grant.reference}/review"
    return lambda client: client.post(path, json={"remark": "Omar was right."})


def _policy(_session: Session, _database: Database) -> Request:
    return lambda client: client.post("/policies", json=DEFAULT_POLICY.model_dump(mode="json"))


def _put_in_force(session: Session, _database: Database) -> Request:
    draft = policies.draft(session, DEFAULT_POLICY.model_copy(update={"name": "Another"}), OPERATOR)
    factories.previewed(session, draft)
    return lambda client: client.post(f"/policies/{draft.reference}/put-in-force")


def _preview(session: Session, _database: Database) -> Request:
    draft = policies.draft(session, DEFAULT_POLICY.model_copy(update={"name": "Another"}), OPERATOR)
    return lambda client: client.post(f"/policies/{draft.reference}/preview", json={})


def _cancel_preview(session: Session, _database: Database) -> Request:
    made = factories.preview(session)
    return lambda client: client.post(f"/policy-previews/{made.reference}/cancel")


def _register(session: Session) -> None:
    place = factories.settlement(session)
    factories.house(session, place)
    factories.applicant(session, place)


def _request_run(session: Session, _database: Database) -> Request:
    _register(session)
    return lambda client: client.post("/runs", json={})


def _of_run(session: Session, database: Database, make: Callable[[Database], str]) -> str:
    _register(session)
    session.commit()
    return make(database)


def _cancel(session: Session, database: Database) -> Request:
    run = _of_run(session, database, request)
    return lambda client: client.post(f"/runs/{run}/cancel")


def _approve(session: Session, database: Database) -> Request:
    run = _of_run(session, database, proposed)
    return lambda client: client.post(f"/runs/{run}/approve")


def _reject(session: Session, database: Database) -> Request:
    run = _of_run(session, database, proposed)
    return lambda client: client.post(f"/runs/{run}/reject", json={"reason": "The wrong list."})


def _request_placement(session: Session, _database: Database) -> Request:
    family, place = factories.household(session), factories.settlement(session)
    body = {"household": family.reference, "settlement": place.reference, "kind": "forbid", "reason": "safety"}
    return lambda client: client.post("/placements", json=body | {"note": "Amina is threatened there."})


def _confirm_placement(session: Session, _database: Database) -> Request:
    made = factories.placement(session, factories.household(session), factories.settlement(session))
    return lambda client: client.post(f"/placements/{made.reference}/confirm")


def _lift_placement(session: Session, _database: Database) -> Request:
    made = factories.placement(session, factories.household(session), factories.settlement(session))
    return lambda client: client.post(f"/placements/{made.reference}/lift", json={"reason": "Omar has moved."})


def _enter_seed(session: Session, database: Database) -> Request:
    run = _of_run(session, database, partial(request, seed_source="Ball draw"))
    return lambda client: client.post(f"/runs/{run}/seed", json={"seed": "4 17 23"})


def _offered(session: Session) -> Offer:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return factories.offer(session, given)


def _issue_offers(session: Session, _database: Database) -> Request:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return lambda client: client.post(f"/runs/{given.run.reference}/offers")


def _accept_offer(session: Session, _database: Database) -> Request:
    path = f"/offers/{_offered(session).reference}/accept"
    return lambda client: client.post(path, json={"answered_on": TODAY, "given_how": "in_person"})


def _decline_offer(session: Session, _database: Database) -> Request:
    path = f"/offers/{_offered(session).reference}/decline"
    body = {"answered_on": TODAY, "given_how": "telephone", "reason": "no_work", "note": "Omar Kovalenko found none."}
    return lambda client: client.post(path, json=body)


def _ask_again(session: Session, _database: Database) -> Request:
    declined = living.declined_offer(session, factories.house(session, factories.settlement(session)))
    return lambda client: client.post(f"/offers/{declined.reference}/ask-again")


def _withdraw_offer(session: Session, _database: Database) -> Request:
    path = f"/offers/{_offered(session).reference}/withdraw"
    return lambda client: client.post(path, json={"reason": "Amina Kovalenko was measured wrongly."})


def _lodge_appeal(session: Session, _database: Database) -> Request:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    body = {"application": given.application.reference, "against": "proposal", "ground": "other"}
    return lambda client: client.post("/appeals", json=body | {"statement": "Amina Kovalenko disagrees."})


def _decide_appeal(session: Session, _database: Database) -> Request:
    appeal = appealing.appeal(session, factories.applicant(session, anywhere=True))
    body = {"upheld": True, "reason": "Amina Kovalenko is right.", "first_in_line": True}
    return lambda client: client.post(f"/appeals/{appeal.reference}/decide", json=body)


def _withdraw_appeal(session: Session, _database: Database) -> Request:
    appeal = appealing.appeal(session, factories.applicant(session, anywhere=True))
    return lambda client: client.post(f"/appeals/{appeal.reference}/withdraw")


def _check_letter(session: Session, _database: Database) -> Request:
    application = factories.applicant(session, anywhere=True).reference
    body = {"application": application, "written_on": "2026-11-27", "code": "7K3M-9QTX-4D2H"}
    return lambda client: client.post("/letters/check", json=body)


def _ask_smallest_change(session: Session, _database: Database) -> Request:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    given.state, given.house_id = ProposalState.NOT_HOUSED, None
    return lambda client: client.post(f"/applications/{given.application.reference}/smallest-change")


def _ask_smallest_changes(session: Session, _database: Database) -> Request:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    given.state, given.house_id = ProposalState.NOT_HOUSED, None
    return lambda client: client.post(f"/runs/{given.run.reference}/smallest-changes")


def _move_in(session: Session, _database: Database) -> Request:
    reserved = factories.house(session, factories.settlement(session))
    body = {"household": factories.accepted(session, reserved).household.reference, "moved_in_on": TODAY}
    return lambda client: client.post(f"/houses/{reserved.reference}/move-in", json=body)


def _give_keys(session: Session, _database: Database) -> Request:
    reserved = factories.house(session, factories.settlement(session))
    family = factories.accepted(session, reserved).household
    body = {"household": family.reference, "given_on": TODAY, "received_by": family.people[0].reference}
    return lambda client: client.post(f"/houses/{reserved.reference}/keys", json=body)


def _title(session: Session) -> Tenancy:
    return living.joint_tenancy(session, factories.house(session, factories.settlement(session)))


def _opt_out(session: Session, _database: Database) -> Request:
    title = _title(session)
    body = {"person": title.household.people[1].reference, "reason": "Omar Kovalenko has a house."}
    return lambda client: client.post(f"/tenancies/{title.reference}/opt-out", json=body)


def _add_holder(session: Session, _database: Database) -> Request:
    title = _title(session)
    body = {"person": title.household.people[2].reference}
    return lambda client: client.post(f"/tenancies/{title.reference}/holders", json=body)


def _check(session: Session, _database: Database) -> Request:
    path = f"/houses/{_title(session).house.reference}/checks"
    body = {"checked_on": TODAY, "finding": "someone_else", "note": "Amina Kovalenko is with relatives."}
    return lambda client: client.post(path, json=body)


def _register_wish(session: Session, _database: Database) -> Request:
    title = _title(session)
    options = [{"settlement": title.house.settlement.reference}]
    return lambda client: client.post("/swap-wishes", json={"household": title.household.reference, "options": options})


def _withdraw_wish(session: Session, _database: Database) -> Request:
    cycle = living.swap_cycle(session, factories.settlement(session))
    return lambda client: client.post(f"/swap-wishes/{cycle.moves[0].wish.reference}/withdraw")


def _propose_swaps(session: Session, _database: Database) -> Request:
    policies.ensure_default(session)
    homes = [factories.tenancy(session, factories.house(session, factories.settlement(session))) for _ in range(2)]
    for home, other in zip(homes, reversed(homes), strict=True):
        living.swap_wish(session, home, other.house)
    return lambda client: client.post("/swap-cycles/propose")


def _of_cycle(verb: str) -> Case:
    def case(session: Session, _database: Database) -> Request:
        cycle = living.swap_cycle(session, factories.settlement(session), confirmed=verb == "approve")
        body: dict[str, str] = {"household": cycle.moves[0].wish.household.reference}
        if verb == "confirm":
            body |= {"answered_on": TODAY, "given_how": "in_person"}
        path = f"/swap-cycles/{cycle.reference}/{verb}"
        return lambda client: client.post(path) if verb == "approve" else client.post(path, json=body)

    return case


def _move_out(session: Session, _database: Database) -> Request:
    house = factories.house(session, factories.settlement(session))
    factories.tenancy(session, house)
    body = {"moved_out_on": TODAY, "reason": "With relatives."}
    return lambda client: client.post(f"/houses/{house.reference}/move-out", json=body)


def _sign_in(session: Session, _database: Database) -> Request:
    users.add(
        session,
        username="amina",
        display_name="Amina K.",
        password_hash=passwords.hashed(PASSWORD),
        roles=[HeldRole(Role.PLANNER)],
        actor=OPERATOR,
    )
    return lambda client: client.post("/tokens", json={"username": "amina", "password": PASSWORD})


def _sign_out(_session: Session, _database: Database) -> Request:
    return lambda client: client.delete("/tokens/current")


def _user(_session: Session, _database: Database) -> Request:
    body = {"username": "amina", "display_name": "A", "password": PASSWORD, "roles": [{"role": "planner"}]}
    return lambda client: client.post("/users", json=body)


def _change_password(session: Session, _database: Database) -> Request:
    for user in session.scalars(select(User)):  # whoever asks is one of them
        user.password_hash = passwords.hashed(PASSWORD)
    body = {"password": PASSWORD, "new_password": "another long password"}
    return lambda client: client.post("/me/password", json=body)


def _reset_password(session: Session, _database: Database) -> Request:
    user = factories.user(session, Role.PLANNER)
    return lambda client: client.post(f"/users/{user.reference}/reset-password")


def _begin_session(session: Session, database: Database) -> Request:
    _sign_in(session, database)
    return lambda client: client.post("/session", json={"username": "amina", "password": PASSWORD})


def _own(session: Session, make: Callable[[User], Base | None]) -> None:
    """Make something of everybody's own: whoever asks is one of them."""
    made = [make(user) for user in session.scalars(select(User))]
    session.add_all(row for row in made if row is not None)


def _browser_session(user: User, number: int) -> BrowserSession:
    return BrowserSession(
        user_id=user.id,
        secret_sha256=sha256(f"{user.id}-{number}".encode()).hexdigest(),
        address="192.0.2.1",
        agent="",
        has_second_factor=False,
        expires_at=utc_now() + timedelta(hours=1),
    )


def _in_session(session: Session) -> dict[str, str]:
    """Make sessions, and return the headers of one: the secret is what its SHA-256 was made of."""
    _own(session, lambda user: _browser_session(user, 0))
    user = session.scalars(select(User).order_by(User.id.desc())).first()
    secret = f"{user.id if user else 0}-0"
    return {"Authorization": "", "Cookie": f"hearth_session={secret}", "X-CSRF-Token": csrf_token(secret)}


def _end_session(session: Session, _database: Database) -> Request:
    headers = _in_session(session)
    return lambda client: client.delete("/session", headers=headers)


def _end_one_session(session: Session, _database: Database) -> Request:
    _own(session, lambda user: _browser_session(user, 0))
    session.flush()
    return lambda client: client.delete(f"/sessions/{client.get('/sessions').json()['items'][0]['reference']}")


def _end_other_sessions(session: Session, _database: Database) -> Request:
    _own(session, lambda user: _browser_session(user, 0))
    return lambda client: client.delete("/sessions")


def _end_sessions_of_user(session: Session, _database: Database) -> Request:
    user = factories.user(session, Role.PLANNER)
    return lambda client: client.post(f"/users/{user.reference}/end-sessions")


SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def _app(*, confirmed: bool) -> Callable[[User], SecondFactor]:
    return lambda user: SecondFactor(
        user_id=user.id, secret=SECRET, confirmed_at=utc_now() if confirmed else None, last_step=0
    )


def _begin_second_factor(session: Session, _database: Database) -> Request:
    for user in session.scalars(select(User)):
        user.password_hash = passwords.hashed(PASSWORD)
    return lambda client: client.post("/me/second-factor", json={"password": PASSWORD})


def _with_code(path: str, *, confirmed: bool) -> Case:
    def case(session: Session, _database: Database) -> Request:
        _own(session, _app(confirmed=confirmed))
        return lambda client: client.post(path, json={"code": pyotp.TOTP(SECRET).now()})

    return case


def _step_up_session(session: Session, _database: Database) -> Request:
    _own(session, _app(confirmed=True))
    headers = _in_session(session)
    code = {"code": pyotp.TOTP(SECRET).now()}
    return lambda client: client.post("/session/second-factor", json=code, headers=headers)


def _reset_second_factor(session: Session, _database: Database) -> Request:
    user = factories.user(session, Role.PLANNER)
    session.add(SecondFactor(user_id=user.user_id, secret=SECRET, last_step=0))
    return lambda client: client.post(f"/users/{user.reference}/reset-second-factor")


def _issue_api_token(_session: Session, _database: Database) -> Request:
    body = {"name": "Report", "permissions": ["stock.read"], "days": 7}
    return lambda client: client.post("/api-tokens", json=body)


def _revoke_api_token(_session: Session, _database: Database) -> Request:
    def revoke(client: httpx2.Client) -> Answer:
        return client.delete(f"/api-tokens/{client.get('/api-tokens').json()['items'][0]['reference']}")

    return revoke


def _set_roles(session: Session, _database: Database) -> Request:
    user = factories.user(session, Role.PLANNER)
    return lambda client: client.put(f"/users/{user.reference}/roles", json={"roles": [{"role": "verifier"}]})


def _enable_user(session: Session, _database: Database) -> Request:
    user = users.get(session, factories.user(session, Role.PLANNER).reference)
    user.disabled_at = utc_now()
    return lambda client: client.post(f"/users/{user.reference}/enable")


def _disable_user(session: Session, _database: Database) -> Request:
    user = factories.user(session, Role.PLANNER)
    return lambda client: client.post(f"/users/{user.reference}/disable")


def _import(_session: Session, _database: Database) -> Request:
    files = [("files", (name, content)) for name, content in VILLAGE.items()]
    return lambda client: client.post("/imports", files=files)


def _erase(session: Session, _database: Database) -> Request:
    family = factories.household(session, children=1)
    return lambda client: client.post(f"/households/{family.reference}/erase", json={"reason": "It asked."})


def _retention(session: Session, _database: Database) -> Request:
    application = factories.applicant(session, anywhere=True)
    application.state, application.withdrawn_at = ApplicationState.WITHDRAWN, utc_now() - timedelta(days=800)
    return lambda client: client.post("/retention/apply")


@dataclass(frozen=True)
class Expected:
    """The act that an operation is recorded as, the kind of thing it is about, and how to call it."""

    act: Act
    subject_type: str | None
    case: Case


CASES = {
    "lodge_appeal": Expected(Act.APPEAL_LODGE, "appeal", _lodge_appeal),
    "decide_appeal": Expected(Act.APPEAL_DECIDE, "appeal", _decide_appeal),
    "withdraw_appeal": Expected(Act.APPEAL_WITHDRAW, "appeal", _withdraw_appeal),
    "check_letter": Expected(Act.LETTER_CHECK, "application", _check_letter),
    "ask_smallest_change": Expected(Act.WHAT_IF_ASK, "what_if", _ask_smallest_change),
    "ask_smallest_changes": Expected(Act.WHAT_IF_ASK, "what_if", _ask_smallest_changes),
    "sign_in": Expected(Act.USER_SIGN_IN, "user", _sign_in),
    "sign_out": Expected(Act.USER_SIGN_OUT, "user", _sign_out),
    "change_password": Expected(Act.USER_CHANGE_PASSWORD, "user", _change_password),
    "reset_password": Expected(Act.USER_RESET_PASSWORD, "user", _reset_password),
    "begin_session": Expected(Act.USER_SIGN_IN, "user", _begin_session),
    "end_session": Expected(Act.SESSION_END, "browser_session", _end_session),
    "step_up_session": Expected(Act.SESSION_STEP_UP, "browser_session", _step_up_session),
    "end_one_session": Expected(Act.SESSION_END, "browser_session", _end_one_session),
    "end_other_sessions": Expected(Act.USER_END_SESSIONS, "user", _end_other_sessions),
    "end_sessions_of_user": Expected(Act.USER_END_SESSIONS, "user", _end_sessions_of_user),
    "begin_second_factor": Expected(Act.SECOND_FACTOR_BEGIN, "second_factor", _begin_second_factor),
    "confirm_second_factor": Expected(
        Act.SECOND_FACTOR_CONFIRM, "second_factor", _with_code("/me/second-factor/confirm", confirmed=False)
    ),
    "renew_recovery_codes": Expected(
        Act.SECOND_FACTOR_NEW_RECOVERY_CODES,
        "second_factor",
        _with_code("/me/second-factor/recovery-codes", confirmed=True),
    ),
    "remove_second_factor": Expected(
        Act.SECOND_FACTOR_REMOVE, "second_factor", _with_code("/me/second-factor/remove", confirmed=True)
    ),
    "reset_second_factor": Expected(Act.USER_RESET_SECOND_FACTOR, "user", _reset_second_factor),
    "issue_api_token": Expected(Act.TOKEN_ISSUE, "user", _issue_api_token),
    "revoke_api_token": Expected(Act.TOKEN_REVOKE, "api_token", _revoke_api_token),
    "add_user": Expected(Act.USER_ADD, "user", _user),
    "set_roles": Expected(Act.USER_SET_ROLES, "user", _set_roles),
    "enable_user": Expected(Act.USER_ENABLE, "user", _enable_user),
    "disable_user": Expected(Act.USER_DISABLE, "user", _disable_user),
    "add_origin": Expected(Act.ORIGIN_ADD, "origin", _origin),
    "add_settlement": Expected(Act.SETTLEMENT_ADD, "settlement", _settlement),
    "change_settlement": Expected(Act.SETTLEMENT_CHANGE, "settlement", _change_settlement),
    "set_milestone": Expected(Act.MILESTONE_SET, "settlement", _milestone),
    "set_jobs": Expected(Act.JOBS_SET, "settlement", _jobs),
    "add_house": Expected(Act.HOUSE_ADD, "house", _house),
    "change_house": Expected(Act.HOUSE_CHANGE, "house", _change_house),
    "declare_house_unfit": Expected(Act.HOUSE_DECLARE_UNFIT, "house", _unfit),
    "declare_house_fit": Expected(Act.HOUSE_DECLARE_FIT, "house", _fit),
    "add_land_release_area": Expected(Act.LAND_RELEASE_AREA_ADD, "land_release_area", _land),
    "change_land_release_area": Expected(Act.LAND_RELEASE_AREA_CHANGE, "land_release_area", _change_land),
    "register_household": Expected(Act.HOUSEHOLD_REGISTER, "household", _household),
    "change_household": Expected(Act.HOUSEHOLD_CHANGE, "household", _change_household),
    "add_person": Expected(Act.PERSON_ADD, "person", _person),
    "change_person": Expected(Act.PERSON_CHANGE, "person", _change_person),
    "remove_person": Expected(Act.PERSON_REMOVE, "person", _remove_person),
    "add_kin_group": Expected(Act.KIN_GROUP_ADD, "kin_group", _kin_group),
    "begin_application": Expected(Act.APPLICATION_BEGIN, "application", _application),
    "change_application": Expected(Act.APPLICATION_CHANGE, "application", _change_application),
    "submit_application": Expected(Act.APPLICATION_SUBMIT, "application", _submit),
    "verify_application": Expected(Act.APPLICATION_VERIFY, "application", _verify),
    "verify_applications": Expected(Act.APPLICATION_VERIFY, None, _verify_many),
    "return_application": Expected(Act.APPLICATION_RETURN, "application", _return),
    "decide_eligibility": Expected(Act.APPLICATION_DECIDE, "application", _decide),
    "decide_eligibilities": Expected(Act.APPLICATION_DECIDE, None, _decide_many),
    "take_submission": Expected(Act.SUBMISSION_TAKE, "application", _submission),
    "add_document": Expected(Act.DOCUMENT_ADD, "document", _add_document),
    "remove_document": Expected(Act.DOCUMENT_REMOVE, "document", _remove_document),
    "withdraw_application": Expected(Act.APPLICATION_WITHDRAW, "application", _withdraw),
    "decide_duplicate": Expected(Act.DUPLICATE_DECIDE, "duplicate_candidate", _decide_duplicate),
    "undo_merge": Expected(Act.MERGE_UNDO, "merge", _undo_merge),
    "open_household": Expected(Act.BREAK_GLASS_OPEN, "break_glass_grant", _open_household),
    "read_opened_household": Expected(Act.BREAK_GLASS_READ, "household", _read_opened),
    "review_break_glass_grant": Expected(Act.BREAK_GLASS_REVIEW, "break_glass_grant", _review),
    "draft_policy": Expected(Act.POLICY_DRAFT, "policy_version", _policy),
    "put_policy_in_force": Expected(Act.POLICY_PUT_IN_FORCE, "policy_version", _put_in_force),
    "request_run": Expected(Act.RUN_REQUEST, "run", _request_run),
    "cancel_run": Expected(Act.RUN_CANCEL, "run", _cancel),
    "preview_policy": Expected(Act.POLICY_PREVIEW, "policy_preview", _preview),
    "cancel_preview": Expected(Act.POLICY_PREVIEW_CANCEL, "policy_preview", _cancel_preview),
    "request_placement": Expected(Act.PLACEMENT_REQUEST, "placement", _request_placement),
    "confirm_placement": Expected(Act.PLACEMENT_CONFIRM, "placement", _confirm_placement),
    "lift_placement": Expected(Act.PLACEMENT_LIFT, "placement", _lift_placement),
    "enter_seed": Expected(Act.RUN_ENTER_SEED, "run", _enter_seed),
    "approve_run": Expected(Act.RUN_APPROVE, "run", _approve),
    "reject_run": Expected(Act.RUN_REJECT, "run", _reject),
    "issue_offers": Expected(Act.OFFER_ISSUE, "run", _issue_offers),
    "accept_offer": Expected(Act.OFFER_ACCEPT, "offer", _accept_offer),
    "decline_offer": Expected(Act.OFFER_DECLINE, "offer", _decline_offer),
    "ask_for_offer_again": Expected(Act.OFFER_ASK_AGAIN, "offer", _ask_again),
    "withdraw_offer": Expected(Act.OFFER_WITHDRAW, "offer", _withdraw_offer),
    "move_in": Expected(Act.TENANCY_MOVE_IN, "tenancy", _move_in),
    "give_keys": Expected(Act.TENANCY_GIVE_KEYS, "tenancy", _give_keys),
    "opt_out_of_title": Expected(Act.TENANCY_CHANGE_HOLDERS, "tenancy", _opt_out),
    "add_title_holder": Expected(Act.TENANCY_CHANGE_HOLDERS, "tenancy", _add_holder),
    "check_occupancy": Expected(Act.OCCUPANCY_CHECK, "occupancy_check", _check),
    "register_swap_wish": Expected(Act.SWAP_WISH_REGISTER, "swap_wish", _register_wish),
    "withdraw_swap_wish": Expected(Act.SWAP_WISH_WITHDRAW, "swap_wish", _withdraw_wish),
    "propose_swaps": Expected(Act.SWAP_PROPOSE, None, _propose_swaps),
    "confirm_swap": Expected(Act.SWAP_CONFIRM, "swap_cycle", _of_cycle("confirm")),
    "refuse_swap": Expected(Act.SWAP_REFUSE, "swap_cycle", _of_cycle("refuse")),
    "approve_swap": Expected(Act.SWAP_APPROVE, "swap_cycle", _of_cycle("approve")),
    "move_out": Expected(Act.TENANCY_MOVE_OUT, "tenancy", _move_out),
    "import_files": Expected(Act.EXCHANGE_IMPORT, None, _import),
    "erase_household": Expected(Act.HOUSEHOLD_ERASE, "household", _erase),
    "apply_retention": Expected(Act.HOUSEHOLD_ERASE, "household", _retention),
}


TOLD_BY_THEMSELVES = {Act.USER_END_SESSIONS, Act.SECOND_FACTOR_NEW_RECOVERY_CODES}
"""What they change is nobody's to read."""


def test_every_operation_that_changes_something_has_a_case(openapi_document: dict[str, Any]) -> None:
    assert set(CASES) == {
        operation["operationId"]
        for item in openapi_document["paths"].values()
        for method, operation in item.items()
        if method != "get"
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("operation", CASES)
def test_it_leaves_one_entry(operation: str, database: Database, service: TestClient, acting_as: ActingAs) -> None:
    expected = CASES[operation]
    client = acting_as(*Role)
    acting = entries(database)[-1]["subject"]
    with Session(database.engine.execution_options(hearth_writes=True), expire_on_commit=False) as session:
        asked = expected.case(session, database)
        session.commit()
    before = len(entries(database))

    answer = asked(client)

    assert answer.is_success, answer.text
    found = entries(database)
    require_chained(found)
    assert [each["act"] for each in found[before:]] == [expected.act]
    entry = found[-1]
    assert entry["subject_type"] == expected.subject_type
    assert entry["request_id"] == answer.headers["X-Request-ID"]
    assert entry["actor"] == (entry["subject"] if operation in ("sign_in", "begin_session") else acting)
    assert entry["token"].startswith(("TK-", "SE-"))
    assert entry["details"] or expected.act in TOLD_BY_THEMSELVES
    assert not any(name in str(entry) for name in ("Amina", "Kovalenko", "Omar", "Leyla", "relatives", "1980-03-24"))
