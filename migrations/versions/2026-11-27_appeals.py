"""Appeals, questions to runs, and who comes first in line."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "appeals"
down_revision: str | None = "documents"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "what_ifs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "smallest_change", "correction", name="whatifkind", native_enum=False, create_constraint=True, length=40
            ),
            nullable=False,
        ),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "solving",
                "done",
                "failed",
                name="whatifstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("found", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("failure", sa.String(length=500), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_id", sa.Integer(), nullable=True),
        sa.Column("claim", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'done') = (found IS NOT NULL)", name=op.f("ck_what_ifs_found")),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_what_ifs_failure")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["users.id"], name=op.f("fk_what_ifs_asked_by_id")),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_what_ifs_household_id")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_what_ifs_proposal_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_what_ifs_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_what_ifs")),
        sa.UniqueConstraint("reference", name=op.f("uq_what_ifs_reference")),
    )
    with op.batch_alter_table("what_ifs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_what_ifs_household_id"), ["household_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_what_ifs_proposal_id"), ["proposal_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_what_ifs_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_what_ifs_smallest_change",
            ["proposal_id"],
            unique=True,
            sqlite_where=sa.text("kind = 'smallest_change' AND state <> 'failed'"),
            postgresql_where=sa.text("kind = 'smallest_change' AND state <> 'failed'"),
        )

    op.create_table(
        "appeals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Integer(), nullable=False),
        sa.Column(
            "against",
            sa.Enum(
                "ineligibility",
                "priority",
                "proposal",
                "offer",
                name="appealagainst",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column(
            "ground",
            sa.Enum(
                "facts_wrong",
                "facts_changed",
                "rule_misapplied",
                "need_misjudged",
                "procedure",
                "other",
                name="appealground",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("statement_sealed", sa.Text(), nullable=True),
        sa.Column("corrections", sa.JSON(), nullable=False),
        sa.Column("took_part", sa.JSON(), nullable=False),
        sa.Column("what_if_id", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "lodged",
                "upheld",
                "dismissed",
                "withdrawn",
                name="appealstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("lodged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lodged_by_id", sa.Integer(), nullable=True),
        sa.Column("decide_by", sa.Date(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("reason_sealed", sa.Text(), nullable=True),
        sa.Column("gives_precedence", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(state = 'lodged') = (ended_at IS NULL)", name=op.f("ck_appeals_ended")),
        sa.CheckConstraint("state = 'upheld' OR NOT gives_precedence", name=op.f("ck_appeals_precedence")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_appeals_application_id")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name=op.f("fk_appeals_decided_by_id")),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_appeals_household_id")),
        sa.ForeignKeyConstraint(["lodged_by_id"], ["users.id"], name=op.f("fk_appeals_lodged_by_id")),
        sa.ForeignKeyConstraint(
            ["what_if_id"], ["what_ifs.id"], name=op.f("fk_appeals_what_if_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeals")),
        sa.UniqueConstraint("reference", name=op.f("uq_appeals_reference")),
    )
    with op.batch_alter_table("appeals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_appeals_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_appeals_decide_by"), ["decide_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_appeals_household_id"), ["household_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_appeals_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_appeals_live",
            ["application_id"],
            unique=True,
            sqlite_where=sa.text("state = 'lodged'"),
            postgresql_where=sa.text("state = 'lodged'"),
        )

    op.add_column("applications", sa.Column("precedence_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("applications", "precedence_since")

    with op.batch_alter_table("appeals", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_appeals_live", sqlite_where=sa.text("state = 'lodged'"), postgresql_where=sa.text("state = 'lodged'")
        )
        batch_op.drop_index(batch_op.f("ix_appeals_state"))
        batch_op.drop_index(batch_op.f("ix_appeals_household_id"))
        batch_op.drop_index(batch_op.f("ix_appeals_decide_by"))
        batch_op.drop_index(batch_op.f("ix_appeals_application_id"))

    op.drop_table("appeals")
    with op.batch_alter_table("what_ifs", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_what_ifs_smallest_change",
            sqlite_where=sa.text("kind = 'smallest_change' AND state <> 'failed'"),
            postgresql_where=sa.text("kind = 'smallest_change' AND state <> 'failed'"),
        )
        batch_op.drop_index(batch_op.f("ix_what_ifs_state"))
        batch_op.drop_index(batch_op.f("ix_what_ifs_proposal_id"))
        batch_op.drop_index(batch_op.f("ix_what_ifs_household_id"))

    op.drop_table("what_ifs")
