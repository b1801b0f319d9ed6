"""Match keys, households that may be one, and merges."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "duplicates"
down_revision: str | None = "previews"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "duplicate_candidates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("first_id", sa.Integer(), nullable=False),
        sa.Column("second_id", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "same",
                "different",
                "moved_household",
                "lapsed",
                name="candidatestate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column(
            "found_by",
            sa.Enum("rules", "statistical_model", name="foundby", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decision_reason", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state IN ('open', 'lapsed')) OR (decided_at IS NOT NULL)", name=op.f("ck_duplicate_candidates_decided")
        ),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_duplicate_candidates_order")),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name=op.f("fk_duplicate_candidates_decided_by_id")),
        sa.ForeignKeyConstraint(["first_id"], ["households.id"], name=op.f("fk_duplicate_candidates_first_id")),
        sa.ForeignKeyConstraint(["second_id"], ["households.id"], name=op.f("fk_duplicate_candidates_second_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_candidates")),
        sa.UniqueConstraint("reference", name=op.f("uq_duplicate_candidates_reference")),
    )
    with op.batch_alter_table("duplicate_candidates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duplicate_candidates_first_id"), ["first_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_duplicate_candidates_second_id"), ["second_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_duplicate_candidates_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_duplicate_candidates_open",
            ["first_id", "second_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "match_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_match_keys_household_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_keys")),
    )
    with op.batch_alter_table("match_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_match_keys_household_id"), ["household_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_match_keys_key"), ["key"], unique=False)

    op.create_table(
        "merges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=False),
        sa.Column("set_aside_id", sa.Integer(), nullable=True),
        sa.Column("was_placed", sa.Boolean(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.Integer(), nullable=True),
        sa.Column("undone_reason", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_reason IS NULL)", name=op.f("ck_merges_undone")),
        sa.ForeignKeyConstraint(["candidate_id"], ["duplicate_candidates.id"], name=op.f("fk_merges_candidate_id")),
        sa.ForeignKeyConstraint(["from_id"], ["households.id"], name=op.f("fk_merges_from_id")),
        sa.ForeignKeyConstraint(["into_id"], ["households.id"], name=op.f("fk_merges_into_id")),
        sa.ForeignKeyConstraint(["made_by_id"], ["users.id"], name=op.f("fk_merges_made_by_id")),
        sa.ForeignKeyConstraint(["set_aside_id"], ["households.id"], name=op.f("fk_merges_set_aside_id")),
        sa.ForeignKeyConstraint(["undone_by_id"], ["users.id"], name=op.f("fk_merges_undone_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
        sa.UniqueConstraint("reference", name=op.f("uq_merges_reference")),
    )
    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_merges_candidate_id"), ["candidate_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_merges_from_id"), ["from_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_merges_into_id"), ["into_id"], unique=False)

    with op.batch_alter_table("households", schema=None) as batch_op:
        batch_op.add_column(sa.Column("merged_into_id", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_households_merged_into_id"), ["merged_into_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_households_merged_into_id"), "households", ["merged_into_id"], ["id"]
        )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("households", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_households_merged_into_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_households_merged_into_id"))
        batch_op.drop_column("merged_into_id")

    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_merges_into_id"))
        batch_op.drop_index(batch_op.f("ix_merges_from_id"))
        batch_op.drop_index(batch_op.f("ix_merges_candidate_id"))

    op.drop_table("merges")
    with op.batch_alter_table("match_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_match_keys_key"))
        batch_op.drop_index(batch_op.f("ix_match_keys_household_id"))

    op.drop_table("match_keys")
    with op.batch_alter_table("duplicate_candidates", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_duplicate_candidates_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index(batch_op.f("ix_duplicate_candidates_state"))
        batch_op.drop_index(batch_op.f("ix_duplicate_candidates_second_id"))
        batch_op.drop_index(batch_op.f("ix_duplicate_candidates_first_id"))

    op.drop_table("duplicate_candidates")
