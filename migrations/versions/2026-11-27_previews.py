"""Previews of a draft of the policy over the live register."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "previews"
down_revision: str | None = "verification"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    state = sa.Enum(
        *("queued", "solving", "done", "failed", "cancelled"),
        name="previewstate",
        native_enum=False,
        create_constraint=True,
        length=40,
    )
    op.create_table(
        "policy_previews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("state", state, nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.Column("in_force_id", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_id", sa.Integer(), nullable=True),
        sa.Column("register_sha256", sa.String(length=64), nullable=False),
        sa.Column("is_solved", sa.Boolean(), nullable=False),
        sa.Column("time_limit_seconds", sa.Integer(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("households", sa.Text(), nullable=False),
        sa.Column("frozen", sa.Text(), nullable=True),
        sa.Column("claim", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=1000), nullable=True),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_policy_previews_failure")),
        sa.ForeignKeyConstraint(["draft_id"], ["policy_versions.id"], name=op.f("fk_policy_previews_draft_id")),
        sa.ForeignKeyConstraint(["in_force_id"], ["policy_versions.id"], name=op.f("fk_policy_previews_in_force_id")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["users.id"], name=op.f("fk_policy_previews_requested_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_previews")),
        sa.UniqueConstraint("reference", name=op.f("uq_policy_previews_reference")),
    )
    for column in ("draft_id", "state"):
        op.create_index(op.f(f"ix_policy_previews_{column}"), "policy_previews", [column], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("policy_previews")
