"""The database: engine, sessions, column types, naming convention."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from anyio import CancelScope, Semaphore
from anyio.to_thread import run_sync
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Index,
    MetaData,
    String,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, declared_attr, mapped_column

from app.references import new_reference

LOCK_WAIT_SECONDS = 30
SCRUB_WAIT_MILLISECONDS = 1_000
REFERENCE_LENGTH = 16
NOT_AUDITED = {"audited": False}
"""`info` of a column whose changes tell nobody anything, such as a count of versions."""
NOT_PERSONAL = {"personal": False}
"""`info` of a column that the audit trail may show, in a table that may hold personal data."""
Result = TypeVar("Result")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC on both databases. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse what has no time zone; store the rest as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table. Constraints are named by one convention, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy declares it so

    is_audited: ClassVar[bool] = True
    """Whether the audit trail tells what changes in the table."""
    may_be_personal: ClassVar[bool] = True
    """Whether the table may hold personal data: the audit trail tells its columns by digests, if not NOT_PERSONAL."""

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-100)


class Versioned:
    """A thing that people change at the same time: every change counts `version` up, and its ETag is that number."""

    version: Mapped[int] = mapped_column(default=1, info=NOT_AUDITED)
    updated_at: Mapped[datetime] = mapped_column(
        UtcDateTime, default=lambda: utc_now(), onupdate=lambda: utc_now(), info=NOT_AUDITED
    )

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy calls it with the class
        return {"version_id_col": cls.version}


def reference_column(prefix: str) -> Mapped[str]:
    """Return a column of public references with `prefix`, filled by itself."""
    return mapped_column(
        String(REFERENCE_LENGTH),
        unique=True,
        default=lambda: new_reference(prefix),
        sort_order=-99,
        info=NOT_AUDITED,  # it is what the trail calls the row
    )


def unique_where(name: str, column: str, condition: str) -> Index:
    """Return a unique index of `column` over the rows where `condition`, in SQL that both databases read, holds."""
    where = text(condition)
    return Index(name, column, unique=True, sqlite_where=where, postgresql_where=where)


def key_column() -> Mapped[str | None]:
    """Return a column for the sender's own reference: unique where given."""
    return mapped_column(String(80), unique=True)


def enum_column(kind: type[StrEnum]) -> Enum:
    """Return a text column type, checked by the database, for the values of `kind`."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=lambda members: [member.value for member in members],
        name=f"{kind.__name__.lower()}",
    )


def utc_now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)


def latest_today() -> date:
    """Return today where on earth it comes first: a day after it lies in the future for everybody."""
    return (utc_now() + timedelta(hours=14)).date()


def earliest_day(moment: datetime) -> date:
    """Return the day of a moment where on earth it comes last: a day before it was over by then for everybody."""
    return (moment - timedelta(hours=12)).date()


class Database:
    """An engine and the rules by which sessions are handed out.

    A session is one transaction: it commits when its block ends well and rolls back otherwise. On SQLite, writers
    of this process queue on a lock and start with BEGIN IMMEDIATE, so that none of them fails half way; on both
    databases at most `pool_size` requests are in the database at once, and the others wait without a thread. Of those
    that write on SQLite one at a time is among these, or readers would wait for whom writers wait for.
    """

    def __init__(self, url: str, pool_size: int = 8) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        name = self.url.database or ""
        is_path = self.is_sqlite and name and not name.startswith("file:")  # SQLite reads a URI, with its own rules
        self.file = Path(name) if is_path else None
        if self.is_sqlite:
            arguments: dict[str, Any] = {
                "isolation_level": None,
                "timeout": LOCK_WAIT_SECONDS,
                "check_same_thread": False,
            }
        else:
            self.url = self.url.set(drivername="postgresql+psycopg")
            arguments = {"connect_timeout": 10, "application_name": "hearth"}
        self.engine = create_engine(
            self.url,
            connect_args=arguments,
            hide_parameters=True,  # errors are logged, and parameters are people's names
            pool_size=pool_size,
            max_overflow=2,
            pool_pre_ping=not self.is_sqlite,
        )
        if self.is_sqlite:
            event.listen(self.engine, "do_connect", self._make_folder)
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._slots, self._writing = Semaphore(pool_size), Semaphore(1)
        self._writer = threading.Lock()

    def _make_folder(self, *_connecting: object) -> None:
        if self.file is not None:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _open(self, *, writes: bool, one_moment: bool) -> Session:
        options: dict[str, Any] = {"hearth_writes": writes}
        if one_moment and not self.is_sqlite:  # whose transactions read so without being told
            options["isolation_level"] = "REPEATABLE READ"
        return Session(self.engine.execution_options(**options), expire_on_commit=False)

    @contextmanager
    def session(self, *, writes: bool, one_moment: bool = False) -> Iterator[Session]:
        """Open one transaction. With `writes` false, nothing is to be changed in it.

        With `one_moment`, all that it reads is as it was when it first read.
        """
        alone = self._writer if writes and self.is_sqlite else nullcontext()
        with alone, self._open(writes=writes, one_moment=one_moment) as session, session.begin():
            yield session

    @asynccontextmanager
    async def _slot(self, *, writes: bool) -> AsyncIterator[None]:
        alone = self._writing if writes and self.is_sqlite else nullcontext()
        async with alone, self._slots:
            yield

    @asynccontextmanager
    async def request_session(self, *, writes: bool) -> AsyncIterator[Session]:
        """Open one transaction from the event loop, whose blocking steps run in threads."""
        async with self._slot(writes=writes):
            manager = self.session(writes=writes)
            session = await run_sync(manager.__enter__)
            try:
                yield session
            except BaseException as error:
                with CancelScope(shield=True):  # a task that is cancelled would not even begin the rollback
                    await run_sync(manager.__exit__, type(error), error, error.__traceback__)
                raise
            with CancelScope(shield=True):
                await run_sync(manager.__exit__, None, None, None)

    async def transact(self, work: Callable[[Session], Result], *, writes: bool, one_moment: bool = False) -> Result:
        """Do `work` in one transaction of its own, in one thread, from the event loop."""

        def transaction() -> Result:
            with self.session(writes=writes, one_moment=one_moment) as session:
                return work(session)

        async with self._slot(writes=writes):
            return await run_sync(transaction)

    def scrub(self) -> bool:
        """Leave nothing of what was deleted in the database's files, as far as that depends on it.

        Return false when somebody else's transaction stands in the way. SQLite overwrites what it deletes; its log has
        the earlier pages until it is emptied. PostgreSQL keeps deleted rows until they are vacuumed.
        """
        raw = self.engine.raw_connection()
        driver: Any = raw.driver_connection
        try:
            if self.is_sqlite:
                driver.execute(f"PRAGMA busy_timeout={SCRUB_WAIT_MILLISECONDS}")
                busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                driver.execute(f"PRAGMA busy_timeout={LOCK_WAIT_SECONDS * 1000}")
                return not busy
            driver.autocommit = True
            driver.execute("VACUUM (SKIP_LOCKED)")
            driver.autocommit = False
        finally:
            raw.close()
        return True

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.dispose()


def _configure_sqlite(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("hearth_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def engine_of(session: Session) -> Engine:
    """Return the engine behind `session`."""
    bind = session.get_bind()
    return bind.engine
