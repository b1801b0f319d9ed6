"""Importing files: checked whole, then written in the caller's transaction, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app import audit
from app.access.permissions import Permission, Principal
from app.audit import Act
from app.database import engine_of
from app.exchange.corrections import corrected
from app.exchange.parsing import parse
from app.exchange.reading import sheets
from app.exchange.refusals import Refusals
from app.exchange.register import survey_register
from app.exchange.stock import survey_stock
from app.exchange.survey import Survey
from app.exchange.telling import told
from app.exchange.writing import write
from app.housing import closures
from app.registry import duplicates
from app.registry.match_keys import in_parts
from app.registry.models import Correction, Household
from app.sealed import table_of
from app.settings import Settings


@dataclass(frozen=True)
class Counts:
    """What became, or would become, of the rows of one table."""

    created: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do when `dry_run`: counts by table, in the order in which they were read."""

    dry_run: bool
    tables: dict[str, Counts]
    possible_duplicates: int = 0
    """Pairs of households that somebody should look at, found among what was written."""

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        created = sum(counts.created for counts in self.tables.values())
        changed = sum(counts.changed for counts in self.tables.values())
        unchanged = sum(counts.unchanged for counts in self.tables.values())
        would = "would be " if self.dry_run else ""
        if not created and not changed:
            return (
                f"Nothing {'would be ' if self.dry_run else ''}changed: all {unchanged:,} rows are there as they are."
            )
        return f"{created:,} rows {would}added, {changed:,} {would}changed, {unchanged:,} unchanged."


def run(
    session: Session,
    source: Path | Mapping[str, bytes],
    *,
    actor: Principal,
    dry_run: bool = False,
    limit_mb: int | None = None,
) -> ImportReport:
    """Import a folder, a zip, a spreadsheet or single files, given by path or as name → bytes.

    Flushes and never commits; with `dry_run`, writes nothing. `limit_mb` bounds what is read, packed and unpacked
    (HEARTH_MAX_UPLOAD_MB if None). Raises ImportRefused, with every wrong cell, when any is wrong; TooLarge;
    Forbidden unless `actor` may import everywhere; Conflict when somebody changed the same rows meanwhile.
    """
    actor.require(Permission.EXCHANGE_IMPORT)
    session.flush()
    if engine_of(session).dialect.name == "postgresql":  # SQLite lets one writer in at a time anyway
        # One import after another: two that change the same rows in another order would stop each other.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("import", 0))))
    refusals = Refusals()
    opened = sheets(source, refusals, Settings().max_upload_mb if limit_mb is None else limit_mb)
    parsed = {sheet.table.name: parse(sheet, refusals) for sheet in opened}
    survey = Survey(session, parsed, refusals)
    survey_stock(survey)
    survey_register(survey)
    refusals.raise_if_any()
    report = ImportReport(dry_run, {name: _counts(survey, name) for name in parsed})
    if not dry_run:
        details = told(survey)
        history = corrected(survey, actor)
        write(session, survey, actor)
        if history:
            session.execute(insert(table_of(Correction)), history)
        closures.note(session)
        found = duplicates.look(session, _written_households(session, survey))
        report = replace(report, possible_duplicates=found)
        audit.record(session, actor, Act.EXCHANGE_IMPORT, details=details)
    return report


def _written_households(session: Session, survey: Survey) -> set[int]:
    """Return the households that are new or changed, or whose people changed."""
    changes = survey.changes["households"]
    written = {int(change.record["id"]) for change in changes.changed} | survey.touched_households
    for part in in_parts(values["reference"] for values in changes.created.values()):
        written |= set(session.scalars(select(Household.id).where(Household.reference.in_(part))))
    return written


def _counts(survey: Survey, name: str) -> Counts:
    changes = survey.changes[name]
    return Counts(len(changes.created), len(changes.changed), changes.unchanged)
