"""Everybody who submitted, corrected or imported an application, whoever did so last."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "written_by"
down_revision: str | None = "unreplaced_heads"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WRITTEN_BY = """
    UPDATE applications
    SET written_by = (
        SELECT json_group_array(user_id) FROM (
            SELECT applications.submitted_by_id AS user_id
            UNION SELECT corrected_by_id FROM corrections WHERE application_id = applications.id
        ) AS writers
    )
    WHERE submitted_at IS NOT NULL
"""


def upgrade() -> None:
    """Apply. Of what was corrected before, it is not told apart what nobody checks: all who corrected are among them.

    Who submitted or imported is, or whoever corrects next would take their place.
    """
    op.add_column("applications", sa.Column("written_by", sa.JSON(), server_default="[]", nullable=False))
    with op.batch_alter_table("applications") as batch_op:
        batch_op.alter_column("written_by", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(WRITTEN_BY if is_sqlite else WRITTEN_BY.replace("json_group_array", "json_agg"))


def downgrade() -> None:
    """Undo."""
    op.drop_column("applications", "written_by")
