"""Who took a reserved house away, or requested and approved the run that did."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "proposals_ended_by"
down_revision: str | None = "written_by"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("proposals", sa.Column("ended_by", sa.JSON(), server_default="[]", nullable=False))
    with op.batch_alter_table("proposals") as batch_op:
        batch_op.alter_column("ended_by", existing_type=sa.JSON(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    """Undo."""
    op.drop_column("proposals", "ended_by")
