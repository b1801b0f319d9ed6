"""Whatever is sent, what is wrong is answered as a problem document that says what to do and gives nothing away."""

import json
import re
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.access.models import Role
from app.database import Database
from app.errors import MOST_ERRORS, every_kind
from app.main import LARGEST_BODY, create_app
from app.settings import Settings
from tests import factories
from tests.conftest import ActingAs

JSON = {"Content-Type": "application/json"}
PERSON = {
    "given_name": "Amina",
    "family_name": "Kovalenko",
    "sex": "female",
    "birth_date": "1980-03-24",
    "relationship": "head",
}
HOUSEHOLD = {"current_accommodation": "rented", "people": [PERSON]}
SETTLEMENT = {
    "name": "Valley",
    "district": "North",
    "latitude": 0.4,
    "longitude": 0.3,
    "school_places": 100,
    "clinic_patients": 500,
    "status": "open",
}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def assert_problem(answer: httpx2.Response, status: int, context: object = "") -> dict[str, Any]:
    """Assert that `answer` is a well-formed problem document of `status`; return it."""
    assert answer.status_code == status, (context, answer.text[:500])
    assert answer.headers["Content-Type"] == "application/problem+json", context
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"] in {f"/problems/{kind.slug}" for kind in every_kind()}
    assert problem["title"]
    assert problem["detail"]
    assert all(set(error) == {"pointer", "message"} and error["message"] for error in problem["errors"])
    assert not any(word in answer.text for word in ("Traceback", "SELECT", "INSERT", "sqlalchemy", "psycopg", ".py"))
    return problem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"people": [}',
        b"{'people': 1}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"people": ' + b"9" * 5_000 + b"}",
        b"{} {}",
    ],
    ids=lambda content: repr(content[:12]),
)
@on_sqlite
def test_what_is_no_json_is_malformed(acting_as: ActingAs, content: bytes) -> None:
    answer = acting_as(Role.CASEWORKER).post("/households", content=content, headers=JSON)
    assert_problem(answer, 422 if content == b"" else 400)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@on_sqlite
def test_a_body_of_another_media_type_is_refused(acting_as: ActingAs, media_type: str) -> None:
    answer = acting_as(Role.CASEWORKER).post(
        "/households", content=json.dumps(HOUSEHOLD).encode(), headers={"Content-Type": media_type}
    )
    assert assert_problem(answer, 415)["type"] == "/problems/unsupported-media-type"


@on_sqlite
def test_files_to_import_are_no_json(acting_as: ActingAs) -> None:
    assert_problem(acting_as(Role.PLANNER).post("/imports", json={}), 415)


def _household(**fields: Any) -> dict[str, Any]:
    return HOUSEHOLD | fields


def _person(**fields: Any) -> dict[str, Any]:
    return HOUSEHOLD | {"people": [PERSON | fields]}


