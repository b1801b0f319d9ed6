"""What goes with the reason of a proposal, so that it can be said in the family's language."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "grounds"
down_revision: str | None = "public_seeds"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("proposals", sa.Column("grounds", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("proposals", "grounds")
