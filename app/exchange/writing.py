"""Writing what a survey found, in the order in which things refer to each other."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from app.access.permissions import Principal
from app.errors import Conflict
from app.exchange.survey import MODELS, Changes, Handle, Survey
from app.policy.facts import Relationship
from app.registry.checks import RECORDED
from app.registry.models import ApplicationState
from app.sealed import closed

Rows = list[dict[str, Any]]

REFERENCES = {
    "settlement_id": "settlements",
    "origin_id": "origins",
    "kin_group_id": "kin_groups",
    "household_id": "households",
}
SIMPLE = ("milestones", "jobs", "suitability")
KEYED = ("houses", "land_release")


def write(session: Session, survey: Survey, actor: Principal) -> None:
    """Write everything that `survey` found new or changed. Raises Conflict when somebody changed it meanwhile."""
    writer = _Writer(session, survey)
    for name in ("settlements", "origins", "kin_groups"):
        writer.keyed(name)
    writer.origin_homes()
    for name in KEYED:
        writer.keyed(name)
    writer.keyed("households")
    writer.people()
    writer.applications(actor)
    for name in SIMPLE:
        writer.insert(name, survey.changes[name].created.values())
        writer.update(name, survey.changes[name])
    session.expire_all()


def _table(name: str) -> Table:
    table = MODELS[name].__table__
    assert isinstance(table, Table)  # noqa: S101 - every model is mapped to one table
    return table


class _Writer:
    """Turns handles into ids as things are written."""

    def __init__(self, session: Session, survey: Survey) -> None:
        self._session = session
        self._survey = survey
        self._ids: dict[str, dict[Any, int]] = {name: {} for name in MODELS}

    def keyed(self, name: str) -> None:
        """Write the things of a table that have a key."""
        changes = self._survey.changes[name]
        rows = [{**values, "key": handle[0]} for handle, values in changes.created.items()]
        if rows:
            self.insert(name, rows)
            self._ids[name] = self._made(name, "key")
        self.update(name, changes)

    def insert(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows. Asking for their ids in the same statement would take PostgreSQL three times as long."""
        if resolved := self._resolved(rows):
            self._session.execute(
                insert(_table(name)), [closed(MODELS[name], row, row.get("reference")) for row in resolved]
            )

    def update(self, name: str, changes: Changes) -> None:
        """Write the rows that changed, each only if nobody else has changed it since it was read."""
        if not changes.changed:
            return
        table = _table(name)
        statement = update(table).where(table.c.id == bindparam("b_id"))
        resolved = self._resolved(change.values for change in changes.changed)
        rows = [
            closed(MODELS[name], row, change.record.get("reference")) | {"b_id": change.record["id"]}
            for row, change in zip(resolved, changes.changed, strict=True)
        ]
        if "version" in table.c:
            statement = statement.where(table.c.version == bindparam("b_version")).values(version=table.c.version + 1)
            for row, change in zip(rows, changes.changed, strict=True):
                row["b_version"] = change.record["version"]
        written = self._session.connection().execute(statement, rows)
        if written.rowcount != len(rows):
            raise _changed(name)

    def origin_homes(self) -> None:
        """Merge origins into settlements, or part them."""
        table = _table("origins")
        rows = [
            {"b_id": self._id("origins", origin), "settlement_id": self._id("settlements", home)}
            for origin, home in self._survey.origin_homes.items()
        ]
        if rows:
            self._session.execute(update(table).where(table.c.id == bindparam("b_id")), rows)

    def people(self) -> None:
        """Write people: whoever stops being head before whoever becomes it, and partners when all are there."""
        changes = self._survey.changes["people"]
        table = _table("people")
        changes.changed.sort(key=lambda change: change.values["relationship"] is Relationship.HEAD)
        self._free_numbers(changes)
        self.update("people", changes)
        rows = [{**values, "key": handle[1]} for handle, values in changes.created.items()]
        self.insert("people", rows)
        rows = self._resolved(rows)
        if rows and self._survey.partners:
            made = self._made("people", "household_id", "key")
            self._ids["people"] = {
                handle: made[row["household_id"], row["key"]] for handle, row in zip(changes.created, rows, strict=True)
            }
        pairs = [
            {"b_id": self._id("people", person), "partner_id": self._id("people", partner)}
            for person, partner in self._survey.partners.items()
        ]
        for each in ([pair | {"partner_id": None} for pair in pairs], pairs):  # unique: free them all, then pair
            if each:
                self._session.execute(update(table).where(table.c.id == bindparam("b_id")), each)
        self._count_versions()

    def _free_numbers(self, changes: Changes) -> None:
        """Free the documents' numbers that change: two people may exchange theirs, and no two have the same."""
        table = _table("people")
        rows = [
            {"b_id": each.record["id"]}
            for each in changes.changed
            if each.record["national_id"] not in (None, each.values["national_id"])
        ]
        if rows:
            freed = update(table).where(table.c.id == bindparam("b_id")).values(national_id_index=None)
            self._session.execute(freed, rows)

    def _count_versions(self) -> None:
        """Count the version of households up whose people changed, and that did not change themselves.

        Those are held as well of which an application or an estimate is new: nobody may erase them at this moment.
        """
        written = {change.record["id"] for change in self._survey.changes["households"].changed}
        touched = self._survey.touched_households - written
        named = {
            values["household_id"]
            for name in ("applications", "suitability")
            for values in self._survey.changes[name].created.values()
        }
        held = {household for household in named if isinstance(household, int)} - touched - written
        read = {record["id"]: record["version"] for record in self._survey.records("households")}
        table = _table("households")
        same = update(table).where(table.c.id == bindparam("b_id"), table.c.version == bindparam("b_version"))
        for households, statement in (
            (touched, same.values(version=table.c.version + 1)),
            (held, same.values(version=table.c.version, updated_at=table.c.updated_at)),
        ):
            rows = [{"b_id": household, "b_version": read[household]} for household in sorted(households)]
            if rows and self._session.connection().execute(statement, rows).rowcount != len(rows):
                raise _changed("households")

    def applications(self, actor: Principal) -> None:
        """Write applications, and anew the preferences of those that changed."""
        changes = self._survey.changes["applications"]
        preferences = _table("preferences")
        wishes: list[tuple[int, tuple[Handle, ...]]] = []
        for change in changes.changed:
            wishes.append((change.record["id"], change.values.pop("preferences")))
            is_handed_in = change.values.get("state") is ApplicationState.SUBMITTED
            change.values["submitted_by_id"] = actor.user_id if is_handed_in else change.record["submitted_by_id"]
            before = change.record["written_by"]
            change.values["written_by"] = before if actor.user_id in before else [*before, actor.user_id]
            for name in ("state", *RECORDED):
                change.values.setdefault(name, change.record[name])
            change.values["submitted_at"] = _midnight(change.values.pop("submitted_on", None))
            if change.values["submitted_at"] is None:
                change.values["submitted_at"] = change.record["submitted_at"]
        if wishes:
            self._session.execute(
                delete(preferences).where(preferences.c.application_id == bindparam("b_id")),
                [{"b_id": application} for application, _ in wishes],
            )
        self.update("applications", changes)
        rows = []
        wanted: dict[int, tuple[Handle, ...]] = {}
        for values in changes.created.values():
            household = self._id("households", values["household_id"])
            wanted[household] = values["preferences"]
            submitted_at = _midnight(values["submitted_on"])
            rows.append(
                {
                    "reference": values["reference"],
                    "household_id": household,
                    "state": values["state"],
                    "anywhere": values["anywhere"],
                    "created_by_id": actor.user_id,
                    "submitted_at": submitted_at,
                    "submitted_by_id": None if submitted_at is None else actor.user_id,
                }
            )
        if rows:
            self.insert("applications", rows)
            made = self._made("applications", "household_id")
            wishes += [(made[household,], settlements) for household, settlements in wanted.items()]
        self.insert(
            "preferences",
            (
                {"application_id": application, "rank": rank, "settlement_id": settlement}
                for application, settlements in wishes
                for rank, settlement in enumerate(settlements, 1)
            ),
        )

    def _made(self, name: str, *columns: str) -> dict[tuple[Any, ...], int]:
        """Return the ids of a table's rows by some of their columns."""
        table = _table(name)
        found = self._session.execute(select(*(table.c[column] for column in columns), table.c.id))
        return {tuple(values): number for *values, number in found}

    def _id(self, name: str, handle: Handle | None) -> Any:
        return handle if handle is None or isinstance(handle, int) else self._ids[name][handle]

    def _resolved(self, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """Return rows whose references are ids."""
        return [
            {
                column: self._id(REFERENCES[column], value) if column in REFERENCES else value
                for column, value in row.items()
            }
            for row in rows
        ]


def _changed(name: str) -> Conflict:
    return Conflict(f"Somebody changed {name} while this was imported; nothing was written. Import it again.")


def _midnight(on: date | None) -> datetime | None:
    return None if on is None else datetime.combine(on, time(), UTC)
