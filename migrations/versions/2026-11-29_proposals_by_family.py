"""Proposals by application and by household: a family's own, out of those of every run."""

from collections.abc import Sequence

from alembic import op

revision: str = "proposals_by_family"
down_revision: str | None = "birth_dates"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(op.f("ix_proposals_application_id"), "proposals", ["application_id"], unique=False)
    op.create_index(op.f("ix_proposals_household_id"), "proposals", ["household_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_proposals_household_id"), table_name="proposals")
    op.drop_index(op.f("ix_proposals_application_id"), table_name="proposals")
