"""Every operation that shows personal data says in the trail who looked at whom, or is not answered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.access.dependencies import DbSession, requires
from app.access.models import Role
from app.access.permissions import OPERATOR, PERSONAL_DATA, Permission, Principal
from app.audit import Act
from app.database import Database
from app.registry import checks, queries
from app.registry.models import Correction, Household
from tests import appealing, factories
from tests.audit.trail import entries
from tests.conftest import ActingAs
from tests.tenancy import living


@dataclass(frozen=True)
class Looked:
    """An address that shows personal data, and the references that its entry names, the subject first."""

    path: str
    references: list[str]


@dataclass(frozen=True)
class Expected:
    """The act that a look is recorded as, the kind of its subject, and how to make what there is to see."""

    act: Act
    subject_type: str | None
    case: Callable[[Session], Looked]


def _household(session: Session) -> Looked:
    family = factories.household(session)
    return Looked(f"/households/{family.reference}", [family.reference])


def _households(session: Session) -> Looked:
    return Looked("/households?q=kovalenko", [factories.household(session).reference for _ in range(3)])


def _kin_groups(session: Session) -> Looked:
    return Looked("/kin-groups", [factories.kin_group(session).reference])


def _application(session: Session) -> Looked:
    reference = factories.applicant(session, anywhere=True).reference
    return Looked(f"/applications/{reference}", [reference])


def _applications(session: Session) -> Looked:
    made = factories.applicant(session, anywhere=True)
    return Looked("/applications", [made.reference, made.household.reference])


def _assessment(session: Session) -> Looked:
    family = factories.household(session)
    return Looked(f"/households/{family.reference}/assessment", [family.reference])


def _explanation(session: Session) -> Looked:
    reference = factories.applicant(session, anywhere=True).reference
    return Looked(f"/applications/{reference}/explanation", [reference])


def _appeal(session: Session) -> Looked:
    reference = appealing.appeal(session, factories.applicant(session, anywhere=True)).reference
    return Looked(f"/appeals/{reference}", [reference])


def _appeal_letter(session: Session) -> Looked:
    looked = _appeal(session)
    return Looked(f"{looked.path}/letter", looked.references)


def _appeals(session: Session) -> Looked:
    made = appealing.appeal(session, factories.applicant(session, anywhere=True))
    return Looked("/appeals", [made.reference, made.household.reference])


def _letter(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return Looked(f"/applications/{given.application.reference}/letter", [given.application.reference])


def _offer_letter(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    reference = factories.offer(session, given).reference
    return Looked(f"/offers/{reference}/letter", [reference])


def _letters(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return Looked(f"/runs/{given.run.reference}/letters", [given.reference, given.household.reference])


def _eligibility(session: Session) -> Looked:
    reference = factories.verified(session).reference
    return Looked(f"/applications/{reference}/eligibility", [reference])


def _document(session: Session) -> Looked:
    reference = factories.document(session, factories.submitted(session)).reference
    return Looked(f"/documents/{reference}", [reference])


def _corrections(session: Session) -> Looked:
    application = factories.verified(session)
    checks.corrected(session, application, [{"thing": "-", "field": "anywhere", "before": 0, "after": 1}], OPERATOR)
    session.flush()
    (found,) = session.scalars(select(Correction))
    path = f"/applications/{application.reference}/corrections"
    return Looked(path, [found.reference, application.household.reference])


def _documents(session: Session) -> Looked:
    application = factories.submitted(session)
    document = factories.document(session, application)
    path = f"/applications/{application.reference}/documents"
    return Looked(path, [document.reference, application.household.reference])


def _proposals(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return Looked(f"/runs/{given.run.reference}/proposals", [given.reference, given.household.reference])


def _placements(session: Session) -> Looked:
    made = factories.placement(session, factories.household(session), factories.settlement(session))
    return Looked("/placements", [made.reference, made.household.reference])


def _preview_households(session: Session) -> Looked:
    reference = factories.preview(session).reference
    return Looked(f"/policy-previews/{reference}/households", [reference])


def _reservations(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return Looked("/reservations", [given.reference, given.household.reference])


def _offer(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    reference = factories.offer(session, given).reference
    return Looked(f"/offers/{reference}", [reference])


def _offers(session: Session) -> Looked:
    given = factories.reservation(session, factories.house(session, factories.settlement(session)))
    return Looked("/offers", [factories.offer(session, given).reference, given.household.reference])


def _tenancies(session: Session) -> Looked:
    tenancy = factories.tenancy(session, factories.house(session, factories.settlement(session)))
    return Looked("/tenancies", [tenancy.reference, tenancy.household.reference])


def _checks(session: Session) -> Looked:
    tenancy = factories.tenancy(session, factories.house(session, factories.settlement(session)))
    return Looked(
        "/occupancy/checks", [living.occupancy_check(session, tenancy).reference, tenancy.household.reference]
    )


def _reconciliation(session: Session) -> Looked:
    tenancy = factories.tenancy(session, factories.house(session, factories.settlement(session)))
    return Looked("/occupancy/reconciliation", [tenancy.house.reference, tenancy.household.reference])


def _wishes(session: Session) -> Looked:
    tenancy = factories.tenancy(session, factories.house(session, factories.settlement(session)))
    wish = living.swap_wish(session, tenancy, tenancy.house.settlement)
    return Looked("/swap-wishes", [wish.reference, tenancy.household.reference])


def _cycles(session: Session) -> Looked:
    cycle = living.swap_cycle(session, factories.settlement(session))
    return Looked("/swap-cycles", [cycle.reference, *(move.wish.household.reference for move in cycle.moves)])


def _subject_access(session: Session) -> Looked:
    family = factories.household(session)
    return Looked(f"/households/{family.reference}/subject-access", [family.reference])


def _duplicate(session: Session) -> Looked:
    candidate = factories.duplicate_candidate(session, factories.settlement(session))
    return Looked(f"/duplicates/{candidate.reference}", [candidate.reference])


def _duplicates(session: Session) -> Looked:
    candidate = factories.duplicate_candidate(session, factories.settlement(session))
    both = session.scalars(select(Household.reference)).all()
    return Looked("/duplicates", [candidate.reference, *both])


def _export(_session: Session) -> Looked:
    return Looked("/exports", [])


LOOKS = {
    "list_households": Expected(Act.HOUSEHOLD_LIST, None, _households),
    "read_household": Expected(Act.HOUSEHOLD_READ, "household", _household),
    "read_subject_access": Expected(Act.SUBJECT_ACCESS_GIVE, "household", _subject_access),
    "list_kin_groups": Expected(Act.KIN_GROUP_LIST, None, _kin_groups),
    "list_applications": Expected(Act.APPLICATION_LIST, None, _applications),
    "read_application": Expected(Act.APPLICATION_READ, "application", _application),
    "read_assessment": Expected(Act.ASSESSMENT_READ, "household", _assessment),
    "read_explanation": Expected(Act.EXPLANATION_READ, "application", _explanation),
    "read_appeal": Expected(Act.APPEAL_READ, "appeal", _appeal),
    "list_appeals": Expected(Act.APPEAL_LIST, None, _appeals),
    "read_letter": Expected(Act.LETTER_READ, "application", _letter),
    "read_offer_letter": Expected(Act.LETTER_READ, "offer", _offer_letter),
    "read_appeal_letter": Expected(Act.LETTER_READ, "appeal", _appeal_letter),
    "list_letters": Expected(Act.LETTER_LIST, None, _letters),
    "read_eligibility": Expected(Act.ELIGIBILITY_READ, "application", _eligibility),
    "list_corrections": Expected(Act.CORRECTION_LIST, None, _corrections),
    "list_documents": Expected(Act.DOCUMENT_LIST, None, _documents),
    "read_document": Expected(Act.DOCUMENT_READ, "document", _document),
    "list_proposals": Expected(Act.PROPOSAL_LIST, None, _proposals),
    "list_offers": Expected(Act.OFFER_LIST, None, _offers),
    "read_offer": Expected(Act.OFFER_READ, "offer", _offer),
    "list_preview_households": Expected(Act.POLICY_PREVIEW_READ, "policy_preview", _preview_households),
    "list_placements": Expected(Act.PLACEMENT_LIST, None, _placements),
    "list_tenancies": Expected(Act.TENANCY_LIST, None, _tenancies),
    "list_occupancy_checks": Expected(Act.OCCUPANCY_CHECK_LIST, None, _checks),
    "reconcile_occupancy": Expected(Act.OCCUPANCY_RECONCILE, None, _reconciliation),
    "list_swap_wishes": Expected(Act.SWAP_WISH_LIST, None, _wishes),
    "list_swap_cycles": Expected(Act.SWAP_CYCLE_LIST, None, _cycles),
    "list_reservations": Expected(Act.RESERVATION_LIST, None, _reservations),
    "list_duplicates": Expected(Act.DUPLICATE_LIST, None, _duplicates),
    "read_duplicate": Expected(Act.DUPLICATE_READ, "duplicate_candidate", _duplicate),
    "export_files": Expected(Act.EXCHANGE_EXPORT, None, _export),
}


def _gets(document: dict[str, Any]) -> dict[str, tuple[str, set[str]]]:
    """Operation → its path and the permissions that it needs."""
    return {
        item["get"]["operationId"]: (
            path,
            {each for scheme in item["get"].get("security", []) for scopes in scheme.values() for each in scopes},
        )
        for path, item in document["paths"].items()
        if "get" in item
    }


def test_every_operation_that_shows_personal_data_has_a_case(openapi_document: dict[str, Any]) -> None:
    shown = {operation for operation, (_, needed) in _gets(openapi_document).items() if needed & PERSONAL_DATA}
    assert set(LOOKS) == shown


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("operation", LOOKS)
def test_a_look_leaves_one_entry(operation: str, database: Database, acting_as: ActingAs) -> None:
    expected = LOOKS[operation]
    client = acting_as(*Role)
    user = entries(database)[-1]["subject"]
    with database.session(writes=True) as session:
        looked = expected.case(session)
    before = len(entries(database))

    answer = client.get(looked.path)

    assert answer.is_success, answer.text
    (entry,) = entries(database, before)
    assert (entry["actor"], entry["act"], entry["subject_type"]) == (user, expected.act, expected.subject_type)
    assert entry["request_id"] == answer.headers["X-Request-ID"]
    told = entry["details"].get("references", [])
    assert sorted(looked.references) == sorted([entry["subject"]] if entry["subject"] else told)
    if "count" in entry["details"] and answer.headers["Content-Type"] == "application/json":
        assert entry["details"]["count"] == len(answer.json()["items"])
    assert "ovalenko" not in str(entry)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_shows_no_personal_data_leaves_none(
    openapi_document: dict[str, Any], database: Database, acting_as: ActingAs
) -> None:
    client = acting_as(*Role)
    before = len(entries(database))
    others = [path for path, needed in _gets(openapi_document).values() if not needed & PERSONAL_DATA]
    plain = [path.removeprefix("/api/v1") for path in others if "{" not in path and path.startswith("/api")]
    assert len(plain) > 5
    answers = {path: client.get(path).status_code for path in plain}
    # No head was signed yet, a token is no session, and there is no identity provider.
    not_there = {"/audit/head", "/session", "/oidc", "/oidc/sign-in", "/oidc/callback"}
    assert {path for path, status in answers.items() if status != 200} == not_there
    assert len(entries(database)) == before


def test_a_look_that_cannot_be_recorded_is_not_answered(database: Database, acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    with database.session(writes=True) as session:
        family = factories.household(session)
        statement = (
            "CREATE TRIGGER full_up BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(ABORT, 'full'); END"
            if database.is_sqlite
            else "ALTER TABLE audit_entries ADD CONSTRAINT full_up CHECK (false) NOT VALID"
        )
        session.execute(text(statement))
    answer = client.get(f"/households/{family.reference}")
    assert not answer.is_success
    assert "Kovalenko" not in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_route_that_forgets_to_say_so_is_not_answered(
    service: TestClient, database: Database, acting_as: ActingAs
) -> None:
    router = APIRouter()

    @router.get("/api/v1/forgetful")
    def forgetful(session: DbSession, principal: Annotated[Principal, requires(Permission.HOUSEHOLD_READ)]) -> int:
        return len(session.scalars(queries.households(principal)).all())

    service.app.include_router(router)  # type: ignore[attr-defined]  # it is a FastAPI
    client = acting_as(Role.CASEWORKER)
    answer = client.get("/forgetful")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")


def test_the_same_request_again_is_a_look(database: Database, acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    person = {"given_name": "A", "family_name": "B", "sex": "male", "birth_date": "1980-01-01", "relationship": "head"}
    body = {"current_accommodation": "rented", "people": [person]}
    before = len(entries(database))
    for _ in range(2):
        assert client.post("/households", json=body, headers={"Idempotency-Key": "once"}).status_code == 201
    assert [each["act"] for each in entries(database, before)] == ["household.register", "household.read"]
