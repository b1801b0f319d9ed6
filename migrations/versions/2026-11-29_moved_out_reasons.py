"""Room for the words of ours that go before why a family moved out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "moved_out_reasons"
down_revision: str | None = "refused_what_ifs"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("applications") as batch_op:
        batch_op.alter_column("withdrawn_reason", existing_type=sa.String(length=500), type_=sa.String(length=600))


def downgrade() -> None:
    """Undo: longer reasons are cut off."""
    op.execute("UPDATE applications SET withdrawn_reason = substr(withdrawn_reason, 1, 500)")
    with op.batch_alter_table("applications") as batch_op:
        batch_op.alter_column("withdrawn_reason", existing_type=sa.String(length=600), type_=sa.String(length=500))
