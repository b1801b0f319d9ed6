"""How long an import takes: `python -m benchmarks.importing FOLDER [--runs 5] [--database-url URL] [--json FILE]`.

Each run imports into a fresh SQLite file, checks and commit included, then imports the same again, and exports. With
--database-url it uses that empty database, and rolls back at the end in place of committing.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from sqlalchemy.orm import Session

from app import migration
from app.access.permissions import OPERATOR
from app.database import Database
from app.exchange import exports, imports

KILOBYTES_PER_MEGABYTE = 1024
STEPS = ("first import", "same again", "export")


@contextmanager
def _database(database_url: str | None) -> Iterator[Database]:
    """Open an empty, migrated database."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(database_url or f"sqlite:///{folder}/hearth.db")
        migration.upgrade(database)
        yield database
        database.dispose()


def measure(folder: Path, database_url: str | None) -> tuple[dict[str, float], int]:
    """Return the seconds of each step of one run, and how many rows were imported."""
    writing = {"hearth_writes": True}
    with _database(database_url) as database, Session(database.engine.execution_options(**writing)) as session:
        marks = [time.perf_counter()]
        report = imports.run(session, folder, actor=OPERATOR)
        if database_url is None:
            session.commit()
        marks.append(time.perf_counter())
        imports.run(session, folder, actor=OPERATOR)
        marks.append(time.perf_counter())
        exports.write(session, actor=OPERATOR)
        marks.append(time.perf_counter())
        session.rollback()
    rows = sum(counts.created for counts in report.tables.values())
    seconds = [after - before for before, after in pairwise(marks)]
    return dict(zip(STEPS, seconds, strict=True)), rows


def main() -> None:
    """Measure, print a table and, if asked, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--database-url")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    runs = [measure(arguments.folder, arguments.database_url) for _ in range(arguments.runs)]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KILOBYTES_PER_MEGABYTE
    rows = runs[0][1]
    found = {
        step: {
            "median_seconds": statistics.median(seconds[step] for seconds, _ in runs),
            "fastest_seconds": min(seconds[step] for seconds, _ in runs),
            "slowest_seconds": max(seconds[step] for seconds, _ in runs),
        }
        for step in STEPS
    }
    print(f"{arguments.folder.name}: {rows:,} rows, {arguments.runs} runs, peak memory {peak_mb:.0f} MB")
    print(f"{'step':<14}{'median':>9}{'fastest':>9}{'slowest':>9}  seconds")
    for step, seconds in found.items():
        print(f"{step:<14}" + "".join(f"{value:>9.2f}" for value in seconds.values()))
    if arguments.json is not None:
        result = {"folder": arguments.folder.name, "rows": rows, "runs": arguments.runs, "peak_mb": peak_mb}
        arguments.json.write_text(json.dumps(result | {"steps": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
