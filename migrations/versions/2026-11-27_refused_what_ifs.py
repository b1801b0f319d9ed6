"""What would have been of who was signed as ineligible: without a proposal."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "refused_what_ifs"
down_revision: str | None = "corrections"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("what_ifs", schema=None) as batch_op:
        batch_op.alter_column("proposal_id", existing_type=sa.Integer(), nullable=True)


def downgrade() -> None:
    """Undo: questions without a proposal go, and appeals keep what they were told."""
    op.execute(
        "UPDATE appeals SET what_if_id = NULL WHERE what_if_id IN (SELECT id FROM what_ifs WHERE proposal_id IS NULL)"
    )
    op.execute("DELETE FROM what_ifs WHERE proposal_id IS NULL")
    with op.batch_alter_table("what_ifs", schema=None) as batch_op:
        batch_op.alter_column("proposal_id", existing_type=sa.Integer(), nullable=False)
