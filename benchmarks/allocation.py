"""How long a folder of files takes from import to drawn addresses, and what is proven of the allocation.

    python benchmarks/allocation.py FOLDER [--runs N] [--json FILE]

A fresh SQLite file, the default policy, every ready settlement. Memory: the largest of this process and its child.
"""

import argparse
import json
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import structlog
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from app import demo, migration
from app.access import tokens, users
from app.access.models import Role
from app.access.passwords import NO_PASSWORD
from app.access.permissions import OPERATOR, HeldRole, Principal
from app.allocation import policies, proof, queries, runs
from app.allocation.report import RunReport, run_report
from app.database import Database
from app.exchange import imports
from app.settings import Settings
from app.worker import work_one

TIME_LIMIT_SECONDS = 600
UNITS_PER_MB = 1024 * (1024 if sys.platform == "darwin" else 1)  # ru_maxrss is in bytes there, else in KiB
Result = TypeVar("Result")


def timed(act: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that `act` took, and what it returned."""
    started = time.perf_counter()
    result = act()
    return time.perf_counter() - started, result


def peak_memory_mb() -> float:
    """Return the most memory that this process or a child of it has had."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return peak / UNITS_PER_MB


def measure(folder: Path, database: Database, settings: Settings) -> dict[str, Any]:
    """Import, request, solve and approve. Returns the figures; ends the program where the run does not verify."""

    def imported() -> None:
        with database.session(writes=True) as session:
            imports.run(session, folder, actor=OPERATOR)

    def checked() -> None:
        with database.session(writes=True) as session:
            demo.check_applications(session, verifier)

    def requested() -> str:
        with database.session(writes=True) as session:
            return runs.request(
                session, settlements=None, time_limit_seconds=TIME_LIMIT_SECONDS, actor=OPERATOR
            ).reference

    def approved() -> None:
        with database.session(writes=True) as session:
            runs.approve(session, queries.run_in_short(session, OPERATOR, reference), approver)

    def reported() -> tuple[RunReport, list[dict[str, Any]], list[str]]:
        with database.session(writes=False) as session:
            run = queries.run(session, OPERATOR, reference)
            return run_report(session, run), run.progress, proof.verify(session, run)

    def user(session: Session, role: Role) -> Principal:
        made = users.add(
            session,
            username=role.value,
            display_name=role.value,
            password_hash=NO_PASSWORD,
            roles=[HeldRole(role)],
            actor=OPERATOR,
        )
        return tokens.principal_of(made)

    with database.session(writes=True) as session:
        policies.ensure_default(session)
        verifier, approver = user(session, Role.VERIFIER), user(session, Role.APPROVER)
    import_seconds, _ = timed(imported)
    checked_seconds, _ = timed(checked)
    snapshot_seconds, reference = timed(requested)
    solving_seconds, _ = timed(lambda: work_one(database, settings))
    approve_seconds, _ = timed(approved)
    verify_seconds, (report, progress, faults) = timed(reported)
    if faults:
        raise SystemExit(f"The run does not verify: {' '.join(faults)}")
    ended = {each["stage"]: each["seconds"] for each in progress}
    return {
        "folder": folder.name,
        "seconds": {
            "import": import_seconds,
            "verify and decide": checked_seconds,
            "snapshot": snapshot_seconds,
            "solving": solving_seconds,
            "approve": approve_seconds,
            "verify": verify_seconds,
        },
        "stages": [
            {
                "name": stage.name,
                "achieved": stage.achieved,
                "bound": stage.bound,
                "proof": stage.proof,
                "settled_at_seconds": ended.get(stage.name),
            }
            for stage in report.stages
        ],
        "housed": sum(tier.housed for tier in report.tiers),
        "eligible": sum(tier.households for tier in report.tiers),
        "houses": sum(houses.available for houses in report.houses),
        "proof": report.proof,
        "peak_memory_mb": peak_memory_mb(),
    }


def show(runs_made: list[dict[str, Any]]) -> None:
    """Print the figures of several measurements as tables; the stages are those of the last."""
    last = runs_made[-1]
    out = Console(highlight=False, soft_wrap=True)
    phases = Table("phase, seconds", title=f"{last['folder']}, {len(runs_made)} times")
    for column in ("median", "fastest", "slowest"):
        phases.add_column(column, justify="right")
    for phase in last["seconds"]:
        seconds = [each["seconds"][phase] for each in runs_made]
        phases.add_row(phase, *(f"{figure:.2f}" for figure in (median(seconds), min(seconds), max(seconds))))
    stages = Table("stage", title="stages")
    for column in ("achieved", "bound", "proof", "last report at, s"):
        stages.add_column(column, justify="right")
    for stage in last["stages"]:
        at = stage["settled_at_seconds"]
        row = (f"{stage['achieved']:,}", f"{stage['bound']:,}", stage["proof"], "" if at is None else f"{at:.2f}")
        stages.add_row(stage["name"], *row)
    out.print(phases, stages)
    out.print(f"{last['housed']:,} of {last['eligible']:,} eligible households in {last['houses']:,} houses")
    out.print(f"peak memory {last['peak_memory_mb']:.0f} MB")
    out.print(last["proof"], markup=False)


def main() -> None:
    """Measure one folder, each time in a fresh database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3, help="how often (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures = []
    for _ in range(max(options.runs, 1)):
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(data_dir=Path(folder), database_url="")
            database = Database(settings.url)
            migration.upgrade(database)
            figures.append(measure(options.folder, database, settings))
            database.dispose()
    show(figures)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
