"""A household beyond one's scope is read for a reason, for hours, on record, and an auditor looks at it."""

from datetime import timedelta
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import update

from app.access.models import Role
from app.break_glass.models import BreakGlassGrant
from app.database import Database, utc_now
from tests import factories
from tests.audit.trail import entries
from tests.conftest import ActingAs

PATH = "/break-glass-grants"


class Far(NamedTuple):
    """A household in the South, with an application."""

    household: str
    person: str
    application: str


@pytest.fixture
def far(database: Database) -> Far:
    with database.session(writes=True) as session:
        place = factories.settlement(session, district="South")
        application = factories.applicant(session, place, place=place)
        family = application.household
        return Far(family.reference, family.people[0].reference, application.reference)


@pytest.fixture
def clerk(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.CASEWORKER, district="North")


@pytest.fixture
def auditor(acting_as: ActingAs) -> httpx2.Client:
    return acting_as(Role.AUDITOR)


def _opened(client: httpx2.Client, far: Far, **fields: Any) -> str:
    answer = client.post(PATH, json={"household": far.household, "reason": "It stands at this desk."} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["reference"])


def _reading(client: httpx2.Client, grant: str) -> httpx2.Response:
    return client.post(f"{PATH}/{grant}/read")


def test_a_household_beyond_the_scope_is_read_under_a_grant_and_each_reading_is_recorded(
    clerk: httpx2.Client, auditor: httpx2.Client, database: Database, far: Far
) -> None:
    assert clerk.get(f"/households/{far.household}").status_code == 404
    grant = _opened(clerk, far)
    for _ in range(2):
        read = _reading(clerk, grant)
        assert read.status_code == 200
        assert read.json()["household"]["reference"] == far.household
        assert read.json()["household"]["people"][0]["reference"] == far.person
        assert [each["reference"] for each in read.json()["applications"]] == [far.application]
    who = clerk.get("/me").json()["reference"]
    found = [each for each in entries(database) if each["act"].startswith("break_glass.")]
    assert [each["act"] for each in found] == ["break_glass.open", "break_glass.read", "break_glass.read"]
    assert {each["actor"] for each in found} == {who}
    assert [(each["subject"], each["details"]) for each in found[1:]] == [(far.household, {"grant": grant})] * 2
    (listed,) = auditor.get(PATH).json()["items"]
    assert (listed["user"], listed["household"], listed["reads"]) == (who, far.household, 2)


def test_a_grant_opens_nothing_else(clerk: httpx2.Client, far: Far) -> None:
    _opened(clerk, far)
    for path in (f"/households/{far.household}", f"/applications/{far.application}"):
        assert clerk.get(path).status_code == 404
    for listing in ("/households", "/applications"):
        assert clerk.get(listing).json()["items"] == []
    changed = clerk.patch(f"/people/{far.person}", json={"given_name": "Else"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 404


def test_a_grant_is_for_who_asked_for_it(clerk: httpx2.Client, acting_as: ActingAs, far: Far) -> None:
    grant = _opened(clerk, far)
    other = acting_as(Role.CASEWORKER, district="North")
    assert _reading(other, grant).json() == _reading(other, "BG-00000000").json()
    assert _reading(other, grant).status_code == 404
    assert clerk.post(PATH, json={"household": "HH-00000000", "reason": "None."}).status_code == 404


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.CASEWORKER, Role.VERIFIER}))
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_other_roles_open_nothing(acting_as: ActingAs, far: Far, role: Role) -> None:
    client = acting_as(role)
    assert client.post(PATH, json={"household": far.household, "reason": "Curious."}).status_code == 403
    assert client.get(PATH).status_code == (200 if role is Role.AUDITOR else 403)


def test_a_grant_ends(clerk: httpx2.Client, auditor: httpx2.Client, database: Database, far: Far) -> None:
    grant = _opened(clerk, far)
    (listed,) = auditor.get(f"{PATH}?open=true").json()["items"]
    assert listed["reference"] == grant
    with database.session(writes=True) as session:
        past = utc_now() - timedelta(hours=1)
        session.execute(update(BreakGlassGrant).values(granted_at=past - timedelta(hours=4), expires_at=past))
    assert _reading(clerk, grant).status_code == 404
    assert auditor.get(f"{PATH}?open=true").json()["items"] == []
    assert len(auditor.get(f"{PATH}?open=false&reviewed=false").json()["items"]) == 1


def test_a_review_says_what_came_of_it_once_and_ends_the_grant(
    clerk: httpx2.Client, auditor: httpx2.Client, acting_as: ActingAs, far: Far
) -> None:
    grant = _opened(clerk, far)
    path = f"{PATH}/{grant}/review"
    assert auditor.post(path, json={"remark": "  "}).status_code == 422
    reviewed = auditor.post(path, json={"remark": "Justified."})
    assert reviewed.status_code == 200
    assert reviewed.json()["remark"] == "Justified."
    assert reviewed.json()["reviewed_by"] == auditor.get("/me").json()["reference"]
    assert reviewed.json()["expires_at"] <= reviewed.json()["reviewed_at"]
    assert _reading(clerk, grant).status_code == 404
    assert auditor.post(path, json={"remark": "Again."}).status_code == 409
    assert auditor.post(f"{PATH}/BG-00000000/review", json={"remark": "None."}).status_code == 404
    assert [each["reference"] for each in auditor.get(f"{PATH}?reviewed=true").json()["items"]] == [grant]
    assert clerk.post(path, json={"remark": "Mine."}).status_code == 403
    assert acting_as(Role.AUDITOR, district="North").get(PATH).status_code == 403


def test_the_same_key_opens_once(clerk: httpx2.Client, auditor: httpx2.Client, far: Far) -> None:
    body, headers = {"household": far.household, "reason": "It stands here."}, {"Idempotency-Key": "once"}
    first, second = (clerk.post(PATH, json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(auditor.get(PATH).json()["items"]) == 1