WRONG_HOUSEHOLDS: list[tuple[Any, str]] = [
    ([], "#/body"),
    ("household", "#/body"),
    (None, "#/body"),
    ({name: value for name, value in HOUSEHOLD.items() if name != "people"}, "#/body/people"),
    (_household(people=[]), "#/body/people"),
    (_household(people={}), "#/body/people"),
    (_household(people=[None]), "#/body/people/0"),
    (_household(people=[PERSON] * 51), "#/body/people"),
    (_household(unknown=1), "#/body/unknown"),
    (_household(**{"a/b~c": 1}), "#/body/a~1b~0c"),
    (_household(**{"\ud800": 1}), "#/body"),
    (_person(height=1), "#/body/people/0/height"),
    (_household(current_accommodation="castle"), "#/body/current_accommodation"),
    (_household(current_accommodation=None), "#/body/current_accommodation"),
    (_household(registered_on="2026-11-01T00:00:00Z"), "#/body/registered_on"),
    (_household(registered_on="2026-11-01T00:00:00"), "#/body/registered_on"),
    (_household(registered_on=1_700_000_000), "#/body/registered_on"),
    (_household(registered_on="1700000000"), "#/body/registered_on"),
    (_household(registered_on="2026-02-30"), "#/body/registered_on"),
    (_household(registered_on="01-02-2026"), "#/body/registered_on"),
    (_household(registered_on="٢٠٢٦-٠١-٠١"), "#/body/registered_on"),
    (_household(registered_on=True), "#/body/registered_on"),
    (_household(client_id="not-a-uuid"), "#/body/client_id"),
    (_household(client_id=7), "#/body/client_id"),
    (_household(origin="' OR 1=1 --"), "#/body/origin"),
    (_household(phone="call me"), "#/body/phone"),
    (_household(language="u"), "#/body/language"),
    (_household(key="x" * 81), "#/body/key"),
    (_person(given_name=7), "#/body/people/0/given_name"),
    (_person(given_name=None), "#/body/people/0/given_name"),
    (_person(given_name=""), "#/body/people/0/given_name"),
    (_person(given_name=" \u2003 "), "#/body/people/0/given_name"),
    (_person(given_name="x" * 201), "#/body/people/0/given_name"),
    (_person(given_name="a\x00b"), "#/body/people/0/given_name"),
    (_person(given_name="a\x1bb"), "#/body/people/0/given_name"),
    (_person(given_name="a\nb"), "#/body/people/0/given_name"),
    (_person(given_name="a\x85b"), "#/body/people/0/given_name"),
    (_person(given_name="a\ud800b"), "#/body/people/0/given_name"),
    (_person(given_name="a\ufffeb"), "#/body/people/0/given_name"),
    (_person(given_name="a\uffffb"), "#/body/people/0/given_name"),
    (_person(needs_step_free=1), "#/body/people/0/needs_step_free"),
    (_person(needs_step_free="true"), "#/body/people/0/needs_step_free"),
    (_person(partner="0"), "#/body/people/0/partner"),
    (_person(partner=0.5), "#/body/people/0/partner"),
    (_person(partner=True), "#/body/people/0/partner"),
    (_person(partner=-1), "#/body/people/0/partner"),
    (_person(partner=10**400), "#/body/people/0/partner"),
]
WRONG_SETTLEMENTS: list[tuple[Any, str]] = [
    (SETTLEMENT | {"latitude": "0.4"}, "#/body/latitude"),
    (SETTLEMENT | {"latitude": True}, "#/body/latitude"),
    (SETTLEMENT | {"latitude": 90.1}, "#/body/latitude"),
    (SETTLEMENT | {"longitude": -180.1}, "#/body/longitude"),
    (SETTLEMENT | {"latitude": 10**400}, "#/body/latitude"),
    (SETTLEMENT | {"latitude": float("nan")}, "#/body/latitude"),
    (SETTLEMENT | {"longitude": float("inf")}, "#/body/longitude"),
    (SETTLEMENT | {"school_places": -1}, "#/body/school_places"),
    (SETTLEMENT | {"school_places": 1.5}, "#/body/school_places"),
    (SETTLEMENT | {"school_places": False}, "#/body/school_places"),
    (SETTLEMENT | {"school_places": 2**31}, "#/body/school_places"),
    (SETTLEMENT | {"school_places": 10**400}, "#/body/school_places"),
    (SETTLEMENT | {"status": 1}, "#/body/status"),
    (SETTLEMENT | {"merged_from": "OR-7K3M9QTX"}, "#/body/merged_from"),
    (SETTLEMENT | {"merged_from": ["Upper Valley"]}, "#/body/merged_from/0"),
]


@pytest.mark.parametrize(
    ("path", "cases"),
    [("/households", WRONG_HOUSEHOLDS), ("/settlements", WRONG_SETTLEMENTS)],
    ids=["register", "stock"],
)
@on_sqlite
def test_each_wrong_field_is_pointed_at_and_nothing_is_written(
    acting_as: ActingAs, path: str, cases: list[tuple[Any, str]]
) -> None:
    client = acting_as(Role.CASEWORKER, Role.PLANNER)
    for body, pointer in cases:
        answer = client.post(path, content=json.dumps(body).encode(), headers=JSON)
        problem = assert_problem(answer, 422, body)
        assert [error["pointer"] for error in problem["errors"]] == [pointer], body
    assert client.get(path).json() == {"items": [], "next": None}


