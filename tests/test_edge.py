"""What every request passes before anything reads it, and what every answer carries."""

import re
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from time import sleep
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.access.models import Role
from app.database import Database
from app.edge import CLIENTS_REMEMBERED, HEADERS, Allowance
from app.errors import TooManyRequests
from app.main import create_app
from app.settings import Settings
from tests.conftest import ActingAs
from tests.test_problems import assert_problem

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def served(database: Database, **settings: Any) -> Iterator[TestClient]:
    """The service under settings of its own."""
    app = create_app(Settings(worker="separate", log_level="error", **settings), database)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/api/v1/me", 401),
        ("GET", "/nothing", 404),
        ("PUT", "/livez", 405),
        ("POST", "/api/v1/tokens", 422),
        ("GET", "/problems/not-found", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/", 307),
    ],
)
@on_sqlite
def test_every_answer_carries_the_security_headers(service: TestClient, method: str, path: str, status: int) -> None:
    answer = service.request(method, path, follow_redirects=False)
    assert answer.status_code == status
    assert {name: answer.headers.get_list(name) for name in HEADERS} == {name: [HEADERS[name]] for name in HEADERS}
    assert "Strict-Transport-Security" not in answer.headers
    assert "Server" not in answer.headers


@on_sqlite
def test_transport_security_is_asked_for_where_there_is_any(service: TestClient) -> None:
    answer = service.get("https://testserver/livez")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@on_sqlite
def test_a_fault_of_ours_carries_them_too(service: TestClient) -> None:
    app = service.app
    assert isinstance(app, FastAPI)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("Amina Kovalenko")

    answer = service.get("/broken")
    assert_problem(answer, 500)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["X-Request-Id"]


@on_sqlite
def test_the_documentation_runs_nothing_but_its_own_script(service: TestClient) -> None:
    page = service.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    (script,) = re.findall("<script>(.*?)</script>", page.text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy["script-src"]
    assert "<style" not in page.text
    linked = re.findall('(?:src|href)="([^"]*)"', page.text)
    assert linked
    for address in linked:
        assert address.startswith("/"), address
        assert service.get(address).status_code == 200, address
    assert not re.search(r"<[^>]* (?:style|on\w+)=", page.text)


@on_sqlite
def test_the_documentation_names_its_language(service: TestClient) -> None:
    assert '<html lang="en">' in service.get("/docs").text


@on_sqlite
def test_the_documentation_says_where_it_is_without_scripts(service: TestClient) -> None:
    (said,) = re.findall("<noscript>(.*?)</noscript>", service.get("/docs").text)
    (address,) = re.findall('href="(.*?)"', said)
    assert service.get(address).json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "localhost", "[::1]:8080", "homes.example", "A.EXAMPLE"]
)
@on_sqlite
def test_a_host_that_the_service_has_is_served(database: Database, host: str) -> None:
    with served(database, allowed_hosts="homes.example, *.example") as client:
        assert client.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["elsewhere.test", "example", "homes.example.test", "127.0.0.1@elsewhere.test", "", "a b", "127.0.0.1:x"]
)
@on_sqlite
def test_a_host_that_it_has_not_is_refused(database: Database, host: str) -> None:
    with served(database, allowed_hosts="*.example") as client:
        answer = client.get("/livez", headers={"Host": host})
        problem = assert_problem(answer, 400)
        assert "HEARTH_ALLOWED_HOSTS" in problem["detail"]
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@on_sqlite
def test_the_address_listened_on_is_a_host_and_every_one_is_where_the_operator_says_so(database: Database) -> None:
    with served(database, allowed_hosts="", host="10.1.2.3") as client:
        assert client.get("/livez", headers={"Host": "10.1.2.3:8080"}).status_code == 200
        assert client.get("/livez", headers={"Host": "testserver"}).status_code == 400
    with served(database, allowed_hosts="*") as client:
        assert client.get("/livez", headers={"Host": "anything"}).status_code == 200


@on_sqlite
def test_an_address_that_asks_too_much_waits(database: Database) -> None:
    with served(database, address_requests_per_minute=3) as client:
        statuses = [client.get("/livez").status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = client.get("/api/v1/households")
        assert_problem(refused, 429)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert {name: refused.headers[name] for name in HEADERS} == HEADERS


@on_sqlite
def test_a_user_who_asks_too_much_waits_and_others_do_not(acting_as: ActingAs, service: TestClient) -> None:
    assert isinstance(service.app, FastAPI)
    service.app.state.user_allowance = Allowance(3)
    first, second = acting_as(Role.PLANNER), acting_as(Role.PLANNER)
    assert [first.get("/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert second.get("/me").status_code == 200
    assert int(first.get("/me").headers["Retry-After"]) >= 1


@on_sqlite
def test_addresses_of_one_network_share_an_allowance(database: Database) -> None:
    app = create_app(Settings(worker="separate", log_level="error", address_requests_per_minute=2), database)

    def status(address: str) -> int:
        with TestClient(app, client=(address, 50000)) as client:
            return client.get("/livez").status_code

    assert [status(f"2001:db8::{number}") for number in (1, 2, 3)] == [200, 200, 429]
    assert status("2001:db8:0:1::1") == 200
    assert [status(address) for address in ("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.1")] == [200, 200, 429]
    assert status("10.0.0.2") == 200


def test_what_is_remembered_of_who_asks_does_not_grow() -> None:
    allowance = Allowance(1)
    for number in range(CLIENTS_REMEMBERED + 1_000):
        allowance.take(str(number))
    with pytest.raises(TooManyRequests):
        allowance.take(str(CLIENTS_REMEMBERED))
    allowance.take("0")  # was forgotten
    kept: Any = allowance._throttled._store._backend  # its size is not public
    assert len(kept._client) == len(kept.expire_info) == CLIENTS_REMEMBERED


@contextmanager
def _listening(database: Database, **settings: Any) -> Iterator[int]:
    app = create_app(Settings(worker="separate", log_level="error", **settings), database)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started and thread.is_alive():
            sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@on_sqlite
def test_a_body_that_does_not_come_is_not_waited_for(database: Database) -> None:
    head = b"POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with _listening(database, body_seconds=1) as port:
        for rest in (b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
                slow.sendall(head + rest)
                answer = b"".join(iter(lambda: slow.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"/problems/too-slow" in answer
