"""What a transaction changes, row by row: gathered as its session flushes, told by the next entry.

Personal data never gets into an entry in clear: in a table that may hold some, only columns marked NOT_PERSONAL are
told as they are; of the others there are digests.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from re import sub
from typing import Any

from sqlalchemy import Connection, FromClause, event, inspect, select
from sqlalchemy.orm import Mapper, Session, SessionTransaction, object_session
from sqlalchemy.orm.util import identity_key
from sqlalchemy.sql.elements import KeyedColumnElement

from app.audit.chain import canonical
from app.audit.digests import digest, plain
from app.database import Base
from app.sealed import Sealed, sealed_of, table_of

WRITTEN = "audit_written"
LONGEST_TOLD = 500
"""A longer text that is not personal, such as a run's problem, is told by its SHA-256."""
Values = dict[str, Any]


@dataclass(frozen=True)
class _Written:
    """One row, written once: raw values by column. `before` is None for a new row, `after` for one that is gone."""

    row: Base
    before: Values | None
    after: Values | None
    savepoint: SessionTransaction | None


@dataclass
class Change:
    """A row that was made, changed or deleted: raw values by column, before and after."""

    row: Base
    before: Values = field(default_factory=dict)
    after: Values = field(default_factory=dict)
    is_new: bool = False
    is_gone: bool = False


def thing_of(kind: type[Base]) -> str:
    """Return what the rows of a table are, in words joined by underscores: `land_release_area`."""
    return sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def reference_of(row: Base) -> str | None:
    """Return the public reference of a row, if its kind has one."""
    return getattr(row, "reference", None)


def _columns(row: Base) -> Iterator[tuple[str, str]]:
    """Yield the names of a row's columns that are told, each after its attribute."""
    mapper: Mapper[Any] = inspect(type(row))
    for column in mapper.local_table.columns:
        if not column.primary_key and column.info.get("audited", True):
            yield mapper.get_property_by_column(column).key, column.name


def _note(row: Base, before: Values | None, after: Values | None) -> None:
    session = object_session(row)
    assert session is not None  # noqa: S101 - a row is flushed by its session
    session.info.setdefault(WRITTEN, []).append(_Written(row, before, after, session.get_nested_transaction()))


def _all_of(row: Base) -> Values:
    values = inspect(row).dict
    return {name: values.get(key) for key, name in _columns(row)}


@event.listens_for(Base, "after_insert", propagate=True)
def _made(_mapper: Mapper[Any], _connection: Connection, row: Base) -> None:
    if row.is_audited:
        _note(row, None, _all_of(row))


@event.listens_for(Base, "after_update", propagate=True)
def _changed(_mapper: Mapper[Any], _connection: Connection, row: Base) -> None:
    if row.is_audited:
        attributes = inspect(row).attrs
        histories = {name: attributes[key].history for key, name in _columns(row)}
        changed = {name: history for name, history in histories.items() if history.has_changes()}
        before = {name: history.deleted[0] if history.deleted else None for name, history in changed.items()}
        _note(row, before, {name: history.added[0] if history.added else None for name, history in changed.items()})


@event.listens_for(Base, "after_delete", propagate=True)
def _deleted(_mapper: Mapper[Any], _connection: Connection, row: Base) -> None:
    if row.is_audited:
        _note(row, _all_of(row), None)


def forget(session: Session, undone: SessionTransaction | None = None) -> None:
    """Drop what was written since it was told last: within the savepoint `undone`, or all of it."""
    written: list[_Written] = session.info.pop(WRITTEN, [])
    if undone is not None:
        session.info[WRITTEN] = [each for each in written if not within(each.savepoint, undone)]


def within(savepoint: SessionTransaction | None, undone: SessionTransaction) -> bool:
    """Whether what was done in `savepoint` is undone with `undone`."""
    while savepoint is not None and savepoint is not undone:
        savepoint = savepoint.parent
    return savepoint is undone


