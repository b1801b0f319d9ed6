"""How long it takes to look at a household: `python -m benchmarks.looking [--looks 300] [--at-once 4]`.

Over a fresh SQLite file with some hundred households, through the whole service but the network: a caseworker reads one
household after another, alone and then as several at once. Prints medians and 95th percentiles in milliseconds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import select

from app import migration
from app.access import tokens, users
from app.access.models import Role
from app.access.permissions import OPERATOR, HeldRole
from app.database import Database
from app.exchange import demo, imports
from app.main import create_app
from app.registry.models import Household
from app.settings import Settings
from benchmarks.tables import Table


def _register(database: Database) -> tuple[list[str], str]:
    """Fill the database. Returns references of households, and a token of somebody who may look at them."""
    migration.upgrade(database)
    with database.session(writes=True) as session:
        imports.run(session, demo.district(seed=1, scale=0.2), actor=OPERATOR)
        user = users.add(
            session,
            username="caseworker",
            display_name="Caseworker",
            password_hash="nobody signs in with this",  # noqa: S106 - no password
            roles=[HeldRole(Role.CASEWORKER)],
            actor=OPERATOR,
        )
        token = tokens.issue(session, user, timedelta(hours=1))[1]
        return list(session.scalars(select(Household.reference).order_by(Household.id))), token


def _timed(act: Callable[[str], object], references: list[str], threads: int) -> list[float]:
    """Return the milliseconds of each."""

    def once(reference: str) -> float:
        began = time.perf_counter()
        act(reference)
        return 1000 * (time.perf_counter() - began)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(once, references))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--looks", type=int, default=300)
    parser.add_argument("--at-once", type=int, default=4)
    arguments = parser.parse_args()
    table = Table("Reading one household, milliseconds", ["readers", "median", "95 %", "a second"])
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/hearth.db") as database:
        references, token = _register(database)
        asked = [references[number % len(references)] for number in range(arguments.looks)]
        settings = Settings(
            data_dir=Path(folder),
            worker="separate",
            log_level="error",
            allowed_hosts="testserver",
            address_requests_per_minute=1_000_000,
            user_requests_per_minute=1_000_000,
        )
        with TestClient(create_app(settings, database), headers={"Authorization": f"Bearer {token}"}) as client:

            def look(reference: str) -> None:
                assert client.get(f"/api/v1/households/{reference}").status_code == 200  # noqa: S101 - a measurement

            _timed(look, asked[:20], 1)
            for readers in (1, arguments.at_once):
                began = time.perf_counter()
                found = sorted(_timed(look, asked, readers))
                rate = len(found) / (time.perf_counter() - began)
                high = found[int(0.95 * len(found))]
                table.rows.append([str(readers), f"{statistics.median(found):.1f}", f"{high:.1f}", f"{rate:.0f}"])
    Console().print(table)


if __name__ == "__main__":
    main()
