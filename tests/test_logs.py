"""The log is JSON and holds nothing that anybody sent: markers are planted wherever something can be sent."""

import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.access.models import Role
from app.database import Database
from app.logs import configure
from app.main import create_app
from app.settings import Settings
from tests.conftest import ActingAs
from tests.test_problems import HOUSEHOLD, PERSON

MARKER = "KOVALENKO-1980"
"""Stands for a token, a password, a name and a number of a document at once."""


@pytest.fixture
def stream(acting_as: ActingAs, monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What is logged, once the services that other fixtures make have set the level."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", StringIO())
        configure("debug")
        assert isinstance(sys.stderr, StringIO)
        yield sys.stderr
    configure("error")


@pytest.fixture
def noisy(database: Database, stream: StringIO) -> Iterator[TestClient]:
    """The service, logging all that it can."""
    app = create_app(Settings(worker="separate", log_level="debug"), database)
    with TestClient(app) as client:
        yield client


def _logged(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_nothing_that_was_sent_is_logged(noisy: TestClient, acting_as: ActingAs, stream: StringIO) -> None:
    clerk = {"Authorization": acting_as(Role.CASEWORKER, Role.PLANNER).headers["Authorization"]}
    person = PERSON | {"given_name": MARKER, "national_id": MARKER}
    sent: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/v1/households", {"json": HOUSEHOLD | {"people": [person]}}),
        ("POST", "/api/v1/households", {"json": HOUSEHOLD | {"people": [person | {"sex": MARKER}]}}),
        ("POST", "/api/v1/households", {"content": f'{{"people": {MARKER}'.encode()}),
        ("POST", "/api/v1/households", {"json": HOUSEHOLD, "headers": {"Idempotency-Key": MARKER}}),
        ("GET", f"/api/v1/households?q={MARKER}", {}),
        ("GET", f"/api/v1/households?{MARKER}=1", {}),
        ("GET", f"/api/v1/households/{MARKER}", {}),
        ("GET", f"/{MARKER}", {}),
        (MARKER, "/livez", {}),
        ("GET", "/livez", {"headers": {"Host": MARKER}}),
        ("POST", "/api/v1/tokens", {"json": {"username": MARKER.lower(), "password": MARKER}}),
        ("GET", "/api/v1/me", {"headers": {"Authorization": f"Bearer {MARKER}"}}),
        ("GET", "/api/v1/me", {"headers": {"Authorization": f"Basic {MARKER}", "Cookie": f"session={MARKER}"}}),
        ("POST", "/api/v1/imports", {"files": {"files": ("people.csv", f"person\n{MARKER}\n".encode())}}),
        ("POST", "/api/v1/imports", {"files": {"files": (f"{MARKER}.zip", MARKER.encode())}}),
    ]
    names = ("X-Request-Id", "Traceparent", "User-Agent", "Referer", "X-Forwarded-For", "If-Match", MARKER)
    sent += [("GET", "/api/v1/houses", {"headers": {name: MARKER}}) for name in names]
    for method, path, content in sent:
        headers = clerk | content.pop("headers", {})
        answer = noisy.request(method, path, headers=headers, **content)
        assert answer.status_code < 500, (method, path)
    lines = _logged(stream)
    assert len([line for line in lines if line["event"] == "request"]) == len(sent)
    assert all(line["request_id"] for line in lines)
    assert MARKER.lower() not in json.dumps(lines).lower()
    token = clerk["Authorization"].removeprefix("Bearer ")
    assert token not in json.dumps(lines)


def test_a_fault_is_logged_by_kind_and_place_alone(noisy: TestClient, stream: StringIO) -> None:
    app = noisy.app
    assert isinstance(app, FastAPI)

    @app.get("/broken")
    def broken() -> None:
        try:
            int(MARKER)
        except ValueError as error:
            raise RuntimeError(MARKER) from error

    assert noisy.get("/broken").status_code == 500
    (line,) = [line for line in _logged(stream) if line["event"] == "unexpected"]
    assert [each["kind"] for each in line["exception"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert all(each["places"][-1].endswith(" broken") for each in line["exception"])
    assert MARKER not in json.dumps(line)


def test_what_the_database_says_of_a_row_is_not_logged(noisy: TestClient, database: Database, stream: StringIO) -> None:
    app = noisy.app
    assert isinstance(app, FastAPI)

    @app.get("/twice")
    def twice() -> None:
        with database.session(writes=True) as session:
            for _ in range(2):
                session.execute(
                    text("INSERT INTO kin_groups (reference, key) VALUES (:key, :key)"), {"key": MARKER[:16]}
                )

    assert noisy.get("/twice").status_code == 409
    lines = _logged(stream)
    assert "constraint_refused" in {line["event"] for line in lines}
    assert MARKER not in json.dumps(lines)


def test_what_libraries_say_is_logged_by_place_alone(stream: StringIO) -> None:
    try:
        raise ValueError(MARKER)
    except ValueError:
        logging.getLogger("some.library").exception("It broke at %s", MARKER)
    logging.getLogger("some.library").warning(MARKER)
    logging.getLogger("some.library").debug(MARKER)
    first, second = _logged(stream)
    assert (first["level"], first["logger"]) == ("error", "some.library")
    assert first["exception"][0]["kind"] == "builtins.ValueError"
    assert first["place"].startswith(__file__)
    assert second["level"] == "warning"
    assert MARKER not in json.dumps([first, second])
