"""One SQLite database for all tests that only ask what is refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.database import Database


@pytest.fixture(scope="session")
def shared_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An empty database that no test commits to."""
    path = tmp_path_factory.mktemp("exchange") / "hearth.db"
    shutil.copyfile(sqlite_template, path)
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture
def scratch(shared_database: Database) -> Iterator[Session]:
    """A writing session on it, rolled back after the test."""
    with Session(shared_database.engine.execution_options(hearth_writes=True), expire_on_commit=False) as opened:
        yield opened
        opened.rollback()
