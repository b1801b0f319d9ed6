"""Changing the key that personal data is encrypted with, while the service runs."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Table, func, select, update
from sqlalchemy.orm import Session

from app.database import Base, Database
from app.keys import ID_LENGTH, Key, Keyring, Unreadable
from app.sealed import Sealed, sealed_of, table_of

BATCH = 500


def _sealed_columns() -> Iterator[tuple[Table, Sealed, ColumnElement[str]]]:
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__name__):
        model: type[Base] = mapper.class_
        for each in sealed_of(model):
            table = table_of(model)
            yield table, each, table.c[each.sealed_name]


def uses(session: Session) -> Counter[str]:
    """Return how many texts are encrypted under each key, by its id."""
    found: Counter[str] = Counter()
    for _, _, column in _sealed_columns():
        key = func.substr(column, 1, ID_LENGTH)
        for identifier, count in session.execute(select(key, func.count()).where(column.is_not(None)).group_by(key)):
            found[identifier] += count
    return found


def require_every_key(session: Session, keyring: Keyring) -> None:
    """Raise Unreadable when something is encrypted under a key that `keyring` has not."""
    missing = uses(session).keys() - {key.id for key in keyring.keys}
    if missing:
        raise Unreadable(
            f"The keyring {keyring.path} is not the one of this database: it has no key {', '.join(sorted(missing))}. "
            "Put back the file that has it."
        )


def rotate(database: Database, keyring: Keyring) -> tuple[Key, bool, int]:
    """Make a new key and encrypt everything under it, or end a rotation that was cut short.

    Return the current key, whether it is new, and how many texts were encrypted anew. Each batch is a transaction of
    its own, and a text that somebody changes meanwhile is left as they wrote it.
    """
    with database.session(writes=False) as session:
        unfinished = uses(session).keys() - {keyring.current.id}
    key = keyring.current if unfinished else keyring.add()
    written = 0
    for table, sealed, column in _sealed_columns():
        other = column.is_not(None) & (func.substr(column, 1, ID_LENGTH) != key.id)
        last = 0
        while True:
            with database.session(writes=True) as session:
                rows = session.execute(
                    select(table.c.id, table.c.reference, column)
                    .where(other, table.c.id > last)
                    .order_by(table.c.id)
                    .limit(BATCH)
                ).all()
                for identifier, reference, stored in rows:
                    text = sealed.read(table, reference, stored)
                    anew = sealed.columns(table, reference, text)[sealed.sealed_name]
                    result = session.connection().execute(
                        update(table).where(table.c.id == identifier, column == stored).values({column.name: anew})
                    )
                    written += result.rowcount
            if not rows:
                break
            last = rows[-1].id
    return key, not unfinished, written
