"""Appeals are decided by nobody who had a part in what they are against."""

import httpx2
import pytest

from app.access.models import Role
from app.database import Database, utc_now
from app.registry.models import Application, ApplicationState
from tests import factories
from tests.conftest import ActingAs


def _appeal(acting_as: ActingAs, application: str, against: str) -> str:
    body = {"application": application, "against": against, "ground": "procedure", "statement": "Nobody told us why."}
    answer = acting_as(Role.CASEWORKER).post("/appeals", json=body)
    assert answer.status_code == 201, answer.text
    return f"/appeals/{answer.json()['reference']}/decide"


def _dismiss(client: httpx2.Client, appeal: str) -> httpx2.Response:
    return client.post(appeal, json={"upheld": False, "reason": "It was right."})


def _refused(client: httpx2.Client, appeal: str) -> bool:
    answer = _dismiss(client, appeal)
    return answer.status_code == 403 and "took part in what this appeal is against" in answer.json()["detail"]


@pytest.mark.parametrize("part", ["submitted", "corrected"])
def test_who_wrote_the_application_does_not_whoever_did_so_last(
    acting_as: ActingAs, database: Database, part: str
) -> None:
    with database.session(writes=True) as session:
        application = factories.application(
            session, factories.household(session), anywhere=True, state=ApplicationState.RETURNED
        )
    path = f"/applications/{application.reference}"
    both, caseworker = acting_as(Role.CASEWORKER, Role.VERIFIER), acting_as(Role.CASEWORKER)

    def correct(client: httpx2.Client, needed: int) -> None:
        size = {"size_override": needed, "size_override_reason": "A doctor says so."}
        seen = {"If-Match": client.get(path).headers["ETag"]}
        assert client.patch(path, json=size, headers=seen).status_code == 200

    if part == "corrected":
        correct(both, 3)
    assert (both if part == "submitted" else caseworker).post(f"{path}/submit").status_code == 200
    correct(caseworker, 4)
    with database.session(writes=True) as session:
        row = session.get_one(Application, application.id)
        row.state, row.decided_at, row.ineligible_for = ApplicationState.INELIGIBLE, utc_now(), ["no_consent"]
    appeal = _appeal(acting_as, application.reference, "ineligibility")
    assert _refused(both, appeal)
    assert _dismiss(acting_as(Role.VERIFIER), appeal).status_code == 200