def told(session: Session, whose: str | None) -> list[dict[str, Any]]:
    """Return, as JSON has it, every row that `session` changed since this was asked last; it must have flushed.

    `whose`: the reference under which rows are digested that have none of their own.
    """
    changes: dict[int, Change] = {}
    for each in session.info.pop(WRITTEN, []):
        change = changes.setdefault(id(each.row), Change(each.row, is_new=each.before is None))
        change.is_gone = each.after is None
        change.before = {**(each.before or {}), **change.before}
        change.after |= each.after or {}
    references = _References(session, changes.values())
    documents = [_document(change, references, whose) for change in changes.values()]
    found = [document for document in documents if document["before"] or document["after"]]
    return sorted(found, key=lambda each: (each["thing"], each["reference"] or "", canonical(each)))


def _document(change: Change, references: "_References", whose: str | None) -> dict[str, Any]:
    row = change.row
    columns = inspect(type(row)).local_table.columns

    def named(values: Values) -> Values:
        found = {name: references.of(columns[name], value) for name, value in values.items()}
        for sealed in sealed_of(type(row)):
            _open(row, sealed, found)
        return found

    before, after = {} if change.is_new else change.before, {} if change.is_gone else change.after
    return described(type(row), reference_of(row), named(before), named(after), whose=whose)


def _open(row: Base, sealed: Sealed, values: Values) -> None:
    """Put the text that was sealed in the place of what is stored of it: encrypted anew it would always differ."""
    values.pop(sealed.index_name or "", None)
    if sealed.sealed_name in values:
        stored = values.pop(sealed.sealed_name)
        values[sealed.name] = sealed.read(table_of(type(row)), reference_of(row) or "", stored)


def described(
    kind: type[Base], reference: str | None, before: Values, after: Values, *, whose: str | None = None
) -> dict[str, Any]:
    """Tell what became of one row, as JSON has it: only what differs, and of a new or a deleted row what it held.

    Values are by column, foreign keys as public references and sealed texts opened. `whose` is the reference that
    digests are made for where the row has none of its own.
    """
    thing, columns = thing_of(kind), inspect(kind).local_table.columns

    def tell(name: str, value: Any) -> Any:
        is_personal = name not in columns or (kind.may_be_personal and columns[name].info.get("personal", True))
        if value is not None and is_personal:
            return digest(thing, reference or whose, name, value)
        return _shortened(plain(value))

    names = [*(column.name for column in columns), *(sealed.name for sealed in sealed_of(kind))]
    differing = [name for name in names if before.get(name) != after.get(name)]
    return {
        "thing": thing,
        "reference": reference,
        "before": {name: tell(name, before[name]) for name in differing if name in before},
        "after": {name: tell(name, after[name]) for name in differing if name in after},
    }


def _shortened(value: Any) -> Any:
    if value is None:
        return None
    text = value if isinstance(value, str) else canonical(value)
    return value if len(text) <= LONGEST_TOLD else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class _References:
    """The public references behind the ids that rows name: from what the session holds, else asked for at once."""

    def __init__(self, session: Session, changes: Iterable[Change]) -> None:
        self._known: dict[tuple[FromClause, Any], str] = {}
        classes = {mapper.local_table: mapper.class_ for mapper in Base.registry.mappers}
        unknown: dict[FromClause, set[Any]] = defaultdict(set)
        for change in changes:
            for column in _foreign(change.row):
                for number in {change.before.get(column.name), change.after.get(column.name)} - {None}:
                    target = _target(column)
                    held = session.identity_map.get(identity_key(classes[target], number))
                    if held is not None and "reference" in inspect(held).dict:
                        self._known[target, number] = held.reference
                    else:
                        unknown[target].add(number)
        for target, numbers in unknown.items():
            query = select(target.c.id, target.c.reference).where(target.c.id.in_(numbers))
            self._known.update({(target, number): reference for number, reference in session.execute(query)})

    def of(self, column: KeyedColumnElement[Any], value: Any) -> Any:
        """Return the reference behind a foreign key; any other value, and an id that names nothing now, as it is."""
        return self._known.get((_target(column), value), value) if column.foreign_keys else value


def _foreign(row: Base) -> list[KeyedColumnElement[Any]]:
    return [column for column in inspect(type(row)).local_table.columns if column.foreign_keys]


def _target(column: KeyedColumnElement[Any]) -> FromClause:
    return next(iter(column.foreign_keys)).column.table
