"""Grants to read one household beyond the reader's scope."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "67a0b97ab305"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "break_glass_grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("household", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by_id", sa.Integer(), nullable=True),
        sa.Column("remark", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "(reviewed_at IS NULL) = (remark IS NULL)", name=op.f("ck_break_glass_grants_review_has_remark")
        ),
        sa.CheckConstraint("expires_at >= granted_at", name=op.f("ck_break_glass_grants_ends_after_it_begins")),
        sa.ForeignKeyConstraint(["reviewed_by_id"], ["users.id"], name=op.f("fk_break_glass_grants_reviewed_by_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_break_glass_grants_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass_grants")),
        sa.UniqueConstraint("reference", name=op.f("uq_break_glass_grants_reference")),
    )
    with op.batch_alter_table("break_glass_grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_break_glass_grants_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_break_glass_grants_user_id"), ["user_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("break_glass_grants", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_break_glass_grants_user_id"))
        batch_op.drop_index(batch_op.f("ix_break_glass_grants_expires_at"))

    op.drop_table("break_glass_grants")
