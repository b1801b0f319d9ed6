"""Verifying what was submitted, or giving it back: by somebody else, and void once it changes."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from app.access.models import Role
from app.allocation import policies
from app.database import Database
from app.registry.models import Application, ApplicationState
from tests import factories
from tests.concurrency import at_once
from tests.conftest import ActingAs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SIGNED = ("eligible", "policy", "facts_hash")
BOTH = (Role.CASEWORKER, Role.VERIFIER)


@pytest.fixture
def submitted(database: Database) -> Application:
    """An application of a family of three that nobody has verified."""
    with database.session(writes=True) as session:
        place = factories.settlement(session)
        return factories.submitted(session, place, place=place, children=2)


def _path(application: Application) -> str:
    return f"/applications/{application.reference}"


def _etag(client: httpx2.Client, path: str) -> dict[str, str]:
    return {"If-Match": client.get(path).headers["ETag"]}


def _verify(client: httpx2.Client, path: str) -> httpx2.Response:
    return client.post(f"{path}/verify", headers=_etag(client, path))


def _return(client: httpx2.Client, path: str, **body: Any) -> httpx2.Response:
    return client.post(f"{path}/return", json=body, headers=_etag(client, path))


def test_what_is_returned_is_corrected_and_submitted_again(acting_as: ActingAs, submitted: Application) -> None:
    caseworker, verifier = acting_as(Role.CASEWORKER), acting_as(Role.VERIFIER)
    path = _path(submitted)
    reasons = ["missing_document", "other", "missing_document"]
    returned = _return(verifier, path, reasons=reasons, note="The marriage certificate.")
    assert returned.status_code == 200
    assert returned.json()["state"] == "returned"
    assert returned.json()["return_reasons"] == ["missing_document", "other"]
    assert returned.json()["return_note"] == "The marriage certificate."
    refused = _verify(verifier, path)
    assert refused.status_code == 409
    assert "returned and cannot become verified" in refused.json()["detail"]

    changed = caseworker.patch(path, json={"anywhere": True}, headers=_etag(caseworker, path))
    assert changed.json()["state"] == "returned"
    assert caseworker.post(f"{path}/submit").json()["state"] == "submitted"
    verified = _verify(verifier, path)
    assert verified.json()["state"] == "verified"
    assert verified.json()["verified_at"] is not None
    assert _return(verifier, path, reasons=["other"], note="Too late.").status_code == 409


@on_sqlite
def test_a_return_says_what_is_wrong(acting_as: ActingAs, submitted: Application) -> None:
    verifier, path = acting_as(Role.VERIFIER), _path(submitted)
    for body, pointer in (
        ({"reasons": []}, "#/body/reasons"),
        ({"reasons": ["because"]}, "#/body/reasons/0"),
        ({"reasons": ["other"]}, "#/body/note"),
    ):
        answer = _return(verifier, path, **body)
        assert answer.status_code == 422, body
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert verifier.get(path).json()["state"] == "submitted"


@on_sqlite
@pytest.mark.parametrize("hands_in", ["submits", "corrects", "changes the household"])
def test_nobody_verifies_what_they_handed_in(acting_as: ActingAs, submitted: Application, hands_in: str) -> None:
    client, path = acting_as(*BOTH), _path(submitted)
    family = f"/households/{submitted.household.reference}"
    if hands_in == "submits":
        acting_as(Role.VERIFIER).post(
            f"{path}/return", json={"reasons": ["wishes_missing"]}, headers=_etag(client, path)
        )
        assert client.post(f"{path}/submit").status_code == 200
    elif hands_in == "corrects":
        assert client.patch(path, json={"anywhere": True}, headers=_etag(client, path)).status_code == 200
    else:
        moved = {"current_accommodation": "dormitory"}
        assert client.patch(family, json=moved, headers=_etag(client, family)).status_code == 200
    for refused in (_verify(client, path), _return(client, path, reasons=["identity_unclear"])):
        assert refused.status_code == 403
        assert "somebody else has to decide" in refused.json()["detail"]
    assert _verify(acting_as(Role.VERIFIER), path).status_code == 200


@pytest.mark.parametrize("part", ["begins", "submits", "corrects", "corrects what was returned", "reports a birth"])
def test_nobody_verifies_or_decides_on_what_they_had_a_part_in_whoever_hands_it_in_last(
    acting_as: ActingAs, database: Database, submitted: Application, part: str
) -> None:
    both, caseworker, verifier = acting_as(*BOTH), acting_as(Role.CASEWORKER), acting_as(Role.VERIFIER)
    path = _path(submitted)
    with database.session(writes=True) as session:
        policies.ensure_default(session)
    if part == "begins":
        with database.session(writes=True) as session:
            family, place = factories.household(session).reference, submitted.preferences[0].settlement.reference
        begun = both.post("/applications", json={"household": family, "preferences": [place]}).json()
        path = f"/applications/{begun['reference']}"
        assert caseworker.post(f"{path}/submit").status_code == 200
    elif part == "corrects":
        assert _accommodation(both, submitted).status_code == 200
        assert _wishes(caseworker, submitted).status_code == 200
    else:
        assert _return(verifier, path, reasons=["wishes_missing"]).status_code == 200
        if part == "submits":
            assert both.post(f"{path}/submit").status_code == 200
            assert _wishes(caseworker, submitted).status_code == 200
        else:
            changed = _birth(both, submitted) if part == "reports a birth" else _wishes(both, submitted)
            assert changed.is_success
            assert caseworker.post(f"{path}/submit").status_code == 200
    seen = path.rpartition("/")[2]
    for refused in (_verify(both, path), _return(both, path, reasons=["identity_unclear"])):
        assert (refused.status_code, "somebody else has to decide" in refused.json()["detail"]) == (403, True)
    many = both.post("/applications/verify", json={"applications": [seen]}).json()
    assert (many["done"], [each["application"] for each in many["refused"]]) == ([], [seen])
    assert _verify(verifier, path).status_code == 200
    says = {key: value for key, value in verifier.get(f"{path}/eligibility").json().items() if key in SIGNED}
    assert both.post(f"{path}/decide-eligibility", json=says).status_code == 403
    many = both.post("/applications/decide-eligibility", json={"applications": [seen], "eligible": True}).json()
    assert (many["done"], [each["application"] for each in many["refused"]]) == ([], [seen])
    assert verifier.post(f"{path}/decide-eligibility", json=says).status_code == 200


@on_sqlite
def test_who_corrects_a_telephone_number_alone_may_verify(acting_as: ActingAs, submitted: Application) -> None:
    client, family = acting_as(*BOTH), f"/households/{submitted.household.reference}"
    assert client.patch(family, json={"phone": "+999 1234"}, headers=_etag(client, family)).is_success
    assert _verify(client, _path(submitted)).status_code == 200


Correction = Callable[[httpx2.Client, Application], httpx2.Response]


def _wishes(client: httpx2.Client, application: Application) -> httpx2.Response:
    path = _path(application)
    return client.patch(path, json={"anywhere": True}, headers=_etag(client, path))


def _accommodation(client: httpx2.Client, application: Application) -> httpx2.Response:
    path = f"/households/{application.household.reference}"
    return client.patch(path, json={"current_accommodation": "dormitory"}, headers=_etag(client, path))


def _birth(client: httpx2.Client, application: Application) -> httpx2.Response:
    person = {"given_name": "Nina", "family_name": "K", "sex": "female", "birth_date": "2026-01-01"}
    path = f"/households/{application.household.reference}/people"
    return client.post(path, json=person | {"relationship": "child"})


def _step_free(client: httpx2.Client, application: Application) -> httpx2.Response:
    family = f"/households/{application.household.reference}"
    path = f"/people/{application.household.people[1].reference}"
    return client.patch(path, json={"needs_step_free": True}, headers=_etag(client, family))


def _leaving(client: httpx2.Client, application: Application) -> httpx2.Response:
    family = f"/households/{application.household.reference}"
    return client.delete(f"/people/{application.household.people[1].reference}", headers=_etag(client, family))


@on_sqlite
@pytest.mark.parametrize("correct", [_wishes, _accommodation, _birth, _step_free, _leaving])
@pytest.mark.parametrize("state", [ApplicationState.VERIFIED, ApplicationState.ELIGIBLE, ApplicationState.INELIGIBLE])
def test_a_correction_voids_what_was_checked(
    acting_as: ActingAs, database: Database, state: ApplicationState, correct: Correction
) -> None:
    with database.session(writes=True) as session:
        application = factories.verified(session, factories.settlement(session), children=2)
        application.state, application.ineligible_for = state, ["no_consent"]
    client = acting_as(Role.CASEWORKER)
    assert correct(client, application).is_success
    now = client.get(_path(application)).json()
    assert (now["state"], now["verified_at"], now["ineligible_for"]) == ("submitted", None, None)


@on_sqlite
def test_what_nobody_checks_voids_nothing(acting_as: ActingAs, database: Database) -> None:
    with database.session(writes=True) as session:
        application = factories.verified(session, factories.settlement(session))
    client, path = acting_as(Role.CASEWORKER), _path(application)
    family = f"/households/{application.household.reference}"
    head = f"/people/{application.household.people[0].reference}"
    same = application.household.people[0].given_name
    assert client.patch(family, json={"phone": "+999 1234", "language": "uk"}, headers=_etag(client, family)).is_success
    assert client.patch(family, json={"current_accommodation": "rented"}, headers=_etag(client, family)).is_success
    nothing = {"given_name": same, "partner": None}
    assert client.patch(head, json=nothing, headers=_etag(client, family)).is_success
    assert client.patch(path, json={"anywhere": False}, headers=_etag(client, path)).is_success
    assert client.get(path).json()["state"] == "verified"


@on_sqlite
def test_a_family_whose_house_is_reserved_keeps_it_when_a_child_is_born(
    acting_as: ActingAs, database: Database
) -> None:
    with database.session(writes=True) as session:
        given = factories.reservation(session, factories.house(session, factories.settlement(session)), children=1)
    client = acting_as(Role.CASEWORKER)
    assert _birth(client, given.application).status_code == 201
    assert client.get(_path(given.application)).json()["state"] == "allocated"


@on_sqlite
def test_who_has_seen_another_household_does_not_verify_this_one(acting_as: ActingAs, submitted: Application) -> None:
    verifier, path = acting_as(Role.VERIFIER), _path(submitted)
    seen = _etag(verifier, path)
    assert _accommodation(acting_as(Role.CASEWORKER), submitted).is_success
    assert verifier.post(f"{path}/verify", headers=seen).status_code == 412
    assert verifier.post(f"{path}/verify").status_code == 428


def test_of_two_verifiers_at_once_one_verifies(acting_as: ActingAs, submitted: Application) -> None:
    path = _path(submitted)
    first, second = acting_as(Role.VERIFIER), acting_as(Role.VERIFIER)
    seen = _etag(first, path)
    answers = at_once(
        lambda: first.post(f"{path}/verify", headers=seen).status_code,
        lambda: second.post(f"{path}/return", json={"reasons": ["contact_missing"]}, headers=seen).status_code,
    )
    assert sorted(answers) in ([200, 409], [200, 412])
    assert first.get(path).json()["state"] == ("verified" if answers[0] == 200 else "returned")


def test_what_is_verified_while_the_family_withdraws_is_withdrawn(acting_as: ActingAs, submitted: Application) -> None:
    path = _path(submitted)
    verifier, caseworker = acting_as(Role.VERIFIER), acting_as(Role.CASEWORKER)
    seen = _etag(verifier, path)
    answers = at_once(
        lambda: verifier.post(f"{path}/verify", headers=seen).status_code,
        lambda: caseworker.post(f"{path}/withdraw", json={"reason": "Moved."}).status_code,
    )
    assert answers[0] in (200, 409, 412)
    assert answers[1] in (200, 409, 412)
    assert 200 in answers
    state = verifier.get(path).json()["state"]
    assert state == ("withdrawn" if answers[1] == 200 else "verified")


def test_what_is_verified_while_the_household_changes_is_verified_as_it_was_or_not_at_all(
    acting_as: ActingAs, submitted: Application
) -> None:
    path, verifier, caseworker = _path(submitted), acting_as(Role.VERIFIER), acting_as(Role.CASEWORKER)
    seen = _etag(verifier, path)
    answers = at_once(
        lambda: verifier.post(f"{path}/verify", headers=seen).status_code,
        lambda: _accommodation(caseworker, submitted).status_code,
    )
    assert answers[0] in (200, 409, 412)
    assert answers[1] == 200
    assert verifier.get(path).json()["state"] == "submitted"
