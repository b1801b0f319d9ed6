"""PostgreSQL databases for tests: copies of a template, emptied and used again."""

import uuid
from contextlib import closing, suppress
from typing import Any

import psycopg
from sqlalchemy import create_engine, make_url, text


def administer(server_url: str, statement: str) -> None:
    """Execute a statement outside of any transaction."""
    engine = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


EMPTY = """
DO $$
DECLARE each record;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR each IN SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger WHERE tgenabled = 'A' LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', each.relation, each.tgname);
    END LOOP;
    SET LOCAL session_replication_role = replica;
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', each.tablename);
    END LOOP;
    FOR each IN SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger WHERE tgenabled = 'D' LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', each.relation, each.tgname);
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences
        WHERE last_value IS NOT NULL;
END $$
"""
"""Makes a migrated PostgreSQL database as it was, for a superuser: rows are many times quicker gone than a database."""
SHAPE = """
SELECT (SELECT array_agg((relname, relkind, relacl)::text ORDER BY oid) FROM pg_class WHERE relnamespace = schema),
    (SELECT array_agg((attrelid, attname, atttypid, attnotnull)::text ORDER BY attrelid, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = schema),
    (SELECT array_agg((tgrelid, tgname, tgenabled, tgtype)::text ORDER BY oid) FROM pg_trigger),
    (SELECT array_agg((conname, convalidated)::text ORDER BY oid) FROM pg_constraint WHERE connamespace = schema),
    (SELECT array_agg((proname, prosrc)::text ORDER BY oid) FROM pg_proc WHERE pronamespace = schema),
    (SELECT version_num FROM alembic_version)
FROM (SELECT 'public'::regnamespace AS schema) AS public
"""
"""What a test that changes more than rows has changed. Object numbers are the same in every copy of a template."""


class PostgresqlDatabases:
    """Migrated, empty databases of one server, used again where a test has changed nothing but rows."""

    def __init__(self, server_url: str, template: str) -> None:
        self.server_url, self.template = server_url, template
        self.free: list[str] = []
        self.shape: Any = None

    def url(self, name: str) -> str:
        """Return the address of one."""
        return make_url(self.server_url).set(database=name).render_as_string(hide_password=False)

    def take(self) -> str:
        """Return the name of one that nobody else uses."""
        if self.free:
            return self.free.pop()
        name = f"hearth_{uuid.uuid4().hex}"
        administer(self.server_url, f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY FILE_COPY")
        if self.shape is None:
            with closing(psycopg.connect(self.url(name))) as connection:
                self.shape = connection.execute(SHAPE).fetchone()
        return name

    def give_back(self, name: str) -> None:
        """Empty one for whoever comes next; drop it where that does not make it what it was."""
        with suppress(psycopg.Error), closing(psycopg.connect(self.url(name), autocommit=True)) as connection:
            connection.execute(EMPTY)
            if connection.execute(SHAPE).fetchone() == self.shape:
                self.free.append(name)
                return
        self._drop(name)

    def drop_all(self) -> None:
        """Drop those that nobody uses."""
        while self.free:
            self._drop(self.free.pop())

    def _drop(self, name: str) -> None:
        administer(self.server_url, f"DROP DATABASE {name} WITH (FORCE)")
