"""What was sent beside what is there: which rows are new, which change, which refer to nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Base
from app.exchange.parsing import Key, Parsed, Row, Values
from app.exchange.refusals import Refusals
from app.housing.models import House, Job, LandReleaseArea, Milestone, Origin, Settlement
from app.registry.duplicate_models import Merge
from app.registry.models import Application, Household, KinGroup, Person, Preference, Suitability
from app.sealed import opened

Record = Mapping[str, Any]
Handle = int | tuple[Any, ...]
"""A thing: its id where it is in the database, else the key under which it is going to be."""

MODELS: dict[str, type[Base]] = {
    "settlements": Settlement,
    "origins": Origin,
    "houses": House,
    "milestones": Milestone,
    "jobs": Job,
    "land_release": LandReleaseArea,
    "kin_groups": KinGroup,
    "households": Household,
    "people": Person,
    "applications": Application,
    "preferences": Preference,
    "suitability": Suitability,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A row in the database that becomes another."""

    record: Record
    values: Values


@dataclass
class Changes:
    """What becomes of one table. `created` is by handle."""

    created: dict[tuple[Any, ...], Values] = field(default_factory=dict)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0


class Survey:
    """One import against one database. Nothing is written here; `changes` says what would be."""

    def __init__(self, session: Session, parsed: Mapping[str, Parsed], refusals: Refusals) -> None:
        self._session = session
        self.parsed = parsed
        self.refusals = refusals
        self.changes: dict[str, Changes] = {name: Changes() for name in MODELS}
        self.origin_homes: dict[Handle, Handle | None] = {}
        self.partners: dict[Handle, Handle | None] = {}
        self.touched_households: set[int] = set()
        self._records: dict[str, list[Record]] = {}
        self._indexes: dict[str, dict[str, Record]] = {}
        self._merged: dict[int, int] | None = None
        self._claimed: dict[str, dict[Handle, int]] = {name: {} for name in MODELS}

    def records(self, name: str) -> list[Record]:
        """Return every row of a table, read once."""
        if name not in self._records:
            model = MODELS[name]
            read = self._session.execute(select(*model.__table__.columns)).mappings()
            self._records[name] = [opened(model, dict(record)) for record in read]
        return self._records[name]

    def find(self, name: str, key: str) -> Record | None:
        """Return the row whose sender's key this is, or else whose public reference."""
        if name not in self._indexes:
            records = self.records(name)
            by_key = {record["key"]: record for record in records if record["key"] is not None}
            self._indexes[name] = {record["reference"]: record for record in records} | by_key
        return self._indexes[name].get(key)

    def handle(self, name: str, key: str) -> Handle | None:
        """Return the thing that `key` names, in the database or in these files."""
        record = self.find(name, key)
        if record is not None:
            return int(record["id"])
        sent = self.parsed.get(name)
        return (key,) if sent is not None and sent.mentions((key,)) else None

    def refer(self, name: str, file: Parsed, row: Row, column: str, key: str | None = None) -> Handle | None:
        """Return the thing that a cell names; refuse the cell when there is none."""
        key = row.values[column] if key is None else key
        if key is None:
            return None
        found = self.handle(name, key)
        if isinstance(found, int) and self._is_erased(name, key):
            self.refuse(file, row, column, "this household was erased; leave it out", key)
            return None
        if found is None:
            thing = name.removesuffix("s")
            self.refuse(file, row, column, f"there is no {thing} {key!r}; correct it, or add it to {name}.csv", key)
        return found

    def _is_erased(self, name: str, key: str) -> bool:
        record = self.find(name, key)
        return record is not None and record.get("erased_at") is not None

    def survivor(self, household: Handle) -> int | None:
        """Return the household that `household` was merged into, at last; None where it was not."""
        merged = self._merged_households()
        found = merged.get(household) if isinstance(household, int) else None
        while found in merged:
            found = merged[found]
        return found

    @cached_property
    def set_aside(self) -> frozenset[int]:
        """Households that keep second records of people who moved, and are no family that registered."""
        return frozenset(self._session.scalars(select(Merge.set_aside_id).where(Merge.set_aside_id.is_not(None))))

    @cached_property
    def decided(self) -> dict[tuple[str, str], Any]:
        """What decisions on duplicates, those that stand, have set: the value by reference and column."""
        changes = self._session.scalars(select(Merge.changes).where(Merge.undone_at.is_(None)).order_by(Merge.id))
        return {(step["reference"], step["name"]): step["after"] for steps in changes for step in steps}

    def absorbed(self, household: int) -> list[Record]:
        """Return the households that were merged into this one, and those set aside for it."""
        merged = [each for each in self._merged_households() if self.survivor(each) == household]
        return [each for each in self.records("households") if each["id"] in merged] if merged else []

    def _merged_households(self) -> dict[int, int]:
        if self._merged is None:
            into = {each["id"]: each["merged_into_id"] for each in self.records("households")}
            self._merged = {household: other for household, other in into.items() if other is not None}
        return self._merged

    def rows(self, name: str) -> Iterable[tuple[Key, Row]]:
        """Return the good rows sent for a table."""
        return self.parsed[name].rows.items() if name in self.parsed else ()

    def refuse(self, file: Parsed, row: Row, column: str, message: str, value: Any = None) -> None:
        """Refuse a cell of a row whose cells are good in themselves."""
        shown = row.values.get(column) if value is None else value
        if file.table.column(column).is_sealed:
            shown = None
        if isinstance(shown, bool):
            shown = int(shown)
        self.refusals.add(file.file, row.number, column, shown, message)

    def settle(
        self,
        name: str,
        row: Row,
        handle: tuple[Any, ...],
        record: Record | None,
        values: Values,
        *,
        touched: bool = False,
    ) -> bool:
        """Note a row as new, changed or unchanged, and return whether anything of it is new.

        `touched`: something beside its own columns changes.
        """
        claimed = self._claimed[name]
        identity: Handle = handle if record is None else int(record["id"])
        if identity in claimed:
            column = self.parsed[name].table.key[-1]
            message = f"row {claimed[identity]} is the same under another reference; leave one of the two out"
            self.refuse(self.parsed[name], row, column, message)
            return False
        claimed[identity] = row.number
        changes = self.changes[name]
        if record is None:
            changes.created[handle] = values
            return True
        if touched or any(record[column] != value for column, value in values.items()):
            changes.changed.append(Change(record, values))
            return True
        changes.unchanged += 1
        return False


def keyed(survey: Survey, name: str) -> Iterator[tuple[Row, Key, Record | None]]:
    """Yield the good rows of a table whose things have a key of their own, with the record of each, if there is one."""
    for key, row in survey.rows(name):
        yield row, key, survey.find(name, key[0])
