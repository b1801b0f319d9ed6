"""Runs whose seed comes after their hash was published."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "public_seeds"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STATES = ("queued", "solving", "proposed", "drawn", "rejected", "failed", "cancelled")


def _states(*states: str) -> str:
    return f"state IN ({', '.join(repr(state) for state in states)})"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("runs") as batch_op:
        batch_op.add_column(sa.Column("seed_entered_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("seed_entered_by_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_runs_seed_entered_by_id"), "users", ["seed_entered_by_id"], ["id"])
        batch_op.alter_column("seed", existing_type=sa.String(length=200), nullable=True)
        batch_op.alter_column("problem", existing_type=sa.Text(), nullable=True)
        batch_op.drop_constraint(op.f("ck_runs_runstate"), type_="check")
        batch_op.create_check_constraint(op.f("ck_runs_runstate"), _states("awaiting_seed", *STATES))
        batch_op.create_check_constraint(op.f("ck_runs_seeded"), "(seed IS NULL) = (problem IS NULL)")
        batch_op.create_check_constraint(
            op.f("ck_runs_awaits_seed"), "seed IS NOT NULL OR state IN ('awaiting_seed', 'cancelled')"
        )


def downgrade() -> None:
    """Undo. A run that has no seed yet is lost."""
    op.execute("DELETE FROM run_settlements WHERE run_id IN (SELECT id FROM runs WHERE seed IS NULL)")
    op.execute("DELETE FROM runs WHERE seed IS NULL")
    with op.batch_alter_table("runs") as batch_op:
        batch_op.drop_constraint(op.f("ck_runs_awaits_seed"), type_="check")
        batch_op.drop_constraint(op.f("ck_runs_seeded"), type_="check")
        batch_op.drop_constraint(op.f("ck_runs_runstate"), type_="check")
        batch_op.create_check_constraint(op.f("ck_runs_runstate"), _states(*STATES))
        batch_op.alter_column("problem", existing_type=sa.Text(), nullable=False)
        batch_op.alter_column("seed", existing_type=sa.String(length=200), nullable=False)
        batch_op.drop_constraint(op.f("fk_runs_seed_entered_by_id"), type_="foreignkey")
        batch_op.drop_column("seed_entered_by_id")
        batch_op.drop_column("seed_entered_at")