@on_sqlite
def test_the_bodies_above_are_wrong_in_that_one_field_only(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER, Role.PLANNER)
    assert client.post("/households", json=HOUSEHOLD).status_code == 201
    assert client.post("/settlements", json=SETTLEMENT).status_code == 201


AREA = {"state": "suspected_hazardous", "hectares": 1, "geometry": {"type": "Polygon", "coordinates": "COORDINATES"}}


@pytest.mark.parametrize(
    "number",
    ["1e400", "NaN", "-Infinity", "9" * 400, "9" * 5_000, "1e308", "null", "true", '"1"', "[1]", "{}", "0.1, 0.1, 0.1"],
    ids=lambda number: number[:9],
)
def test_a_coordinate_that_is_none_is_refused_before_the_database_sees_it(
    acting_as: ActingAs, database: Database, number: str
) -> None:
    with database.session(writes=True) as session:
        settlement = factories.settlement(session).reference
    ring = f"[[[0.0, 0.0], [{number}, 0.1], [0.1, 0.1], [0.0, 0.0]]]"
    body = json.dumps(AREA | {"settlement": settlement}).replace('"COORDINATES"', ring)
    client = acting_as(Role.PLANNER)
    answer = client.post("/land-release-areas", content=body.encode(), headers=JSON)
    assert_problem(answer, 400 if len(number) == 5_000 else 422, number[:9])
    assert client.get("/land-release-areas").json()["items"] == []


@on_sqlite
def test_an_answer_is_not_many_times_what_was_sent(acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER)
    fields = {f"field {number}": 1 for number in range(50_000)}
    for answer in (
        client.post("/settlements", json=SETTLEMENT | fields),
        client.get("/houses?" + "&".join(f"a{number}=1" for number in range(5_000))),
    ):
        problem = assert_problem(answer, 422)
        assert len(problem["errors"]) == MOST_ERRORS
        assert len(answer.content) < 200_000


@on_sqlite
def test_every_wrong_field_is_named_at_once(acting_as: ActingAs) -> None:
    body = SETTLEMENT | {"latitude": 91, "school_places": -1, "surprise": 1}
    problem = assert_problem(acting_as(Role.PLANNER).post("/settlements", json=body), 422)
    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {"#/body/latitude", "#/body/school_places", "#/body/surprise"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=ten",
        "limit=1.5",
        "limit=",
        "cursor=%00",
        f"cursor={'x' * 41}",
        "q=%00",
        "q=",
        f"q={'x' * 101}",
        "state=palace",
        "bedrooms=-1",
        "bedrooms=" + "9" * 400,
        "step_free=perhaps",
        "settlement=" + "x" * 41,
    ],
)
@on_sqlite
def test_a_wrong_query_is_pointed_at(acting_as: ActingAs, query: str) -> None:
    problem = assert_problem(acting_as(Role.PLANNER).get(f"/houses?{query}"), 422)
    assert [error["pointer"] for error in problem["errors"]] == [f"#/query/{query.partition('=')[0]}"]


def test_odd_but_harmless_queries_are_answered(acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER)
    for query in ("settlement=nowhere", "settlement=%00", "q=%25", "q=%F0%9F%8F%A0"):
        assert client.get(f"/houses?{query}").json() == {"items": [], "next": None}, query


@on_sqlite
def test_a_parameter_that_is_unknown_or_repeated_is_refused(acting_as: ActingAs) -> None:
    client = acting_as(Role.PLANNER)
    for query, pointer in (("setlement=ST-7K3M9QTX", "#/query/setlement"), ("limit=1&limit=2", "#/query/limit")):
        problem = assert_problem(client.get(f"/houses?{query}"), 422, query)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


@on_sqlite
def test_an_unknown_address_is_not_found(service: TestClient) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/api/v2/houses", "/api/v1/houses/", "/api/v1/houses/a/b"):
        assert_problem(service.get(path), 404, path)


