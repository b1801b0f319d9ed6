"""Users and services as an identity provider knows them, and sessions that wait for a code."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "identities"
down_revision: str | None = "placements"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("is_service", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identities_issuer_subject")),
        sa.UniqueConstraint("reference", name=op.f("uq_identities_reference")),
        sa.UniqueConstraint("user_id", name=op.f("uq_identities_user_id")),
    )
    op.add_column("browser_sessions", sa.Column("awaits_code", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Undo. Sessions that wait for a code would go on without one, and end instead."""
    op.execute(sa.text("DELETE FROM browser_sessions WHERE awaits_code"))
    op.drop_column("browser_sessions", "awaits_code")
    op.drop_table("identities")
