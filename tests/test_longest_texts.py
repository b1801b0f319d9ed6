"""PostgreSQL has room for every text that the API takes, also behind words of ours. SQLite counts no characters."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from string import ascii_lowercase
from typing import Any

import httpx2
import pytest
from sqlalchemy.orm import Session

from app.access.models import Role
from app.database import Database
from tests.audit.test_every_act import CASES
from tests.conftest import ActingAs

Schema = dict[str, Any]
KEPT = (
    "issue_api_token add_user set_roles add_origin add_settlement change_settlement set_jobs add_house change_house "
    "declare_house_unfit add_land_release_area change_land_release_area register_household add_person change_person "
    "add_kin_group change_application return_application take_submission withdraw_application decide_duplicate "
    "undo_merge open_household review_break_glass_grant erase_household draft_policy request_run enter_seed reject_run "
    "request_placement lift_placement decline_offer withdraw_offer lodge_appeal decide_appeal give_keys "
    "opt_out_of_title check_occupancy move_out"
)
"""The operations that keep words."""
OTHERS = (
    "sign_in begin_session step_up_session change_password begin_second_factor confirm_second_factor "
    "renew_recovery_codes remove_second_factor decide_eligibility check_letter change_household"
)
"""Texts that these take are compared with what is there, or are numbers and tags of languages."""
TOGETHER: dict[str, Schema] = {"change_application": {"size_override": 2}, "give_keys": {"received_by": None}}
"""What goes with the optional texts of an operation."""


def _schemas(document: Schema) -> dict[str, Schema]:
    """Return the schema of the JSON that each operation takes, with nothing referred to."""

    def whole(node: Any) -> Any:
        if isinstance(node, list):
            return [whole(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return whole(document["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]])
        return {name: whole(each) for name, each in node.items()}

    return {
        operation["operationId"]: whole(operation["requestBody"]["content"]["application/json"]["schema"])
        for item in document["paths"].values()
        for operation in item.values()
        if "application/json" in operation.get("requestBody", {"content": ()})["content"]
    }


def _stretched(value: Any, schema: Schema, letters: Iterator[str]) -> Any:
    """Return `value` with every text as long as may be, whether it was given or not, and no two the same."""
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        value = _stretched(value, each, letters)
    if isinstance(value, list):
        return [_stretched(each, schema.get("items", {}), letters) for each in value]
    if isinstance(value, dict):
        found = {
            name: _stretched(value.get(name), each, letters) for name, each in schema.get("properties", {}).items()
        }
        return value | {name: each for name, each in found.items() if each is not None}
    longest = next(letters) * schema.get("maxLength", 0)
    return longest if longest and re.search(schema.get("pattern", "$^"), longest) else value


def test_every_operation_that_takes_a_text_is_asked(openapi_document: Schema) -> None:
    takes_text = {operation for operation, schema in _schemas(openapi_document).items() if "maxLength" in str(schema)}
    assert takes_text == {*KEPT.split(), *OTHERS.split()}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("operation", KEPT.split())
def test_the_longest_texts_can_be_kept(
    operation: str, database: Database, acting_as: ActingAs, openapi_document: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = acting_as(*Role)
    with Session(database.engine.execution_options(hearth_writes=True), expire_on_commit=False) as session:
        asked = CASES[operation].case(session, database)
        session.commit()
    stretch = partial(_stretched, schema=_schemas(openapi_document)[operation], letters=cycle(ascii_lowercase))
    sent = []
    build = client.build_request

    def stretching(*arguments: Any, json: Any, **options: Any) -> httpx2.Request:
        body = stretch(json)
        sent.append(body)
        return build(*arguments, json=body | TOGETHER.get(operation, {}) if isinstance(body, dict) else body, **options)

    monkeypatch.setattr(client, "build_request", stretching)
    answer = asked(client)
    assert answer.is_success, answer.text
    assert re.search(r"([a-z])\1{79}", str(sent))