@on_sqlite
def test_a_method_that_an_address_does_not_take_is_told_all_that_it_takes(service: TestClient) -> None:
    cases = [
        ("DELETE", "/api/v1/settlements", "GET, POST"),
        ("PUT", "/api/v1/houses/HO-00000000", "GET, PATCH"),
        ("POST", "/api/v1/people/PE-00000000", "DELETE, PATCH"),
        ("GET", "/api/v1/houses/HO-00000000/move-in", "POST"),
        ("POST", "/livez", "GET"),
    ]
    for method, path, allowed in cases:
        answer = service.request(method, path)
        assert_problem(answer, 405, path)
        assert answer.headers["Allow"] == allowed, path


@on_sqlite
def test_a_body_over_the_limit_is_refused_also_when_its_length_is_not_told(acting_as: ActingAs) -> None:
    client = acting_as(Role.CASEWORKER)
    body = json.dumps(HOUSEHOLD).encode()
    at_the_limit = body + b" " * (LARGEST_BODY - len(body))
    assert client.post("/households", content=at_the_limit, headers=JSON).status_code == 201
    assert_problem(client.post("/households", content=at_the_limit + b" ", headers=JSON), 413)
    assert_problem(client.post("/households", content=iter([at_the_limit, b" "]), headers=JSON), 413)
    assert len(client.get("/households").json()["items"]) == 1


def test_a_reference_that_names_nothing_is_not_found_however_it_looks(acting_as: ActingAs) -> None:
    client = acting_as(*Role)
    for kind in ("households", "houses", "settlements", "applications", "land-release-areas", "policies", "runs"):
        bodies = {
            json.dumps(assert_problem(client.get(f"/{kind}/{reference}"), 404, (kind, reference)))
            for reference in ("XX-00000000", "1", "%00", "..%2F..%2Fetc", "x" * 300, "%F0%9F%8F%A0", "'--")
            if "%2F" not in reference
        }
        assert len(bodies) == 1, kind


def test_a_fault_of_ours_gives_nothing_away(service: TestClient, database: Database) -> None:
    """The table of tokens is lost: a fault that no check foresees."""
    with database.session(writes=True) as session:
        session.execute(text("ALTER TABLE api_tokens RENAME TO lost"))
    with TestClient(service.app, raise_server_exceptions=False) as quiet:
        answer = quiet.get("/api/v1/me", headers={"Authorization": "Bearer secret-token-value"})
    assert answer.status_code in (500, 503)
    assert_problem(answer, answer.status_code)
    assert "api_tokens" not in answer.text
    assert "secret" not in answer.text


@on_sqlite
def test_every_kind_of_problem_is_documented_at_its_address(service: TestClient) -> None:
    for kind in every_kind():
        described = service.get(f"/problems/{kind.slug}")
        assert described.status_code == 200
        assert described.json()["status"] == kind.status
        assert described.json()["meaning"] == kind.meaning
    assert_problem(service.get("/problems/nonsense"), 404)


def test_readiness_is_refused_where_the_schema_is_old(service: TestClient, database: Database) -> None:
    assert service.get("/readyz").json() == {"status": "ok"}
    with database.session(writes=True) as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    problem = assert_problem(service.get("/readyz"), 503)
    assert "hearth db upgrade" in problem["detail"]
    assert service.get("/livez").status_code == 200


def test_the_service_does_not_start_over_an_empty_database(tmp_path: Any) -> None:
    (tmp_path / "empty.db").touch()
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with (
        pytest.raises(Exception, match="not migrated"),
        TestClient(create_app(Settings(worker="separate", log_level="error"), empty)),
    ):
        pass
    empty.dispose()


@on_sqlite
def test_metrics_and_request_ids_hold_no_personal_data(acting_as: ActingAs, service: TestClient) -> None:
    acting_as(Role.CASEWORKER).get("/households/HH-7K3M9QTX")
    service.get("/nowhere/Kovalenko")
    service.request("KOVALENKO", "/api/v1/houses")
    figures = service.get("/metrics")
    assert 'route="/households/{reference}",status="404"' in figures.text
    assert "HH-7K3M9QTX" not in figures.text
    assert "kovalenko" not in figures.text.lower()

    for given in ("0f8fad5bd9cb469fa16570867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"):
        assert service.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given
    for odd in ("a b\tc", "19800324-1234", "hearth_token"):
        made = service.get("/livez", headers={"X-Request-Id": odd}).headers["X-Request-Id"]
        assert re.fullmatch("[0-9a-f]{32}", made)
