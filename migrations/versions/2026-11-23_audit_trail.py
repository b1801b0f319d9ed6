"""The audit trail, to which the database itself lets nobody do anything but append."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e663ea7f41fb"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXED = ("recorded_at", "actor", "act", "subject")

SQLITE = (
    """
    CREATE TRIGGER audit_entries_unchanged BEFORE UPDATE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'audit_entries is append-only'); END
    """,
    """
    CREATE TRIGGER audit_entries_undeleted BEFORE DELETE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'audit_entries is append-only'); END
    """,
    # Also what keeps INSERT OR REPLACE from replacing: it would delete without the trigger above.
    """
    CREATE TRIGGER audit_entries_in_sequence BEFORE INSERT ON audit_entries
    WHEN NEW.sequence IS NOT coalesce((SELECT max(sequence) FROM audit_entries), 0) + 1
      OR NEW.previous_hash IS NOT coalesce(
        (SELECT hash FROM audit_entries ORDER BY sequence DESC LIMIT 1), printf('%064d', 0))
    BEGIN SELECT RAISE(ABORT, 'audit_entries takes only the entry after its last'); END
    """,
)
POSTGRESQL = (
    """
    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_entries_unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
    """,
    """
    CREATE FUNCTION audit_in_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last audit_entries;
    BEGIN
      SELECT * INTO last FROM audit_entries ORDER BY sequence DESC LIMIT 1;
      IF NEW.sequence <> coalesce(last.sequence, 0) + 1 OR NEW.previous_hash <> coalesce(last.hash, repeat('0', 64))
      THEN RAISE EXCEPTION 'audit_entries takes only the entry after its last';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER audit_entries_in_sequence BEFORE INSERT ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_in_sequence()
    """,
    # Also in a session that plays the replica, where ordinary triggers rest.
    "ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER audit_entries_unchanged",
    "ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER audit_entries_in_sequence",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_entries",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("recorded_at", sa.String(length=27), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=40), nullable=True),
        sa.Column("act", sa.String(length=60), nullable=False),
        sa.Column("subject_type", sa.String(length=40), nullable=True),
        sa.Column("subject", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entries")),
    )
    for column in INDEXED:
        op.create_index(op.f(f"ix_audit_entries_{column}"), "audit_entries", [column])
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    op.drop_table("audit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_append_only()")
        op.execute("DROP FUNCTION audit_in_sequence()")
