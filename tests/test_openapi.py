"""The service answers what its OpenAPI document says, whatever is sent to it, over a register with everything in it."""

import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, assume, settings
from pydantic import BaseModel, TypeAdapter
from schemathesis import Case
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation
from sqlalchemy import select

from app.access import tokens, users
from app.access.models import ApiToken, BrowserSession, Role, User
from app.access.passwords import NO_PASSWORD
from app.access.permissions import OPERATOR, HeldRole, Permission, Principal
from app.allocation import policies, queries, runs
from app.allocation.models import PolicyVersion, Run
from app.allocation.offer_models import Offer
from app.allocation.placement_models import Placement
from app.allocation.preview_models import PolicyPreview
from app.break_glass.models import BreakGlassGrant
from app.database import Database
from app.demo import check_applications
from app.documents.models import Document
from app.exchange import demo, imports
from app.fields import Reference, Wire
from app.housing.models import House, LandReleaseArea, Settlement
from app.main import create_app
from app.registry.duplicate_models import DuplicateCandidate, Merge
from app.registry.models import Application, Household, Person
from app.settings import Settings
from app.tenancy.appeal_models import Appeal
from app.tenancy.models import Tenancy
from app.tenancy.swap_models import SwapCycle, SwapWish
from app.worker import work_one
from tests import factories

