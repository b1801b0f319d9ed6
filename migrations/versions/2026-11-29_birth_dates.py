"""People by their birth date, to find who is recorded in two houses without reading everybody for each house."""

from collections.abc import Sequence

from alembic import op

revision: str = "birth_dates"
down_revision: str | None = "proposals_ended_by"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index(op.f("ix_people_birth_date"), "people", ["birth_date"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_people_birth_date"), table_name="people")
