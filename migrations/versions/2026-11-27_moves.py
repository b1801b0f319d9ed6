"""Runs that keep what an earlier one reserved, and start from its solution."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "moves"
down_revision: str | None = "appeals"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STATES = ("proposed", "not_housed", "ineligible", "reserved", "moved_in", "released", "discarded")


def _allow(*states: str) -> None:
    allowed = f"state IN ({', '.join(repr(state) for state in states)})"
    with op.batch_alter_table("proposals") as batch_op:
        batch_op.drop_constraint(op.f("ck_proposals_proposalstate"), type_="check")
        batch_op.create_check_constraint(op.f("ck_proposals_proposalstate"), sa.text(allowed))


def upgrade() -> None:
    """Apply."""
    _allow("kept", *STATES)
    with op.batch_alter_table("runs") as batch_op:
        batch_op.add_column(sa.Column("previous_run_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_runs_previous_run_id"), "runs", ["previous_run_id"], ["id"])


def downgrade() -> None:
    """Undo. What was kept is told as released: the reservation is the earlier run's."""
    op.execute("UPDATE proposals SET state = 'released' WHERE state = 'kept'")
    with op.batch_alter_table("runs") as batch_op:
        batch_op.drop_constraint(op.f("fk_runs_previous_run_id"), type_="foreignkey")
        batch_op.drop_column("previous_run_id")
    _allow(*STATES)
