"""SQLite's REPLACE deletes without asking the triggers of a DELETE: no signed head is replaced so either."""

from collections.abc import Sequence

from alembic import op

revision: str = "unreplaced_heads"
down_revision: str | None = "moved_out_reasons"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TRIGGER = """
    CREATE TRIGGER audit_heads_unreplaced BEFORE INSERT ON audit_heads
    WHEN EXISTS (SELECT 1 FROM audit_heads WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_heads is append-only'); END
"""


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(TRIGGER)


def downgrade() -> None:
    """Undo."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_heads_unreplaced")
