"""Applications are verified and decided on. What was submitted stays submitted: it is verified before the next run."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "verification"
down_revision: str | None = "identities"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = ("draft", "submitted", "allocated", "housed", "withdrawn")
BY = ("verified_by_id", "decided_by_id")
AFTER = (*BEFORE[:2], "returned", "verified", "eligible", "ineligible", *BEFORE[2:])


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("return_reasons", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("return_note", sa.String(length=500), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_policy", sa.String(length=16), nullable=True),
        sa.Column("ineligible_for", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("facts_hash", sa.String(length=80), nullable=True),
    )


def _is_one_of(states: Sequence[str]) -> str:
    return f"state IN ({', '.join(repr(state) for state in states)})"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("applications") as batch_op:
        for column in _columns():
            batch_op.add_column(column)
        for name in BY:
            batch_op.create_foreign_key(op.f(f"fk_applications_{name}"), "users", [name], ["id"])
        batch_op.drop_constraint(op.f("ck_applications_applicationstate"), type_="check")
        batch_op.create_check_constraint(op.f("ck_applications_applicationstate"), _is_one_of(AFTER))


def downgrade() -> None:
    """Undo. What was verified or decided is submitted again, what was returned is a draft."""
    op.execute("UPDATE applications SET state = 'draft' WHERE state = 'returned'")
    op.execute("UPDATE applications SET state = 'submitted' WHERE state IN ('verified', 'eligible', 'ineligible')")
    with op.batch_alter_table("applications") as batch_op:
        batch_op.drop_constraint(op.f("ck_applications_applicationstate"), type_="check")
        batch_op.create_check_constraint(op.f("ck_applications_applicationstate"), _is_one_of(BEFORE))
        for name in BY:
            batch_op.drop_constraint(op.f(f"fk_applications_{name}"), type_="foreignkey")
        for column in _columns():
            batch_op.drop_column(column.name)
