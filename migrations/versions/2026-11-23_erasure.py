"""When and why a household was erased."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "67a0b97ab305"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("households", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("households", sa.Column("erased_reason", sa.String(length=500), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("households", "erased_reason")
    op.drop_column("households", "erased_at")
