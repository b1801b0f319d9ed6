"""What was changed of applications after they were handed in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "corrections"
down_revision: str | None = "tenancy"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STATES = (
    "draft",
    "submitted",
    "returned",
    "verified",
    "eligible",
    "ineligible",
    "allocated",
    "housed",
    "withdrawn",
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("corrected_by_id", sa.Integer(), nullable=True),
        sa.Column(
            "state_before",
            sa.Enum(*STATES, name="applicationstate", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("content_sealed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["applications.id"], name=op.f("fk_corrections_application_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["corrected_by_id"], ["users.id"], name=op.f("fk_corrections_corrected_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        sa.UniqueConstraint("reference", name=op.f("uq_corrections_reference")),
    )
    op.create_index(op.f("ix_corrections_application_id"), "corrections", ["application_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_index(op.f("ix_corrections_application_id"), table_name="corrections")
    op.drop_table("corrections")
