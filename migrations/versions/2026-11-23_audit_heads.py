"""Signed heads of the audit trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9a6d20c1be07"
down_revision: str | None = "e663ea7f41fb"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SQLITE = (
    """
    CREATE TRIGGER audit_heads_unchanged BEFORE UPDATE ON audit_heads
    BEGIN SELECT RAISE(ABORT, 'audit_heads is append-only'); END
    """,
    """
    CREATE TRIGGER audit_heads_undeleted BEFORE DELETE ON audit_heads
    BEGIN SELECT RAISE(ABORT, 'audit_heads is append-only'); END
    """,
)
POSTGRESQL = (
    """
    CREATE TRIGGER audit_heads_unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
    """,
    "ALTER TABLE audit_heads ENABLE ALWAYS TRIGGER audit_heads_unchanged",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_heads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("signed_at", sa.String(length=27), nullable=False),
        sa.Column("public_key", sa.String(length=44), nullable=False),
        sa.Column("signature", sa.String(length=88), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_heads")),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    op.drop_table("audit_heads")