EXAMPLES = int(os.environ.get("HEARTH_TEST_EXAMPLES", "3"))
"""Requests made up for each operation."""
PEOPLE = {
    "field": (Role.CASEWORKER, Role.VERIFIER, Role.PLANNER, Role.VILLAGE_ADMINISTRATOR),
    "approver": (Role.APPROVER,),
    "auditor": (Role.AUDITOR,),
    "administrator": (Role.ADMINISTRATOR,),
}
SETTINGS = Settings(worker="separate", log_level="error")
REFERENCES = {
    "settlements": Settlement.reference,
    "houses": House.reference,
    "households": Household.reference,
    "people": Person.reference,
    "applications": Application.reference,
    "documents": Document.reference,
    "land-release-areas": LandReleaseArea.reference,
    "break-glass-grants": BreakGlassGrant.reference,
    "placements": Placement.reference,
    "duplicates": DuplicateCandidate.reference,
    "merges": Merge.reference,
    "policies": PolicyVersion.reference,
    "policy-previews": PolicyPreview.reference,
    "runs": Run.reference,
    "draws": Run.reference,
    "offers": Offer.reference,
    "appeals": Appeal.reference,
    "tenancies": Tenancy.reference,
    "swap-wishes": SwapWish.reference,
    "swap-cycles": SwapCycle.reference,
    "sessions": BrowserSession.reference,
    "api-tokens": ApiToken.reference,
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Database]:
    """A small district, of which a first run is drawn."""
    path = tmp_path_factory.mktemp("openapi") / "hearth.db"
    shutil.copyfile(sqlite_template, path)
    opened = Database(f"sqlite:///{path}")
    with opened.session(writes=True) as session:
        policies.ensure_default(session)
        imports.run(session, demo.district(seed=1, scale=0.03), actor=OPERATOR)
        check_applications(session, factories.user(session, Role.VERIFIER))
        factories.document(session, factories.submitted(session))
        run = runs.request(session, settlements=None, time_limit_seconds=60, actor=OPERATOR)
    work_one(opened, SETTINGS)
    with opened.session(writes=True) as session:
        approver = factories.user(session, Role.APPROVER)
        runs.approve(session, queries.run(session, OPERATOR, run.reference), approver)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def address(database: Database) -> Iterator[str]:
    """Where the service listens, as it does in earnest."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(SETTINGS, database), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started and thread.is_alive():
            sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def people(database: Database) -> list[User]:
    """People who together may do everything, everywhere; no one of them may."""
    with database.session(writes=True) as session:
        return [
            users.add(
                session,
                username=name,
                display_name=name.capitalize(),
                password_hash=NO_PASSWORD,
                roles=[HeldRole(role) for role in roles],
                actor=OPERATOR,
            )
            for name, roles in PEOPLE.items()
        ]


@pytest.fixture
def signed_in(database: Database, people: list[User]) -> list[tuple[Principal, str]]:
    """Each of them with a token, new for each operation, since one of them revokes it."""
    with database.session(writes=True) as session:
        return [(tokens.principal_of(user), tokens.issue(session, user, timedelta(hours=1))[1]) for user in people]


def _headers_of_who_may(signed_in: list[tuple[Principal, str]], case: Case[Any]) -> dict[str, str]:
    security = case.operation.definition.raw.get("security") or [{}]
    permissions = [Permission(each) for each in security[0].get("HTTPBearer", [])]
    token = next(token for principal, token in signed_in if all(principal.scope(each) for each in permissions))
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def references(database: Database) -> Mapping[str, list[str]]:
    """Public references of what is there, by the first part of its address; of users, others than who ask."""
    with database.session(writes=False) as session:
        others = select(User.reference).where(User.username.not_in(PEOPLE))
        return {part: list(session.scalars(select(column))) for part, column in REFERENCES.items()} | {
            "users": list(session.scalars(others))
        }


GONE_ON_BY = {"etag", "hearth-next", "location", "retry-after"}
"""Headers of answers that a client needs for what it sends next."""
DOCUMENT = create_app(SETTINGS).openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.request_timeout = 120  # seconds: on a machine that has other work too
# What fits the schema may still name nothing that is there, contradict itself or be meant for another version.
REFUSED_IN_SUBSTANCE = ["401", "403", "404", "409", "412", "415", "422", "429"]
schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", *REFUSED_IN_SUBSTANCE]
schema.config.checks.missing_required_header.expected_statuses = ["401", "422", "428"]


def test_every_operation_names_its_permission() -> None:
    operations = {
        operation["operationId"]: operation.get("security", [])
        for item in DOCUMENT["paths"].values()
        for operation in item.values()
    }
    open_to_all = {name for name, security in operations.items() if not security}
    at_provider = {"read_identity_provider", "begin_at_identity_provider", "return_from_identity_provider"}
    of_everybody = {"list_draws", "read_draw", "livez", "readyz", "metrics"}
    assert open_to_all == {"sign_in", "begin_session"} | at_provider | of_everybody
    named = {name: security[0]["HTTPBearer"] for name, security in operations.items() if security}
    without_permission = {name for name, permissions in named.items() if not permissions}
    assert without_permission == {
        "read_me",
        "sign_out",
        "change_password",
        "read_session",
        "end_session",
        "list_sessions",
        "end_one_session",
        "end_other_sessions",
        "step_up_session",
        "begin_second_factor",
        "confirm_second_factor",
        "renew_recovery_codes",
        "remove_second_factor",
        "list_api_tokens",
        "issue_api_token",
        "revoke_api_token",
    }
    assert all(len(each) <= 1 and set(each) <= set(Permission) for each in named.values())


def test_every_check_is_made() -> None:
    checks = schema.config.checks
    assert len(CHECKS.get_all_names()) >= 14
    assert [name for name in CHECKS.get_all_names() if not getattr(checks, name).enabled] == []


def _example(document: dict[str, Any], described: dict[str, Any]) -> Any:
    """Return the example of a schema or parameter: its own, or one made of those of its parts; None where none is."""
    for name in ("example", "const", "default"):
        if name in described:
            return described[name]
    if described.get("examples"):
        return described["examples"][0]
    if "schema" in described:
        return _example(document, described["schema"])
    if "$ref" in described:
        return _example(document, document["components"]["schemas"][described["$ref"].rpartition("/")[2]])
    if "enum" in described:
        return described["enum"][0]
    for either in described.get("anyOf", described.get("oneOf", ())):
        if (found := _example(document, either)) is not None:
            return found
    if described.get("type") == "array":
        item = _example(document, described["items"])
        return None if item is None else [item] * max(1, described.get("minItems", 0))
    if described.get("type") == "object":
        parts = {name: _example(document, described["properties"][name]) for name in described.get("required", ())}
        return None if None in parts.values() else parts
    return False if described.get("type") == "boolean" else None


NONE_STATED = object()


def _stated(described: dict[str, Any]) -> Any:
    """Return the example that a schema states, or one of those that its fields state, needed or not."""
    if described.get("examples"):
        return described["examples"][0]
    if "$ref" in described:
        return _stated(DOCUMENT["components"]["schemas"][described["$ref"].rpartition("/")[2]])
    if described.get("type") == "array":
        item = _stated(described["items"])
        return item if item is NONE_STATED else [item]
    if "properties" in described:
        fields = {name: _stated(each) for name, each in described["properties"].items()}
        needed = {name: _example(DOCUMENT, described["properties"][name]) for name in described.get("required", ())}
        return needed | {name: each for name, each in fields.items() if each is not NONE_STATED}
    either = [found for each in described.get("anyOf", ()) if (found := _stated(each)) is not NONE_STATED]
    return either[0] if either else NONE_STATED


def _models(model: type[BaseModel] = Wire) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _models(each)


SENT = str([each.get("requestBody") for item in DOCUMENT["paths"].values() for each in item.values()])
BODIES = [each for each in _models() if f"#/components/schemas/{each.__name__}'" in SENT]
REFERENCE = TypeAdapter(Reference).json_schema()["pattern"]


@pytest.mark.parametrize("model", BODIES)
def test_a_body_of_the_stated_examples_is_taken(model: type[BaseModel]) -> None:
    described = DOCUMENT["components"]["schemas"][model.__name__]
    model.model_validate_json(json.dumps(_stated(described)))
    if "examples" not in described:  # a reference that is made up for a field without one names nothing
        references = {name: each for name, each in described["properties"].items() if REFERENCE in str(each)}
        assert [name for name, each in references.items() if "examples" not in each] == []


def test_examples_name_one_of_two_things_that_exclude_each_other() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name in ("UserNew", "RolesSet"):
        assert [role.keys() & {"district", "settlement"} for role in _stated(schemas[name])["roles"]] == [{"district"}]
    (keys,) = schemas["KeysGiven"]["examples"]
    assert keys.keys() & {"received_by", "representative"} == {"received_by"}


OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_operation_needs_has_an_example_that_fits(name: str) -> None:
    needed = [each for each in OPERATIONS[name].get("parameters", ()) if each.get("required")]
    needed += OPERATIONS[name].get("requestBody", {}).get("content", {}).values()
    for each in needed:
        example = _example(DOCUMENT, each)
        assert example is not None, each
        validator = jsonschema_rs.validator_for({**each["schema"], "components": DOCUMENT["components"]})
        assert list(map(str, validator.iter_errors(example))) == []


def test_headers_that_a_client_goes_on_by_are_documented() -> None:
    for item in DOCUMENT["paths"].values():
        for operation in item.values():
            waits = operation["responses"].get("429", {"headers": {"Retry-After": {}}})
            assert "Retry-After" in waits["headers"], operation["operationId"]
        takes_version = any(each["name"] == "if-match" for each in item.get("patch", {}).get("parameters", ()))
        if takes_version and "get" in item:
            assert item["get"]["responses"]["200"]["headers"]["ETag"]["required"], item["get"]["operationId"]
    assert "Hearth-Next" in OPERATIONS["list_letters"]["responses"]["200"]["headers"]


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_as_documented(
    case: Case[Any], address: str, signed_in: list[tuple[Principal, str]], references: Mapping[str, list[str]]
) -> None:
    if case.meta is not None and case.meta.generation.mode.is_positive and "reference" in case.path_parameters:
        known = references[case.path.split("/")[3]]
        if known:  # nearly every reference that is made up names nothing
            case.path_parameters["reference"] = Random(repr(case.path_parameters)).choice(known)
    # On the wire, a list of one in a query is that one, and an empty one is nothing: neither is wrong there.
    assume(not any(isinstance(value, list | dict) and len(value) < 2 for value in case.query.values()))
    component = case.meta.components.get(ParameterLocation.HEADER) if case.meta is not None else None
    headers_are_wrong = component is not None and component.mode.is_negative  # perhaps the one that signs in
    headers = {} if headers_are_wrong else _headers_of_who_may(signed_in, case)
    answer = case.call_and_validate(base_url=address, headers=headers)
    documented = case.operation.definition.raw["responses"].get(str(answer.status_code), {}).get("headers", {})
    assert GONE_ON_BY & answer.headers.keys() <= {name.lower() for name in documented}
